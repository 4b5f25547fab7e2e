//! The hold on a batch that runs.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::engine::Shared;
use crate::{BatchReport, Finished, Snapshot};

/// The hold on a batch that runs, and the stream of its results.
///
/// Results come as tasks end, or in the order of the input if [`in_order`](crate::Batch::in_order) asked for it. An item
/// that never ran because the batch stopped has a result too, of the kind
/// [`Skipped`](bgt_core::ErrorKind::Skipped); what was never pulled from the source, and what the journal has as done,
/// has none. As long as results are not read, no more tasks start than
/// [`buffer`](crate::Batch::buffer) allows.
///
/// **Dropping it ends the batch** at once, without a grace period: running functions are dropped, the process trees of
/// running programs are killed. To stop politely, [`cancel`](Self::cancel) and read to the end.
#[must_use = "dropping it ends the batch"]
pub struct Handle<O> {
    shared: Arc<Shared<O>>,
}

impl<O> Handle<O> {
    pub(crate) fn new(shared: Arc<Shared<O>>) -> Self {
        Self { shared }
    }

    /// The next result; `None` when the batch is over.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: no result is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Finished<O>> {
        poll_fn(|cx| self.shared.outbox.poll_next(cx)).await
    }

    /// How the batch is doing.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.shared.tally.snapshot()
    }

    /// Asks the batch to stop: nothing more starts, and what runs is cancelled, with its grace period. A second call
    /// skips the grace period. It returns at once; results go on to come until all have ended.
    pub fn cancel(&self) {
        self.shared.stopper.cancel.cancel();
    }

    /// Waits for the end, and answers the whole story. Results that were not read are thrown away.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the handle: the batch is ended at once.
    pub async fn report(mut self) -> BatchReport {
        while let Some(finished) = self.next().await {
            crate::source::drop_quietly(finished);
        }
        self.shared.tally.report(self.shared.stopper.why())
    }
}

impl<O> Stream for Handle<O> {
    type Item = Finished<O>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Finished<O>>> {
        self.shared.outbox.poll_next(cx)
    }
}

impl<O> Drop for Handle<O> {
    fn drop(&mut self) {
        self.shared.tasks.close();
    }
}

impl<O> fmt::Debug for Handle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.snapshot()).finish()
    }
}
