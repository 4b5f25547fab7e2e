//! What a pool of scripts is asked to be.

use std::ffi::OsStr;
use std::fmt;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use bgt_core::{Observer, Task};
use bgt_process::Command;

use super::hearth::{Hearth, Settings};
use super::isolation::Isolation;
use super::pool::{Places, ScriptPool};
use super::starter::Way;
use crate::{BuildError, Pool, PoolBuilder};

/// A pool of scripts that is about to be, made by [`ScriptPool::builder`]. Nothing is started before the first run, or
/// [`ScriptPool::warm`].
#[must_use = "a builder does nothing until it builds"]
pub struct ScriptPoolBuilder {
    command: Command,
    places: PoolBuilder<Places>,
    isolation: Isolation,
    refuse_cold: bool,
    settings: Settings,
    observer: Option<Arc<dyn Observer>>,
}

impl ScriptPoolBuilder {
    pub(super) fn new(command: Command) -> Self {
        let name: Arc<str> = Arc::from(&*Task::name(&command));
        let settings = Settings {
            preload: Vec::new(),
            matters: Vec::new(),
            spare: available_parallelism().map_or(4, usize::from),
            limit: Duration::from_secs(30),
        };
        Self {
            command,
            places: Pool::builder(Places).name(name),
            isolation: Isolation::best(),
            refuse_cold: false,
            settings,
            observer: None,
        }
    }

    /// Changes the command: its folder, its environment, its interpreter, its first arguments.
    pub fn command(mut self, change: impl FnOnce(Command) -> Command) -> Self {
        self.command = change(self.command);
        self
    }

    /// Sets the name: of the pool in errors and logs. The script's without this.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.places = self.places.name(name);
        self
    }

    /// Adds modules that are imported ahead, by their full names. One that cannot be imported is as if no interpreter were
    /// warm.
    ///
    /// Choose those that cost and that do nothing but define: what they print while they are imported goes to the log, and
    /// of the environment they see then the host's and what the pool's own command says, but no secrets; of a run's own only
    /// what [matters](Self::depends_on). Files that they came from are watched: when one changes, so does the interpreter.
    ///
    /// A module that starts threads while it is imported cannot be forked: then interpreters are
    /// [prestarted](Isolation::Prestarted). `numpy` is one of these where its `OpenBLAS` may use several processors; with
    /// `OPENBLAS_NUM_THREADS=1` in the command's environment it is not.
    pub fn preload(mut self, modules: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.preload.extend(modules.into_iter().map(Into::into));
        self
    }

    /// Sets how scripts are kept apart; the best way of the system without this.
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation.here();
        self
    }

    /// Refuses to run a script cold when no interpreter can be made warm: such a run fails with
    /// [`ScriptError::NotWarm`](crate::ScriptError::NotWarm). Without this it runs cold, with a warning. What is no Python
    /// script runs cold in any case.
    pub fn refuse_cold(mut self) -> Self {
        self.refuse_cold = true;
        self
    }

    /// Sets how many scripts run at once; as many as there are processors without this.
    pub fn size(mut self, scripts: usize) -> Self {
        self.places = self.places.size(scripts);
        self
    }

    /// Sets how many interpreters wait for a script, of those that are [prestarted](Isolation::Prestarted); as many as there
    /// are processors without this.
    pub fn spare(mut self, interpreters: usize) -> Self {
        self.settings.spare = interpreters;
        self
    }

    /// Sets how many runs may wait for a place; 1024 without this. The next one is refused at once.
    pub fn queue(mut self, runs: usize) -> Self {
        self.places = self.places.queue(runs);
        self
    }

    /// Sets how long a run waits for a place; as long as its deadline allows without this.
    pub fn queue_deadline(mut self, limit: Duration) -> Self {
        self.places = self.places.queue_deadline(limit);
        self
    }

    /// Sets how long making an interpreter warm may take; 30 s without this.
    pub fn warm_deadline(mut self, limit: Duration) -> Self {
        self.settings.limit = limit;
        self
    }

    /// Adds environment variables that a preloaded module looks at while it is imported: it sees them, and runs in which they
    /// differ do not share an interpreter. Those that Python itself, the C library and well-known modules look at are known;
    /// all others come with the script.
    pub fn depends_on(mut self, variables: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.settings.matters.extend(variables.into_iter().map(|name| name.as_ref().to_owned()));
        self
    }

    /// Adds somebody who is told what happens to the runs: a registry such as [`Runs`](crate::Runs), metrics, a log.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(match self.observer.take() {
            Some(earlier) => Arc::new(vec![earlier, observer]),
            None => observer,
        });
        self
    }

    /// Builds the pool.
    ///
    /// # Errors
    ///
    /// [`BuildError`] that names the setting that cannot be, or the missing runtime. What is wrong with the command shows
    /// when it is run or [made warm](ScriptPool::warm).
    pub fn build(self) -> Result<ScriptPool, BuildError> {
        if self.settings.limit.is_zero() {
            return Err(BuildError::Zero { what: "warm_deadline" });
        }
        let hearth = Arc::new(Hearth::new(&self.command, self.settings, self.isolation));
        Ok(ScriptPool {
            places: self.places.build()?,
            way: Way { hearth, isolation: self.isolation, refuse_cold: self.refuse_cold },
            command: self.command,
            observer: self.observer,
        })
    }
}

impl fmt::Debug for ScriptPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptPoolBuilder")
            .field("command", &self.command)
            .field("isolation", &self.isolation)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
