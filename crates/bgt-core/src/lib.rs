//! The vocabulary that every `bgt` crate shares: what a task is, how a run is named, watched, stopped and
//! reported.
//!
//! You rarely depend on this crate directly: each pattern crate re-exports what its signatures use. It is for
//! those who write a [`Task`] of their own in a library, or a pattern.
//!
//! ```
//! use bgt_core::{Context, Task, TaskError};
//! use std::borrow::Cow;
//!
//! /// Adds numbers, and stops when it is asked to.
//! struct Sum(Vec<u64>);
//!
//! #[bgt_core::async_trait]
//! impl Task for Sum {
//!     type Output = u64;
//!     fn name(&self) -> Cow<'_, str> {
//!         "sum".into()
//!     }
//!     async fn run(&self, cx: Context) -> Result<u64, TaskError> {
//!         let mut sum = 0;
//!         for n in &self.0 {
//!             cx.check()?;
//!             sum += n;
//!         }
//!         Ok(sum)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! assert_eq!(Sum(vec![1, 2, 3]).run(Context::standalone()).await.unwrap(), 6);
//! # }
//! ```
//!
//! What lives here is plain data, pure decisions and small traits. Nothing here starts a task, waits for one or
//! knows an operating system.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod cancel;
mod context;
mod control;
mod error;
mod limits;
mod observer;
mod pattern;
mod progress;
mod report;
mod retry;
mod run_id;
mod runs;
mod sink;
mod status;
mod stop;
mod task;
mod task_error;

pub use async_trait::async_trait;
pub use cancel::{Cancel, CancelReason};
pub use context::{Cancelled, Context};
pub use control::{ContextBuilder, Control};
pub use error::{Error, ErrorKind, ErrorParts};
pub use limits::{Limits, LimitsError, Needs, Permit};
pub use observer::{Event, EventKind, Observer};
pub use pattern::{Pattern, UnknownPattern};
pub use progress::Progress;
pub use report::{AttemptFailure, Report};
pub use retry::{GiveUp, InvalidRetry, Retry, Verdict};
pub use run_id::{InvalidRunId, RunId};
pub use runs::{RunInfo, Runs};
pub use sink::{Chunk, Sink, SinkClosed, Source};
pub use status::{InvalidTransition, Status, UnknownStatus};
pub use stop::{Polite, Stop};
pub use task::{Task, TaskFn, task_fn};
pub use task_error::TaskError;
