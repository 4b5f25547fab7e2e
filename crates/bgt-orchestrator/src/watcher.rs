//! What is told of every run, and to whom it is passed on.
//!
//! Owns: the list of runs, the stream of events. Never does: wait, or let a listener hold up a run.

use std::sync::{Arc, OnceLock};

use bgt_core::{Event, EventKind, Observer, Runs};
use tokio::sync::{Notify, broadcast};

use crate::Events;

/// Hears of every run of an orchestrator.
pub(crate) struct Watcher {
    pub(crate) runs: Runs,
    others: Vec<Arc<dyn Observer>>,
    /// Made for the first who listens: most have none, and pay for none.
    events: OnceLock<broadcast::Sender<Event>>,
    held: usize,
    /// A run is over.
    pub(crate) ended: Notify,
}

impl Watcher {
    pub(crate) fn new(runs: Runs, others: Vec<Arc<dyn Observer>>, held: usize) -> Self {
        Self { runs, others, events: OnceLock::new(), held, ended: Notify::new() }
    }

    pub(crate) fn listen(&self) -> Events {
        Events::new(self.events.get_or_init(|| broadcast::channel(self.held).0).subscribe())
    }
}

impl Observer for Watcher {
    fn event(&self, event: &Event) {
        self.runs.event(event);
        for other in &self.others {
            other.notify(event);
        }
        if let Some(events) = self.events.get() {
            // Nobody listens any more: that is no fault.
            let _ = events.send(event.clone());
        }
        if matches!(event.kind, EventKind::Ended { .. }) {
            self.ended.notify_waiters();
        }
    }
}
