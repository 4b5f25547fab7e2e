//! The door to one run, waited for.

use bgt_core::{Pattern, Task};
use bgt_simple::Run;

use crate::Orchestrator;
use crate::shared::Shared;

impl Orchestrator {
    /// Runs one task to its end and hands back everything. Deadline, retries and the rest are set on what it
    /// answers, as with [`bgt_simple::run`].
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_orchestrator::{Orchestrator, Status, task_fn};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_orchestrator::Error> {
    /// let bgt = Orchestrator::new();
    /// let double = task_fn("double", |_cx| async { Ok(21 * 2) });
    /// assert_eq!(bgt.simple(double).deadline(Duration::from_secs(1)).await?, 42);
    /// assert_eq!(bgt.runs().recent()[0].status, Status::Succeeded);
    /// # Ok(()) }
    /// ```
    pub fn simple<'a, T: Task + 'a>(&self, task: T) -> Run<'a, T> {
        self.run_as(Pattern::Simple, task)
    }

    /// A run that is listed under this pattern, and takes part in the shutdown as one of its: it does not start after its begin.
    pub(crate) fn run_as<'a, T: Task + 'a>(&self, pattern: Pattern, task: T) -> Run<'a, T> {
        self.accepted_as(pattern, task).drain_on(&self.shared.switches.closing)
    }

    /// The same of a run that somebody was told is accepted: it starts, also while all others end.
    pub(crate) fn accepted_as<'a, T: Task + 'a>(&self, pattern: Pattern, task: T) -> Run<'a, T> {
        let Shared { observer, switches, .. } = &*self.shared;
        bgt_simple::run(task).pattern(pattern).observer(observer.clone()).cancel(switches.of(pattern))
    }
}
