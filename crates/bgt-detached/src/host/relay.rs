//! What happens inside an attempt, told to those who watch the run.

use std::sync::Arc;

use bgt_core::{Event, EventKind, Observer, Pattern, RunId};

use super::{Host, Working};

/// Passes on what an attempt says of itself. Its begin and its end are not those of the run.
pub(super) struct Relay {
    pub(super) host: Arc<Host>,
    pub(super) working: Arc<Working>,
}

impl Observer for Relay {
    fn event(&self, event: &Event) {
        match &event.kind {
            EventKind::Progress(progress) => self.working.tell(progress.clone()),
            EventKind::Spawned { .. } | EventKind::Stopping { .. } => {}
            _ => return,
        }
        self.host.settings.observers.iter().for_each(|observer| observer.notify(event));
    }
}

impl Host {
    pub(super) fn notify(&self, run: RunId, name: &str, kind: EventKind) {
        if self.settings.observers.is_empty() {
            return;
        }
        let event = Event::new(run, name.into(), Pattern::Detached, kind);
        self.settings.observers.iter().for_each(|observer| observer.notify(&event));
    }
}
