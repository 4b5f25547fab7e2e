//! Background work by the right pattern, behind one object.
//!
//! ```
//! # #[cfg(all(unix, feature = "process"))] {
//! use bgt_orchestrator::{Command, Orchestrator};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_orchestrator::Error> {
//! let bgt = Orchestrator::new();
//! let output = bgt.simple(Command::new("echo").arg("hello")).await?;
//! assert_eq!(output.stdout_text(), "hello\n");
//! assert_eq!(bgt.runs().recent()[0].name.as_ref(), "echo");
//! # Ok(()) } main().unwrap();
//! # }
//! ```
//!
//! Nothing to install and nothing to configure: [`Orchestrator::new`] keeps what it knows in memory.
//!
//! # The patterns
//!
//! | to | use | all about it | feature |
//! | --- | --- | --- | --- |
//! | run one task to its end | [`Orchestrator::simple`] | [`simple`] | `simple` |
//! | watch a long run live | [`Orchestrator::streaming`] | [`streaming`] | `streaming` |
//! | run many under limits | [`Orchestrator::concurrent`] | [`concurrent`] | `concurrent` |
//! | run on a schedule | [`Orchestrator::periodic`] | [`periodic`] | `periodic` |
//! | run a Python script often, in a warm interpreter | [`Orchestrator::pooled`] | [`pool`] | `pooled` |
//! | keep workers and other resources warm | [`Orchestrator::worker_pool`], [`Orchestrator::pool`] | [`pool`] | `pooled` |
//! | start it and never lose it | [`Orchestrator::detached`] | [`detached`] | `detached` |
//!
//! What is run is a [`Command`] or an async function, [`task_fn`]; both are a [`Task`]. Not sure which pattern?
//! [`Orchestrator::execute`] chooses by what a [`Request`] asks for, the [`Advisor`] by what is known of the work, and
//! [`explain`](fn@explain) has them side by side.
//!
//! # What they share
//!
//! | to | use |
//! | --- | --- |
//! | see what runs, and what became of the latest | [`Orchestrator::runs`], [`Orchestrator::find`] |
//! | hear of everything | [`Orchestrator::events`], or an [`Observer`] |
//! | share a machine | [`Limits`], [`Orchestrator::needing`] |
//! | stop everything, in order | [`Orchestrator::shutdown`], [`Orchestrator::shutdown_on_signal`] |
//! | know why it failed | [`Error`], [`ErrorKind`] |
//!
//! Each pattern is also a crate of its own, for those who need only that one. Everything that they share is
//! re-exported here; the examples of such types name the crate they come from, write `bgt_orchestrator` instead.
//!
//! Guides, and four workflows to copy, are in the [repository](https://github.com/bgt-rs/bgt#readme).
//!
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "simple"), allow(dead_code, reason = "what doors share, where there is none"))]
// Links to what is not compiled in lead to the table that names its feature.
#![cfg_attr(
    not(feature = "simple"),
    doc = "[`Orchestrator::simple`]: #the-patterns\n\
           [`Orchestrator::execute`]: #the-patterns\n\
           [`Request`]: #the-patterns\n\
           [`Orchestrator::shutdown`]: #the-patterns\n\
           [`simple`]: #the-patterns"
)]
#![cfg_attr(
    not(feature = "streaming"),
    doc = "[`Orchestrator::streaming`]: #the-patterns\n\
           [`streaming`]: #the-patterns"
)]
#![cfg_attr(
    not(feature = "concurrent"),
    doc = "[`Orchestrator::concurrent`]: #the-patterns\n\
           [`concurrent`]: #the-patterns"
)]
#![cfg_attr(
    not(feature = "periodic"),
    doc = "[`Orchestrator::periodic`]: #the-patterns\n\
           [`periodic`]: #the-patterns"
)]
#![cfg_attr(
    not(feature = "pooled"),
    doc = "[`Orchestrator::pool`]: #the-patterns\n\
           [`pool`]: #the-patterns"
)]
#![cfg_attr(
    not(all(feature = "pooled", feature = "process")),
    doc = "[`Orchestrator::pooled`]: #the-patterns\n\
           [`Orchestrator::worker_pool`]: #the-patterns"
)]
#![cfg_attr(
    not(feature = "detached"),
    doc = "[`Orchestrator::detached`]: #the-patterns\n\
           [`detached`]: #the-patterns"
)]
#![cfg_attr(not(feature = "process"), doc = "[`Command`]: #the-patterns")]
#![cfg_attr(not(feature = "signals"), doc = "[`Orchestrator::shutdown_on_signal`]: #the-patterns")]

