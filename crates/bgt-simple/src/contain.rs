//! A task's future, whose panics stay inside.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use bgt_core::{ErrorKind, TaskError};

use crate::Panicked;

type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, TaskError>> + Send + 'a>>;

/// A future of the task's. Polling it, dropping it and making it do not panic, whatever the task does.
pub(crate) struct Contained<'a, T> {
    work: Result<Work<'a, T>, Option<TaskError>>,
}

impl<'a, T> Contained<'a, T> {
    pub(crate) fn new(make: impl FnOnce() -> Work<'a, T>) -> Self {
        Self { work: contain(make).map_err(Some) }
    }
}

impl<T> Future for Contained<'_, T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        match &mut self.work {
            Ok(work) => match contain(|| work.as_mut().poll(cx)) {
                Ok(poll) => poll,
                Err(panicked) => Poll::Ready(Err(panicked)),
            },
            Err(panicked) => match panicked.take() {
                Some(panicked) => Poll::Ready(Err(panicked)),
                None => Poll::Pending,
            },
        }
    }
}

impl<T> Drop for Contained<'_, T> {
    fn drop(&mut self) {
        let work = std::mem::replace(&mut self.work, Err(None));
        // What its destructors have to say is on the panic hook's record; the run has its answer.
        drop(contain(|| drop(work)));
    }
}

/// Calls something of the user's, and makes an error of a panic.
pub(crate) fn contain<R>(call: impl FnOnce() -> R) -> Result<R, TaskError> {
    // Whatever was left half done belongs to the task, and the task is not touched again but to be dropped or run anew;
    // its interior state after a panic is its own affair, as with a thread that panicked.
    let caught = catch_unwind(AssertUnwindSafe(call));
    caught.map_err(|payload| TaskError::new(Panicked::caught(payload)).with_kind(ErrorKind::Panicked))
}
