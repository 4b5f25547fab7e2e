//! What can go wrong, each with the value that is to blame and the way out.

use std::io;
use std::path::PathBuf;

use bgt_core::{InvalidRetry, RunId, Status};
use bgt_store::StoreError;

/// What a call of this crate answers.
pub type Result<T, E = DetachedError> = std::result::Result<T, E>;

/// What went wrong with detached runs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DetachedError {
    /// Nobody would run it: no function has this name.
    #[error(
        "no function {function:?} is registered here, only {known}: register it, or open this host without workers if another has it"
    )]
    UnknownFunction {
        /// As it was given.
        function: String,
        /// What is registered.
        known: String,
    },
    /// Nobody would run it: the queue is not served.
    #[error(
        "queue {queue:?} is not served here, only {known}: add it to the builder, or open this host without workers if another serves it"
    )]
    UnknownQueue {
        /// As it was given.
        queue: String,
        /// What is served.
        known: String,
    },
    /// The arguments of a function, or what it answered, cannot be expressed in JSON.
    #[error("{what} of function {function:?} cannot be expressed in JSON")]
    Json {
        /// The arguments or the result.
        what: &'static str,
        /// The function.
        function: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The command would be refused, or cannot be kept for later.
    #[cfg(feature = "process")]
    #[cfg_attr(docsrs, doc(cfg(feature = "process")))]
    #[error("the command cannot be detached")]
    Command(#[source] bgt_simple::CommandError),
    /// A retry policy that cannot be.
    #[error(transparent)]
    Retry(#[from] InvalidRetry),
    /// A setting that makes no sense.
    #[error("{what} is {found}: expected {expected}")]
    Setting {
        /// Which.
        what: &'static str,
        /// What it is.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// The records: a full disk, a lock, a damaged file, a value that makes no sense.
    #[error(transparent)]
    Store(StoreError),
    /// No such run, or it was forgotten.
    #[error("run {0} is not known: it was never accepted here, or it is over and was forgotten")]
    UnknownRun(RunId),
    /// It has not answered anything.
    #[error("run {run} has no result: it is {status}")]
    NoResult {
        /// The run.
        run: RunId,
        /// Where it stands.
        status: Status,
    },
    /// A file or folder of a run.
    #[error("cannot use {}", path.display())]
    Files {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The thread that says that this host is there could not be started.
    #[error("cannot start the thread that gives signs of life")]
    Thread(#[source] io::Error),
    /// Its output.
    #[error(transparent)]
    Output(#[from] bgt_log::FileError),
    /// Nothing was opened that could keep it.
    #[error("nothing is kept here: make the orchestrator with `Orchestrator::open`")]
    NotOpen,
    /// It was shut down.
    #[error("this host was shut down: it accepts nothing more")]
    Closed,
}

impl From<StoreError> for DetachedError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::UnknownRun(run) => Self::UnknownRun(run),
            error => Self::Store(error),
        }
    }
}

impl DetachedError {
    /// The fault of the records, if it is one.
    #[must_use]
    pub fn fault(&self) -> Option<&bgt_store::Fault> {
        match self {
            Self::Store(error) => error.fault(),
            _ => None,
        }
    }

    pub(crate) fn files(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Files { path, source }
    }
}
