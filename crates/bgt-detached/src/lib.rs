//! Start it, forget it, never lose it: runs of programs and functions that are on disk before the call returns, and survive
//! the end of the process that accepted them.
//!
//! ```
//! # #[cfg(feature = "sqlite")] {
//! use bgt_detached::{Builder, Context, Job, Retry, Status};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_detached::DetachedError> {
//! # let folder = bgt_testkit::Scratch::new();
//! # let path = folder.path("runs.db");
//! let host = Builder::new()
//!     .function("resize", |_cx: Context, file: String| async move { Ok(format!("{file}.small.png")) })
//!     .open(path)
//!     .await?;
//!
//! let id = host.detach(Job::call("resize", "cat.png").retry(Retry::attempts(3))).await?;
//! // From here on it is not lost, whatever happens to this process.
//!
//! let run = host.run(id);
//! assert_eq!(run.wait().await?.status, Status::Succeeded);
//! assert_eq!(run.result::<String>().await?, "cat.png.small.png");
//! # host.shutdown(std::time::Duration::from_secs(5)).await;
//! # Ok(()) } main().unwrap();
//! # }
//! ```
//!
//! A program is a job too, `Job::program(Command::new("ffmpeg"))`, and outlives a restart of its host: a [shim](shim_entry)
//! looks after it, takes its output and writes down how it ended. The next host finds it, goes on with its output from the
//! same line, and reports its exact exit code. For that, `main` begins with one line:
//!
//! ```no_run
//! # #[cfg(feature = "process")]
//! fn main() {
//!     bgt_detached::shim_entry();
//!     // … the service
//! }
//! # #[cfg(not(feature = "process"))] fn main() {}
//! ```
//!
//! **What is guaranteed.** When [`Detached::detach`] has returned an id, the run is executed, or reported
//! [`Lost`](Status::Lost), and reaches exactly one final status. Programs are started once. Functions are called at least
//! once. One host at a time holds a run; what another brings too late is refused. A fault of the disk is an error of the call,
//! and costs no run that was accepted.
//!
//! **What is not.** Records are fenced, effects are not: a host that was paused may still be at work on a function until it
//! notices that another has taken it over. A program whose shim was killed, or whose machine went down, is lost, unless
//! [`Job::rerun_lost`] says that it may be started again. Without a shim programs end with their host.
//!
//! **Several hosts** may open the same records, on one machine. Each says that it is there; when one does not for the time
//! of its [lease](Builder::lease), the others take over.
//!
//! **Dropping** the last clone of a [`Detached`] lets go of everything at once, as a crash would, and others take over;
//! [`Detached::shutdown`] is the polite way. Dropping a [`Run`] changes nothing.
//!
//! **Neighbours.** `bgt-simple` runs a task and waits for it; `bgt-streaming` is for output that is watched live and need not
//! survive; `bgt-periodic` starts runs at times. `bgt-store` has the records and `bgt-log` the output, for tools of your own.
//!
//! Types that come from `bgt-core`, `bgt-simple`, `bgt-store` and `bgt-log` are re-exported here; their examples say those
//! names, write `bgt_detached` instead. Runs need a tokio runtime with its time and I/O drivers enabled.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(feature = "process"),
    allow(dead_code, reason = "attempts at programs have files of their own, functions do not")
)]

mod attempt;
mod builder;
mod detached;
mod error;
mod functions;
mod host;
mod job;
mod local;
mod output;
mod payload;
mod policy;
mod retention;
mod run;

/// The queue of jobs that name none.
pub const DEFAULT_QUEUE: &str = "default";

pub use attempt::ProgramEnd;
#[cfg(feature = "process")]
#[cfg_attr(docsrs, doc(cfg(feature = "process")))]
pub use attempt::shim::shim_entry;
pub use bgt_core::{
    Cancel, CancelReason, Cancelled, Chunk, Context, Error, ErrorKind, Event, EventKind, InvalidRetry,
    InvalidRunId, Observer, Pattern, Progress, Report, Retry, RunId, RunInfo, Runs, Sink, SinkClosed, Source,
    Status, Stop, Task, TaskError, task_fn,
};
pub use bgt_log::{Bytes, Entry, FileError, From, Gap, Level, Line, LineEnd};
#[cfg(feature = "process")]
#[cfg_attr(docsrs, doc(cfg(feature = "process")))]
pub use bgt_simple::{
    Background, Capture, Command, CommandError, Encoding, Exit, Polite, Priority, Quota, Redirect, Secret,
    Stdin, StoredCommand,
};
pub use bgt_store::{
    Attempt, Cursor, Fault, FaultKind, HostId, HostRecord, Page, RunEvent, RunEventKind, RunFilter, RunPage,
    RunRecord, Store, StoreError,
};
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub use bgt_store::{Durability, SqliteStore};
pub use builder::Builder;
pub use detached::Detached;
pub use error::{DetachedError, Result};
pub use job::Job;
pub use local::LocalRun;
pub use output::Output;
pub use retention::Keep;
pub use run::Run;
