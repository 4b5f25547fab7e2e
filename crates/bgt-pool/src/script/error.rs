//! Why no interpreter is warm.

use bgt_core::{ErrorKind, TaskError};

/// Why a script was not run. In the [`Error`](bgt_core::Error) of a run it is found with
/// [`find`](bgt_core::Error::find); all else that can go wrong is a [`CommandError`](crate::CommandError), as in a run
/// without a pool, or a [`PoolError`](crate::PoolError).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// No interpreter could be made warm, and the pool is to refuse instead of running cold.
    #[error("no interpreter is warm: {why}; look at what is preloaded, or leave out .refuse_cold()")]
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
}

impl NotWarm {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), tail: String::new() }
    }

    /// Of one that has ended instead: the last line that it printed says most.
    pub(super) fn ended(tail: String) -> Self {
        let why = match tail.lines().next_back() {
            Some(line) => format!("it ended before it was ready: {line}"),
            None => "it ended before it was ready".to_owned(),
        };
        Self { why, tail }
    }
}
