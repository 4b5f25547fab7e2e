//! The handle of a pool of workers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bgt_core::Pattern;
use bgt_process::Command;
use bgt_simple::Run;

use super::builder::WorkerBuilder;
use super::call::Call;
use super::request::Request;
use super::workers::{Processes, Workers};
use crate::{Drained, Metrics, Pool, PoolError};

/// A pool of worker processes that are started once and answer many requests. Clones are the same pool.
///
/// A worker is any program that reads requests from stdin, one JSON object a line, and answers each with a line on
/// stdout: `docs/worker-protocol.md` has it in full, and one in five lines of shell. For Python there is
/// [`python`](Self::python), for Rust the feature `serve`.
///
/// A worker has one request at a time. One that crashed, hung, was cancelled in the middle, or wrote anything but the
/// answer to the request that it has, serves nobody any more: it is killed with its whole process tree, and another one
/// takes its place.
///
/// # Dropping
///
/// Dropping the last clone ends the pool: the end of input for workers that are idle, which are killed when they do not
/// end within their grace period. [`drain`](Self::drain) does the same and waits for it.
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] {
/// use bgt_pool::{Command, WorkerPool};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let worker = r#"
///     while read -r line; do
///         id=${line#*:} id=${id%%,*} text=${line#*\[\"} text=${text%\"\]*}
///         echo "{\"requestId\":$id,\"output\":\"$text, warm\"}"
///     done"#;
/// let pool = WorkerPool::builder(Command::new("sh").args(["-c", worker])).size(2).build()?;
///
/// let answer = pool.call("hello").deadline(Duration::from_secs(10)).await?;
/// assert_eq!(answer.text(), "hello, warm");
/// # pool.drain(Duration::from_secs(10)).await;
/// # Ok(()) } main().unwrap();
/// # }
/// ```
#[derive(Clone)]
pub struct WorkerPool {
    pub(super) pool: Pool<Workers>,
    pub(super) processes: Arc<Processes>,
    pub(super) request_deadline: Option<Duration>,
    pub(super) grace: Duration,
}

impl WorkerPool {
    /// A pool of workers that are started by this command. Its stdin and stdout are the pool's; what it prints to stderr
    /// is logged with `tracing`, and its last lines are in the errors of calls.
    pub fn builder(command: Command) -> WorkerBuilder {
        WorkerBuilder::new(command)
    }

    /// Asks a worker, as a run, to be awaited: it is given a deadline, retries and cancellation as any [`Run`] is. The
    /// deadline covers the wait for a worker.
    ///
    /// When the deadline passes or the run is cancelled, the worker is told so, has its
    /// [grace period](WorkerBuilder::grace) to say that it has stopped, and is ended in any case. When the run is
    /// dropped it is killed at once.
    ///
    /// # Errors
    ///
    /// Awaiting it answers an error whose cause is a [`CallError`](crate::CallError) or a [`PoolError`]; it carries
    /// the last lines that the worker printed to stderr.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use bgt_pool::{CallError, Request, WorkerPool};
    /// # async fn ask(pool: WorkerPool) {
    /// match pool.call(Request::new().arg("a.png").arg(640)).await {
    ///     Ok(answer) => println!("{}", answer.text()),
    ///     Err(error) => match error.find() {
    ///         Some(CallError::Failed { exit_code, output }) => println!("{exit_code}: {}", output.text()),
    ///         _ => println!("{error:#}"),
    ///     },
    /// }
    /// # }
    /// ```
    pub fn call(&self, request: impl Into<Request>) -> Run<'static, Call> {
        let mut run = bgt_simple::run(self.task(request)).pattern(Pattern::Pooled);
        if let Some(deadline) = self.request_deadline {
            run = run.deadline(deadline);
        }
        self.pool.observed(run)
    }

    /// A request as a task, for those who run tasks in their own way: in a batch, on a schedule. The pool's observers and its
    /// [`request_deadline`](WorkerBuilder::request_deadline) are [`call`](Self::call)'s and do not hold for it.
    pub fn task(&self, request: impl Into<Request>) -> Call {
        Call { pool: self.pool.clone(), request: request.into(), grace: self.grace }
    }

    /// The pool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.pool.name()
    }

    /// Waits until as many workers are idle as are to be kept so ([`min_idle`](WorkerBuilder::min_idle)).
    ///
    /// # Errors
    ///
    /// [`CrashLoop`](PoolError::CrashLoop) when several in a row could not be started,
    /// [`Closed`](PoolError::Closed) when the pool is shut down meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn warm(&self) -> Result<(), PoolError> {
        self.pool.warm().await
    }

    /// The pool at this moment.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.pool.metrics()
    }

    /// The process ids of the workers, those included that are being started or ended.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.processes.pids()
    }

    /// Shuts the pool down: refuses new calls, lets those that were accepted finish within this time, and then ends the
    /// workers. Calls that are not over by then fail, their workers are killed. Answers when the last process is gone.
    ///
    /// It takes no longer than this time, the workers' own time to end ([`Command::grace`]), and a second or two for the
    /// system to end what was killed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the pool closed to new callers, and the rest as it is.
    pub async fn drain(&self, within: Duration) -> Drained {
        if self.pool.drain(within).await.left > 0 {
            self.processes.kill.cancel();
        }
        // Nobody starts one any more, and each that is there was told to end: within its grace period, or at once.
        self.pool.makers_gone().await;
        self.processes.minders.close();
        self.processes.minders.wait().await;
        // Calls whose workers are gone have failed.
        self.pool.callers_gone().await
    }
}

impl fmt::Debug for WorkerPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPool")
            .field("name", &self.name())
            .field("metrics", &self.metrics())
            .field("pids", &self.pids())
            .finish()
    }
}
