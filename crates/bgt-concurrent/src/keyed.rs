//! No more than so many of each name at once.
//!
//! Owns: one queue a name, as long as somebody uses it. Never does: remember a name that nobody uses.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A limit on each of any number of names. First come, first served for each.
pub(crate) struct Keyed {
    each: usize,
    names: Mutex<HashMap<Arc<str>, Name>>,
}

struct Name {
    turns: Arc<Semaphore>,
    users: usize,
}

/// A place under a name. Dropping it lets the next one in.
pub(crate) struct KeyedPermit {
    // Before the user, so that the turn is back when the name is forgotten.
    _turn: OwnedSemaphorePermit,
    _user: User,
}

struct User {
    keyed: Arc<Keyed>,
    name: Arc<str>,
}

impl Keyed {
    pub(crate) fn new(each: usize) -> Arc<Self> {
        Arc::new(Self { each: each.min(Semaphore::MAX_PERMITS), names: Mutex::default() })
    }

    /// Waits for a place under this name. Cancel-safe: a dropped call leaves the queue.
    pub(crate) async fn acquire(self: &Arc<Self>, name: &Arc<str>) -> KeyedPermit {
        let turns = {
            let mut names = self.names();
            let turns = || Arc::new(Semaphore::new(self.each));
            let entry = names.entry(name.clone()).or_insert_with(|| Name { turns: turns(), users: 0 });
            entry.users += 1;
            entry.turns.clone()
        };
        let user = User { keyed: self.clone(), name: name.clone() };
        let turn = turns.acquire_owned().await.unwrap_or_else(|_| unreachable!("nobody closes it"));
        KeyedPermit { _turn: turn, _user: user }
    }

    fn names(&self) -> MutexGuard<'_, HashMap<Arc<str>, Name>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let mut names = self.keyed.names();
        if let Some(name) = names.get_mut(&self.name) {
            name.users -= 1;
            if name.users == 0 {
                names.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn ready<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    #[test]
    fn names_are_apart_and_forgotten_when_nobody_uses_them() {
        let (keyed, a, b) = (Keyed::new(1), Arc::from("a"), Arc::from("b"));
        let first = ready(pin!(keyed.acquire(&a))).unwrap();
        let other = ready(pin!(keyed.acquire(&b))).unwrap();
        {
            let mut given_up = pin!(keyed.acquire(&a));
            assert!(ready(given_up.as_mut()).is_none());
        }
        let mut second = pin!(keyed.acquire(&a));
        assert!(ready(second.as_mut()).is_none());
        drop(first);
        let second = ready(second.as_mut()).expect("its turn");
        drop((second, other));
        assert!(keyed.names().is_empty());
    }
}
