//! The door to what is kept warm.

use std::time::Duration;

use bgt_pool::{BuildError, Managed, Pool, PoolBuilder};
#[cfg(feature = "process")]
use bgt_pool::{WorkerBuilder, WorkerPool};

use crate::Orchestrator;

impl Orchestrator {
    /// Builds a pool of worker processes whose calls are listed with all other runs. Keep the handle: clones are the same
    /// pool.
    ///
    /// # Errors
    ///
    /// What [`WorkerBuilder::build`](bgt_pool::WorkerBuilder::build) refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use bgt_orchestrator::pool::WorkerPool;
    /// use bgt_orchestrator::{Command, Orchestrator, Pattern};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bgt = Orchestrator::new();
    /// let worker = r#"while read -r line; do
    ///     id=${line#*:} id=${id%%,*}; echo "{\"requestId\":$id,\"output\":42}"
    /// done"#;
    /// let pool = bgt.worker_pool(WorkerPool::builder(Command::new("sh").args(["-c", worker])).size(1))?;
    /// let answer: u32 = pool.call("the question").await?.json()?;
    /// assert_eq!((answer, bgt.runs().recent()[0].pattern), (42, Pattern::Pooled));
    /// # Ok(()) } main().unwrap();
    /// # }
    /// ```
    #[cfg(feature = "process")]
    #[cfg_attr(docsrs, doc(cfg(all(feature = "pooled", feature = "process"))))]
    pub fn worker_pool(&self, workers: WorkerBuilder) -> Result<WorkerPool, BuildError> {
        let pool = workers.observer(self.shared.observer.clone()).build()?;
        self.shared.pools.note_workers(&pool);
        self.close_at_once(&pool, |pool| async move { pool.drain(Duration::ZERO).await });
        Ok(pool)
    }

    /// Builds a pool of any resource; what runs on it with [`Pool::run`](bgt_pool::Pool::run) is listed with all other
    /// runs. Keep the handle: clones are the same pool.
    ///
    /// # Errors
    ///
    /// What [`PoolBuilder::build`](bgt_pool::PoolBuilder::build) refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_orchestrator::Orchestrator;
    /// use bgt_orchestrator::pool::{Pool, factory};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bgt = Orchestrator::new();
    /// let connect = factory(|| async { Ok::<_, std::io::Error>(String::from("connection")) });
    /// let pool = bgt.pool(Pool::builder(connect).name("db").size(2))?;
    /// assert_eq!(pool.run(|connection, _cx| async move { Ok(connection.len()) }).await?, 10);
    /// assert_eq!(bgt.runs().recent()[0].name.as_ref(), "db");
    /// # Ok(()) }
    /// ```
    pub fn pool<M: Managed>(&self, resources: PoolBuilder<M>) -> Result<Pool<M>, BuildError> {
        let pool = resources.observer(self.shared.observer.clone()).build()?;
        self.shared.pools.note(&pool);
        self.close_at_once(&pool, |pool| async move { pool.drain(Duration::ZERO).await });
        Ok(pool)
    }

    /// The pool of workers of this name, that the [builder](crate::OrchestratorBuilder::workers) was told of: built when it is
    /// asked for first, and kept until the orchestrator is gone.
    ///
    /// # Errors
    ///
    /// [`WorkersError`](crate::WorkersError): nothing has this name, or it cannot be built.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use bgt_orchestrator::Orchestrator;
    /// use bgt_orchestrator::pool::WorkerPool;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bgt = Orchestrator::builder().workers("score", || WorkerPool::python("sentiment:score").size(2)).build();
    /// println!("{}", bgt.workers("score")?.call("so good").await?.text());
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "process")]
    #[cfg_attr(docsrs, doc(cfg(all(feature = "pooled", feature = "process"))))]
    pub fn workers(&self, name: &str) -> Result<WorkerPool, crate::WorkersError> {
        self.shared.pools.workers(name, |workers| self.worker_pool(workers))
    }

    /// A pool that was built when nothing more is to start refuses its callers.
    pub(super) fn close_at_once<P, Draining>(&self, pool: &P, drain: impl FnOnce(P) -> Draining)
    where
        P: Clone,
        Draining: Future<Output = bgt_pool::Drained> + Send + 'static,
    {
        if self.shared.switches.closing.reason().is_some() {
            tokio::spawn(drain(pool.clone()));
        }
    }
}
