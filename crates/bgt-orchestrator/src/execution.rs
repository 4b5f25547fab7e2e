//! What the one door answers.

use std::fmt;

#[cfg(feature = "detached")]
use bgt_core::RunId;
use bgt_core::{Error, Pattern, Report};

use crate::{ExecuteError, Selection};

/// What became of a [`Request`](crate::Request): which pattern runs it and why, and the hold on it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Execution<O> {
    /// The pattern, and why.
    pub selection: Selection,
    /// What is there to hold.
    pub outcome: Outcome<O>,
}

/// The hold on what was executed: of what was waited for the result, of the rest the handle.
#[non_exhaustive]
pub enum Outcome<O> {
    /// Simple, pooled: it has ended.
    Ended(Report<O>),
    /// Streaming: it runs, and can be watched. Dropping the handle stops it.
    #[cfg(feature = "streaming")]
    #[cfg_attr(docsrs, doc(cfg(feature = "streaming")))]
    Streaming(bgt_streaming::Handle<O>),
    /// Concurrent, waited for: all have ended.
    #[cfg(feature = "concurrent")]
    #[cfg_attr(docsrs, doc(cfg(feature = "concurrent")))]
    Batch(Box<bgt_concurrent::BatchReport>),
    /// Concurrent, not waited for: they run. Dropping the handle ends them.
    #[cfg(feature = "concurrent")]
    #[cfg_attr(docsrs, doc(cfg(feature = "concurrent")))]
    Batching(bgt_concurrent::Handle<O>),
    /// Detached on disk: found by its id, with [`Orchestrator::run`](crate::Orchestrator::run).
    #[cfg(feature = "detached")]
    #[cfg_attr(docsrs, doc(cfg(feature = "detached")))]
    Detached(RunId),
    /// Detached in this process alone: found by its id in the list of runs.
    #[cfg(feature = "detached")]
    #[cfg_attr(docsrs, doc(cfg(feature = "detached")))]
    Local(RunId),
    /// Periodic: it has its schedule.
    #[cfg(feature = "periodic")]
    #[cfg_attr(docsrs, doc(cfg(feature = "periodic")))]
    Scheduled(bgt_periodic::ScheduleHandle),
}

impl<O: Send + 'static> Execution<O> {
    /// The pattern that runs it.
    #[must_use]
    pub fn pattern(&self) -> Pattern {
        self.selection.pattern
    }

    /// The output of one run, waited for if it is streamed.
    ///
    /// # Errors
    ///
    /// The run's own error; [`NoOutput`](ExecuteError::NoOutput) where there is not one output.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops a run that is streamed.
    pub async fn output(self) -> Result<O, ExecuteError> {
        #[cfg(any(feature = "concurrent", feature = "detached", feature = "periodic"))]
        let none = |instead| Err(ExecuteError::NoOutput { pattern: self.selection.pattern, instead });
        match self.outcome {
            Outcome::Ended(report) => Ok(report.result?),
            #[cfg(feature = "streaming")]
            Outcome::Streaming(handle) => Ok(handle.await?),
            #[cfg(feature = "concurrent")]
            Outcome::Batch(_) | Outcome::Batching(_) => {
                none("look at its report, or read the results from its handle")
            }
            #[cfg(feature = "detached")]
            Outcome::Detached(_) => none("ask for the run by its id, with Orchestrator::run"),
            #[cfg(feature = "detached")]
            Outcome::Local(_) => none("nobody waits for it; leave wait(false) out to have its output"),
            #[cfg(feature = "periodic")]
            Outcome::Scheduled(_) => none("its handle has the statistics and the history of its firings"),
        }
    }

    /// The error of what has ended and did not succeed.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        match &self.outcome {
            Outcome::Ended(report) => report.result.as_ref().err(),
            #[cfg(any(
                feature = "streaming",
                feature = "concurrent",
                feature = "detached",
                feature = "periodic"
            ))]
            _ => None,
        }
    }
}

impl<O> fmt::Debug for Outcome<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(report) => f.debug_tuple("Ended").field(&report.id).field(&report.status()).finish(),
            #[cfg(feature = "streaming")]
            Self::Streaming(handle) => f.debug_tuple("Streaming").field(handle).finish(),
            #[cfg(feature = "concurrent")]
            Self::Batch(report) => f.debug_tuple("Batch").field(&report.counts).finish(),
            #[cfg(feature = "concurrent")]
            Self::Batching(handle) => f.debug_tuple("Batching").field(handle).finish(),
            #[cfg(feature = "detached")]
            Self::Detached(id) => f.debug_tuple("Detached").field(id).finish(),
            #[cfg(feature = "detached")]
            Self::Local(id) => f.debug_tuple("Local").field(id).finish(),
            #[cfg(feature = "periodic")]
            Self::Scheduled(handle) => f.debug_tuple("Scheduled").field(handle).finish(),
        }
    }
}