mod advisor;
mod builder;
mod doors;
#[cfg(feature = "simple")]
mod error;
mod events;
#[cfg(feature = "simple")]
mod execute;
#[cfg(feature = "simple")]
mod execution;
mod explain;
mod history;
mod limited;
mod locals;
mod orchestrator;
#[cfg(feature = "pooled")]
mod pools;
mod query;
#[cfg(feature = "simple")]
mod request;
#[cfg(feature = "simple")]
mod selection;
mod shared;
#[cfg(feature = "simple")]
mod shutdown;
#[cfg(feature = "signals")]
mod signals;
mod watcher;

pub use advisor::{Advisor, Alternative, FromHistory, Reason, Recommendation, Requirements, Weighed};
/// Run many under limits: the crate `bgt-concurrent`.
#[cfg(feature = "concurrent")]
#[cfg_attr(docsrs, doc(cfg(feature = "concurrent")))]
pub use bgt_concurrent as concurrent;
pub use bgt_core::{
    AttemptFailure, Cancel, CancelReason, Cancelled, Chunk, Context, Error, ErrorKind, ErrorParts, Event,
    EventKind, GiveUp, InvalidRetry, InvalidRunId, InvalidTransition, Limits, LimitsError, Needs, Observer,
    Pattern, Polite, Progress, Report, Retry, RunId, RunInfo, Runs, Sink, SinkClosed, Source, Status, Stop,
    Task, TaskError, TaskFn, UnknownPattern, UnknownStatus, Verdict, async_trait, task_fn,
};
/// Start it, forget it, never lose it: the crate `bgt-detached`.
#[cfg(feature = "detached")]
#[cfg_attr(docsrs, doc(cfg(feature = "detached")))]
pub use bgt_detached as detached;
/// Run on a schedule: the crate `bgt-periodic`.
#[cfg(feature = "periodic")]
#[cfg_attr(docsrs, doc(cfg(feature = "periodic")))]
pub use bgt_periodic as periodic;
/// Work on resources that are kept warm: the crate `bgt-pool`.
#[cfg(feature = "pooled")]
#[cfg_attr(docsrs, doc(cfg(feature = "pooled")))]
pub use bgt_pool as pool;
/// Run one task to its end: the crate `bgt-simple`.
#[cfg(feature = "simple")]
#[cfg_attr(docsrs, doc(cfg(feature = "simple")))]
pub use bgt_simple as simple;
#[cfg(feature = "json")]
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
pub use bgt_simple::JsonError;
#[cfg(feature = "process")]
#[cfg_attr(docsrs, doc(cfg(feature = "process")))]
pub use bgt_simple::{
    Background, Capture, Captured, Command, CommandError, Encoding, Exit, LiveStdin, Output, Plan, Priority,
    Quota, Redirect, Secret, Stdin, StdinWriter, StopHow, Usage, guard_orphans,
};
#[cfg(feature = "simple")]
#[cfg_attr(docsrs, doc(cfg(feature = "simple")))]
pub use bgt_simple::{DeadlinePassed, Panicked, Run};
/// Watch a long run live: the crate `bgt-streaming`.
#[cfg(feature = "streaming")]
#[cfg_attr(docsrs, doc(cfg(feature = "streaming")))]
pub use bgt_streaming as streaming;
pub use builder::{AtShutdown, OrchestratorBuilder};
#[cfg(feature = "simple")]
#[cfg_attr(docsrs, doc(cfg(feature = "simple")))]
pub use error::ExecuteError;
pub use events::{Events, Heard};
#[cfg(feature = "simple")]
#[cfg_attr(docsrs, doc(cfg(feature = "simple")))]
pub use execution::{Execution, Outcome};
pub use explain::{Explanation, comparison, explain};
pub use limited::Limited;
pub use orchestrator::Orchestrator;
#[cfg(all(feature = "pooled", feature = "process"))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "pooled", feature = "process"))))]
pub use pools::WorkersError;
pub use query::RunQuery;
#[cfg(feature = "simple")]
#[cfg_attr(docsrs, doc(cfg(feature = "simple")))]
pub use request::Request;
#[cfg(feature = "simple")]
#[cfg_attr(docsrs, doc(cfg(feature = "simple")))]
pub use selection::{Asked, Contradiction, Selection};
#[cfg(feature = "simple")]
#[cfg_attr(docsrs, doc(cfg(feature = "simple")))]
pub use shutdown::ShutDown;
#[cfg(feature = "signals")]
#[cfg_attr(docsrs, doc(cfg(feature = "signals")))]
pub use signals::{OnSignal, Signal};
