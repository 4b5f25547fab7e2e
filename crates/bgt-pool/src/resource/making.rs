//! Making a resource, in a task of its own: nobody has to wait for it, and who waited and went away does not end it.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until, timeout};

use super::Managed;
use super::breaker::Failure;
use super::item::Item;
use super::yard::{Replacement, Yard};
use crate::PoolError;
use crate::error::{in_words, tail_of};

/// A resource on its way. Dropping it before its end is a failure too: the runtime is gone, or making it panicked.
pub(super) struct Making<M: Managed> {
    pub(super) yard: Arc<Yard<M>>,
    /// Whether another one goes when this one is there.
    pub(super) replaces: bool,
    pub(super) ended: bool,
}

impl<M: Managed> Making<M> {
    pub(super) async fn make(mut self, not_before: Option<Instant>) {
        let yard = self.yard.clone();
        let made = async {
            if let Some(not_before) = not_before {
                sleep_until(not_before).await;
            }
            timeout(yard.settings.create_deadline, yard.manager.create()).await
        };
        let made = tokio::select! {
            biased;
            () = yard.closing.cancelled() => return,
            made = made => made,
        };
        let pool = yard.settings.name.clone();
        self.end(match made {
            Ok(Ok(resource)) => Ok(resource),
            Ok(Err(error)) => {
                let source: Box<dyn std::error::Error + Send + Sync> = Box::new(error);
                let tail = tail_of(&*source);
                Err(PoolError::Create { pool, source, tail })
            }
            Err(_) => Err(PoolError::CreateDeadline { pool, limit: yard.settings.create_deadline }),
        });
    }

    fn end(&mut self, made: Result<M::Type, PoolError>) {
        let yard = &self.yard;
        let made = {
            let mut state = yard.state();
            self.ended = true;
            state.making -= 1;
            if self.replaces {
                state.replacement = if made.is_ok() { Replacement::Made } else { Replacement::NotNeeded };
            }
            // Within the lock: it is counted as one that is made or as one that is there, never as neither.
            made.map(|resource| {
                let mut item = Box::new(Item::new(resource, yard.clone()));
                state.mark(&mut item);
                item
            })
        };
        match made {
            Ok(item) => {
                yard.counters.made.add();
                yard.settle(item);
            }
            // An ordinary end: whoever waited was told so.
            Err(PoolError::Closed { .. }) => {}
            Err(error) => self.fail(error),
        }
        yard.changed.notify_waiters();
        yard.nudge.notify_one();
    }

    fn fail(&self, error: PoolError) {
        let yard = &self.yard;
        yard.counters.not_made.add();
        let tail = if let PoolError::Create { tail, .. } = &error { tail.clone() } else { String::new() };
        let what = in_words(&error);
        tracing::warn!(pool = %yard.settings.name, "{what}");
        // The one who has waited longest hears what was wrong; if that trips it, the others hear that it did.
        let first = loop {
            let mut state = yard.state();
            let first = state.waiting.pop_front();
            yard.count_waiting(&state);
            match first {
                Some(gone) if gone.is_closed() => {}
                first => break first,
            }
        };
        yard.failed(Failure { what, tail });
        if let Some(first) = first {
            let _ = first.send(Err(error));
        }
    }
}

impl<M: Managed> Drop for Making<M> {
    fn drop(&mut self) {
        if !self.ended {
            let (pool, closing) = (self.yard.settings.name.clone(), self.yard.closing.is_cancelled());
            self.end(Err(if closing {
                PoolError::Closed { pool }
            } else {
                PoolError::CreateAbandoned { pool }
            }));
        }
    }
}
