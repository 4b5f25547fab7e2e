//! What a pool of workers is asked to be.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bgt_core::{Observer, Polite, Task};
use bgt_process::Command;
use tokio::sync::Notify;

use super::pool::WorkerPool;
use super::protocol;
use super::workers::Workers;
use crate::{Backoff, BuildError, Pool, PoolBuilder};

/// A pool of workers that is about to be, made by [`WorkerPool::builder`] or [`WorkerPool::python`]. Nothing is started
/// before [`build`](Self::build).
#[must_use = "a builder does nothing until it builds"]
pub struct WorkerBuilder {
    pool: PoolBuilder<Workers>,
    request_deadline: Option<Duration>,
    /// The Python function, when it is named in a way that cannot be.
    unnamed: Option<String>,
}

impl WorkerBuilder {
    pub(super) fn new(command: Command) -> Self {
        let name: Arc<str> = Arc::from(&*Task::name(&command));
        let nudge = Arc::new(Notify::new());
        let workers = Workers {
            // A worker is asked to end by the end of its input.
            command: command
                .env(protocol::VARIABLE, protocol::VERSION.to_string())
                .polite(Polite::CloseStdin),
            pool: name.clone(),
            ready: false,
            max_memory: None,
            grace: Duration::from_secs(1),
            nudge: nudge.clone(),
            processes: Arc::default(),
        };
        let pool = Pool::builder(workers).name(name).nudged_by(nudge);
        Self { pool, request_deadline: None, unnamed: None }
    }

    pub(super) fn unnamed(mut self, handler: Option<String>) -> Self {
        self.unnamed = handler;
        self
    }

    fn workers(mut self, change: impl FnOnce(&mut Workers)) -> Self {
        change(self.pool.manager_mut());
        self
    }

    fn with(mut self, change: impl FnOnce(PoolBuilder<Workers>) -> PoolBuilder<Workers>) -> Self {
        self.pool = change(self.pool);
        self
    }

    /// Changes the command: its folder, its environment, its interpreter.
    pub fn command(self, change: impl FnOnce(Command) -> Command) -> Self {
        self.workers(|workers| workers.command = change(workers.command.clone()))
    }

    /// Sets the name: of the pool in errors and logs, and of its calls. The command's name without this.
    pub fn name(self, name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        self.workers(|workers| workers.pool = name.clone()).with(|pool| pool.name(name))
    }

    /// Sets how many workers there may be; as many as there are processors without this. While one is being replaced
    /// there may be one more, until the process of the old one has ended.
    pub fn size(self, workers: usize) -> Self {
        self.with(|pool| pool.size(workers))
    }

    /// Sets how many workers wait for a request at any time, as far as the size allows; none without this. They are
    /// started as soon as the pool is built: [`WorkerPool::warm`] waits for them.
    pub fn min_idle(self, workers: usize) -> Self {
        self.with(|pool| pool.min_idle(workers))
    }

    /// Sets whether a worker says that it is ready before it is asked anything: with the line `{"protocol":1}`. Without
    /// this a worker is asked as soon as it is started, and such a line is taken for what it is.
    pub fn says_ready(self, ready: bool) -> Self {
        self.workers(|workers| workers.ready = ready)
    }

    /// Sets how long starting a worker may take until it is ready; 30 s without this.
    pub fn start_deadline(self, limit: Duration) -> Self {
        self.with(|pool| pool.create_deadline(limit))
    }

    /// Sets how many calls may wait for a worker; 1024 without this. The next one is refused at once.
    pub fn queue(self, calls: usize) -> Self {
        self.with(|pool| pool.queue(calls))
    }

    /// Sets how long a call waits for a worker; as long as its deadline allows without this.
    pub fn queue_deadline(self, limit: Duration) -> Self {
        self.with(|pool| pool.queue_deadline(limit))
    }

    /// Sets the deadline of every call that does not set its own; none without this.
    pub fn request_deadline(mut self, limit: Duration) -> Self {
        self.request_deadline = Some(limit);
        self
    }

