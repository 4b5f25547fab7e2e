//! Why a batch was refused, why it stopped, and why an item of it never ran.

use bgt_core::{CancelReason, InvalidRetry, LimitsError};
use bgt_simple::Panicked;

use crate::BatchReport;
#[cfg(feature = "gates")]
use crate::GateClosed;

/// A batch that was refused before anything ran.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// An option that makes no sense.
    #[error("{what} of a batch is {found}: expected {expected}")]
    Invalid {
        /// Which option.
        what: &'static str,
        /// Its value.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The retry policy allows no attempt at all.
    #[error("the retry policy of a batch cannot be")]
    Retry(#[from] InvalidRetry),
    /// What every task needs can never be met.
    #[error("what every task of the batch needs can never fit")]
    Needs(#[from] LimitsError),
    /// A gate that refuses is closed.
    #[cfg(feature = "gates")]
    #[cfg_attr(docsrs, doc(cfg(feature = "gates")))]
    #[error("the batch was refused by a gate")]
    Gate(#[from] GateClosed),
    /// Nothing can measure the machine.
    #[cfg(feature = "gates")]
    #[cfg_attr(docsrs, doc(cfg(feature = "gates")))]
    #[error("the thread that measures the machine for the gates did not start")]
    Machine(#[source] std::io::Error),
    /// Whoever was to give readings of the machine has gone without a single one.
    #[cfg(feature = "gates")]
    #[cfg_attr(docsrs, doc(cfg(feature = "gates")))]
    #[error(
        "there is no reading for the gates of the batch: whoever was to give some has gone; keep the sender"
    )]
    NoReading,
    /// The journal cannot be used.
    #[cfg(feature = "journal")]
    #[cfg_attr(docsrs, doc(cfg(feature = "journal")))]
    #[error("the journal {journal:?} of the batch cannot be used")]
    Journal {
        /// The journal.
        journal: String,
        /// Why.
        source: bgt_store::StoreError,
    },
}

/// Why a batch stopped before its source was at its end.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Halted {
    /// Its [`Halt`](crate::Halt) policy: so many had failed.
    #[error("halted after {failed} of {ended} tasks had failed")]
    Failures {
        /// How many had failed.
        failed: u64,
        /// How many had ended.
        ended: u64,
    },
    /// Somebody asked, or its deadline passed.
    #[error("stopped: {0}")]
    Cancelled(CancelReason),
    /// The iterator or stream that its tasks come from panicked. What had come from it by then was run all the same.
    #[error("the source of the batch panicked")]
    Source(#[source] Panicked),
    /// A gate that refuses has closed.
    #[cfg(feature = "gates")]
    #[cfg_attr(docsrs, doc(cfg(feature = "gates")))]
    #[error("halted by a gate")]
    Gate(#[source] GateClosed),
    /// The journal could not be read or written: what a task does could not be remembered.
    #[cfg(feature = "journal")]
    #[cfg_attr(docsrs, doc(cfg(feature = "journal")))]
    #[error("halted as the journal failed")]
    Journal(#[source] bgt_store::StoreError),
    /// The journal's store panicked: what a task does could not be remembered.
    #[cfg(feature = "journal")]
    #[cfg_attr(docsrs, doc(cfg(feature = "journal")))]
    #[error("halted as the journal's store panicked")]
    JournalPanicked(#[source] Panicked),
    /// The tokio runtime that it ran on was shut down.
    #[error("the runtime that the batch ran on is gone")]
    RuntimeGone,
}

/// The cause of an item's [`Skipped`](bgt_core::ErrorKind::Skipped): it never ran, because the batch had stopped.
#[derive(Clone, Debug, thiserror::Error)]
#[error("it never ran")]
#[non_exhaustive]
pub struct NeverRan {
    /// Why the batch had stopped.
    #[source]
    pub halted: Halted,
}

/// The cause of an item's refusal: the batch has a journal, and the item no key to be remembered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the batch has a journal, and the item no key to be remembered by: give it one with Item::key")]
pub struct NoKey;

/// A batch that is not a success: the error of [`BatchReport::require_success`]. Says how many ended how, and what went wrong
/// first, with its last words.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.in_words())]
pub struct BatchFailed(pub Box<BatchReport>);
