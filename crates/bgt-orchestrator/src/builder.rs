//! What an orchestrator is asked to be.

use std::fmt;
use std::sync::Arc;

use bgt_core::{Limits, Observer, Pattern, Runs};

use crate::Orchestrator;
use crate::locals::Locals;
use crate::shared::{Shared, Switches, place};
use crate::watcher::Watcher;

/// What becomes of runs that are at work when a [shutdown](crate::Orchestrator::shutdown) begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtShutdown {
    /// They may come to their end, as long as there is time.
    Finish,
    /// They are asked to stop at once.
    Stop,
}

/// An orchestrator that is about to be: what its patterns share.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "concurrent")] {
/// use bgt_orchestrator::concurrent::batch;
/// use bgt_orchestrator::{AtShutdown, Limits, Needs, Orchestrator, Pattern, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bgt = Orchestrator::builder()
///     .limits(&Limits::new().with("gpu", 1).with("mem", 64 << 30))
///     .at_shutdown(Pattern::Simple, AtShutdown::Stop)
///     .build();
///
/// // A batch and a run of its own share the one GPU.
/// let gpu = || Needs::new().with("gpu", 1);
/// let frames = (0..3).map(|n| task_fn("frame", move |_cx| async move { Ok(n) }));
/// let preview = bgt.needing(gpu(), task_fn("preview", |_cx| async { Ok(()) }));
/// let (report, preview) = tokio::join!(
///     bgt.concurrent(batch(frames)).needs(gpu()).into_future(),
///     bgt.simple(preview).into_future(),
/// );
/// assert!(report?.is_success());
/// preview?;
/// # Ok(()) } main().unwrap();
/// # }
/// ```
#[must_use = "a builder does nothing until it builds"]
pub struct OrchestratorBuilder {
    keep: usize,
    held_events: usize,
    observers: Vec<Arc<dyn Observer>>,
    limits: Option<Limits>,
    at_shutdown: [AtShutdown; 6],
    #[cfg(feature = "periodic")]
    scheduler: bgt_periodic::SchedulerBuilder,
    #[cfg(feature = "detached")]
    detached: bgt_detached::Builder,
    #[cfg(all(feature = "pooled", feature = "process"))]
    workers: Vec<(String, crate::pools::MakeWorkers)>,
}

impl Default for OrchestratorBuilder {
    fn default() -> Self {
        let mut at_shutdown = [AtShutdown::Finish; 6];
        at_shutdown[place(Pattern::Streaming)] = AtShutdown::Stop;
        Self {
            keep: 1000,
            held_events: 1024,
            observers: Vec::new(),
            limits: None,
            at_shutdown,
            #[cfg(feature = "periodic")]
            scheduler: bgt_periodic::Scheduler::builder(),
            #[cfg(feature = "detached")]
            detached: bgt_detached::Builder::new(),
            #[cfg(all(feature = "pooled", feature = "process"))]
            workers: Vec::new(),
        }
    }
}

impl OrchestratorBuilder {
    /// Sets the limits that all share: batches, and tasks that say what they [need](Orchestrator::needing). Keep a clone to
    /// look at what is available.
    pub fn limits(mut self, limits: &Limits) -> Self {
        self.limits = Some(limits.clone());
        self
    }

    /// Adds somebody who is told what happens to every run: metrics, a log.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Sets how many runs that are over are [listed](Orchestrator::runs); 1 000 without this.
    pub fn keep_runs(mut self, runs: usize) -> Self {
        self.keep = runs;
        self
    }

    /// Sets how many [events](Orchestrator::events) are held for a listener that is slow, at least 1; 1 024 without this.
    pub fn held_events(mut self, events: usize) -> Self {
        self.held_events = events.clamp(1, 1 << 20);
        self
    }

    /// Sets what becomes of runs of this pattern that are at work when a [shutdown](Orchestrator::shutdown) begins. Without this
    /// all may finish, as long as there is time, but those that are streamed, which may take days. Detached runs are
    /// handed over whatever is said here, but for those of this process alone.
    pub fn at_shutdown(mut self, pattern: Pattern, then: AtShutdown) -> Self {
        self.at_shutdown[place(pattern)] = then;
        self
    }

