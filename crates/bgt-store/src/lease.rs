//! The right to work on something, and the number that proves it.

use std::time::SystemTime;

use bgt_core::RunId;

use crate::{Held, HostId, RunRecord};

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

    /// Refuses what no store takes, before anything is written; for those who write a backend.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`](crate::StoreError::Invalid), which names the value.
    pub fn check(&self) -> Result<(), crate::StoreError> {
        crate::limits::name("the queue", &self.queue)?;
        crate::limits::page("the limit of a claim", self.limit)
    }
}

/// Which runs of hosts that are gone a host wants to take over; of any queue unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Adopt {
    /// Who wants them.
    pub host: HostId,
    /// How many at most: 1 to 1 000.
    pub limit: usize,
    /// From one of these queues; any if empty.
    pub queues: Vec<String>,
    /// This run and no other.
    pub run: Option<RunId>,
}

impl Adopt {
    /// At most so many runs.
    #[must_use]
    pub fn new(host: HostId, limit: usize) -> Self {
        Self { host, limit, queues: Vec::new(), run: None }
    }

    /// From this queue, or another that is asked for.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queues.push(queue.into());
        self
    }

    /// This run and no other.
    #[must_use]
    pub fn run(mut self, run: RunId) -> Self {
        self.run = Some(run);
        self
    }

    /// Whether the run is one of those.
    #[must_use]
    pub fn matches(&self, run: &RunRecord) -> bool {
        (self.queues.is_empty() || self.queues.contains(&run.queue)) && self.run.is_none_or(|id| id == run.id)
    }

    /// Refuses what no store takes; for those who write a backend.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`](crate::StoreError::Invalid), which names the value.
    pub fn check(&self) -> Result<(), crate::StoreError> {
        self.queues.iter().try_for_each(|queue| crate::limits::name("the queue", queue))?;
        crate::limits::page("the limit of an adoption", self.limit)
    }
}

/// What a host got.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Claimed {
    /// The runs, in the order in which they are to start.
    pub runs: Vec<Held>,
    /// Whether more are due, which the limits kept back.
    pub has_more: bool,
    /// When the next delayed run of the queue will be due, by the wall clock. What other processes enqueue is not
    /// announced: ask from time to time all the same.
    pub next_due: Option<SystemTime>,
}
