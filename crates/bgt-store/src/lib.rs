//! Durable records of background work: runs, the leases of those who work on them, the slots of schedules, the journals
//! of batches. In one SQLite file, or in memory.
//!
//! ```
//! # #[cfg(feature = "sqlite")] {
//! use bgt_store::{Claim, LeaseStore, NewHost, NewRun, Outcome, RunStore, SqliteStore, Status};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = bgt_testkit::Scratch::new();
//! # let path = folder.path("runs.db");
//! let store = SqliteStore::open(&path).await?;
//! let id = store.enqueue(vec![NewRun::new("resize", r#"{"file": "a.png"}"#)]).await?[0].id;
//! // From here on the run is not lost, whatever happens to this process or to the machine.
//!
//! let host = store.register(NewHost::new("worker")).await?;
//! for held in store.claim(Claim::new(host, "default", 10)).await?.runs {
//!     println!("{} of {}: {:?}", held.run.name, held.run.id, held.payload);
//!     store.finish(held.lease, Outcome::succeeded().result("done")).await?;
//! }
//! assert_eq!(store.run(id).await?.unwrap().status, Status::Succeeded);
//! # store.close().await; Ok(()) } main().unwrap();
//! # }
//! ```
//!
//! **What is guaranteed.** What was acknowledged is on disk ([`Durability`] says against what). A run has one owner at a
//! time; who lost a lease is refused by its fencing token, never merged. Every run reaches one final status, by the
//! table of [`Status`], and its history has every step. A slot of a schedule is given to one host. A fault (full disk,
//! lock, damaged or removed file) is a typed error at the call, and the store goes on when it is gone.
//!
//! **What is not.** Records are fenced, effects are not: a host that was paused may still be at work until it hears
//! that its lease is gone. [`SqliteStore`] is for the processes of one machine: SQLite's write-ahead log does not work
//! across a network file system.
//!
//! **Neighbours.** You rarely use this directly: `bgt-detached` runs what is enqueued here, `bgt-periodic` claims slots,
//! `bgt-concurrent` keeps journals. It is for those who write a pattern, a tool that reads the records, or a backend:
//! [`backend`] has the rules ready, the feature `conformance` the suite to pass.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod backend;
mod clock;
#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub mod conformance;
mod error;
mod host;
mod journal;
mod lease;
mod limits;
mod memory;
mod query;
mod rules;
mod run;
mod slot;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

pub use async_trait::async_trait;
pub use bgt_core::{
    InvalidRunId, InvalidTransition, Pattern, Progress, RunId, Status, UnknownPattern, UnknownStatus,
};
pub use bytes::Bytes;
pub use clock::{Clock, ManualClock, Moment, SystemClock};
pub use error::{Fault, FaultKind, Fenced, StoreError};
pub use host::{Beat, Heard, HostId, HostRecord, NewHost};
pub use journal::JournalEntry;
pub use lease::{Adopt, Claim, Claimed, Lease};
pub use memory::MemoryStore;
pub use query::{Cursor, Page, Retention, RunFilter, RunPage};
pub use run::{Attempt, Enqueued, Held, NewRun, Outcome, Requeue, RunEvent, RunEventKind, RunRecord};
pub use slot::{SlotClaim, SlotLease, SlotRecord};
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub use sqlite::{Durability, SqliteBuilder, SqliteStore};
pub use store::{JournalStore, LeaseStore, Result, RunStore, SlotStore, Store};
