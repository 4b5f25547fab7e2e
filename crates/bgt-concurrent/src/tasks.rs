//! The tokio tasks of a batch, which end with it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

/// What a batch has spawned. Once closed, nothing is spawned any more.
pub(crate) struct Tasks {
    open: Mutex<Option<JoinSet<()>>>,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self { open: Mutex::new(Some(JoinSet::new())) }
    }

    /// Spawns it, or drops it if all is over.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut open = self.open();
        let Some(tasks) = &mut *open else {
            drop(open);
            return drop(task);
        };
        // What has ended makes room.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Ends all of them at once.
    pub(crate) fn close(&self) {
        // Outside the lock: what is dropped with it may want to spawn.
        let tasks = self.open().take();
        drop(tasks);
    }

    fn open(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
