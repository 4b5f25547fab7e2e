//! Why a caller got nothing from a pool.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bgt_core::{ErrorKind, TaskError};

/// Why a caller got no resource. In the [`Error`](bgt_core::Error) of a run it is found with
/// [`find`](bgt_core::Error::find).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// As many wait as may wait. Answered at once.
    #[error(
        "pool `{pool}` takes no more callers: {depth} wait already; come back later, or raise its queue or size"
    )]
    QueueFull {
        /// The pool's name.
        pool: Arc<str>,
        /// How many wait.
        depth: usize,
    },
    /// Nothing became free in time.
    #[error("nothing of pool `{pool}` became free within {limit:?}, with {depth} others waiting")]
    QueueDeadline {
        /// The pool's name.
        pool: Arc<str>,
        /// The time that was allowed.
        limit: Duration,
        /// How many others waited when this one gave up.
        depth: usize,
    },
    /// A resource could not be made, and this caller was the one who waited for it.
    #[error("pool `{pool}` could not make a resource")]
    Create {
        /// The pool's name.
        pool: Arc<str>,
        /// What the manager said.
        source: Box<dyn StdError + Send + Sync>,
        /// The last lines that a worker printed to stderr; empty for other resources.
        tail: String,
    },
    /// Making a resource took too long, and was given up.
    #[error("pool `{pool}` could not make a resource within {limit:?}")]
    CreateDeadline {
        /// The pool's name.
        pool: Arc<str>,
        /// The time that was allowed.
        limit: Duration,
    },
    /// Making a resource panicked, or the runtime of the pool has shut down.
    #[error("pool `{pool}` gave up making a resource: making it panicked, or the pool's runtime is gone")]
    CreateAbandoned {
        /// The pool's name.
        pool: Arc<str>,
    },
    /// Resources fail as soon as they are made, or cannot be made at all; the pool waits before it tries again.
    #[error(
        "pool `{pool}` makes nothing for {retry_in:?}, because {failures} in a row failed at once; the last: {last}"
    )]
    CrashLoop {
        /// The pool's name.
        pool: Arc<str>,
        /// How many failed in a row.
        failures: u32,
        /// How long until the next attempt.
        retry_in: Duration,
        /// What was wrong with the last one, causes included.
        last: String,
        /// The last lines that the last worker printed to stderr; empty for other resources.
        tail: String,
    },
    /// The pool is shut down, or about to be.
    #[error("pool `{pool}` is shut down")]
    Closed {
        /// The pool's name.
        pool: Arc<str>,
    },
}

impl PoolError {
    /// The same as a task's failure: one that may pass, unless the pool is shut down.
    pub(crate) fn into_task_error(self) -> TaskError {
        let kind = if let Self::Closed { .. } = self { ErrorKind::Fatal } else { ErrorKind::Start };
        let tail = match &self {
            Self::Create { tail, .. } | Self::CrashLoop { tail, .. } => tail.clone(),
            _ => String::new(),
        };
        TaskError::new(self).with_kind(kind).with_tail(tail)
    }
}

/// A setting that cannot be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No room for a single resource.
    #[error("a pool of size 0 would never serve anybody: use at least 1")]
    NoSize,
    /// More are to be kept than there may be.
    #[error("min_idle {min_idle} is more than the size of the pool, {size}: lower it, or raise the size")]
    MinIdle {
        /// How many are to be kept.
        min_idle: usize,
        /// How many there may be.
        size: usize,
    },
    /// A time or a count of zero.
    #[error("with a {what} of zero nobody would ever be served: leave it out, or raise it")]
    Zero {
        /// Which setting.
        what: &'static str,
    },
    /// No share of a whole.
    #[error("jitter {jitter} is no share of a whole: use 0 to 1")]
    Jitter {
        /// The value.
        jitter: f64,
    },
    /// A Python function is not named by its module and its name.
    #[error("{handler:?} names no Python function: use \"module:function\", such as \"score:score\"")]
    Handler {
        /// What was given.
        handler: String,
    },
    /// There is nobody to look after the pool.
    #[error("a pool is looked after by a task: build it inside a tokio runtime")]
    NoRuntime,
}

/// The last lines that a worker printed before it could not be made.
#[cfg_attr(not(feature = "process"), expect(unused_variables, reason = "only workers print"))]
pub(crate) fn tail_of(error: &(dyn StdError + Send + Sync + 'static)) -> String {
    #[cfg(feature = "process")]
    if let Some(crate::StartError::NotReady { tail, .. }) = error.downcast_ref() {
        return tail.clone();
    }
    String::new()
}

/// An error and its causes on one line.
pub(crate) fn in_words(error: &(dyn StdError + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(words, ": {error}");
        cause = error.source();
    }
    words
}
