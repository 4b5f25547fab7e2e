//! A look at a pool of workers that does not keep it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::pool::WorkerPool;
use super::workers::{Processes, Workers};
use crate::WeakPool;

/// Finds a pool of workers again as long as anybody has it: for those who end many pools together, such as a shutdown.
#[derive(Clone)]
pub struct WeakWorkerPool {
    pool: WeakPool<Workers>,
    processes: Weak<Processes>,
    request_deadline: Option<Duration>,
    grace: Duration,
}

impl WorkerPool {
    /// A look at this pool that does not keep it.
    #[must_use]
    pub fn downgrade(&self) -> WeakWorkerPool {
        let Self { pool, processes, request_deadline, grace } = self;
        let (request_deadline, grace) = (*request_deadline, *grace);
        WeakWorkerPool {
            pool: pool.downgrade(),
            processes: Arc::downgrade(processes),
            request_deadline,
            grace,
        }
    }
}

impl WeakWorkerPool {
    /// The pool, unless the last of its clones is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<WorkerPool> {
        let (request_deadline, grace) = (self.request_deadline, self.grace);
        let (pool, processes) = (self.pool.upgrade()?, self.processes.upgrade()?);
        Some(WorkerPool { pool, processes, request_deadline, grace })
    }
}

impl std::fmt::Debug for WeakWorkerPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WeakWorkerPool").field(&self.upgrade()).finish()
    }
}
