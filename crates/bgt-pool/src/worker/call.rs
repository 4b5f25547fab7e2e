//! One request as a run, from the queue to the answer.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bgt_core::{Context, Task, TaskError, async_trait};

use super::error::{CallError, CallStop};
use super::process::NoAnswer;
use super::protocol::LONGEST;
use super::request::{Answer, Request};
use super::workers::Workers;
use crate::{Lease, Pool, PoolError};

/// The bytes of a request's line that are not its arguments, and then some.
const AROUND: usize = 64;

/// How many lines of a failed answer count as its last words.
const LINES: usize = 20;

/// The task that [`WorkerPool::call`](crate::WorkerPool::call) makes of a request.
pub struct Call {
    pub(super) pool: Pool<Workers>,
    pub(super) request: Request,
    pub(super) grace: Duration,
}

#[async_trait]
impl Task for Call {
    type Output = Answer;

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.pool.name())
    }

    /// The worker's grace period, and 3 s to end it.
    fn stop_budget(&self) -> Duration {
        self.grace.saturating_add(Duration::from_secs(3))
    }

    async fn describe(&self) -> Result<String, TaskError> {
        self.check()?;
        Ok(format!("ask a worker of the pool {} {}", self.pool.name(), self.request))
    }

    async fn run(&self, cx: Context) -> Result<Answer, TaskError> {
        self.check()?;
        let mut worker = self.worker().await?;
        loop {
            tracing::Span::current().record("pid", worker.pid);
            match worker.ask(&self.request.arguments, &cx, self.grace).await {
                Ok(reply) => {
                    if worker.is_busy() {
                        // It is ended, and counts as broken when it has.
                        worker.give_up().await;
                    } else {
                        worker.release();
                    }
                    return match reply.exit_code {
                        0 => Ok(reply.output),
                        exit_code => {
                            let tail = last_lines(&reply.output.text());
                            Err(CallError::Failed { exit_code, output: reply.output }.into_task_error(tail))
                        }
                    };
                }
                // It ended while nobody used it. Those that do so at once are counted, and soon refused as a crash loop.
                // Apart: few calls need it, and each would be larger by it.
                Err(NoAnswer::NotAsked) => worker = Box::pin(self.another(worker, &cx)).await?,
                Err(NoAnswer::Failed(end)) => {
                    drop(worker);
                    return Err(end.error.into_task_error(end.tail));
                }
            }
        }
    }
}

impl Call {
    async fn worker(&self) -> Result<Lease<Workers>, TaskError> {
        self.pool.acquire().await.map_err(PoolError::into_task_error)
    }

    /// One in the place of one that could not be asked, for as long as somebody wants it.
    async fn another(&self, mut worker: Lease<Workers>, cx: &Context) -> Result<Lease<Workers>, TaskError> {
        let pid = worker.pid;
        let another = async {
            worker.give_up().await;
            drop(worker);
            self.worker().await
        };
        tokio::select! {
            biased;
            reason = cx.cancelled() => {
                let stopped = CallError::Stopped { pid, reason, how: CallStop::NotAsked };
                Err(stopped.into_task_error(String::new()))
            }
            another = another => another,
        }
    }

    fn check(&self) -> Result<(), TaskError> {
        let refused = |error: CallError| Err(error.into_task_error(String::new()));
        if let Some(why) = &self.request.wrong {
            return refused(CallError::NotJson { why: why.clone() });
        }
        match self.request.arguments.len() + AROUND {
            bytes if bytes > LONGEST => refused(CallError::RequestTooLong { bytes, limit: LONGEST }),
            _ => Ok(()),
        }
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("pool", &self.pool.name())
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}