    /// Sets how long a worker may take to say that it has stopped, when its request is cancelled or its deadline passes;
    /// 1 s without this. Then it is killed. A worker that does not know cancellation makes callers wait that long.
    pub fn grace(self, grace: Duration) -> Self {
        self.workers(|workers| workers.grace = grace)
    }

    /// Sets how old a worker may become. Another one is started first, and the old one ends when it is ready, one at a
    /// time; until then it serves as before.
    pub fn max_age(self, age: Duration) -> Self {
        self.with(|pool| pool.max_age(age))
    }

    /// Sets about how many requests a worker answers; it goes as with [`max_age`](Self::max_age).
    pub fn max_requests(self, requests: u64) -> Self {
        self.with(|pool| pool.max_uses(requests))
    }

    /// Sets how much a worker may have in memory, in bytes, looked at between requests; it goes as with
    /// [`max_age`](Self::max_age).
    ///
    /// # Platform-specific behavior
    ///
    /// Of the worker alone, without its descendants. Without effect where the system does not tell, which is everywhere
    /// but on Linux and Windows.
    pub fn max_memory(self, bytes: u64) -> Self {
        self.workers(|workers| workers.max_memory = Some(bytes))
    }

    /// Sets by which share, from 0 to 1, chance may shorten the age and the requests of each worker, so that those that
    /// were started together do not end together; 0.2 without this.
    pub fn jitter(self, share: f64) -> Self {
        self.with(|pool| pool.jitter(share))
    }

    /// Sets after how long without a request a worker is ended; never without this. As many as
    /// [`min_idle`](Self::min_idle) says are kept.
    pub fn idle_timeout(self, limit: Duration) -> Self {
        self.with(|pool| pool.idle_timeout(limit))
    }

    /// Sets how the pool waits when workers cannot be started, or end at once.
    pub fn backoff(self, backoff: Backoff) -> Self {
        self.with(|pool| pool.backoff(backoff))
    }

    /// Adds somebody who is told what happens to the calls: a registry such as [`Runs`](crate::Runs), metrics, a log.
    pub fn observer(self, observer: Arc<dyn Observer>) -> Self {
        self.with(|pool| pool.observer(observer))
    }

    /// Builds the pool, and starts the workers that are to be idle.
    ///
    /// # Errors
    ///
    /// [`BuildError`] that names the setting that cannot be, or the missing runtime. What is wrong with the command
    /// shows when the first worker is to be started.
    pub fn build(mut self) -> Result<WorkerPool, BuildError> {
        if let Some(handler) = self.unnamed {
            return Err(BuildError::Handler { handler });
        }
        if self.request_deadline == Some(Duration::ZERO) {
            return Err(BuildError::Zero { what: "request_deadline" });
        }
        let workers = self.pool.manager_mut();
        if workers.max_memory == Some(0) {
            return Err(BuildError::Zero { what: "max_memory" });
        }
        let (processes, grace) = (workers.processes.clone(), workers.grace);
        let pool = self.pool.looked_at(
            |worker| worker.desk.is_over().then(|| worker.desk.last_words()),
            |worker| worker.desk.is_heavy(),
        );
        let pool = pool.parting(|mut worker, place| worker.place = Some(place));
        let pool = pool.build().map_err(as_said_here)?;
        Ok(WorkerPool { pool, processes, request_deadline: self.request_deadline, grace })
    }
}

/// Some settings have another name here than in the pool below.
fn as_said_here(error: BuildError) -> BuildError {
    match error {
        BuildError::Zero { what: "max_uses" } => BuildError::Zero { what: "max_requests" },
        BuildError::Zero { what: "create_deadline" } => BuildError::Zero { what: "start_deadline" },
        error => error,
    }
}

impl fmt::Debug for WorkerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBuilder").field("pool", &self.pool).finish_non_exhaustive()
    }
}
