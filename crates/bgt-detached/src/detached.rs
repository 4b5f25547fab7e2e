//! The hold on detached runs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bgt_core::{RunId, Status, Task};
use bgt_store::{HostRecord, NewRun, Page, RunFilter, RunPage};

use crate::functions::names;
use crate::host::{Closing, Host};
use crate::job::Start;
use crate::payload::{Payload, What};
use crate::{DetachedError, Job, Keep, LocalRun, Result, Run};

/// A host of detached runs: accepts jobs, works on them, and answers what has become of them. Clones are the same host.
///
/// **Dropping** the last clone lets go of everything at once, as the end of the process would: functions are dropped, programs
/// under a shim go on, and other hosts take over when the lease has run out. [`shutdown`](Self::shutdown) is the polite way.
#[derive(Clone)]
#[doc(alias = "fire_and_forget")]
pub struct Detached {
    owner: Arc<Owner>,
}

struct Owner(Arc<Host>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

impl Detached {
    pub(crate) fn new(host: Arc<Host>) -> Self {
        Self { owner: Arc::new(Owner(host)) }
    }

    fn host(&self) -> &Arc<Host> {
        &self.owner.0
    }

    /// Opens the records in this file, or makes it, and begins to work: one queue, no functions. A
    /// [`Builder`](crate::Builder) has more to say.
    ///
    /// # Errors
    ///
    /// A file that cannot be opened, is damaged, or is something else.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[cfg(feature = "sqlite")]
    #[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        crate::Builder::new().open(path).await
    }

    /// Accepts a job, and answers the id of its run. When it has answered, the run is on disk: it is executed, or reported
    /// lost, whatever happens to this process or to the machine.
    ///
    /// Where an open run has the same [unique key](Job::unique_key), that one is answered.
    ///
    /// # Errors
    ///
    /// A job that would be refused, before anything is written: a program that is not there, a literal secret, a queue or
    /// function that this host does not have. A fault of the records: then nothing was accepted, or nobody knows; with a
    /// unique key, asking again is safe.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped the job is accepted as a whole or not at all.
    pub async fn detach(&self, job: impl Into<Job>) -> Result<RunId> {
        let ids = self.detach_all([job.into()]).await?;
        ids.first().copied().ok_or(DetachedError::Closed)
    }

    /// Accepts many jobs at once, in one wait for the disk: all of them or none. Answers the ids in their order.
    ///
    /// # Errors
    ///
    /// As for [`detach`](Self::detach), of the first that is wrong.
    ///
    /// # Cancel safety
    ///
    /// As for [`detach`](Self::detach).
    pub async fn detach_all(&self, jobs: impl IntoIterator<Item = Job>) -> Result<Vec<RunId>> {
        if self.host().closing() >= Closing::Draining {
            return Err(DetachedError::Closed);
        }
        let mut runs = Vec::new();
        for job in jobs {
            runs.push(self.accept(job).await?);
        }
        let accepted = self.host().store.enqueue(runs).await?;
        self.host().wake();
        Ok(accepted.into_iter().map(|run| run.id).collect())
    }

    async fn accept(&self, mut job: Job) -> Result<NewRun> {
        let settings = &self.host().settings;
        if settings.has_workers && !settings.queues.contains_key(&job.queue) {
            let known = names(settings.queues.keys());
            return Err(DetachedError::UnknownQueue { queue: job.queue, known });
        }
        let (queue, labels) = (std::mem::take(&mut job.queue), std::mem::take(&mut job.labels));
        let (priority, unique_key, start) = (job.priority, job.unique_key.take(), job.start);
        let (name, payload) = job.payload().await?;
        self.check(&payload)?;
        let payload = serde_json::to_vec(&payload).map_err(|source| DetachedError::Json {
            what: "the arguments",
            function: name.clone(),
            source,
        })?;
        let mut run = NewRun::new(name, payload).queue(queue).priority(priority);
        (run.labels, run.unique_key) = (labels, unique_key);
        run.not_before = match start {
            Start::Now => None,
            Start::After(delay) => Some(SystemTime::now().checked_add(delay).ok_or_else(|| {
                let found = format!("{delay:?} from now");
                DetachedError::Setting {
                    what: "the delay of a job",
                    found,
                    expected: "a time that the clock can show",
                }
            })?),
            Start::At(time) => Some(time),
        };
        Ok(run)
    }

    fn check(&self, payload: &Payload) -> Result<()> {
        let settings = &self.host().settings;
        match &payload.what {
            What::Call { function, .. }
                if settings.has_workers && settings.functions.get(function).is_none() =>
            {
                let known = settings.functions.known();
                Err(DetachedError::UnknownFunction { function: function.clone(), known })
            }
            _ => Ok(()),
        }
    }

    /// Starts a task of this process alone: tracked, and **not durable**. For closures, which cannot be written down; it ends
    /// with this process, and nothing is left of it but what observers have noted. Records do not have it: ask the answer, not
    /// [`run`](Self::run).
    ///
    /// [`shutdown`](Self::shutdown) asks it to stop, and one that is started later at once; what is left when the time is over,
    /// or when the last clone of this is dropped, is dropped.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_detached::{Detached, Status, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_detached::DetachedError> {
    /// # let folder = bgt_testkit::Scratch::new();
    /// # let path = folder.path("runs.db");
    /// # let host = Detached::open(path).await?;
    /// let run = host.detach_local(task_fn("warm-up", |_cx| async { Ok(()) }));
    /// assert_eq!(run.wait().await, Status::Succeeded);
    /// # Ok(()) }
    /// ```
    pub fn detach_local<T: Task + 'static>(&self, task: T) -> LocalRun {
        LocalRun::start(task, &self.host().local, &self.host().settings.observers)
    }

    /// One run, by its id: where it stands, what it printed, what became of it. Nothing is looked up before it is asked.
    #[must_use]
    pub fn run(&self, id: RunId) -> Run {
        Run::new(self.host().clone(), id)
    }

    /// A page of runs, the one that was accepted last first.
    ///
    /// # Errors
    ///
    /// A fault of the records; a limit outside of 1 to 1 000.
    pub async fn list(&self, filter: RunFilter, page: Page) -> Result<RunPage> {
        Ok(self.host().store.list(filter, page).await?)
    }

    /// How many runs there are with each status; a status without runs is not listed.
    ///
    /// # Errors
    ///
    /// A fault of the records.
    pub async fn count(&self, filter: RunFilter) -> Result<BTreeMap<Status, u64>> {
        Ok(self.host().store.count(filter).await?)
    }

    /// The hosts of these records, the latest start first.
    ///
    /// # Errors
    ///
    /// A fault of the records.
    pub async fn hosts(&self) -> Result<Vec<HostRecord>> {
        Ok(self.host().store.hosts().await?)
    }

    /// Forgets runs that are over and not to be kept, with their output, and answers how many. Happens once an hour by itself,
    /// with [`Builder::keep`](crate::Builder::keep).
    ///
    /// # Errors
    ///
    /// A fault of the records.
    pub async fn prune(&self, keep: Keep) -> Result<u64> {
        Ok(self.host().prune(keep).await?)
    }

    /// Where runs leave what they leave behind.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.host().folder
    }

    /// Takes nothing on from now on: what is at work goes on, and what is accepted waits for the next host. For one that is about
    /// to [shut down](Self::shutdown), and has other things to end before that, which may still hand something over.
    pub fn rest(&self) {
        self.host().close(Closing::Full);
    }

    /// Hands over and ends, until this time is over at the latest. Nothing durable is lost by it.
    ///
    /// Accepts nothing more and takes nothing on. Functions are asked to stop, and queued again when they have; programs under
    /// a shim go on. What is left when the time is over is left as it is, for the next host to take over: at once, without
    /// waiting for a lease. Runs can still be asked about afterwards.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped the host keeps what it has and takes nothing on; call it again to go on.
    pub async fn shutdown(&self, grace: Duration) {
        self.host().drain(grace).await;
    }
}

impl fmt::Debug for Detached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detached")
            .field("folder", &self.host().folder)
            .field("working", &self.host().working().len())
            .finish_non_exhaustive()
    }
}
