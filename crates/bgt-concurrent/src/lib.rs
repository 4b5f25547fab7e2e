//! Many tasks at once under limits: a million of them in constant memory, from any iterator or stream.
//!
//! ```
//! # #[cfg(all(unix, feature = "process"))] {
//! use bgt_concurrent::{Command, Halt, Item, Limits, Needs, Retry, batch};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_concurrent::BatchError> {
//! let machine = Limits::new().with("gpu", 2).with("mem", 64 << 30);
//! let videos = ["a.mp4", "b.mp4", "c.mp4"].map(|video| {
//!     // Stands for ffmpeg here.
//!     let convert = Command::new("sh").args(["-c", "echo converted $0", video]);
//!     Item::new(convert).key(video).needs(Needs::new().with("gpu", 1).with("mem", 4 << 30))
//! });
//! let report = batch(videos)
//!     .max_concurrent(8)
//!     .limits(&machine)
//!     .task_deadline(Duration::from_secs(3600))
//!     .retry(Retry::attempts(3))
//!     .halt(Halt::after_share(0.1).at_least(50))
//!     .await?;
//! println!("{report}");
//! assert_eq!(report.counts.succeeded, 3);
//! # Ok(()) } main().unwrap();
//! # }
//! ```
//!
//! **What is guaranteed.** Every item that is pulled ends once, in one final status; a task that fails, panics or overruns
//! disturbs no other; a source that panics has ended, and what came before is run. No limit is ever exceeded, and nobody who waits for a resource is
//! starved. Memory does not grow with the number of items. With a journal (feature `journal`), what was done is done: a
//! batch that was killed goes on where it was. All that `bgt-simple` guarantees of a run holds for each.
//!
//! **What is not.** Only what the limits name is limited: they are your numbers, and nothing measures what a task takes.
//! Gates (feature `gates`) look at the machine as a whole. A function that blocks its thread holds up others on it.
//!
//! **Dropping** a batch that runs ends it at once: the future of an awaited [`Batch`], or the [`Handle`].
//!
//! **Neighbours.** `bgt-simple` runs one task; `bgt-streaming` lets it be watched.
//!
//! Types that come from `bgt-core`, `bgt-process` and `bgt-store` are re-exported here; their examples say those names,
//! write `bgt_concurrent` instead. Batches need a tokio runtime with its time and I/O drivers enabled.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod engine;
mod error;
#[cfg(feature = "gates")]
mod gate;
mod halt;
mod handle;
mod histogram;
mod item;
mod item_run;
#[cfg(feature = "journal")]
mod journal;
mod keyed;
mod lane;
#[cfg(feature = "gates")]
mod machine;
mod options;
mod outbox;
mod pace;
#[cfg(feature = "progress")]
mod progress;
mod report;
mod source;
mod stopper;
mod tally;
mod tasks;

pub use bgt_core::{Limits, LimitsError, Needs, Permit};
pub use bgt_simple::*;
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub use bgt_store::SqliteStore;
#[cfg(feature = "journal")]
#[cfg_attr(docsrs, doc(cfg(feature = "journal")))]
pub use bgt_store::{JournalEntry, JournalStore, MemoryStore, StoreError};
pub use builder::{Batch, batch, batch_stream};
pub use error::{BatchError, BatchFailed, Halted, NeverRan, NoKey};
#[cfg(feature = "gates")]
#[cfg_attr(docsrs, doc(cfg(feature = "gates")))]
pub use gate::{Gate, GateClosed, Reading};
pub use halt::Halt;
pub use handle::Handle;
pub use item::{IntoItem, Item};
pub use report::{BatchReport, Counts, Durations, Failure, Finished, Snapshot};
