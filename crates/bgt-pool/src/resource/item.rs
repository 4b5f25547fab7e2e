//! A resource with its age and uses, from the moment it was made until nobody has it any more.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Instant as StdInstant;

use deadpool::managed::Metrics as ObjectMetrics;
use tokio::time::{Instant, timeout};

use super::breaker::Failure;
use super::policy::Term;
use super::yard::Yard;
use super::{Managed, Retired};

/// Dropping it is its end: it is detached from its manager, dropped, counted out, and the keeper hears of it.
pub(crate) struct Item<M: Managed> {
    pub(crate) resource: M::Type,
    pub(super) yard: Arc<Yard<M>>,
    pub(super) born: StdInstant,
    pub(super) uses: u64,
    /// Since when nobody has it; only kept where somebody asks.
    pub(super) idle_since: Instant,
    /// Why it is about to be dropped; abandoned by its user, or drained, without this.
    why: Option<Retired>,
    term: Term,
    /// Whether it was ever of use.
    proven: bool,
    /// The last field, as fields are dropped in this order: no other one is made while this one is still being dropped.
    counted: Counted<M>,
}

/// A resource that counts as one that is there, until this is dropped.
struct Counted<M: Managed> {
    yard: Arc<Yard<M>>,
    why: Retired,
}

impl<M: Managed> Item<M> {
    pub(super) fn new(resource: M::Type, yard: Arc<Yard<M>>) -> Self {
        let now = Instant::now();
        let term = yard.settings.limits.term(now, fastrand::f64());
        yard.live.fetch_add(1, Ordering::AcqRel);
        let born = StdInstant::now();
        let counted = Counted { yard: yard.clone(), why: Retired::Abandoned };
        Self { resource, yard, born, uses: 0, idle_since: now, why: None, term, proven: false, counted }
    }

    pub(super) fn term(&self) -> Term {
        self.term
    }

    /// What is wrong with it, as far as can be seen without asking it.
    pub(super) fn broken(&self) -> Option<Failure> {
        self.yard.settings.broken.as_ref().and_then(|broken| broken(&self.resource))
    }

    /// Whether it is fit to be handed out; asked whenever it changes hands, unless it was made for this caller.
    pub(super) async fn check(&mut self, recycled: Option<StdInstant>) -> Result<(), Unfit> {
        if let Some(failure) = self.broken() {
            return Err(Unfit::Broken(failure));
        }
        let metrics = ObjectMetrics { created: self.born, recycled, recycle_count: self.uses as usize };
        let limit = self.yard.settings.check_deadline;
        let mut check = pin!(self.yard.manager.recycle(&mut self.resource, &metrics));
        let checked = match now(check.as_mut()).await {
            Some(checked) => Ok(checked),
            None => timeout(limit, check).await,
        };
        match checked {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Unfit::Refused(error.to_string())),
            Err(_) => Err(Unfit::Refused(format!("looking at it took longer than {limit:?}"))),
        }
    }

    /// Its end, because it was found unfit.
    pub(super) fn refuse(mut self, why: Unfit) {
        self.note(&why);
    }

    pub(super) fn note(&mut self, why: &Unfit) {
        match why {
            Unfit::Broken(failure) => self.note_failure(failure.clone()),
            Unfit::Refused(why) => {
                tracing::debug!(pool = %self.yard.settings.name, "not handed out again: {why}");
                self.why = Some(Retired::Broken);
            }
        }
    }

    /// Its end, because of this. One that broke before it was of any use counts as one that could not be made.
    pub(super) fn break_down(mut self, failure: Failure) {
        self.note_failure(failure);
        self.retire(Retired::Broken);
    }

    pub(super) fn note_failure(&mut self, failure: Failure) {
        self.why = Some(Retired::Broken);
        if !self.proven {
            self.yard.failed(failure);
        }
    }

    /// Its end.
    pub(super) fn retire(mut self, why: Retired) {
        self.why = Some(why);
    }

    /// It was used, and is whole.
    pub(super) fn used(&mut self) {
        self.uses += 1;
        if !self.proven {
            self.proven = true;
            self.yard.succeeded();
        }
        if self.yard.settings.limits.idle_timeout.is_some() {
            self.idle_since = Instant::now();
        }
    }

    /// Whether it has served long enough: it goes as soon as another one is there in its place.
    pub(super) fn due(&self) -> Option<Retired> {
        if self.term.uses.is_some_and(|most| self.uses >= most) {
            return Some(Retired::Uses);
        }
        if self.term.until.is_some_and(|until| until <= Instant::now()) {
            return Some(Retired::Age);
        }
        let worn = self.yard.settings.worn.as_ref().is_some_and(|worn| worn(&self.resource));
        worn.then_some(Retired::Worn)
    }
}

/// Why a resource is not handed out.
pub(super) enum Unfit {
    Broken(Failure),
    /// The manager does not want it back.
    Refused(String),
}

/// What a future answers at its first poll.
pub(super) async fn now<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

impl<M: Managed> Drop for Item<M> {
    fn drop(&mut self) {
        self.yard.manager.detach(&mut self.resource);
        let unsaid = if self.yard.is_draining() { Retired::Drained } else { Retired::Abandoned };
        self.counted.why = self.why.unwrap_or(unsaid);
    }
}

impl<M: Managed> Drop for Counted<M> {
    fn drop(&mut self) {
        self.yard.left(self.why);
    }
}
