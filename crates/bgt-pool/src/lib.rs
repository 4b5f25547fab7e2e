//! Work on resources that are kept warm: worker processes in any language that answer thousands of requests a second and
//! can be trusted, Python scripts in interpreters that are warm, and pools of anything else on
//! [`deadpool`](https://docs.rs/deadpool).
//!
//! ```
//! # #[cfg(all(unix, feature = "process"))] {
//! use bgt_pool::{Command, WorkerPool};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Any program that answers lines of JSON; here, three lines of shell.
//! let worker = r#"while read -r line; do
//!     id=${line#*:} id=${id%%,*}; echo "{\"requestId\":$id,\"output\":\"process $$\"}"
//! done"#;
//! let pool = WorkerPool::builder(Command::new("sh").args(["-c", worker])).size(2).build()?;
//!
//! let first = pool.call("who are you?").deadline(Duration::from_secs(10)).await?;
//! let second = pool.call("and you?").await?;
//! assert_eq!(first.text(), second.text()); // started once, asked twice
//! # pool.drain(Duration::from_secs(10)).await;
//! # Ok(()) } main().unwrap();
//! # }
//! ```
//!
//! Python scripts, unchanged, in interpreters that have done their imports: `ScriptPool` gives each run a process of its
//! own, with the exit code, the bytes and the end of a cold run.
//!
//! Anything else that is slow to make and quick to use:
//!
//! ```
//! use bgt_pool::{Pool, factory};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let connect = factory(|| async { Ok::<_, std::io::Error>(vec!["a row"]) });
//! let pool = Pool::builder(connect).name("db").size(8).min_idle(2).build()?;
//! let rows = pool.run(|connection, _cx| async move { Ok(connection.len()) }).await?;
//! assert_eq!(rows, 1);
//! # Ok(()) }
//! ```
//!
//! **What is guaranteed.** What a caller left half way (failed, panicked, cancelled, dropped) is never handed to the
//! next: the runner decides that, not the drop of a guard. A worker that crashed, hung, was cancelled in the middle of a
//! request, or wrote anything but the answer to the request that it has, serves nobody any more: it is killed with its
//! whole process tree, its caller gets a typed error with the last lines of its stderr, and another one takes its place.
//! Admission is bounded: a full queue answers at once with its depth. What has served its time is replaced one at a
//! time, the replacement first. What fails as soon as it is made is made less and less often, and callers are told why.
//! A manager, a look or a destructor that panics costs the resource that it was about, and nothing else.
//!
//! **What is not.** A worker that answers its own request wrongly is believed. A request whose worker crashed may have
//! been worked on: ask again (`retry`) only what may be asked twice. Workers do not outlive a host that is killed on
//! Windows; on Unix they see the end of their input, and those that look for it end.
//!
//! **Dropping** the last clone of a pool ends it in the background; [`Pool::drain`] and `WorkerPool::drain` wait for the
//! end.
//!
//! **Neighbours.** A program that is run now and then needs no pool: use `bgt-simple`. Many at once under limits:
//! `bgt-concurrent`.
//!
//! Types that come from `bgt-core` and `bgt-process` are re-exported here; their examples say those names, write
//! `bgt_pool` instead. Pools need a tokio runtime with its time and I/O drivers enabled.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod resource;
#[cfg(feature = "process")]
mod script;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "process")]
mod worker;

pub use bgt_simple::*;
pub use deadpool::managed::{Manager, Metrics as ObjectMetrics, RecycleError, RecycleResult};
pub use error::{BuildError, PoolError};
pub use resource::{
    Backoff, Drained, Factory, Lease, Leased, Managed, Metrics, Pool, PoolBuilder, Retired, WeakPool, factory,
};
#[cfg(feature = "process")]
#[cfg_attr(docsrs, doc(cfg(feature = "process")))]
pub use script::{
    Isolation, Pooled, PooledRun, ScriptError, ScriptMetrics, ScriptPool, ScriptPoolBuilder, ScriptRun,
    Warmth,
};
#[cfg(feature = "serve")]
#[cfg_attr(docsrs, doc(cfg(feature = "serve")))]
pub use serve::{is_worker, serve};
#[cfg(feature = "process")]
#[cfg_attr(docsrs, doc(cfg(feature = "process")))]
pub use worker::{
    Answer, Call, CallError, CallStop, Request, StartError, WeakWorkerPool, WorkerBuilder, WorkerPool,
};
