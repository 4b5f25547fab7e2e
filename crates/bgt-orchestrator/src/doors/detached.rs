//! The door to runs that nobody waits for.

use std::path::Path;

use bgt_core::RunId;
use bgt_detached::{Builder, Detached, DetachedError, Job, Result, Run};

use crate::Orchestrator;

impl Orchestrator {
    /// An orchestrator that keeps detached runs in this file, and works on those that are in it. Functions and queues are
    /// said with [`open_with`](Self::open_with).
    ///
    /// Dropping the last clone lets go of detached runs at once, as the end of the process would; others find them.
    ///
    /// # Errors
    ///
    /// A file that cannot be opened, is damaged, or is something else.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(Builder::new(), path).await
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
    pub async fn open_with(builder: Builder, path: impl AsRef<Path>) -> Result<Self> {
        Self::builder().detached(builder).open(path).await
    }

    /// Accepts a job, and answers the id of its run once that is on disk, as with
    /// [`Detached::detach`](bgt_detached::Detached::detach).
    ///
    /// # Errors
    ///
    /// [`NotOpen`](DetachedError::NotOpen) without [`open`](Self::open); a job that would be refused; a fault of the
    /// records.
    #[doc(alias = "fire_and_forget")]
    pub async fn detached(&self, job: impl Into<Job>) -> Result<RunId> {
        self.host()?.detach(job).await
    }

    /// A detached run, by its id: also one that was accepted before this process was started.
    ///
    /// # Errors
    ///
    /// [`NotOpen`](DetachedError::NotOpen) without [`open`](Self::open).
    pub fn run(&self, id: RunId) -> Result<Run> {
        Ok(self.host()?.run(id))
    }

    /// The host of detached runs: lists, counts, shutdown.
    ///
    /// # Errors
    ///
    /// [`NotOpen`](DetachedError::NotOpen) without [`open`](Self::open).
    pub fn host(&self) -> Result<&Detached> {
        self.detached.as_ref().ok_or(DetachedError::NotOpen)
    }
}
