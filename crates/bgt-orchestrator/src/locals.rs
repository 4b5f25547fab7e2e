//! Detached runs of this process alone: nobody takes them over, so a shutdown waits for them as for any other.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bgt_core::RunId;

#[cfg(feature = "detached")]
use crate::watcher::Watcher;

#[derive(Clone, Default)]
pub(crate) struct Locals(Arc<Mutex<HashSet<RunId>>>);

/// One of them, until this is dropped.
#[cfg(feature = "detached")]
pub(crate) struct Local {
    all: Locals,
    id: RunId,
    watcher: Arc<Watcher>,
}

impl Locals {
    #[cfg(feature = "detached")]
    pub(crate) fn add(&self, id: RunId, watcher: &Arc<Watcher>) -> Local {
        self.ids().insert(id);
        Local { all: self.clone(), id, watcher: watcher.clone() }
    }

    /// Whether all are over, those included that were accepted and have not begun.
    pub(crate) fn is_empty(&self) -> bool {
        self.ids().is_empty()
    }

    pub(crate) fn has(&self, id: RunId) -> bool {
        self.ids().contains(&id)
    }

    fn ids(&self) -> MutexGuard<'_, HashSet<RunId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(feature = "detached")]
impl Drop for Local {
    fn drop(&mut self) {
        self.all.ids().remove(&self.id);
        self.watcher.ended.notify_waiters();
    }
}
