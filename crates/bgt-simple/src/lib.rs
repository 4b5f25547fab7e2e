//! Run one task to its end, and get everything back: a program, a script or an async function, with deadlines,
//! retries, cancellation and the whole output.
//!
//! ```
//! # #[cfg(all(unix, feature = "process"))] {
//! use bgt_simple::{Command, Retry, run};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_simple::Error> {
//! let output = run(Command::new("wc").arg("-w").stdin("three short words"))
//!     .deadline(Duration::from_secs(10))
//!     .retry(Retry::attempts(3))
//!     .await?;
//! assert_eq!(output.stdout_text().trim(), "3");
//! # Ok(()) } main().unwrap();
//! # }
//! ```
//!
//! An async function is a task too:
//!
//! ```
//! use bgt_simple::{run, task_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_simple::Error> {
//! let report = run(task_fn("answer", |_cx| async { Ok(6 * 7) })).report().await;
//! println!("{} took {:?}", report.name, report.elapsed);
//! assert_eq!(report.result?, 42);
//! # Ok(()) }
//! ```
//!
//! **What is guaranteed.** Every run ends in exactly one [`Status`]. A task that panics is a failed run with the
//! panic's message. Cancelling asks, waits the task's grace period, ends it by force, waits for the real end, then
//! reports; dropping the future of a run ends the task at once. A run with a deadline answers by the deadline and
//! the task's [`stop_budget`](Task::stop_budget). Of a program, the whole process tree is gone when the run ends.
//!
//! **What is not.** A function that blocks its thread cannot be stopped by anybody: give blocking work to
//! `tokio::task::spawn_blocking`. A panic under `panic = "abort"` ends the host.
//!
//! **Neighbours.** `bgt-orchestrator` puts this behind one object that knows all runs. To come, on top of this crate:
//! output watched live, many tasks under limits, schedules, warm workers, runs that outlive their caller. Until then
//! [`Run::sink`] passes output on as it comes.
//!
//! Types that come from `bgt-core` and `bgt-process` are re-exported here; their examples say those names, write
//! `bgt_simple` instead.
//!
//! Runs need a tokio runtime with its time and I/O drivers enabled.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod attempt;
mod builder;
mod cancels;
mod contain;
mod error;
mod runner;

pub use bgt_core::{
    AttemptFailure, Cancel, CancelReason, Cancelled, Chunk, Context, Error, ErrorKind, ErrorParts, Event,
    EventKind, GiveUp, InvalidRetry, InvalidRunId, InvalidTransition, Observer, Pattern, Polite, Progress,
    Report, Retry, RunId, RunInfo, Runs, Sink, SinkClosed, Source, Status, Stop, Task, TaskError, TaskFn,
    UnknownPattern, UnknownStatus, Verdict, async_trait, task_fn,
};
#[cfg(feature = "json")]
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
pub use bgt_process::JsonError;
#[cfg(all(feature = "process", feature = "serde"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "process", feature = "serde"))))]
pub use bgt_process::StoredCommand;
#[cfg(feature = "process")]
#[cfg_attr(docsrs, doc(cfg(feature = "process")))]
pub use bgt_process::{
    Background, Capture, Captured, Command, CommandError, Encoding, Exit, LiveStdin, Output, Plan, Priority,
    Quota, Redirect, Secret, Stdin, StdinWriter, StopHow, Usage, guard_orphans,
};
pub use builder::{Run, run};
pub use error::{DeadlinePassed, Panicked};
