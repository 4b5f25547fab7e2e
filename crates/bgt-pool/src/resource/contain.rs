//! What users wrote, called so that its panics stay here: who looks after a pool looks after all of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bgt_simple::Panicked;

/// Calls something of the user's.
pub(super) fn contain<R>(call: impl FnOnce() -> R) -> Result<R, Panicked> {
    // Whatever a panic left half done is a resource's own affair, and that one is not handed out again.
    catch_unwind(AssertUnwindSafe(call)).map_err(Panicked::caught)
}

/// Polls a future of the user's, which after a panic must not be polled again.
pub(super) fn poll<F: Future>(
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Panicked>> {
    match contain(|| future.poll(cx)) {
        Ok(poll) => poll.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    }
}
