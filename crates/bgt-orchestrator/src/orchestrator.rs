//! The one object.

use bgt_core::Runs;

/// Every pattern through one object. Clones are the same orchestrator.
///
/// Dropping it stops nothing: a run belongs to the future or handle that its door answered. It lists runs and does not
/// stop them: to stop many at once, give each a child of one [`Cancel`](bgt_core::Cancel).
///
/// Schedules are its own: they stop with the last of its clones and of their handles. So are the interpreters that
/// `pooled` keeps warm: they end with the last of its clones.
#[derive(Clone, Debug)]
#[doc(alias = "TaskOrchestrator")]
pub struct Orchestrator {
    runs: Runs,
    #[cfg(feature = "periodic")]
    scheduler: bgt_periodic::Scheduler,
    #[cfg(feature = "detached")]
    detached: Option<bgt_detached::Detached>,
    /// Made when the first program is [`pooled`](Self::pooled).
    #[cfg(all(feature = "pooled", feature = "process"))]
    pub(crate) scripts: std::sync::Arc<std::sync::OnceLock<bgt_pool::ScriptPool>>,
}

impl Default for Orchestrator {
    fn default() -> Self {
        let runs = Runs::default();
        Self {
            #[cfg(feature = "periodic")]
            scheduler: scheduler(bgt_periodic::Scheduler::builder(), &runs),
            #[cfg(feature = "detached")]
            detached: None,
            #[cfg(all(feature = "pooled", feature = "process"))]
            scripts: std::sync::Arc::default(),
            runs,
        }
    }
}

#[cfg(feature = "periodic")]
fn scheduler(builder: bgt_periodic::SchedulerBuilder, runs: &Runs) -> bgt_periodic::Scheduler {
    builder.observer(std::sync::Arc::new(runs.clone())).build()
}

impl Orchestrator {
    /// An orchestrator that keeps what it knows in memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An orchestrator that keeps detached runs in this file, and works on those that are in it. Functions and queues are
    /// said with [`open_with`](Self::open_with).
    ///
    /// Dropping the last clone lets go of detached runs at once, as the end of the process would; others find them.
    ///
    /// # Errors
    ///
    /// A file that cannot be opened, is damaged, or is something else.
    #[cfg(feature = "detached")]
    #[cfg_attr(docsrs, doc(cfg(feature = "detached")))]
    pub async fn open(path: impl AsRef<std::path::Path>) -> bgt_detached::Result<Self> {
        Self::open_with(bgt_detached::Builder::new(), path).await
    }

