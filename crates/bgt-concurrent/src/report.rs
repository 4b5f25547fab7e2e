//! What remains of a batch.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bgt_core::{Error, ErrorKind, Report, RunId, Status};

use crate::{BatchFailed, Halted};

/// An item that has come to its end: what [`Handle`](crate::Handle) hands out.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished<O> {
    /// Its place in the input, counted from 0.
    pub index: u64,
    /// Its key, if it has one.
    pub key: Option<Arc<str>>,
    /// What came of it.
    pub report: Report<O>,
}

/// An item that failed, as the [`BatchReport`] keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// Its place in the input, counted from 0.
    pub index: u64,
    /// Its key, if it has one.
    pub key: Option<Arc<str>>,
    /// The task's name.
    pub name: Arc<str>,
    /// The run.
    pub run: RunId,
    /// What kind of failure.
    pub kind: ErrorKind,
    /// How many attempts were made.
    pub attempts: u32,
    /// The failure in words, with its causes.
    pub message: String,
    /// The last lines that the task printed: of a program, on stderr.
    pub tail: Option<String>,
}

impl Failure {
    pub(crate) fn new(
        index: u64,
        key: Option<Arc<str>>,
        name: Arc<str>,
        attempts: u32,
        error: &Error,
    ) -> Self {
        let mut message = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        let (run, kind, tail) = (error.run_id(), error.kind(), error.tail().map(str::to_owned));
        Self { index, key, name, run, kind, attempts, message, tail }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{key}: {}", self.message)?,
            None => write!(f, "item {}: {}", self.index, self.message)?,
        }
        for line in self.tail.as_deref().unwrap_or_default().lines() {
            write!(f, "\n  | {line}")?;
        }
        Ok(())
    }
}

/// How many items stand where. Every item that was pulled is in exactly one of them, [`running`](Self::running) and
/// [`waiting`](Self::waiting) included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// The task answered `Ok`.
    pub succeeded: u64,
    /// It answered an error, panicked, or was refused before it started.
    pub failed: u64,
    /// A deadline passed.
    pub timed_out: u64,
    /// Stopped on request.
    pub cancelled: u64,
    /// Never ran, because the batch had stopped. What the source still had is counted too, if it could say how much
    /// that is.
    pub skipped: u64,
    /// The journal has it as done by an earlier run, or earlier in this one. It did not run, and has no result.
    pub already_done: u64,
    /// At work now.
    pub running: u64,
    /// Pulled from the source and not at work: waiting for its turn, for a resource, for the journal.
    pub waiting: u64,
}

impl Counts {
    /// How many have ended, whatever came of them, without those that were done already.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.succeeded + self.failed + self.timed_out + self.cancelled + self.skipped
    }

    /// How many with this final status; 0 for the others.
    #[must_use]
    pub fn of(&self, status: Status) -> u64 {
        match status {
            Status::Succeeded => self.succeeded,
            Status::Failed => self.failed,
            Status::TimedOut => self.timed_out,
            Status::Cancelled => self.cancelled,
            Status::Skipped => self.skipped,
            Status::Queued | Status::Running | Status::Lost => 0,
        }
    }
}

/// How a batch is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// How many items stand where.
    pub counts: Counts,
    /// How many there are in all, if the source can say.
    pub total: Option<u64>,
    /// How long it has been at it, or was.
    pub elapsed: Duration,
    /// Whether it is over.
    pub is_over: bool,
}

impl Snapshot {
    /// Items a second that came to an end, those that were skipped or done already left out.
    #[must_use]
    pub fn rate(&self) -> f64 {
        rate(&self.counts, self.elapsed)
    }

    /// How long it will take if it goes on like this; `None` where nobody can know.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let left = self.total?.saturating_sub(self.counts.ended() + self.counts.already_done);
        let rate = self.rate();
        (rate > 0.0).then(|| Duration::try_from_secs_f64(left as f64 / rate).unwrap_or(Duration::MAX))
    }
}

fn rate(counts: &Counts, elapsed: Duration) -> f64 {
    let seconds = elapsed.as_secs_f64();
    let ran = counts.ended() - counts.skipped;
    if seconds > 0.0 { ran as f64 / seconds } else { 0.0 }
}

