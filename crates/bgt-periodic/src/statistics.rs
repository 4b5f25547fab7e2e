//! What has become of a schedule's times: counts, and the latest of them in detail.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bgt_core::{RunId, Status};

use crate::{Cause, Tick};

/// Why a time was not fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Skipped {
    /// It was missed, and the misfire policy says so.
    Missed,
    /// An earlier one was running, and as many as are allowed.
    Overlap,
    /// As many were waiting as are allowed.
    QueueFull,
    /// A newer one took its place in the queue.
    Replaced,
    /// Another host has it.
    Elsewhere,
    /// A host had begun with it and did not come to the end.
    Lost,
    /// The store could not be asked for as long as it was of use.
    StoreFault,
    /// The schedule was removed, the scheduler stopped, or its runtime shut down.
    Stopped,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missed => "its time was missed",
            Self::Overlap => "an earlier one is running",
            Self::QueueFull => "too many are waiting",
            Self::Replaced => "a newer one took its place",
            Self::Elsewhere => "another host has it",
            Self::Lost => "it was begun and not brought to an end",
            Self::StoreFault => "the store could not be asked",
            Self::Stopped => "the schedule was stopped",
        })
    }
}

/// What became of one firing, or of several times that were skipped alike.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Record {
    /// The time that it was for; of several, the latest.
    pub scheduled_at: SystemTime,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Outcome {
    /// It was fired.
    #[non_exhaustive]
    Ran {
        /// The run.
        run: RunId,
        /// Why.
        cause: Cause,
        /// When, by the wall clock.
        fired_at: SystemTime,
        /// How many earlier times it stands for.
        missed: u64,
        /// How the run ended.
        status: Status,
        /// How many attempts it took.
        attempts: u32,
        /// How long it took, waits between attempts included.
        elapsed: Duration,
        /// What went wrong, its causes included.
        error: Option<Arc<str>>,
    },
    /// It was not.
    #[non_exhaustive]
    Skipped {
        /// Why not.
        reason: Skipped,
        /// How many times it is about.
        count: u64,
    },
}

/// Counts since the schedule was added.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Statistics {
    /// Runs that are over.
    pub runs: u64,
    /// Of them, those whose task answered `Ok`.
    pub succeeded: u64,
    /// Of them, those that failed, panicked or timed out.
    pub failed: u64,
    /// Of them, those that were stopped on request.
    pub cancelled: u64,
    /// Runs that are under way.
    pub running: u32,
    /// Firings that wait for their turn.
    pub waiting: u64,
    /// Times that were noticed too late to be fired at their time: made up for, stood for by another, or skipped. Of more than
    /// 10 000 of a cron pattern at once it is known only that there were so many.
    pub misfires: u64,
    /// Times that were not fired, by reason; those that another stands for are not among them.
    pub skipped: SkippedCounts,
    /// How often the store did not answer.
    pub store_faults: u64,
    /// How late firings at their time began to run, a wait for their turn included: the latest, the mean and the most. Counted
    /// when they end. Jitter is not lateness.
    pub lateness: Lateness,
}

/// Times that were not fired, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SkippedCounts {
    /// [`Skipped::Missed`].
    pub missed: u64,
    /// [`Skipped::Overlap`].
    pub overlap: u64,
    /// [`Skipped::QueueFull`].
    pub queue_full: u64,
    /// [`Skipped::Replaced`].
    pub replaced: u64,
    /// [`Skipped::Elsewhere`].
    pub elsewhere: u64,
    /// [`Skipped::Lost`].
    pub lost: u64,
    /// [`Skipped::StoreFault`].
    pub store_fault: u64,
    /// [`Skipped::Stopped`].
    pub stopped: u64,
}

impl SkippedCounts {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { missed, overlap, queue_full, replaced, elsewhere, lost, store_fault, stopped } = self;
        missed + overlap + queue_full + replaced + elsewhere + lost + store_fault + stopped
    }

    fn of(&mut self, reason: Skipped) -> &mut u64 {
        match reason {
            Skipped::Missed => &mut self.missed,
            Skipped::Overlap => &mut self.overlap,
            Skipped::QueueFull => &mut self.queue_full,
            Skipped::Replaced => &mut self.replaced,
            Skipped::Elsewhere => &mut self.elsewhere,
            Skipped::Lost => &mut self.lost,
            Skipped::StoreFault => &mut self.store_fault,
            Skipped::Stopped => &mut self.stopped,
        }
    }
}

/// How late firings were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Lateness {
    /// The latest one.
    pub last: Duration,
    /// The most.
    pub max: Duration,
    /// All of them together.
    pub sum: Duration,
    /// How many there were.
    pub count: u64,
}

impl Lateness {
    /// The mean.
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.sum.as_secs_f64() / self.count.max(1) as f64)
    }

    pub(crate) fn add(&mut self, lateness: Duration) {
        self.last = lateness;
        self.max = self.max.max(lateness);
        self.sum = self.sum.saturating_add(lateness);
        self.count += 1;
    }
}

/// What is kept of the past of one schedule.
#[derive(Debug, Default)]
pub(crate) struct Past {
    pub(crate) counts: Statistics,
    history: VecDeque<Record>,
}

/// How a run ended.
pub(crate) struct End {
    pub(crate) status: Status,
    pub(crate) attempts: u32,
    pub(crate) elapsed: Duration,
    pub(crate) error: Option<Arc<str>>,
}

impl Past {
    pub(crate) fn ran(&mut self, tick: &Tick, jitter: Duration, end: End, keep: usize) {
        let counts = &mut self.counts;
        if tick.cause == Cause::Scheduled {
            counts.lateness.add(tick.lateness().saturating_sub(jitter));
        }
        counts.runs += 1;
        match end.status {
            Status::Succeeded => counts.succeeded += 1,
            Status::Cancelled => counts.cancelled += 1,
            _ => counts.failed += 1,
        }
        let outcome = Outcome::Ran {
            run: tick.run,
            cause: tick.cause,
            fired_at: tick.fired_at,
            missed: tick.missed,
            status: end.status,
            attempts: end.attempts,
            elapsed: end.elapsed,
            error: end.error,
        };
        self.keep(Record { scheduled_at: tick.scheduled_at, outcome }, keep);
    }

    pub(crate) fn skipped(&mut self, scheduled_at: SystemTime, reason: Skipped, count: u64, keep: usize) {
        *self.counts.skipped.of(reason) += count;
        self.keep(Record { scheduled_at, outcome: Outcome::Skipped { reason, count } }, keep);
    }

    fn keep(&mut self, record: Record, keep: usize) {
        self.history.push_back(record);
        while self.history.len() > keep {
            self.history.pop_front();
        }
    }

    /// The latest first.
    pub(crate) fn history(&self) -> Vec<Record> {
        self.history.iter().rev().cloned().collect()
    }
}
