//! One script as a run.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use bgt_core::{Context, Task, TaskError, async_trait};
use bgt_process::{Command, Output};

use super::isolation::Warmth;
use super::pool::Places;
use super::starter::{OneRun, Way};
use crate::{Pool, PoolError};

/// The task that [`ScriptPool::run`](crate::ScriptPool::run) makes of a command.
pub struct ScriptRun {
    pub(super) places: Pool<Places>,
    pub(super) way: Way,
    pub(super) command: Command,
}

/// The task that [`ScriptPool::run_pooled`](crate::ScriptPool::run_pooled) makes of a command.
pub struct PooledRun(pub(super) ScriptRun);

/// What a run in a pool of scripts answers: the output, as which it can be used, and how the program was started.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pooled {
    /// What the same command answers without a pool.
    pub output: Output,
    /// How it was started, and why not as it was to be.
    pub warmth: Warmth,
}

impl ScriptRun {
    async fn pooled(&self, cx: Context) -> Result<Pooled, TaskError> {
        let place = self.places.acquire().await.map_err(PoolError::into_task_error)?;
        let way = OneRun::new(&self.way);
        let output = self.command.run_by(cx, &way).await;
        place.release();
        Ok(Pooled { output: output?, warmth: way.taken() })
    }
}

#[async_trait]
impl Task for ScriptRun {
    type Output = Output;

    fn name(&self) -> Cow<'_, str> {
        Task::name(&self.command)
    }

    fn stop_budget(&self) -> Duration {
        self.command.stop_budget()
    }

    async fn describe(&self) -> Result<String, TaskError> {
        self.command.describe().await
    }

    async fn run(&self, cx: Context) -> Result<Output, TaskError> {
        self.pooled(cx).await.map(|pooled| pooled.output)
    }
}

#[async_trait]
impl Task for PooledRun {
    type Output = Pooled;

    fn name(&self) -> Cow<'_, str> {
        Task::name(&self.0)
    }

    fn stop_budget(&self) -> Duration {
        self.0.stop_budget()
    }

    async fn describe(&self) -> Result<String, TaskError> {
        self.0.describe().await
    }

    async fn run(&self, cx: Context) -> Result<Pooled, TaskError> {
        self.0.pooled(cx).await
    }
}

impl Deref for Pooled {
    type Target = Output;

    fn deref(&self) -> &Output {
        &self.output
    }
}

impl fmt::Debug for PooledRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledRun").field("command", &self.0.command).finish_non_exhaustive()
    }
}

impl fmt::Debug for ScriptRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptRun").field("command", &self.command).finish_non_exhaustive()
    }
}
