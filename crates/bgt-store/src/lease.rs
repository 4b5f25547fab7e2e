//! The right to work on something, and the number that proves it.

use std::time::SystemTime;

use bgt_core::RunId;

use crate::{Held, HostId};

/// The right to work on one run.
///
/// Its token is larger than that of every lease before it, of any run. Whoever takes over gets a larger one, and from
/// then on the store refuses what comes with the smaller: such a number is known as a
/// [fencing token](https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html). Give it to systems of
/// your own that can compare it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// Who holds it.
    pub host: HostId,
    /// The fencing token.
    pub token: u64,
}

/// Which runs a host wants.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Claim {
    /// Who wants them.
    pub host: HostId,
    /// The queue.
    pub queue: String,
    /// How many at most: 1 to 1 000.
    pub limit: usize,
    /// How many runs of the queue may be running at once, whoever runs them.
    pub max_running: Option<u32>,
}

impl Claim {
    /// At most so many runs from the queue.
    #[must_use]
    pub fn new(host: HostId, queue: impl Into<String>, limit: usize) -> Self {
        Self { host, queue: queue.into(), limit, max_running: None }
    }

    /// How many runs of the queue may be running at once, on all hosts together.
    #[must_use]
    pub fn max_running(mut self, running: u32) -> Self {
        self.max_running = Some(running);
        self
    }

    pub(crate) fn check(&self) -> Result<(), crate::StoreError> {
        crate::limits::name("the queue", &self.queue)?;
        crate::limits::page(self.limit)
    }
}

/// What a host got.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Claimed {
    /// The runs, in the order in which they are to start.
    pub runs: Vec<Held>,
    /// When the next delayed run of the queue will be due, by the wall clock; nobody needs to ask before that or
    /// before something is enqueued.
    pub next_due: Option<SystemTime>,
}
