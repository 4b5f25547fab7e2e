//! The causes that the runner itself adds to an error.

use std::error::Error as StdError;
use std::time::Duration;

/// A deadline passed. The cause below it, if there is one, is what the task answered when it was stopped.
#[derive(Debug, thiserror::Error)]
#[error("the deadline of {limit:?} {} passed", if *.whole { "for the whole run" } else { "for one attempt" })]
#[non_exhaustive]
pub struct DeadlinePassed {
    /// The time that was allowed.
    pub limit: Duration,
    /// Whether it was for the whole run or for one attempt.
    pub whole: bool,
    /// What the task answered.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The task panicked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Panicked {
    /// The panic's message.
    pub message: String,
}

impl Panicked {
    /// A panic with this message, for those who write a pattern.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}
