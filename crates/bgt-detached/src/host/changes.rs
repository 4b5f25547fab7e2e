//! Who waits for news of which run. Only of this process: what other hosts do has to be looked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bgt_core::RunId;
use tokio::sync::Notify;

#[derive(Default)]
pub(crate) struct Changes(Mutex<HashMap<RunId, Arc<Notify>>>);

impl Changes {
    fn map(&self) -> MutexGuard<'_, HashMap<RunId, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears of a run from now on.
    pub(crate) fn of(&self, run: RunId) -> News<'_> {
        let told = self.map().entry(run).or_default().clone();
        News { changes: self, run, told }
    }

    pub(crate) fn tell(&self, run: RunId) {
        if let Some(told) = self.map().get(&run) {
            told.notify_waiters();
        }
    }
}

pub(crate) struct News<'a> {
    changes: &'a Changes,
    run: RunId,
    pub(crate) told: Arc<Notify>,
}

impl Drop for News<'_> {
    fn drop(&mut self) {
        let mut map = self.changes.map();
        // Ours and the map's.
        if Arc::strong_count(&self.told) == 2 {
            map.remove(&self.run);
        }
    }
}
