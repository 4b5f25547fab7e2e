//! The handle of a pool of scripts.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bgt_core::{Observer, Pattern, Task};
use bgt_process::Command;
use bgt_simple::Run;
use deadpool::managed::{Manager, Metrics as ObjectMetrics, RecycleResult};
use tokio::time::timeout;

use super::builder::ScriptPoolBuilder;
use super::isolation::{ScriptMetrics, Warmth};
use super::run::{PooledRun, ScriptRun};
use super::starter::{OneRun, Way};
use crate::{Drained, Error, ErrorParts, Pool, PoolError, RunId};

/// A pool in which Python scripts run as they are, in interpreters that are warm. Clones are the same pool.
///
/// A run answers what a run of the same [`Command`] without a pool answers: the same
/// [`Output`](crate::Output) or error, the same bytes, exit code and tree to be ended, under the same limits. What is known
/// to differ is in the guide. Each script has a process of its own: nothing that it does is seen by the next.
///
/// How scripts are kept apart is the [`Isolation`](crate::Isolation). Programs that are no Python scripts run cold, in
/// the same bounded places.
///
/// # Dropping
///
/// Dropping the last clone ends what is warm. Runs belong to their futures, and go on.
///
/// # Examples
///
/// ```
/// use bgt_pool::{Isolation, ScriptPool};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("bgt-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let script = folder.join("score.py");
/// # std::fs::write(&script, "import json, sys\nprint(json.dumps({'score': len(sys.argv[1])}))\n")?;
/// # if bgt_pool::Command::script(&script).plan().await.is_err() { return Ok(()) } // no Python here
/// let pool = ScriptPool::builder(&script).preload(["json"]).size(2).build()?;
///
/// let output = pool.run(["some text"]).await?;
/// assert_eq!(output.stdout_text().trim_end(), r#"{"score": 9}"#);
/// assert_ne!(pool.warmth().isolation, Isolation::Cold);
/// # pool.drain(std::time::Duration::from_secs(10)).await;
/// # std::fs::remove_dir_all(folder)?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ScriptPool {
    pub(super) places: Pool<Places>,
    pub(super) way: Way,
    pub(super) command: Command,
    pub(super) observer: Option<Arc<dyn Observer>>,
}

impl ScriptPool {
    /// A pool for this script. Others run in it, too: [`run_command`](Self::run_command).
    pub fn builder(script: impl AsRef<Path>) -> ScriptPoolBuilder {
        ScriptPoolBuilder::new(Command::script(script))
    }

    /// A pool for this command: a script of which there is more to be said, or any program.
    pub fn of(command: Command) -> ScriptPoolBuilder {
        ScriptPoolBuilder::new(command)
    }

    /// Runs the script with these arguments, after those that its command has, as a run, to be awaited: it is given a
    /// deadline, retries and cancellation as any [`Run`] is. The deadline covers the wait for a place.
    ///
    /// # Errors
    ///
    /// What a run of the command answers; a [`PoolError`](crate::PoolError) when there was no place, a
    /// [`ScriptError`](crate::ScriptError) when no interpreter was warm and the pool is to refuse then.
    pub fn run(&self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run<'static, ScriptRun> {
        self.run_command(self.command.clone().args(args))
    }

    /// Runs this command in the pool: another script, other folders, other streams.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_command(&self, command: Command) -> Run<'static, ScriptRun> {
        self.listed(self.task(command))
    }

    /// Runs this command as [`run_command`](Self::run_command) does, and answers how it was started, too.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_pooled(&self, command: Command) -> Run<'static, PooledRun> {
        self.listed(PooledRun(self.task(command)))
    }

    /// This command as a task that runs in the pool, for those who run it by another pattern: in a batch, on a schedule, watched.
    pub fn task(&self, command: Command) -> ScriptRun {
        ScriptRun { places: self.places.clone(), way: self.way.clone(), command }
    }

    fn listed<T: Task + 'static>(&self, task: T) -> Run<'static, T> {
        let run = bgt_simple::run(task).pattern(Pattern::Pooled);
        match &self.observer {
            Some(observer) => run.observer(observer.clone()),
            None => run,
        }
    }

    /// Makes an interpreter warm for the pool's own script, or as many as are to be
    /// [spare](ScriptPoolBuilder::spare), and waits for that.
    ///
    /// # Errors
    ///
    /// What the command would be refused for, [`ScriptError::NotWarm`](crate::ScriptError::NotWarm), and
    /// [`PoolError::Closed`](crate::PoolError::Closed) after a drain.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn warm(&self) -> Result<(), Error> {
        let made = if self.way.hearth.is_out() {
            Err(PoolError::Closed { pool: self.name().into() }.into_task_error())
        } else {
            self.command.rehearse(&OneRun::new(&self.way)).await
        };
        // No run of the script, but an error as one of its runs has it.
        made.map_err(|cause| {
            let mut parts = ErrorParts::new(RunId::new(), self.name().into(), cause);
            parts.pattern = Pattern::Pooled;
            Error::new(parts)
        })
    }

    /// How the last script was started, and why not as it was to be.
    #[must_use]
    pub fn warmth(&self) -> Warmth {
        self.way.hearth.tally.last()
    }

    /// The pool at this moment.
    #[must_use]
    pub fn metrics(&self) -> ScriptMetrics {
        self.way.hearth.tally.metrics(self.places.metrics())
    }

    /// The process ids of the warm interpreters that fork.
    #[must_use]
    pub fn zygotes(&self) -> Vec<u32> {
        self.way.hearth.zygotes()
    }

    /// How many prestarted interpreters wait for a script.
    #[must_use]
    pub fn spares(&self) -> usize {
        self.way.hearth.waiting()
    }

    /// The pool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.places.name()
    }

    /// Shuts the pool down: refuses new runs, lets those that were accepted finish within this time, and ends what is
    /// warm. Runs that are not over by then belong to their futures still.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the pool closed to new callers, and the rest as it is.
    pub async fn drain(&self, within: Duration) -> Drained {
        let drained = self.places.drain(within).await;
        let hearth = &self.way.hearth;
        hearth.put_out();
        hearth.minders.close();
        let _ = timeout(within, hearth.minders.wait()).await;
        drained
    }
}

impl fmt::Debug for ScriptPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptPool")
            .field("command", &self.command)
            .field("warmth", &self.warmth())
            .field("metrics", &self.metrics())
            .finish()
    }
}

/// Makes places: nothing but the right to run.
#[derive(Debug)]
pub(crate) struct Places;

impl Manager for Places {
    type Type = ();
    type Error = Infallible;

    async fn create(&self) -> Result<(), Infallible> {
        Ok(())
    }

    async fn recycle(&self, _: &mut (), _: &ObjectMetrics) -> RecycleResult<Infallible> {
        Ok(())
    }
}