    /// The same with queues, functions and settings of one's own.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open), and for a setting that makes no sense.
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_orchestrator::detached::{Builder, DetachedError, Job};
    /// use bgt_orchestrator::{Context, Orchestrator, Status};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), DetachedError> {
    /// # let folder = bgt_testkit::Scratch::new();
    /// # let path = folder.path("runs.db");
    /// let double = |_cx: Context, n: u32| async move { Ok(n * 2) };
    /// let bgt = Orchestrator::open_with(Builder::new().function("double", double), path).await?;
    /// let id = bgt.detached(Job::call("double", &21)).await?;
    /// assert_eq!(bgt.run(id)?.wait().await?.status, Status::Succeeded);
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "detached")]
    #[cfg_attr(docsrs, doc(cfg(feature = "detached")))]
    pub async fn open_with(
        builder: bgt_detached::Builder,
        path: impl AsRef<std::path::Path>,
    ) -> bgt_detached::Result<Self> {
        let mut bgt = Self::new();
        let detached = builder.observer(std::sync::Arc::new(bgt.runs.clone())).open(path).await?;
        bgt.detached = Some(detached);
        Ok(bgt)
    }

    /// Accepts a job, and answers the id of its run once that is on disk, as with
    /// [`Detached::detach`](bgt_detached::Detached::detach).
    ///
    /// # Errors
    ///
    /// [`NotOpen`](bgt_detached::DetachedError::NotOpen) without [`open`](Self::open); a job that would be refused; a fault of the
    /// records.
    #[cfg(feature = "detached")]
    #[cfg_attr(docsrs, doc(cfg(feature = "detached")))]
    #[doc(alias = "fire_and_forget")]
    pub async fn detached(&self, job: impl Into<bgt_detached::Job>) -> bgt_detached::Result<bgt_core::RunId> {
        self.host()?.detach(job).await
    }

    /// A detached run, by its id: also one that was accepted before this process was started.
    ///
    /// # Errors
    ///
    /// [`NotOpen`](bgt_detached::DetachedError::NotOpen) without [`open`](Self::open).
    #[cfg(feature = "detached")]
    #[cfg_attr(docsrs, doc(cfg(feature = "detached")))]
    pub fn run(&self, id: bgt_core::RunId) -> bgt_detached::Result<bgt_detached::Run> {
        Ok(self.host()?.run(id))
    }

    /// The host of detached runs: lists, counts, shutdown.
    ///
    /// # Errors
    ///
    /// [`NotOpen`](bgt_detached::DetachedError::NotOpen) without [`open`](Self::open).
    #[cfg(feature = "detached")]
    #[cfg_attr(docsrs, doc(cfg(feature = "detached")))]
    pub fn host(&self) -> bgt_detached::Result<&bgt_detached::Detached> {
        self.detached.as_ref().ok_or(bgt_detached::DetachedError::NotOpen)
    }

    /// The active and recent runs of all patterns.
    #[must_use]
    pub fn runs(&self) -> &Runs {
        &self.runs
    }

    /// Runs one task to its end and hands back everything. Deadline, retries and the rest are set on what it
    /// answers, as with [`bgt_simple::run`].
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_orchestrator::{Orchestrator, Status, task_fn};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_orchestrator::Error> {
    /// let bgt = Orchestrator::new();
    /// let double = task_fn("double", |_cx| async { Ok(21 * 2) });
    /// assert_eq!(bgt.simple(double).deadline(Duration::from_secs(1)).await?, 42);
    /// assert_eq!(bgt.runs().recent()[0].status, Status::Succeeded);
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "simple")]
    #[cfg_attr(docsrs, doc(cfg(feature = "simple")))]
    pub fn simple<'a, T: bgt_core::Task + 'a>(&self, task: T) -> bgt_simple::Run<'a, T> {
        bgt_simple::run(task).observer(std::sync::Arc::new(self.runs.clone()))
    }

    /// Runs many tasks at once, under limits. What goes for them is set on the batch, before or after, and awaiting it answers
    /// one report, as with [`bgt_concurrent::batch`].
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_orchestrator::concurrent::{BatchError, batch};
    /// use bgt_orchestrator::{Orchestrator, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BatchError> {
    /// let bgt = Orchestrator::new();
    /// let squares = (0..100u64).map(|n| task_fn("square", move |_cx| async move { Ok(n * n) }));
    /// let report = bgt.concurrent(batch(squares)).max_concurrent(4).await?;
    /// assert_eq!(report.counts.succeeded, 100);
    /// assert_eq!(bgt.runs().recent()[0].name.as_ref(), "square");
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "concurrent")]
    #[cfg_attr(docsrs, doc(cfg(feature = "concurrent")))]
    #[doc(alias = "batch")]
    pub fn concurrent<T: bgt_core::Task + 'static>(
        &self,
        batch: bgt_concurrent::Batch<T>,
    ) -> bgt_concurrent::Batch<T> {
        batch.observer(std::sync::Arc::new(self.runs.clone()))
    }

    /// Starts a task and lets it be watched, live and from any line on. Deadline, progress and the rest are set on what it
    /// answers, then it is started, as with [`bgt_streaming::stream`].
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_orchestrator::streaming::{From, StreamEvent};
    /// use bgt_orchestrator::{Orchestrator, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_orchestrator::Error> {
    /// let bgt = Orchestrator::new();
    /// let greet = task_fn("greet", |cx: bgt_orchestrator::Context| async move {
    ///     let _ = cx.emit(bgt_orchestrator::Source::Stdout, "hello\n").await;
    ///     Ok(())
    /// });
    /// let run = bgt.streaming(greet).start();
    /// let mut events = run.subscribe(From::Start);
    /// while let Some(event) = events.next().await {
    ///     if let StreamEvent::Line(line) = event {
    ///         assert_eq!(line.text(), "hello");
    ///     }
    /// }
    /// run.await?;
    /// assert_eq!(bgt.runs().recent()[0].name.as_ref(), "greet");
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "streaming")]
    #[cfg_attr(docsrs, doc(cfg(feature = "streaming")))]
    #[doc(alias = "long_running")]
    pub fn streaming<T: bgt_core::Task + 'static>(&self, task: T) -> bgt_streaming::Stream<T> {
        bgt_streaming::stream(task).observer(std::sync::Arc::new(self.runs.clone()))
    }

    /// Runs a task on a schedule, under a name that no other schedule has. [`with_tick`](bgt_periodic::with_tick) makes a task
    /// of each time, for those who want to know which one it is.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`](bgt_periodic::ScheduleError), which names the value and the way out.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the schedule is not added.
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_orchestrator::periodic::{Running, Schedule, ScheduleError};
    /// use bgt_orchestrator::{Orchestrator, task_fn};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ScheduleError> {
    /// let bgt = Orchestrator::new();
    /// let clean_up = task_fn("clean up", |_cx| async { Ok(()) });
    /// let nightly = Schedule::cron("30 2 * * *").zone("America/New_York");
    /// let cleaning = bgt.periodic("nightly", nightly, clean_up).await?;
    /// assert_eq!(cleaning.describe(), "every day at 02:30 (America/New_York)");
    /// cleaning.run_now().expect("nothing of it is running");
    /// cleaning.idle().await;
    /// assert_eq!(bgt.runs().recent()[0].name.as_ref(), "clean up");
    /// bgt.scheduler().stop(Running::Finish, Duration::from_secs(5)).await;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "periodic")]
    #[cfg_attr(docsrs, doc(cfg(feature = "periodic")))]
    #[doc(alias = "cron")]
    pub async fn periodic(
        &self,
        name: impl Into<std::sync::Arc<str>>,
        schedule: bgt_periodic::Schedule,
        job: impl bgt_periodic::Job,
    ) -> Result<bgt_periodic::ScheduleHandle, bgt_periodic::ScheduleError> {
        self.scheduler.add(name, schedule, job).await
    }

    /// All its schedules: to find one by name, to list them, to stop them.
    #[cfg(feature = "periodic")]
    #[cfg_attr(docsrs, doc(cfg(feature = "periodic")))]
    #[must_use]
    pub fn scheduler(&self) -> &bgt_periodic::Scheduler {
        &self.scheduler
    }

    /// Sets what its schedules are kept by: a store, another clock. Those that were added before stay with the scheduler that
    /// they are of, and stop with the last of their handles.
    #[cfg(feature = "periodic")]
    #[cfg_attr(docsrs, doc(cfg(feature = "periodic")))]
    #[must_use]
    pub fn scheduled_by(mut self, builder: bgt_periodic::SchedulerBuilder) -> Self {
        self.scheduler = scheduler(builder, &self.runs);
        self
    }

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
    #[cfg(all(feature = "pooled", feature = "process"))]
    #[cfg_attr(docsrs, doc(cfg(all(feature = "pooled", feature = "process"))))]
    pub fn worker_pool(
        &self,
        workers: bgt_pool::WorkerBuilder,
    ) -> Result<bgt_pool::WorkerPool, bgt_pool::BuildError> {
        workers.observer(std::sync::Arc::new(self.runs.clone())).build()
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
    #[cfg(feature = "pooled")]
    #[cfg_attr(docsrs, doc(cfg(feature = "pooled")))]
    pub fn pool<M: bgt_pool::Managed>(
        &self,
        resources: bgt_pool::PoolBuilder<M>,
    ) -> Result<bgt_pool::Pool<M>, bgt_pool::BuildError> {
        resources.observer(std::sync::Arc::new(self.runs.clone())).build()
    }
}