/// How long tasks took, of those that ran. Exact to 1 in 32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Durations {
    /// Half of them took at most so long.
    pub p50: Duration,
    /// 95 of 100 took at most so long.
    pub p95: Duration,
    /// 99 of 100 took at most so long.
    pub p99: Duration,
    /// The longest of them, exact.
    pub longest: Duration,
}

/// The whole story of a batch, in constant memory: nothing in it grows with the number of items.
///
/// `{}` is a few lines for people, the failures that are kept included.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BatchReport {
    /// How many items ended how. Nothing is running or waiting any more.
    pub counts: Counts,
    /// The first items that failed, timed out or were refused, in the order in which they did; as many as
    /// [`keep_failures`](crate::Batch::keep_failures) says.
    pub failures: Vec<Failure>,
    /// How many more there were.
    pub more_failures: u64,
    /// How many attempts were made beyond the first of each item.
    pub retries: u64,
    /// Why it stopped early, if it did.
    pub halted: Option<Halted>,
    /// The most tasks that were at work at the same time.
    pub peak: u64,
    /// How long tasks took, attempts and the waits between them together.
    pub durations: Durations,
    /// For how long a gate kept tasks from starting.
    pub gated: Duration,
    /// When the batch was started, by the wall clock.
    pub started_at: SystemTime,
    /// How long the whole took.
    pub elapsed: Duration,
}

impl BatchReport {
    /// Whether everything that there was to do is done.
    #[must_use]
    pub fn is_success(&self) -> bool {
        let Counts { succeeded, .. } = self.counts;
        self.halted.is_none() && self.counts.ended() == succeeded
    }

    /// Items a second that came to an end, those that were skipped or done already left out.
    #[must_use]
    pub fn throughput(&self) -> f64 {
        rate(&self.counts, self.elapsed)
    }

    /// Itself if everything is done.
    ///
    /// # Errors
    ///
    /// [`BatchFailed`] with the report if anything failed, timed out, was cancelled or never ran.
    pub fn require_success(self) -> Result<Self, BatchFailed> {
        if self.is_success() { Ok(self) } else { Err(BatchFailed(Box::new(self))) }
    }

    fn failures_in_words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            write!(f, "\n{failure}")?;
        }
        if self.more_failures > 0 {
            write!(f, "\n… and {} more", self.more_failures)?;
        }
        Ok(())
    }

    pub(crate) fn in_words(&self) -> String {
        match self.failures.first() {
            Some(first) => format!("{}; the first: {first}", self.in_short()),
            None => self.in_short(),
        }
    }

    pub(crate) fn in_short(&self) -> String {
        let mut text = String::new();
        let Counts { succeeded, failed, timed_out, cancelled, skipped, already_done, .. } = self.counts;
        let all = [
            (succeeded, "succeeded"),
            (failed, "failed"),
            (timed_out, "timed out"),
            (cancelled, "cancelled"),
            (skipped, "skipped"),
            (already_done, "done before"),
        ];
        for (count, what) in all.into_iter().filter(|(count, what)| *count > 0 || *what == "succeeded") {
            text += &format!("{}{count} {what}", if text.is_empty() { "" } else { ", " });
        }
        if let Some(halted) = &self.halted {
            text += &format!("; {halted}");
        }
        text
    }
}

impl fmt::Display for BatchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Durations { p50, p95, p99, .. } = self.durations;
        write!(f, "{} in {:.2?}", self.in_short(), self.elapsed)?;
        if self.peak == 0 {
            return self.failures_in_words(f);
        }
        let rate = self.throughput();
        write!(f, "\n{rate:.1} a second, at most {} at once; half took up to {p50:.1?}, ", self.peak)?;
        write!(f, "95 % up to {p95:.1?}, 99 % up to {p99:.1?}")?;
        if self.retries > 0 {
            write!(f, "; {} retries", self.retries)?;
        }
        if self.gated > Duration::ZERO {
            write!(f, "; held back by a gate for {:.1?}", self.gated)?;
        }
        self.failures_in_words(f)
    }
}
