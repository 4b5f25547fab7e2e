//! The causes that the runner itself adds to an error.

use std::any::Any;
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
    /// What [`catch_unwind`](std::panic::catch_unwind) caught, for those who write a pattern.
    #[must_use]
    pub fn caught(payload: Box<dyn Any + Send>) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let message = text.unwrap_or("a panic whose message is no text").to_owned();
        // A payload may panic when it is dropped, and then nobody would be left to contain it.
        std::mem::forget(payload);
        Self { message }
    }
}
