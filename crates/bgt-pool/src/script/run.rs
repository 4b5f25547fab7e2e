//! One script as a run.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bgt_core::{Context, Task, TaskError, async_trait};
use bgt_process::{Command, Output};

use super::pool::Places;
use super::starter::{OneRun, Way};
use crate::{Pool, PoolError};

/// The task that [`ScriptPool::run`](crate::ScriptPool::run) makes of a command.
pub struct ScriptRun {
    pub(super) places: Pool<Places>,
    pub(super) way: Way,
    pub(super) command: Command,
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
        let place = self.places.acquire().await.map_err(PoolError::into_task_error)?;
        let output = self.command.run_by(cx, &OneRun::new(&self.way)).await;
        place.release();
        output
    }
}

impl fmt::Debug for ScriptRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptRun").field("command", &self.command).finish_non_exhaustive()
    }
}
