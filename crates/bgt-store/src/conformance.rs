//! The suite that every backend must pass.
//!
//! Owns: what the docs of the four traits promise, as cases that fail where a backend breaks it.
//! Never does: sleep, look at the real time, or know how a backend keeps its records.
//!
//! A backend's author implements [`Backend`] in a test program and hands it to
//! [`conformance!`](crate::conformance!), which makes one test of every case:
//!
//! ```
//! use std::sync::Arc;
//! use bgt_store::conformance::Backend;
//! use bgt_store::{ManualClock, MemoryStore, Store, async_trait};
//!
//! #[derive(Default)]
//! struct Memory {
//!     clock: ManualClock,
//! }
//!
//! #[async_trait]
//! impl Backend for Memory {
//!     async fn open(&self) -> Arc<dyn Store> {
//!         Arc::new(MemoryStore::with_clock(self.clock.clone()))
//!     }
//!
//!     fn clock(&self) -> ManualClock {
//!         self.clock.clone()
//!     }
//!
//!     fn survives_restart(&self) -> bool {
//!         false
//!     }
//! }
//!
//! // Tests with names such as `memory::fencing::a_late_write_is_refused_and_names_the_owner`.
//! bgt_store::conformance!(memory, Memory::default());
//!
//! // Or without the macro, one after the other:
//! # #[tokio::main] async fn main() {
//! for case in bgt_store::conformance::cases().iter().filter(|case| case.name().starts_with("journals::")) {
//!     case.check(&Memory::default()).await;
//! }
//! # }
//! ```
//!
//! The cases run on tokio; those about concurrency are worth more on several threads. What they demand is what the
//! traits say, so that two backends that pass can take each other's place. How a backend behaves when its disk is full
//! or its server is away is not part of it: that is told as a [`Fault`](crate::Fault), and every backend has its own.

mod adopting;
mod cancelling;
mod cases;
mod concurrency;
mod fencing;
mod hosts;
mod input;
mod journals;
mod limits;
mod listing;
mod ordering;
mod repeats;
mod restart;
mod retention;
mod slots;
mod support;
mod torn;
mod transitions;

use std::sync::Arc;

use async_trait::async_trait;

use crate::{ManualClock, Store};
#[doc(hidden)]
pub use cases::check;
pub use cases::{Case, cases, run_all};

/// A place for records, empty when a case gets it, and the stores that are opened on it.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Opens the store; again, after all handles were dropped, on the same records, as after a restart.
    async fn open(&self) -> Arc<dyn Store>;

    /// The clock that tells its stores the time; always the same one. The cases move it.
    fn clock(&self) -> ManualClock;

    /// Whether the records are still there when the store is opened again.
    fn survives_restart(&self) -> bool {
        true
    }

    /// A copy of the records as a crash at this moment could leave them, with something missing or spoilt at the end of
    /// what was written last, chosen by `seed`; opened. `None` where a crash leaves nothing, or nothing can be torn.
    ///
    /// The store that is open on the original is idle, and goes on after this.
    async fn torn(&self, seed: u64) -> Option<Arc<dyn Store>> {
        let _ = seed;
        None
    }
}
