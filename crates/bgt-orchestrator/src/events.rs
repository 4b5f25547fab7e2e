//! One stream of events over all runs of all patterns.

use std::fmt;

use bgt_core::Event;
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// What a listener hears.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Heard {
    /// Something happened to a run.
    Event(Event),
    /// The listener was too slow, and missed so many events. Where each run stands now is in the
    /// [list](crate::Orchestrator::runs).
    Missed(u64),
}

/// Everything that happens to any run of an orchestrator, from when this was made: of all patterns, in one stream.
///
/// A listener never slows a run. As many events as [`OrchestratorBuilder::held_events`](crate::OrchestratorBuilder::held_events)
/// says are held for one that is slow; what it misses beyond that is told by its number.
///
/// Dropping it changes nothing for the runs.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "simple")] {
/// use bgt_orchestrator::{EventKind, Heard, Orchestrator, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_orchestrator::Error> {
/// let bgt = Orchestrator::new();
/// let mut events = bgt.events();
/// bgt.simple(task_fn("hello", |_cx| async { Ok(()) })).await?;
/// while let Some(Heard::Event(event)) = events.next().await {
///     println!("{} {}: {:?}", event.pattern, event.name, event.kind);
///     if let EventKind::Ended { .. } = event.kind {
///         break;
///     }
/// }
/// # Ok(()) } main().unwrap();
/// # }
/// ```
pub struct Events {
    events: Receiver<Event>,
}

impl Events {
    pub(crate) fn new(events: Receiver<Event>) -> Self {
        Self { events }
    }

    /// The next thing that happens; `None` when the orchestrator and all its runs are gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: no event is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.events.recv().await {
            Ok(event) => Some(Heard::Event(event)),
            Err(RecvError::Lagged(missed)) => Some(Heard::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("waiting", &self.events.len()).finish()
    }
}
