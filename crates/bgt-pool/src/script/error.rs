//! Why no interpreter is warm.

use std::sync::Arc;

use bgt_core::{ErrorKind, TaskError};

use super::stamp::Stamps;

/// Why a script was not run. In the [`Error`](bgt_core::Error) of a run it is found with
/// [`find`](bgt_core::Error::find); all else that can go wrong is a [`CommandError`](crate::CommandError), as in a run
/// without a pool, or a [`PoolError`](crate::PoolError).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// No interpreter could be made warm, and the pool is to refuse instead of running cold.
    #[error(
        "no interpreter is warm: {why}; look at what is preloaded, and at what that looks for in its environment"
    )]
    NotWarm {
        /// What was wrong.
        why: String,
        /// The last lines that the interpreter printed to stderr.
        tail: String,
    },
    /// A warm interpreter was asked to start the script and said nothing for 10 s. It was killed; whether the script began
    /// nobody knows.
    #[error("the warm interpreter, process {pid}, did not answer within 10 s and was killed")]
    Stuck {
        /// Its process id.
        pid: u32,
    },
}

impl ScriptError {
    pub(super) fn into_task_error(self) -> TaskError {
        let tail = match &self {
            Self::NotWarm { tail, .. } => tail.clone(),
            Self::Stuck { .. } => String::new(),
        };
        TaskError::new(self).with_kind(ErrorKind::Start).with_tail(tail)
    }
}

/// An interpreter that could not be made warm.
#[derive(Clone, Debug, Default)]
pub(super) struct NotWarm {
    pub(super) why: String,
    pub(super) tail: String,
    /// It will be no different for as long as these files are what they are.
    pub(super) lasts: Option<Arc<Stamps>>,
}

impl NotWarm {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), ..Self::default() }
    }

    pub(super) fn closed() -> Self {
        Self::new("the pool was drained")
    }

    /// Who forks must have no other threads: what they hold would be held for ever in what is born.
    pub(super) fn threads(stamps: Stamps) -> Self {
        let why = "a preloaded module has started threads, which do not survive a fork";
        Self { lasts: Some(Arc::new(stamps)), ..Self::new(why) }
    }

    /// Of one that has ended instead: the last line that it printed says most.
    pub(super) fn ended(tail: String) -> Self {
        let why = match tail.lines().next_back() {
            Some(line) => format!("it ended before it was ready: {line}"),
            None => "it ended before it was ready".to_owned(),
        };
        Self { why, tail, lasts: None }
    }
}
