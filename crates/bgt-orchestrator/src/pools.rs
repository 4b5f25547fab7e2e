//! The pools that were made here, to be found again and to be ended together.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bgt_pool::{Managed, Pool, WeakPool};

/// How a pool of workers that has a name is made.
#[cfg(feature = "process")]
pub(crate) type MakeWorkers = std::sync::Arc<dyn Fn() -> bgt_pool::WorkerBuilder + Send + Sync>;

#[derive(Default)]
pub(crate) struct Pools {
    made: Mutex<Vec<Box<dyn Drains>>>,
    #[cfg(feature = "process")]
    named: Mutex<std::collections::BTreeMap<String, Named>>,
}

#[cfg(feature = "process")]
#[derive(Clone)]
struct Named {
    make: MakeWorkers,
    made: std::sync::Arc<Mutex<Option<bgt_pool::WorkerPool>>>,
}

/// Why there is no pool of that name.
#[cfg(feature = "process")]
#[cfg_attr(docsrs, doc(cfg(all(feature = "pooled", feature = "process"))))]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkersError {
    /// The builder of the orchestrator was given no such pool.
    #[error("no pool of workers is called {name:?}, only {known}: name it with OrchestratorBuilder::workers")]
    Unknown {
        /// As it was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// It cannot be built.
    #[error("the pool of workers {name:?} cannot be built")]
    Build {
        /// The pool.
        name: String,
        /// Why not.
        source: bgt_pool::BuildError,
    },
}

type Left = Pin<Box<dyn Future<Output = usize> + Send>>;

/// A pool of any kind, that somebody else has.
trait Drains: Send + Sync {
    /// Ends it and answers how many callers were left; nothing if it is gone.
    fn drain(&self, within: Duration) -> Option<Left>;

    fn is_gone(&self) -> bool;
}

impl<M: Managed> Drains for WeakPool<M> {
    fn drain(&self, within: Duration) -> Option<Left> {
        let pool = self.upgrade()?;
        Some(Box::pin(async move { pool.drain(within).await.left }))
    }

    fn is_gone(&self) -> bool {
        self.upgrade().is_none()
    }
}

#[cfg(feature = "process")]
impl Drains for bgt_pool::WeakWorkerPool {
    fn drain(&self, within: Duration) -> Option<Left> {
        let pool = self.upgrade()?;
        Some(Box::pin(async move { pool.drain(within).await.left }))
    }

    fn is_gone(&self) -> bool {
        self.upgrade().is_none()
    }
}

/// Kept by this as well: what is warm there ends with the orchestrator, or with its shutdown.
#[cfg(feature = "process")]
impl Drains for bgt_pool::ScriptPool {
    fn drain(&self, within: Duration) -> Option<Left> {
        let pool = self.clone();
        Some(Box::pin(async move { pool.drain(within).await.left }))
    }

    fn is_gone(&self) -> bool {
        false
    }
}

impl Pools {
    pub(crate) fn new(
        #[cfg(feature = "process")] named: impl Iterator<Item = (String, MakeWorkers)>,
    ) -> Self {
        Self {
            #[cfg(feature = "process")]
            named: Mutex::new(
                named.map(|(name, make)| (name, Named { make, made: Default::default() })).collect(),
            ),
            ..Self::default()
        }
    }

    pub(crate) fn note<M: Managed>(&self, pool: &Pool<M>) {
        self.remember(Box::new(pool.downgrade()));
    }

    #[cfg(feature = "process")]
    pub(crate) fn note_workers(&self, pool: &bgt_pool::WorkerPool) {
        self.remember(Box::new(pool.downgrade()));
    }

    #[cfg(feature = "process")]
    pub(crate) fn note_scripts(&self, pool: &bgt_pool::ScriptPool) {
        self.remember(Box::new(pool.clone()));
    }

    fn remember(&self, pool: Box<dyn Drains>) {
        let mut made = lock(&self.made);
        made.retain(|pool| !pool.is_gone());
        made.push(pool);
    }

    /// The pool of this name, built by this if it is not there yet.
    #[cfg(feature = "process")]
    pub(crate) fn workers(
        &self,
        name: &str,
        build: impl FnOnce(bgt_pool::WorkerBuilder) -> Result<bgt_pool::WorkerPool, bgt_pool::BuildError>,
    ) -> Result<bgt_pool::WorkerPool, WorkersError> {
        let named = lock(&self.named).get(name).cloned();
        let Some(Named { make, made }) = named else {
            let known: Vec<_> = lock(&self.named).keys().map(|name| format!("{name:?}")).collect();
            let known = if known.is_empty() { "none at all".to_owned() } else { known.join(", ") };
            return Err(WorkersError::Unknown { name: name.to_owned(), known });
        };
        // That of one name: who makes it may ask for others.
        let mut made = lock(&made);
        if let Some(pool) = &*made {
            return Ok(pool.clone());
        }
        let built = build(make().name(name));
        let pool = built.map_err(|source| WorkersError::Build { name: name.to_owned(), source })?;
        Ok(made.insert(pool).clone())
    }

    /// Ends all of them at once, and answers how many callers were left.
    pub(crate) async fn drain(&self, within: Duration) -> usize {
        let mut draining = tokio::task::JoinSet::new();
        for left in lock(&self.made).iter().filter_map(|pool| pool.drain(within)) {
            draining.spawn(left);
        }
        let mut left = 0;
        while let Some(callers) = draining.join_next().await {
            left += callers.unwrap_or(0);
        }
        left
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
