//! What a caller holds, and who decides whether it goes back.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deadpool::managed::Object;

use super::item::Verdict;
use super::pool::Warm;
use super::{Managed, Retired};

/// A resource in use: it is used as the resource itself.
///
/// # Dropping
///
/// From [`Pool::acquire`](crate::Pool::acquire): dropping it retires the resource, because nobody can know in which
/// state its user left it: [`release`](Self::release) gives it back. In [`Pool::run`](crate::Pool::run) it may simply be
/// dropped: the runner gives the resource back when the work has answered `Ok`, and retires it otherwise.
#[must_use = "a lease that is dropped retires its resource"]
pub struct Lease<M: Managed> {
    held: Option<Held<M>>,
    home: Option<Arc<Home<M>>>,
}

impl<M: Managed> Lease<M> {
    pub(super) fn new(held: Held<M>) -> Self {
        Self { held: Some(held), home: None }
    }

    /// Lets whoever has the home decide what happens to the resource.
    pub(super) fn with_home(mut self, home: Arc<Home<M>>) -> Self {
        self.home = Some(home);
        self
    }

    /// Gives the resource back now: it is whole, and the next caller may have it.
    pub fn release(mut self) {
        self.home = None;
        if let Some(held) = self.held.take() {
            held.give_back();
        }
    }

    fn held(&self) -> &Held<M> {
        self.held.as_ref().expect("there until it is released or dropped")
    }
}

impl<M: Managed> Deref for Lease<M> {
    type Target = M::Type;

    fn deref(&self) -> &M::Type {
        self.held().object().resource()
    }
}

impl<M: Managed> DerefMut for Lease<M> {
    fn deref_mut(&mut self) -> &mut M::Type {
        let held = self.held.as_mut().expect("there until it is released or dropped");
        held.0.as_mut().expect("there until it is given back or dropped").resource_mut()
    }
}

impl<M: Managed> Drop for Lease<M> {
    fn drop(&mut self) {
        if let (Some(held), Some(home)) = (self.held.take(), self.home.take()) {
            home.put(held);
        }
    }
}

impl<M: Managed> fmt::Debug for Lease<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("pool", &self.held().object().yard.settings.name)
            .finish_non_exhaustive()
    }
}

/// An object of `deadpool` whose drop does not give it back.
pub(super) struct Held<M: Managed>(Option<Object<Warm<M>>>);

impl<M: Managed> Held<M> {
    pub(super) fn new(object: Object<Warm<M>>) -> Self {
        object.yard.lend();
        Self(Some(object))
    }

    fn object(&self) -> &Object<Warm<M>> {
        self.0.as_ref().expect("there until it is given back or dropped")
    }

    /// The resource is whole.
    pub(super) fn give_back(mut self) {
        let Some(mut object) = self.0.take() else { return };
        object.used();
        let yard = &object.yard;
        let verdict = object.verdict();
        let yard = yard.clone();
        if matches!(verdict, Verdict::Fit) && !yard.has_waiting() {
            yard.got_back();
            drop(object);
            if yard.has_waiting() {
                // Somebody began to wait in between, and did not see it.
                yard.nudge.notify_one();
            }
            return;
        }
        let item = Object::take(object);
        match verdict {
            Verdict::Broken(failure) => item.break_down(failure),
            Verdict::Due(why) if yard.may_replace() => item.retire(why),
            Verdict::Due(_) | Verdict::Fit => yard.settle(item),
        }
        yard.got_back();
    }
}

impl<M: Managed> Drop for Held<M> {
    fn drop(&mut self) {
        let Some(object) = self.0.take() else { return };
        let yard = object.yard.clone();
        let item = Object::take(object);
        match item.broken() {
            Some(failure) => item.break_down(failure),
            None => item.retire(Retired::Abandoned),
        }
        yard.got_back();
    }
}

/// Where the lease of a run puts its resource, until the runner has decided.
pub(super) struct Home<M: Managed>(Mutex<Place<M>>);

enum Place<M: Managed> {
    /// The lease is out.
    Open,
    Home(Held<M>),
    /// The runner has decided; who comes later is too late.
    Closed,
}

impl<M: Managed> Home<M> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Place::Open))
    }

    fn put(&self, held: Held<M>) {
        let mut place = self.place();
        if let Place::Open = *place {
            *place = Place::Home(held);
        } else {
            drop(place);
            drop(held);
        }
    }

    /// What was put here; a lease that is still out finds the door closed.
    pub(super) fn close(&self) -> Option<Held<M>> {
        match std::mem::replace(&mut *self.place(), Place::Closed) {
            Place::Home(held) => Some(held),
            Place::Open | Place::Closed => None,
        }
    }

    fn place(&self) -> MutexGuard<'_, Place<M>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
