//! Results on their way from those who run to the one who reads.
//!
//! Owns: their order, and the place that each takes until it is read. Never does: wait for the reader; whoever starts a
//! task has waited for its place before.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::OwnedSemaphorePermit;

use crate::Finished;
use crate::source::drop_quietly;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nobody reads: only the end is of interest.
    Unread,
    AsFinished,
    AsGiven,
}

pub(crate) struct Outbox<O> {
    order: Order,
    state: Mutex<State<O>>,
}

struct State<O> {
    ready: VecDeque<(Finished<O>, Option<OwnedSemaphorePermit>)>,
    /// Those that earlier ones are missing before.
    early: BTreeMap<u64, Entry<O>>,
    next: u64,
    over: bool,
    reader: Option<Waker>,
}

struct Entry<O> {
    /// None of what has no result.
    finished: Option<Finished<O>>,
    place: Option<OwnedSemaphorePermit>,
}

impl<O> Outbox<O> {
    pub(crate) fn new(order: Order) -> Self {
        let (ready, early) = (VecDeque::new(), BTreeMap::new());
        Self { order, state: Mutex::new(State { ready, early, next: 0, over: false, reader: None }) }
    }

    /// Puts down what came of an item, if that is for the reader.
    pub(crate) fn put(&self, index: u64, finished: Option<Finished<O>>, place: Option<OwnedSemaphorePermit>) {
        if self.order == Order::Unread {
            return drop_quietly(finished);
        }
        let entry = Entry { finished, place };
        let mut state = self.state();
        if self.order == Order::AsFinished {
            state.add(entry);
        } else {
            state.early.insert(index, entry);
            state.line_up();
        }
        if !state.ready.is_empty() {
            state.wake();
        }
    }

    /// Says that nothing more will come.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        // Those before them went down with their runtime.
        let late = std::mem::take(&mut state.early);
        late.into_values().for_each(|entry| state.add(entry));
        state.over = true;
        state.wake();
    }

    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Finished<O>>> {
        let mut state = self.state();
        match state.ready.pop_front() {
            Some((finished, place)) => {
                drop(state);
                drop(place);
                Poll::Ready(Some(finished))
            }
            None if state.over => Poll::Ready(None),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State<O>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O> State<O> {
    fn line_up(&mut self) {
        while let Some(entry) = self.early.remove(&self.next) {
            self.next += 1;
            self.add(entry);
        }
    }

    fn add(&mut self, Entry { finished, place }: Entry<O>) {
        self.ready.extend(finished.map(|finished| (finished, place)));
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}
