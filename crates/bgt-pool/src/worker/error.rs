//! What can go wrong with a worker.

use std::fmt;

use bgt_core::{CancelReason, ErrorKind, TaskError};
use bgt_process::{CommandError, Exit};

use super::request::Answer;

/// Why a request has no answer. In the [`Error`](bgt_core::Error) of a call it is found with
/// [`find`](bgt_core::Error::find); the last lines that the worker printed to stderr are its
/// [`tail`](bgt_core::Error::tail).
///
/// All but [`Failed`](Self::Failed) have ended the worker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The worker did its work and says that it failed. It serves on.
    #[error("the worker answered exit code {exit_code}")]
    Failed {
        /// Never 0.
        exit_code: i32,
        /// What it said of it, such as a Python traceback.
        output: Answer,
    },
    /// The worker ended before it had answered.
    #[error("worker {pid} ended without an answer: {exit}")]
    Crashed {
        /// Its process id.
        pid: u32,
        /// How it ended.
        exit: Exit,
    },
    /// The worker closed its stdout, lived on, and was killed.
    #[error("worker {pid} closed its stdout without an answer, and was killed")]
    OutputClosed {
        /// Its process id.
        pid: u32,
    },
    /// The worker wrote what is no answer, and was killed.
    #[error("worker {pid} wrote what is no answer, and was killed: {line:?}")]
    Garbage {
        /// Its process id.
        pid: u32,
        /// The beginning of it.
        line: String,
    },
    /// The worker answered another request than it was asked, and was killed.
    #[error("worker {pid} was asked {asked} and answered {answered}, and was killed")]
    OutOfTurn {
        /// Its process id.
        pid: u32,
        /// The id of the request.
        asked: u32,
        /// The id in the answer.
        answered: u32,
    },
    /// The worker's answer is too long, and it was killed.
    #[error("worker {pid} wrote a line of more than {limit} bytes, and was killed")]
    AnswerTooLong {
        /// Its process id.
        pid: u32,
        /// The most that a line may have.
        limit: usize,
    },
    /// The worker says that the request was cancelled, and nobody had asked for that: it was interrupted from elsewhere. It
    /// was killed.
    #[error("worker {pid} was interrupted at the request by somebody else, and was killed")]
    Interrupted {
        /// Its process id.
        pid: u32,
    },
    /// The call was stopped while the worker was at it.
    #[error("worker {pid}: {how}")]
    Stopped {
        /// Its process id.
        pid: u32,
        /// Why.
        reason: CancelReason,
        /// How the worker took it.
        how: CallStop,
    },
    /// The pool was shut down while the worker was at it.
    #[error("worker {pid} was killed because its pool is shut down")]
    ShutDown {
        /// Its process id.
        pid: u32,
    },
    /// The request is longer than a line may be; nobody was asked.
    #[error(
        "the request is {bytes} bytes long, and a line has at most {limit}: pass what is long through a file"
    )]
    RequestTooLong {
        /// The bytes of the line.
        bytes: usize,
        /// The most that a line may have.
        limit: usize,
    },
    /// An argument cannot be JSON; nobody was asked.
    #[error("an argument of the request cannot be JSON: {why}")]
    NotJson {
        /// What is wrong with it.
        why: String,
    },
}

/// How a worker took it that its request was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallStop {
    /// It answered that it has stopped, and was ended.
    Obeyed,
    /// It was killed: its grace period was over, or skipped.
    Killed,
    /// It was killed while the request was still being written.
    InTheMiddle,
    /// It had ended before it was asked, and no other one was free in time.
    NotAsked,
}

impl fmt::Display for CallStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Obeyed => "it stopped when asked",
            Self::Killed => "it did not stop when asked, and was killed",
            Self::NotAsked => "it had ended before it was asked, and no other one was free in time",
            Self::InTheMiddle => "it was killed before it had read the request",
        })
    }
}

impl CallError {
    pub(crate) fn into_task_error(self, tail: String) -> TaskError {
        let kind = match &self {
            Self::Stopped { reason: CancelReason::Deadline, .. } => ErrorKind::TimedOut,
            Self::Stopped { .. } | Self::ShutDown { .. } => ErrorKind::Cancelled,
            Self::RequestTooLong { .. } | Self::NotJson { .. } => ErrorKind::Invalid,
            _ => ErrorKind::Failed,
        };
        TaskError::new(self).with_kind(kind).with_tail(tail)
    }
}

/// Why a worker could not be started: the source of [`PoolError::Create`](crate::PoolError::Create).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Its command was refused, or the system did not start it.
    #[error("the worker could not be started")]
    Command {
        /// What is wrong with it.
        source: CommandError,
    },
    /// It ended, or was ended, before it said that it is ready.
    #[error("the worker was not ready: {what}")]
    NotReady {
        /// What came instead.
        what: Box<CallError>,
        /// The last lines that it printed to stderr.
        tail: String,
    },
    /// It speaks another version of the protocol.
    #[error("worker {pid} speaks version {version} of the protocol, and only {ours} is known here")]
    Version {
        /// Its process id.
        pid: u32,
        /// What it speaks.
        version: u32,
        /// What we speak.
        ours: u32,
    },
}
