//! The door to many runs at once.

use bgt_concurrent::Batch;
use bgt_core::{Pattern, Task};

use crate::Orchestrator;

impl Orchestrator {
    /// Runs many tasks at once, under limits. What goes for them is set on the batch, before or after, and awaiting it answers
    /// one report, as with [`bgt_concurrent::batch`]. If the orchestrator was built with
    /// [limits](crate::OrchestratorBuilder::limits), they hold for it, unless it is given others.
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_orchestrator::concurrent::{BatchError, batch};
    /// use bgt_orchestrator::{Orchestrator, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BatchError> {
    /// let bgt = Orchestrator::new();
    /// let squares = (0..100u64).map(|n| task_fn("square", move |_cx| async move { Ok(n * n) }));
    /// let report = bgt.concurrent(batch(squares)).max_concurrent(4).await?;
    /// assert_eq!(report.counts.succeeded, 100);
    /// assert_eq!(bgt.runs().recent()[0].name.as_ref(), "square");
    /// # Ok(()) }
    /// ```
    #[doc(alias = "batch")]
    pub fn concurrent<T: Task + 'static>(&self, batch: Batch<T>) -> Batch<T> {
        let shared = &self.shared;
        let batch = batch
            .observer(shared.observer.clone())
            .cancel(shared.switches.of(Pattern::Concurrent))
            .drain_on(&shared.switches.closing);
        match &shared.limits {
            Some(limits) => batch.limits(limits),
            None => batch,
        }
    }
}