    /// Sets what schedules are kept by: a store, another clock.
    #[cfg(feature = "periodic")]
    #[cfg_attr(docsrs, doc(cfg(feature = "periodic")))]
    pub fn scheduler(mut self, scheduler: bgt_periodic::SchedulerBuilder) -> Self {
        self.scheduler = scheduler;
        self
    }

    /// Sets the queues, functions and settings of detached runs.
    #[cfg(feature = "detached")]
    #[cfg_attr(docsrs, doc(cfg(feature = "detached")))]
    pub fn detached(mut self, detached: bgt_detached::Builder) -> Self {
        self.detached = detached;
        self
    }

    /// Names a pool of workers, which is built when it is first [asked for](Orchestrator::workers), and kept.
    #[cfg(all(feature = "pooled", feature = "process"))]
    #[cfg_attr(docsrs, doc(cfg(all(feature = "pooled", feature = "process"))))]
    pub fn workers(
        mut self,
        name: impl Into<String>,
        make: impl Fn() -> bgt_pool::WorkerBuilder + Send + Sync + 'static,
    ) -> Self {
        self.workers.push((name.into(), Arc::new(make)));
        self
    }

    /// The orchestrator, that keeps what it knows in memory.
    #[must_use]
    pub fn build(self) -> Orchestrator {
        self.parts().0
    }

    /// The orchestrator, that keeps detached runs in this file, and works on those that are in it.
    ///
    /// # Errors
    ///
    /// A setting that makes no sense; a file that cannot be opened, is damaged, or is something else.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[cfg(feature = "detached")]
    #[cfg_attr(docsrs, doc(cfg(feature = "detached")))]
    pub async fn open(self, path: impl AsRef<std::path::Path>) -> bgt_detached::Result<Orchestrator> {
        let (mut bgt, detached) = self.parts();
        bgt.detached = Some(detached.open(path).await?);
        Ok(bgt)
    }

    /// The orchestrator, with a store of its own for detached runs and a folder for what they leave behind. The same store may
    /// keep the schedules: give it to [`scheduler`](Self::scheduler) too.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[cfg(feature = "detached")]
    #[cfg_attr(docsrs, doc(cfg(feature = "detached")))]
    pub async fn start(
        self,
        store: Arc<dyn bgt_detached::Store>,
        folder: impl Into<std::path::PathBuf>,
    ) -> bgt_detached::Result<Orchestrator> {
        let (mut bgt, detached) = self.parts();
        bgt.detached = Some(detached.start(store, folder).await?);
        Ok(bgt)
    }

    #[cfg(not(feature = "detached"))]
    fn parts(self) -> (Orchestrator, ()) {
        let shared = Arc::new(Shared::new(&self));
        #[cfg(feature = "periodic")]
        let scheduler = self.scheduler.observer(shared.observer.clone()).build();
        let bgt = Orchestrator {
            #[cfg(feature = "periodic")]
            scheduler,
            #[cfg(all(feature = "pooled", feature = "process"))]
            scripts: Arc::default(),
            shared,
        };
        (bgt, ())
    }

    #[cfg(feature = "detached")]
    fn parts(self) -> (Orchestrator, bgt_detached::Builder) {
        let shared = Arc::new(Shared::new(&self));
        let detached = self.detached.observer(shared.observer.clone());
        #[cfg(feature = "periodic")]
        let scheduler = self.scheduler.observer(shared.observer.clone()).build();
        let bgt = Orchestrator {
            #[cfg(feature = "periodic")]
            scheduler,
            detached: None,
            #[cfg(all(feature = "pooled", feature = "process"))]
            scripts: Arc::default(),
            shared,
        };
        (bgt, detached)
    }
}

impl Shared {
    fn new(builder: &OrchestratorBuilder) -> Self {
        let runs = Runs::keeping(builder.keep);
        let watcher = Arc::new(Watcher::new(runs, builder.observers.clone(), builder.held_events));
        Self {
            observer: watcher.clone(),
            watcher,
            limits: builder.limits.clone(),
            switches: Switches::default(),
            locals: Locals::default(),
            at_shutdown: builder.at_shutdown,
            #[cfg(feature = "pooled")]
            pools: crate::pools::Pools::new(
                #[cfg(feature = "process")]
                builder.workers.iter().cloned(),
            ),
        }
    }
}

impl fmt::Debug for OrchestratorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrchestratorBuilder")
            .field("keep_runs", &self.keep)
            .field("held_events", &self.held_events)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
