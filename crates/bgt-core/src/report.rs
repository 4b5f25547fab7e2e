//! What remains of a run.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::{Error, ErrorKind, RunId, Status};

/// The whole story of one run: who, when, how often, and what came of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report<T> {
    /// The run.
    pub id: RunId,
    /// The task's name.
    pub name: Arc<str>,
    /// How many attempts were started; 0 when the run ended before its first. An attempt in which the task itself
    /// refuses to start (a missing program) counts.
    pub attempts: u32,
    /// The attempts that failed and were tried again, oldest first.
    pub retried: Vec<AttemptFailure>,
    /// When the run was started, by the wall clock.
    pub started_at: SystemTime,
    /// How long it took, waits between attempts included.
    pub elapsed: Duration,
    /// What came of it.
    pub result: Result<T, Error>,
}

/// An attempt that failed and was followed by another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptFailure {
    /// Which attempt, counted from 1.
    pub attempt: u32,
    /// What kind of failure.
    pub kind: ErrorKind,
    /// The failure in words, its causes included.
    pub message: String,
    /// How long the attempt took.
    pub elapsed: Duration,
    /// How long the next attempt was put off.
    pub retry_after: Duration,
}

impl AttemptFailure {
    /// The record of a failed attempt.
    #[must_use]
    pub fn new(
        attempt: u32,
        kind: ErrorKind,
        message: String,
        elapsed: Duration,
        retry_after: Duration,
    ) -> Self {
        Self { attempt, kind, message, elapsed, retry_after }
    }
}

impl<T> Report<T> {
    /// A report of a run that is over.
    #[must_use]
    pub fn new(id: RunId, name: Arc<str>, started_at: SystemTime, result: Result<T, Error>) -> Self {
        Self { id, name, attempts: 0, retried: Vec::new(), started_at, elapsed: Duration::ZERO, result }
    }

    /// The final status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.result.as_ref().map_or_else(Error::status, |_| Status::Succeeded)
    }

    /// Whether the task answered `Ok`.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.result.is_ok()
    }
}
