//! What the doors share: who is told, who is stopped, what is limited.

use std::sync::Arc;

use bgt_core::{Cancel, CancelReason, Limits, Observer, Pattern};

use crate::builder::AtShutdown;
use crate::locals::Locals;
#[cfg(feature = "pooled")]
use crate::pools::Pools;
use crate::watcher::Watcher;

pub(crate) struct Shared {
    pub(crate) watcher: Arc<Watcher>,
    /// The same, as runs take it.
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) limits: Option<Limits>,
    pub(crate) switches: Switches,
    pub(crate) locals: Locals,
    pub(crate) at_shutdown: [AtShutdown; 6],
    #[cfg(feature = "pooled")]
    pub(crate) pools: Pools,
}

/// How runs are stopped that belong to futures and handles of callers.
#[derive(Default)]
pub(crate) struct Switches {
    /// Used first: what has not started by then never does.
    pub(crate) closing: Cancel,
    runs: [Cancel; 6],
}

impl Switches {
    /// What the runs of this pattern are stopped by once they have started.
    pub(crate) fn of(&self, pattern: Pattern) -> &Cancel {
        &self.runs[place(pattern)]
    }

    /// Lets nothing more start.
    pub(crate) fn close(&self) {
        if self.closing.reason().is_none() {
            self.closing.cancel_because(CancelReason::Shutdown);
        }
    }
}

impl Shared {
    pub(crate) fn stops_at_shutdown(&self, pattern: Pattern) -> bool {
        self.at_shutdown[place(pattern)] == AtShutdown::Stop
    }
}

pub(crate) fn place(pattern: Pattern) -> usize {
    Pattern::ALL.iter().position(|other| *other == pattern).unwrap_or(0)
}
