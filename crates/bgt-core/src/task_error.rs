//! What a task answers when it fails.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;

use crate::{Cancelled, ErrorKind};

/// What a task answers when it fails: any error, what kind of failure it is (for [`Retry`](crate::Retry)), and
/// perhaps the tail of what it printed.
///
/// Every error converts with `?`. Like `anyhow::Error` and for the same reason it is not itself an
/// [`Error`](StdError); what the caller of a run gets is [`bgt_core::Error`](crate::Error), which is.
///
/// # Examples
///
/// ```
/// use bgt_core::{ErrorKind, TaskError};
///
/// fn read() -> Result<String, TaskError> {
///     let text = std::fs::read_to_string("no/such/file")?;
///     if text.is_empty() {
///         return Err(TaskError::msg("the file is empty").fatal());
///     }
///     Ok(text)
/// }
/// assert_eq!(read().unwrap_err().kind(), ErrorKind::Failed);
/// ```
pub struct TaskError {
    source: Box<dyn StdError + Send + Sync>,
    kind: ErrorKind,
    tail: Option<String>,
}

impl TaskError {
    /// A failure from an error.
    #[must_use]
    pub fn new(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: source.into(), kind: ErrorKind::Failed, tail: None }
    }

    /// A failure in words.
    #[must_use]
    pub fn msg(message: impl Into<String>) -> Self {
        Self::new(message.into())
    }

    /// Says what kind of failure it is.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Says that trying again is pointless: no retry policy will.
    #[must_use]
    pub fn fatal(self) -> Self {
        self.with_kind(ErrorKind::Fatal)
    }

    /// Adds the last lines that the task printed.
    #[must_use]
    pub fn with_tail(mut self, tail: impl Into<String>) -> Self {
        self.tail = Some(tail.into()).filter(|tail| !tail.is_empty());
        self
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The last lines that the task printed, if it printed any and kept them.
    #[must_use]
    pub fn tail(&self) -> Option<&str> {
        self.tail.as_deref()
    }

    /// The error itself.
    #[must_use]
    pub fn source(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.source
    }

    /// The error as the type it was made from, if it is that.
    #[must_use]
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.source.downcast_ref()
    }

    /// The error, the kind and the tail.
    #[must_use]
    pub fn into_parts(self) -> (Box<dyn StdError + Send + Sync>, ErrorKind, Option<String>) {
        (self.source, self.kind, self.tail)
    }
}

/// A failure, but for two errors that are known here: [`Cancelled`] is a cancellation, and the
/// [`Error`](crate::Error) of a run inside this task keeps the last lines it printed and says how the task failed.
///
/// An inner run that was refused makes the task's failure [`Fatal`](ErrorKind::Fatal), as it would be refused again.
/// One that could not be started, or failed fatally, makes it the same. One that ended in any other way, by a
/// deadline or a cancellation of its own, has [`Failed`](ErrorKind::Failed) the task.
impl<E: StdError + Send + Sync + 'static> From<E> for TaskError {
    fn from(error: E) -> Self {
        let known: &dyn Any = &error;
        let (kind, tail) = if known.is::<Cancelled>() {
            (ErrorKind::Cancelled, None)
        } else if let Some(inner) = known.downcast_ref::<crate::Error>() {
            (of_inner_run(inner.kind()), inner.tail().map(str::to_owned))
        } else {
            (ErrorKind::Failed, None)
        };
        Self { source: Box::new(error), kind, tail }
    }
}

fn of_inner_run(kind: ErrorKind) -> ErrorKind {
    match kind {
        ErrorKind::Invalid | ErrorKind::Fatal => ErrorKind::Fatal,
        ErrorKind::Start => ErrorKind::Start,
        ErrorKind::Failed
        | ErrorKind::TimedOut
        | ErrorKind::Cancelled
        | ErrorKind::Panicked
        | ErrorKind::Skipped
        | ErrorKind::Lost => ErrorKind::Failed,
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskError")
            .field("kind", &self.kind)
            .field("source", &self.source)
            .field("tail", &self.tail)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CancelReason, Error, ErrorParts, RunId};

    #[test]
    fn every_error_converts_and_is_found_again() {
        let error = TaskError::from(std::io::Error::other("disk on fire"));
        assert_eq!(error.kind(), ErrorKind::Failed);
        assert!(error.downcast_ref::<std::io::Error>().is_some());
        assert_eq!(error.to_string(), "disk on fire");
    }

    #[test]
    fn a_check_that_fails_is_a_cancellation() {
        let error = TaskError::from(Cancelled { reason: CancelReason::Shutdown });
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }

    #[test]
    fn an_inner_run_keeps_its_tail_and_says_how_the_task_failed() {
        use ErrorKind::{Cancelled, Failed, Fatal, Invalid, Lost, Panicked, Skipped, Start, TimedOut};
        for (inner, outer) in [
            (Invalid, Fatal),
            (Start, Start),
            (Failed, Failed),
            (Fatal, Fatal),
            (TimedOut, Failed),
            (Cancelled, Failed),
            (Panicked, Failed),
            (Skipped, Failed),
            (Lost, Failed),
        ] {
            let cause = TaskError::msg("exit code 3").with_kind(inner).with_tail("no space left");
            let error = TaskError::from(Error::new(ErrorParts::new(RunId::new(), "inner".into(), cause)));
            assert_eq!(error.kind(), outer, "{inner:?}");
            assert!(error.downcast_ref::<Error>().is_some());
            let outer = Error::new(ErrorParts::new(RunId::new(), "outer".into(), error));
            assert_eq!(format!("{outer:#}").matches("\n  | no space left").count(), 1);
        }
    }
}
