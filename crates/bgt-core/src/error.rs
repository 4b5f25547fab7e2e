//! What the caller of a run gets when it did not succeed.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{CancelReason, Pattern, RunId, Status};

/// What kind of failure it is: the part of an error that policies act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ErrorKind {
    /// Refused before anything ran: the input is wrong, and will be wrong next time.
    Invalid,
    /// The system would not start it now (too many processes, no memory); it may later.
    Start,
    /// The task answered an error.
    Failed,
    /// The task answered an error and says that trying again is pointless.
    Fatal,
    /// A deadline passed.
    TimedOut,
    /// Stopped on request.
    Cancelled,
    /// The task panicked.
    Panicked,
    /// Never ran, by policy.
    Skipped,
    /// Nobody can know how it ended.
    Lost,
}

impl ErrorKind {
    /// The final status of a run that ended so.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Invalid | Self::Start | Self::Failed | Self::Fatal | Self::Panicked => Status::Failed,
            Self::TimedOut => Status::TimedOut,
            Self::Cancelled => Status::Cancelled,
            Self::Skipped => Status::Skipped,
            Self::Lost => Status::Lost,
        }
    }
}

/// A run that did not succeed: which run, by which pattern, on which attempt, why, and the last lines it printed.
///
/// `{}` is one line without the causes, which are in [`source`](StdError::source). `{:#}` and `{:?}` add the causes
/// and the last lines of output, so that `fn main() -> Result<(), Error>` prints all there is to know.
///
/// # Examples
///
/// ```
/// use bgt_core::{Error, ErrorKind, ErrorParts, RunId, TaskError};
///
/// let cause = TaskError::msg("exit code 3").with_tail("convert: no space left");
/// let error = Error::new(ErrorParts::new(RunId::new(), "convert.py".into(), cause));
/// assert_eq!(error.kind(), ErrorKind::Failed);
/// assert!(error.to_string().starts_with("task `convert.py` failed"));
/// assert!(format!("{error:#}").ends_with("exit code 3\n  | convert: no space left"));
/// ```
pub struct Error(Box<ErrorParts>);

/// What an [`Error`] is made of, for those who write a runner.
#[derive(Debug)]
#[non_exhaustive]
pub struct ErrorParts {
    /// The run.
    pub run: RunId,
    /// The task's name.
    pub task: Arc<str>,
    /// The pattern that ran it.
    pub pattern: Pattern,
    /// The attempt that decided, counted from 1; 0 when the run ended before its first.
    pub attempt: u32,
    /// What kind of failure.
    pub kind: ErrorKind,
    /// Why it was asked to stop, if it was.
    pub reason: Option<CancelReason>,
    /// How long the run took.
    pub elapsed: Duration,
    /// The cause.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
    /// The last lines that the task printed.
    pub tail: Option<String>,
}

impl ErrorParts {
    /// A simple run whose first attempt failed with this cause.
    #[must_use]
    pub fn new(run: RunId, task: Arc<str>, cause: crate::TaskError) -> Self {
        let (source, kind, tail) = cause.into_parts();
        Self {
            run,
            task,
            pattern: Pattern::Simple,
            attempt: 1,
            kind,
            reason: None,
            elapsed: Duration::ZERO,
            source: Some(source),
            tail,
        }
    }
}

impl Error {
    /// An error from its parts.
    #[must_use]
    pub fn new(parts: ErrorParts) -> Self {
        Self(Box::new(parts))
    }

    /// The run.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        self.0.run
    }

    /// The task's name.
    #[must_use]
    pub fn task(&self) -> &str {
        &self.0.task
    }

    /// The pattern that ran it.
    #[must_use]
    pub fn pattern(&self) -> Pattern {
        self.0.pattern
    }

    /// The attempt that decided, counted from 1; 0 when the run ended before its first.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// What kind of failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The run's final status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.kind.status()
    }

    /// Why the run was asked to stop, if it was.
    #[must_use]
    pub fn cancel_reason(&self) -> Option<CancelReason> {
        self.0.reason
    }

    /// How long the run took.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// The last lines that the task printed: of a program, on stderr (or on stdout when both were combined).
    #[must_use]
    pub fn tail(&self) -> Option<&str> {
        self.0.tail.as_deref()
    }

    /// The first error in the chain of causes that has this type.
    #[must_use]
    pub fn find<E: StdError + 'static>(&self) -> Option<&E> {
        let mut cause = self.source();
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }

    /// The parts.
    #[must_use]
    pub fn into_parts(self) -> ErrorParts {
        *self.0
    }

    fn headline(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ErrorParts { run, task, pattern, attempt, kind, reason, elapsed, .. } = &*self.0;
        write!(f, "task `{task}` ")?;
        match (kind, reason) {
            (ErrorKind::Invalid, _) => f.write_str("was refused before it started")?,
            (ErrorKind::Start, _) => f.write_str("could not be started")?,
            (ErrorKind::Failed | ErrorKind::Fatal, _) => f.write_str("failed")?,
            (ErrorKind::TimedOut, _) => write!(f, "timed out after {}", Rounded(*elapsed))?,
            (ErrorKind::Cancelled, Some(reason)) => write!(f, "was stopped ({reason})")?,
            (ErrorKind::Cancelled, None) => f.write_str("was stopped")?,
            (ErrorKind::Panicked, _) => f.write_str("panicked")?,
            (ErrorKind::Skipped, _) => f.write_str("was skipped")?,
            (ErrorKind::Lost, _) => f.write_str("was lost")?,
        }
        if *attempt > 1 {
            write!(f, " on attempt {attempt}")?;
        }
        write!(f, " [{pattern} run {run}]")
    }
}

/// Milliseconds below a second, two decimals above.
struct Rounded(Duration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(1) {
            write!(f, "{} ms", self.0.as_millis())
        } else {
            write!(f, "{:.2} s", self.0.as_secs_f64())
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.headline(f)?;
        if !f.alternate() {
            return Ok(());
        }
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        for line in self.tail().unwrap_or_default().lines() {
            write!(f, "\n  | {line}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskError;

    fn error(kind: ErrorKind, attempt: u32) -> Error {
        let cause = TaskError::new(std::io::Error::other("disk on fire")).with_kind(kind).with_tail("a\nb");
        Error::new(ErrorParts { attempt, ..ErrorParts::new(RunId::new(), "t".into(), cause) })
    }

    #[test]
    fn one_line_says_which_and_the_alternate_form_says_why() {
        let error = error(ErrorKind::Failed, 3);
        let id = error.run_id();
        assert_eq!(error.to_string(), format!("task `t` failed on attempt 3 [simple run {id}]"));
        assert_eq!(format!("{error:?}"), format!("{error}: disk on fire\n  | a\n  | b"));
        assert!(error.find::<std::io::Error>().is_some());
    }

    #[test]
    fn every_kind_has_a_final_status_and_words_of_its_own() {
        use ErrorKind::{Cancelled, Failed, Fatal, Invalid, Lost, Panicked, Skipped, Start, TimedOut};
        let kinds = [Invalid, Start, Failed, TimedOut, Cancelled, Panicked, Skipped, Lost];
        let mut words: Vec<String> = kinds
            .iter()
            .map(|kind| {
                assert!(kind.status().is_final());
                error(*kind, 1).to_string().split(" [").next().unwrap().to_owned()
            })
            .collect();
        words.sort();
        words.dedup();
        assert_eq!(words.len(), kinds.len());
        assert_eq!(Fatal.status(), Status::Failed);
    }
}
