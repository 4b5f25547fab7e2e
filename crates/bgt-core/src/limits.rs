//! Named resources with capacities, shared by every pattern that runs more than one thing.
//!
//! Owns: who holds how much, and whose turn it is. Never does: measure the machine; the numbers are the user's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// How much of which resource a task needs, by name.
///
/// ```
/// use bgt_core::Needs;
///
/// let needs = Needs::new().with("gpu", 1).with("mem", 4 << 30);
/// assert_eq!(needs.to_string(), "gpu=1, mem=4294967296");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[must_use]
pub struct Needs(BTreeMap<String, u64>);

impl Needs {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an amount of a resource, in the unit in which its capacity was declared; naming it again replaces the
    /// amount.
    pub fn with(mut self, resource: impl Into<String>, amount: u64) -> Self {
        self.0.insert(resource.into(), amount);
        self
    }

    /// Whether nothing is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted().next().is_none()
    }

    fn wanted(&self) -> impl Iterator<Item = (&String, u64)> {
        self.0.iter().map(|(resource, amount)| (resource, *amount)).filter(|(_, amount)| *amount > 0)
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (resource, amount)) in self.0.iter().enumerate() {
            write!(f, "{}{resource}={amount}", if i > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

/// Needs that can never be met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitsError {
    /// No such resource was declared.
    #[error("unknown resource {resource:?}: declare it with Limits::with, known are [{known}]")]
    Unknown {
        /// The name that was asked for.
        resource: String,
        /// The names there are.
        known: String,
    },
    /// More than there is.
    #[error("{needed} of resource {resource:?} can never fit: its capacity is {capacity}")]
    TooLarge {
        /// The resource.
        resource: String,
        /// The amount that was asked for.
        needed: u64,
        /// The amount there is.
        capacity: u64,
    },
}

/// Named resources with capacities. Clones share them.
///
/// A need for several resources is met all or nothing, so no two tasks wait for each other. First come, first
/// served for each resource: a later task may go ahead only if it needs nothing that an earlier one waits for. So a
/// large need is not starved by small ones, and a task that waits for a GPU holds up nobody who needs none.
///
/// # Examples
///
/// ```
/// use bgt_core::{Limits, Needs};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_core::LimitsError> {
/// let limits = Limits::new().with("gpu", 2).with("mem", 64 << 30);
/// let permit = limits.acquire(&Needs::new().with("gpu", 1)).await?;
/// assert_eq!(limits.available("gpu"), Some(1));
/// drop(permit);
/// assert_eq!(limits.available("gpu"), Some(2));
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Limits {
    state: Arc<Mutex<State>>,
}

/// Whenever the lock is free, nobody in the queue could go ahead: what changes that calls [`serve`].
#[derive(Default)]
struct State {
    resources: BTreeMap<String, Resource>,
    // In the order of their tickets. A call that is dropped takes its entry along.
    queue: VecDeque<Waiter>,
    next_ticket: u64,
}

#[derive(Debug, Default)]
struct Resource {
    capacity: u64,
    // Never more than the capacity, which only grows.
    held: u64,
    // How many in the queue want some of it. While nobody does, there is no queue to be looked through.
    wanted_by: usize,
}

struct Waiter {
    ticket: u64,
    needs: Needs,
    granted: oneshot::Sender<Permit>,
}

/// What a task holds of the [`Limits`]. Dropping it gives everything back.
#[must_use]
pub struct Permit {
    needs: Needs,
    state: Arc<Mutex<State>>,
}

impl Limits {
    /// No resources.
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares a resource, in a unit of your choice: pieces, bytes. Declaring it again adds to its capacity, and
    /// those who wait may go ahead.
    pub fn with(self, resource: impl Into<String>, capacity: u64) -> Self {
        {
            let mut state = lock(&self.state);
            let resource = state.resources.entry(resource.into()).or_default();
            resource.capacity = resource.capacity.saturating_add(capacity);
        }
        serve(&self.state);
        self
    }

    /// How much of a resource nobody holds now; `None` for a resource that was never declared.
    #[must_use]
    pub fn available(&self, resource: &str) -> Option<u64> {
        lock(&self.state).resources.get(resource).map(Resource::free)
    }

    /// Refuses needs that can never be met.
    ///
    /// # Errors
    ///
    /// [`LimitsError`] that names the resource and its capacity.
    pub fn check(&self, needs: &Needs) -> Result<(), LimitsError> {
        lock(&self.state).check(needs)
    }

    /// Waits for its turn and takes what is needed.
    ///
    /// # Errors
    ///
    /// [`LimitsError`] at once when the needs can never be met.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call leaves the queue and holds nothing.
    pub async fn acquire(&self, needs: &Needs) -> Result<Permit, LimitsError> {
        let (ticket, turn) = {
            let mut state = lock(&self.state);
            state.check(needs)?;
            if state.may_pass(needs) {
                state.take(needs);
                return Ok(Permit { needs: needs.clone(), state: self.state.clone() });
            }
            let (granted, turn) = oneshot::channel();
            (state.queue_up(needs, granted), turn)
        };
        let leave = Leave { state: &self.state, ticket };
        let permit = turn.await;
        std::mem::forget(leave);
        // The sender lives in the queue, which `self` keeps; it goes only by being granted.
        Ok(permit.unwrap_or_else(|_| unreachable!("a waiter left the queue without a permit")))
    }
}

/// Takes a wait that is dropped out of the queue, and lets pass those whom it held up. What was granted to it meanwhile
/// comes back with its channel.
struct Leave<'a> {
    state: &'a Arc<Mutex<State>>,
    ticket: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let left = lock(self.state).leave(self.ticket);
        if left.is_some() {
            serve(self.state);
        }
    }
}

