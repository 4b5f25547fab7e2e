//! Why a request was refused, or what it came to.

use bgt_core::{InvalidRetry, LimitsError, Pattern};

use crate::{Contradiction, Selection};

/// Why a request was refused before anything ran; and, of its [output](crate::Execution::output), why there is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// It asks for two things that cannot be together.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// A value that makes no sense.
    #[error("{what} of a request is {found}: expected {expected}")]
    Invalid {
        /// Which.
        what: &'static str,
        /// Its value.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A pattern was named without what it needs.
    #[error("the pattern {pattern} was asked for without {missing}: {instead}")]
    Missing {
        /// The pattern.
        pattern: Pattern,
        /// What it needs.
        missing: &'static str,
        /// The way out.
        instead: &'static str,
    },
    /// The pattern is not compiled in.
    #[error("{selection}, which is not compiled in: add the feature `{}` of bgt-orchestrator", .selection.pattern)]
    FeatureOff {
        /// What was selected, and why.
        selection: Selection,
    },
    /// The retry policy allows no attempt at all.
    #[error(transparent)]
    Retry(#[from] InvalidRetry),
    /// What it needs can never be met.
    #[error("what the request needs can never be met")]
    Needs(#[from] LimitsError),
    /// The schedule was refused.
    #[cfg(feature = "periodic")]
    #[cfg_attr(docsrs, doc(cfg(feature = "periodic")))]
    #[error(transparent)]
    Schedule(#[from] bgt_periodic::ScheduleError),
    /// The batch was refused.
    #[cfg(feature = "concurrent")]
    #[cfg_attr(docsrs, doc(cfg(feature = "concurrent")))]
    #[error(transparent)]
    Batch(#[from] bgt_concurrent::BatchError),
    /// The job was refused, or the records have a fault.
    #[cfg(feature = "detached")]
    #[cfg_attr(docsrs, doc(cfg(feature = "detached")))]
    #[error(transparent)]
    Detached(#[from] bgt_detached::DetachedError),
    /// The run did not succeed.
    #[error(transparent)]
    Run(#[from] bgt_core::Error),
    /// There is not one output.
    #[error("a run by the pattern {pattern} has no output to wait for: {instead}")]
    NoOutput {
        /// The pattern.
        pattern: Pattern,
        /// The way to what there is.
        instead: &'static str,
    },
}
