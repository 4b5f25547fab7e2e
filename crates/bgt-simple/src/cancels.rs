//! The switches that may stop a run.

use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use bgt_core::{Cancel, CancelReason};

/// None, one, or several of them. Most runs have none or one, and pay for no more.
#[derive(Clone, Default)]
pub(crate) struct Cancels(Vec<Cancel>);

impl Cancels {
    pub(crate) fn push(&mut self, cancel: Cancel) {
        self.0.push(cancel);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Why to stop, if any of them was used.
    pub(crate) fn reason(&self) -> Option<CancelReason> {
        self.0.iter().find_map(Cancel::reason)
    }

    /// Waits until one of them is used. Cancel-safe.
    pub(crate) async fn requested(&self) -> CancelReason {
        match &*self.0 {
            [] => pending().await,
            [only] => only.requested().await,
            many => first(many.iter().map(Cancel::requested)).await,
        }
    }

    /// Waits until one of them skips the grace period. Cancel-safe.
    pub(crate) async fn forced(&self) {
        match &*self.0 {
            [] => pending().await,
            [only] => only.forced().await,
            many => first(many.iter().map(Cancel::forced)).await,
        }
    }
}

async fn first<F: Future>(futures: impl Iterator<Item = F>) -> F::Output {
    let mut futures = pin!(futures.map(Box::pin).collect::<Vec<Pin<Box<F>>>>());
    poll_fn(|cx| {
        let ready = futures.iter_mut().find_map(|future| match future.as_mut().poll(cx) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        });
        ready.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}
