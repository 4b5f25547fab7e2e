//! A resource with its age and uses, from the moment it was made until nobody has it any more.

use std::any::Any;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Instant as StdInstant;

use deadpool::managed::Metrics as ObjectMetrics;
use tokio::time::{Instant, timeout};

use super::breaker::Failure;
use super::contain::{self, contain};
use super::policy::Term;
use super::yard::{Mark, Yard};
use super::{Managed, Retired};

/// Dropping it is its end: it is detached from its manager, dropped, counted out, and the keeper hears of it. It does not
/// panic, whatever the user's destructors do.
pub(crate) struct Item<M: Managed> {
    /// There until it is dropped.
    resource: Option<M::Type>,
    pub(super) yard: Arc<Yard<M>>,
    pub(super) born: StdInstant,
    pub(super) uses: u64,
    /// Since when nobody has it; only kept where somebody asks.
    pub(super) idle_since: Instant,
    /// Why it is about to be dropped; abandoned by its user, or drained, without this.
    why: Option<Retired>,
    term: Term,
    mark: Option<Mark>,
    /// Whether it was ever of use.
    proven: bool,
}

/// The place of a resource among those that are there, until this is dropped.
pub(crate) type Place = Box<dyn Any + Send>;

/// Held by a resource that has been dropped and takes its time to go.
struct Ending<M: Managed>(Arc<Yard<M>>);

impl<M: Managed> Item<M> {
    pub(super) fn new(resource: M::Type, yard: Arc<Yard<M>>) -> Self {
        let now = Instant::now();
        let term = yard.settings.limits.term(now, fastrand::f64());
        yard.live.fetch_add(1, Ordering::AcqRel);
        let born = StdInstant::now();
        let resource = Some(resource);
        Self { resource, yard, born, uses: 0, idle_since: now, why: None, term, mark: None, proven: false }
    }

    pub(super) fn resource(&self) -> &M::Type {
        self.resource.as_ref().expect("there until it is dropped")
    }

    pub(super) fn resource_mut(&mut self) -> &mut M::Type {
        self.resource.as_mut().expect("there until it is dropped")
    }

    /// When it will have served its time.
    pub(super) fn until(&self) -> Option<Instant> {
        self.term.until
    }

    pub(super) fn set_mark(&mut self, mark: Mark) {
        self.mark = Some(mark);
    }

    /// What is wrong with it, as far as can be seen without asking it.
    pub(super) fn broken(&self) -> Option<Failure> {
        let broken = self.yard.settings.broken.as_ref()?;
        contain(|| broken(self.resource())).unwrap_or_else(|panicked| Some(Failure::of_look(&panicked)))
    }

    /// Whether it is to be handed out again, as far as can be seen without asking it.
    pub(super) fn verdict(&self) -> Verdict {
        if let Some(failure) = self.broken() {
            return Verdict::Broken(failure);
        }
        if let Some(why) = self.served() {
            return Verdict::Due(why);
        }
        let Some(worn) = &self.yard.settings.worn else { return Verdict::Fit };
        match contain(|| worn(self.resource())) {
            Ok(false) => Verdict::Fit,
            Ok(true) => Verdict::Due(Retired::Worn),
            Err(panicked) => Verdict::Broken(Failure::of_look(&panicked)),
        }
    }

    /// Whether it is fit to be handed out; asked whenever it changes hands, unless it was made for this caller.
    pub(super) async fn check(&mut self, recycled: Option<StdInstant>) -> Result<(), Unfit> {
        if let Some(failure) = self.broken() {
            return Err(Unfit::Broken(failure));
        }
        let metrics = ObjectMetrics { created: self.born, recycled, recycle_count: self.uses as usize };
        let limit = self.yard.settings.check_deadline;
        let resource = self.resource.as_mut().expect("there until it is dropped");
        let mut asked = pin!(async { self.yard.manager.recycle(resource, &metrics).await });
        let mut check = pin!(poll_fn(|cx| contain::poll(asked.as_mut(), cx)));
        let checked = match now(check.as_mut()).await {
            Some(checked) => Ok(checked),
            None => timeout(limit, check).await,
        };
        match checked {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(Unfit::Refused(error.to_string())),
            Ok(Err(panicked)) => Err(Unfit::Refused(format!("looking at it panicked: {panicked}"))),
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

    /// Whether it has served its time: it goes as soon as another one is there in its place.
    pub(super) fn served(&self) -> Option<Retired> {
        if self.term.uses.is_some_and(|most| self.uses >= most) {
            return Some(Retired::Uses);
        }
        if self.term.until.is_some_and(|until| until <= Instant::now()) {
            return Some(Retired::Age);
        }
        None
    }
}

/// What a look at a resource says.
pub(super) enum Verdict {
    Fit,
    /// It has served long enough: it goes as soon as another one is there in its place.
    Due(Retired),
    Broken(Failure),
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
        let yard = &self.yard;
        let unsaid = if yard.is_draining() { Retired::Drained } else { Retired::Abandoned };
        yard.retired(self.why.unwrap_or(unsaid), self.mark);
        // Last of all, when it is gone: no other one is made while this one is still being dropped.
        let place = Ending::new(yard.clone());
        let Some(mut resource) = self.resource.take() else { return };
        let ended =
            contain(|| yard.manager.detach(&mut resource)).and(contain(|| match yard.settings.parting {
                Some(parting) => parting(resource, Box::new(place)),
                None => {
                    drop(resource);
                    drop(place);
                }
            }));
        if let Err(panicked) = ended {
            tracing::error!(pool = %yard.settings.name, "the end of a resource panicked: {panicked}");
        }
    }
}

impl<M: Managed> Ending<M> {
    fn new(yard: Arc<Yard<M>>) -> Self {
        yard.ending.fetch_add(1, Ordering::AcqRel);
        Self(yard)
    }
}

impl<M: Managed> Drop for Ending<M> {
    fn drop(&mut self) {
        self.0.ending.fetch_sub(1, Ordering::AcqRel);
        self.0.gone();
    }
}
