//! Named resources with capacities, shared by every pattern that runs more than one thing.
//!
//! Owns: who holds how much, and whose turn it is. Never does: measure the machine; the numbers are the user's.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
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

    /// Adds an amount of a resource; naming it again replaces the amount.
    pub fn with(mut self, resource: impl Into<String>, amount: u64) -> Self {
        self.0.insert(resource.into(), amount);
        self
    }

    /// Whether nothing is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.values().all(|amount| *amount == 0)
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

#[derive(Default)]
struct State {
    capacity: HashMap<String, u64>,
    free: HashMap<String, u64>,
    queue: VecDeque<Waiter>,
}

struct Waiter {
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

    /// Declares a resource. Declaring it again adds to its capacity.
    pub fn with(self, resource: impl Into<String>, capacity: u64) -> Self {
        let resource = resource.into();
        {
            let mut state = lock(&self.state);
            let total = state.capacity.entry(resource.clone()).or_default();
            *total = total.saturating_add(capacity);
            let free = state.free.entry(resource).or_default();
            *free = free.saturating_add(capacity);
        }
        self
    }

    /// How much of a resource nobody holds now; `None` for a resource that was never declared.
    #[must_use]
    pub fn available(&self, resource: &str) -> Option<u64> {
        lock(&self.state).free.get(resource).copied()
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
        let turn = {
            let mut state = lock(&self.state);
            state.check(needs)?;
            let (granted, turn) = oneshot::channel();
            state.queue.push_back(Waiter { needs: needs.clone(), granted });
            turn
        };
        // A permit that is granted to a call dropped meanwhile comes back with its channel. The queue entry of a
        // dropped call must not hold up others either, hence the sweep when this is dropped.
        let sweep = Sweep(&self.state);
        serve(&self.state);
        let permit = turn.await;
        drop(sweep);
        // The sender lives in the queue, which `self` keeps; it goes only by being granted.
        Ok(permit.unwrap_or_else(|_| unreachable!("a waiter left the queue without a permit")))
    }
}

struct Sweep<'a>(&'a Arc<Mutex<State>>);

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        serve(self.0);
    }
}

impl State {
    fn check(&self, needs: &Needs) -> Result<(), LimitsError> {
        for (resource, needed) in &needs.0 {
            match self.capacity.get(resource) {
                None => {
                    let mut known: Vec<&str> = self.capacity.keys().map(String::as_str).collect();
                    known.sort_unstable();
                    return Err(LimitsError::Unknown { resource: resource.clone(), known: known.join(", ") });
                }
                Some(capacity) if needed > capacity => {
                    return Err(LimitsError::TooLarge {
                        resource: resource.clone(),
                        needed: *needed,
                        capacity: *capacity,
                    });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Takes those whose turn it is out of the queue, with what they get taken off.
    fn turns(&mut self) -> Vec<Waiter> {
        let mut wanted: HashSet<String> = HashSet::new();
        let mut turns = Vec::new();
        let mut waiting = VecDeque::with_capacity(self.queue.len());
        for waiter in std::mem::take(&mut self.queue) {
            if waiter.granted.is_closed() {
                continue;
            }
            let needs = || waiter.needs.0.iter().filter(|(_, amount)| **amount > 0);
            if needs().all(|(resource, amount)| !wanted.contains(resource) && self.free[resource] >= *amount)
            {
                for (resource, amount) in needs() {
                    *self.free.get_mut(resource).expect("checked on entry") -= amount;
                }
                turns.push(waiter);
            } else {
                wanted.extend(needs().map(|(resource, _)| resource.clone()));
                waiting.push_back(waiter);
            }
        }
        self.queue = waiting;
        turns
    }
}

fn serve(state: &Arc<Mutex<State>>) {
    loop {
        let turns = lock(state).turns();
        if turns.is_empty() {
            return;
        }
        // Sent outside the lock: a permit nobody waits for any more is dropped here, and locks again to give back.
        let mut refused = false;
        for Waiter { needs, granted } in turns {
            let permit = Permit { needs, state: state.clone() };
            refused |= granted.send(permit).map_err(Permit::give_back_only).is_err();
        }
        if !refused {
            return;
        }
    }
}

impl Permit {
    /// Gives back without serving the queue: the caller does that.
    fn give_back_only(mut self) {
        give_back(&mut self);
    }
}

fn give_back(permit: &mut Permit) {
    let mut state = lock(&permit.state);
    for (resource, amount) in std::mem::take(&mut permit.needs).0 {
        *state.free.get_mut(&resource).expect("a resource is never undeclared") += amount;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        give_back(self);
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
            .field("capacity", &state.capacity)
            .field("free", &state.free)
            .field("waiting", &state.queue.len())
            .finish()
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.needs.to_string()).finish()
    }
}
