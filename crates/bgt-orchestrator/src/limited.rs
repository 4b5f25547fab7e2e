//! A task that waits for its share of the machine.

use std::borrow::Cow;
use std::time::Duration;

use bgt_core::{Context, ErrorKind, Limits, Needs, Task, TaskError, async_trait};

/// A task that takes something of the shared limits while it runs, and waits for it first; made by
/// [`Orchestrator::needing`](crate::Orchestrator::needing). The wait is part of its attempt: deadlines and cancellation hold
/// for it.
#[derive(Debug)]
pub struct Limited<T> {
    task: T,
    limits: Limits,
    needs: Needs,
}

impl<T> Limited<T> {
    pub(crate) fn new(task: T, limits: Limits, needs: Needs) -> Self {
        Self { task, limits, needs }
    }
}

#[async_trait]
impl<T: Task> Task for Limited<T> {
    type Output = T::Output;

    fn name(&self) -> Cow<'_, str> {
        self.task.name()
    }

    fn stop_budget(&self) -> Duration {
        self.task.stop_budget()
    }

    async fn describe(&self) -> Result<String, TaskError> {
        self.limits
            .check(&self.needs)
            .map_err(|error| TaskError::new(error).with_kind(ErrorKind::Invalid))?;
        self.task.describe().await
    }

    async fn run(&self, cx: Context) -> Result<T::Output, TaskError> {
        let permit = self.limits.acquire(&self.needs).await;
        let _permit = permit.map_err(|error| TaskError::new(error).with_kind(ErrorKind::Invalid))?;
        self.task.run(cx).await
    }
}
