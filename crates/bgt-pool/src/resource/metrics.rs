//! What a pool tells of itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a resource was retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Retired {
    /// Its user did not give it back: cancelled, failed, panicked, or dropped it.
    Abandoned,
    /// It was found broken, or the manager did not want it back.
    Broken,
    /// It was as old as it may become.
    Age,
    /// It was used as often as it may be.
    Uses,
    /// It was worn: of a worker, its memory was above the limit.
    Worn,
    /// Nobody had used it for so long.
    Idle,
    /// The pool was drained.
    Drained,
}

impl Retired {
    const ALL: [Self; 7] =
        [Self::Abandoned, Self::Broken, Self::Age, Self::Uses, Self::Worn, Self::Idle, Self::Drained];
}

/// A pool at one moment. Numbers that change together may be read a step apart.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Metrics {
    /// How many resources there may be. While one is being replaced there may be one more.
    pub size: usize,
    /// How many there are, without those that are being ended.
    pub live: usize,
    /// How many are being ended: a worker may take its time.
    pub ending: usize,
    /// Of these, how many are in use.
    pub in_use: usize,
    /// Of these, how many wait for somebody.
    pub idle: usize,
    /// How many are being made, or are to be when a backoff is over.
    pub making: usize,
    /// How many callers wait for their turn.
    pub queued: usize,
    /// How many resources were made since the beginning.
    pub made: u64,
    /// How many could not be made.
    pub not_made: u64,
    /// How many callers got one.
    pub served: u64,
    /// How many callers were refused because the queue was full.
    pub refused: u64,
    /// How many callers gave up at the queue's deadline.
    pub gave_up: u64,
    pub(crate) retired: [u64; Retired::ALL.len()],
}

impl Metrics {
    /// How many resources were retired for this reason.
    #[must_use]
    pub fn retired(&self, why: Retired) -> u64 {
        self.retired[why as usize]
    }

    /// How many resources were retired.
    #[must_use]
    pub fn retired_in_all(&self) -> u64 {
        self.retired.iter().sum()
    }
}

/// What is only counted up.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) made: Counter,
    pub(crate) not_made: Counter,
    pub(crate) served: Counter,
    pub(crate) refused: Counter,
    pub(crate) gave_up: Counter,
    retired: [Counter; Retired::ALL.len()],
}

impl Counters {
    pub(crate) fn retire(&self, why: Retired) {
        self.retired[why as usize].add();
    }

    pub(crate) fn retired(&self) -> [u64; Retired::ALL.len()] {
        Retired::ALL.map(|why| self.retired[why as usize].get())
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