impl Resource {
    fn free(&self) -> u64 {
        self.capacity - self.held
    }
}

impl State {
    fn check(&self, needs: &Needs) -> Result<(), LimitsError> {
        for (resource, &needed) in &needs.0 {
            match self.resources.get(resource) {
                None => {
                    let known: Vec<&str> = self.resources.keys().map(String::as_str).collect();
                    return Err(LimitsError::Unknown { resource: resource.clone(), known: known.join(", ") });
                }
                Some(&Resource { capacity, .. }) if needed > capacity => {
                    return Err(LimitsError::TooLarge { resource: resource.clone(), needed, capacity });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn fits(&self, needs: &Needs) -> bool {
        needs.wanted().all(|(resource, amount)| self.resources[resource].free() >= amount)
    }

    /// Whether it fits and nobody who waits wants any of the same.
    fn may_pass(&self, needs: &Needs) -> bool {
        self.fits(needs) && needs.wanted().all(|(resource, _)| self.resources[resource].wanted_by == 0)
    }

    fn resource(&mut self, name: &str) -> &mut Resource {
        self.resources.get_mut(name).expect("checked on entry, and a resource is never undeclared")
    }

    fn take(&mut self, needs: &Needs) {
        for (resource, amount) in needs.wanted() {
            self.resource(resource).held += amount;
        }
    }

    fn give_back(&mut self, needs: &Needs) {
        for (resource, amount) in needs.wanted() {
            self.resource(resource).held -= amount;
        }
    }

    /// Answers the ticket.
    fn queue_up(&mut self, needs: &Needs, granted: oneshot::Sender<Permit>) -> u64 {
        for (resource, _) in needs.wanted() {
            self.resource(resource).wanted_by += 1;
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.queue.push_back(Waiter { ticket, needs: needs.clone(), granted });
        ticket
    }

    fn leave(&mut self, ticket: u64) -> Option<Waiter> {
        let place = self.queue.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()?;
        self.take_out(place)
    }

    fn take_out(&mut self, place: usize) -> Option<Waiter> {
        let waiter = self.queue.remove(place)?;
        for (resource, _) in waiter.needs.wanted() {
            self.resource(resource).wanted_by -= 1;
        }
        Some(waiter)
    }

    /// Takes those whose turn it is out of the queue, with what they get taken off. Looks no further than to where
    /// everything that anybody waits for is wanted by somebody earlier.
    fn turns(&mut self) -> Vec<Waiter> {
        let mut turns = Vec::new();
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        let mut place = 0;
        while let Some(waiter) = self.queue.get(place) {
            let first = waiter.needs.wanted().all(|(resource, _)| !wanted.contains(resource));
            if first && self.fits(&waiter.needs) {
                if let Some(waiter) = self.take_out(place) {
                    self.take(&waiter.needs);
                    turns.push(waiter);
                }
                continue;
            }
            for (resource, _) in waiter.needs.wanted() {
                if !wanted.contains(resource) {
                    wanted.insert(resource.clone());
                }
            }
            let waited_for = self.resources.values().filter(|resource| resource.wanted_by > 0).count();
            if wanted.len() == waited_for {
                break;
            }
            place += 1;
        }
        turns
    }
}

fn serve(state: &Arc<Mutex<State>>) {
    let turns = lock(state).turns();
    // Granted outside the lock: to wake a call may run any code. What a call dropped meanwhile does not take gives
    // itself back here.
    for Waiter { needs, granted, .. } in turns {
        drop(granted.send(Permit { needs, state: state.clone() }));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        lock(&self.state).give_back(&self.needs);
        serve(&self.state);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.state);
        f.debug_struct("Limits")
            .field("resources", &state.resources)
            .field("waiting", &state.queue.len())
            .finish()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.needs.to_string()).finish()
    }
}
