//! The door to a run that is watched.

use bgt_core::{Pattern, Task};
use bgt_streaming::Stream;

use crate::Orchestrator;

impl Orchestrator {
    /// Starts a task and lets it be watched, live and from any line on. Deadline, progress and the rest are set on what it
    /// answers, then it is started, as with [`bgt_streaming::stream`].
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_orchestrator::streaming::{From, StreamEvent};
    /// use bgt_orchestrator::{Orchestrator, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_orchestrator::Error> {
    /// let bgt = Orchestrator::new();
    /// let greet = task_fn("greet", |cx: bgt_orchestrator::Context| async move {
    ///     let _ = cx.emit(bgt_orchestrator::Source::Stdout, "hello\n").await;
    ///     Ok(())
    /// });
    /// let run = bgt.streaming(greet).start();
    /// let mut events = run.subscribe(From::Start);
    /// while let Some(event) = events.next().await {
    ///     if let StreamEvent::Line(line) = event {
    ///         assert_eq!(line.text(), "hello");
    ///     }
    /// }
    /// run.await?;
    /// assert_eq!(bgt.runs().recent()[0].name.as_ref(), "greet");
    /// # Ok(()) }
    /// ```
    #[doc(alias = "long_running")]
    pub fn streaming<T: Task + 'static>(&self, task: T) -> Stream<T> {
        let shared = &self.shared;
        bgt_streaming::stream(task)
            .observer(shared.observer.clone())
            .cancel(shared.switches.of(Pattern::Streaming))
            .drain_on(&shared.switches.closing)
    }
}
