//! A command is a task.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use bgt_core::{Context, Task, TaskError, async_trait};

use crate::command::Program;
use crate::{Command, CommandError, Output};

#[async_trait]
impl Task for Command {
    type Output = Output;

    fn name(&self) -> Cow<'_, str> {
        if let Some(name) = &self.name {
            return Cow::Borrowed(name);
        }
        let path = match &self.program {
            Program::Name(name) => Path::new(name),
            Program::Script { path, .. } => path,
            Program::Python { .. } => Path::new("python"),
        };
        path.file_name().unwrap_or(path.as_os_str()).to_string_lossy()
    }

    /// Grace, drain and reap periods, and 3 s for the searches and last looks in between.
    fn stop_budget(&self) -> Duration {
        self.stop.budget().saturating_add(Duration::from_secs(3))
    }

    async fn describe(&self) -> Result<String, TaskError> {
        let plan = self.plan().await.map_err(CommandError::into_task_error)?;
        Ok(plan.to_string())
    }

    async fn run(&self, cx: Context) -> Result<Output, TaskError> {
        self.output(cx).await
    }
}
