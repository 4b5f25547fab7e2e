//! Where resources are made and wait, apart from the callers who want one.
//!
//! A caller for whom `deadpool` has nothing idle waits here, for a resource that is made or for one that is given back,
//! whichever comes first: in `deadpool` itself a `get` that is busy making one does not see what comes back meanwhile
//! ([deadpool#462](https://github.com/deadpool-rs/deadpool/issues/462)). Making one goes on when its caller has gone.
//!
//! Never does: hand out or queue; `deadpool` does.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bgt_core::Observer;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::breaker::{Breaker, Failure, Gate};
use super::item::{Item, Place};
use super::making::Making;
use super::metrics::Counters;
use super::policy::{Counts, Limits, to_make};
use super::waiting::{Given, Waiting};
use super::{Backoff, Managed, Retired};
use crate::PoolError;

type Broken<T> = Box<dyn Fn(&T) -> Option<Failure> + Send + Sync>;
type Worn<T> = Box<dyn Fn(&T) -> bool + Send + Sync>;

/// When one will have served its time, and which.
pub(super) type Mark = (Instant, u64);

pub(crate) struct Settings<T> {
    pub(super) name: Arc<str>,
    pub(super) size: usize,
    pub(super) min_idle: usize,
    pub(super) queue: usize,
    pub(super) queue_deadline: Option<Duration>,
    pub(super) create_deadline: Duration,
    pub(super) check_deadline: Duration,
    pub(super) limits: Limits,
    pub(super) backoff: Backoff,
    pub(super) broken: Option<Broken<T>>,
    pub(super) worn: Option<Worn<T>>,
    /// Ends a resource that takes its time to go, and keeps its place until it has.
    pub(super) parting: Option<fn(T, Place)>,
    pub(super) observer: Option<Arc<dyn Observer>>,
}

pub(crate) struct Yard<M: Managed> {
    pub(super) manager: M,
    pub(super) settings: Settings<M::Type>,
    pub(super) counters: Counters,
    /// Callers who wait for anything.
    callers: AtomicUsize,
    pub(super) queued: AtomicUsize,
    pub(super) in_use: AtomicUsize,
    pub(super) live: AtomicUsize,
    /// Of these, those that nobody has or will have: they are on their way out.
    pub(super) ending: AtomicUsize,
    /// Callers who wait for the pool to be warm.
    warming: AtomicUsize,
    /// Whether the keeper has taken out what is idle, to look at it.
    looking: AtomicBool,
    /// How many wait in the state below; read without its lock.
    waiting: AtomicUsize,
    draining: AtomicBool,
    state: Mutex<State<M>>,
    /// Wakes the keeper.
    pub(crate) nudge: Arc<Notify>,
    /// Wakes those who wait for a pool to be warm, or drained.
    pub(super) changed: Notify,
    /// Ends the keeper and what is being made.
    pub(super) closing: CancellationToken,
    runtime: Handle,
}

pub(super) struct State<M: Managed> {
    pub(super) ready: VecDeque<Box<Item<M>>>,
    pub(super) waiting: VecDeque<oneshot::Sender<Given<M>>>,
    pub(super) making: usize,
    pub(super) replacement: Replacement,
    pub(super) breaker: Breaker,
    /// When those that are there will have served their time.
    terms: BTreeSet<Mark>,
    /// The number of the next mark.
    marks: u64,
}

/// The one resource that is made so that another may go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Replacement {
    NotNeeded,
    Wanted,
    Making,
    Made,
}

pub(super) enum Taken<M: Managed> {
    Ready(Box<Item<M>>),
    Later(Waiting<M>),
}

impl<M: Managed> Yard<M> {
    pub(super) fn new(manager: M, settings: Settings<M::Type>, nudge: Arc<Notify>, runtime: Handle) -> Self {
        let state = State {
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
            making: 0,
            replacement: Replacement::NotNeeded,
            breaker: Breaker::new(settings.backoff),
            terms: BTreeSet::new(),
            marks: 0,
        };
        Self {
            manager,
            settings,
            counters: Counters::default(),
            callers: AtomicUsize::new(0),
            queued: AtomicUsize::new(0),
            in_use: AtomicUsize::new(0),
            live: AtomicUsize::new(0),
            ending: AtomicUsize::new(0),
            warming: AtomicUsize::new(0),
            looking: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            state: Mutex::new(state),
            nudge,
            changed: Notify::new(),
            closing: CancellationToken::new(),
            runtime,
        }
    }

    /// A caller begins to wait, unless the pool is about to close. Whoever ends waiting says so with
    /// [`exit`](Self::exit).
    pub(super) fn enter(&self) -> Result<(), PoolError> {
        // In this order, and `drain` in the other one: either it counts this caller or this caller sees it.
        self.callers.fetch_add(1, Ordering::SeqCst);
        if self.is_draining() {
            self.exit();
            return Err(self.closed());
        }
        Ok(())
    }

    pub(super) fn exit(&self) {
        self.callers.fetch_sub(1, Ordering::SeqCst);
        self.tell();
    }

    /// A lease begins.
    pub(super) fn lend(&self) {
        self.in_use.fetch_add(1, Ordering::SeqCst);
        let Settings { min_idle, size, .. } = self.settings;
        if min_idle > 0 && self.idle() < min_idle && self.live.load(Ordering::Acquire) < size {
            self.nudge.notify_one();
        }
    }

    /// A lease is over.
    pub(super) fn got_back(&self) {
        self.in_use.fetch_sub(1, Ordering::SeqCst);
        self.tell();
    }

    /// Tells those who wait for the pool to be warm, or drained.
    fn tell(&self) {
        if self.is_draining() || self.warming.load(Ordering::SeqCst) > 0 {
            self.changed.notify_waiters();
        }
    }

    pub(super) fn closed(&self) -> PoolError {
        PoolError::Closed { pool: self.settings.name.clone() }
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Lets nobody in any more, and waits until the last caller has left. Cancel-safe.
    pub(super) async fn callers_gone(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.until(|yard| (yard.callers() == 0).then_some(())).await;
    }

    /// How many wait or have something.
    pub(super) fn callers(&self) -> usize {
        self.callers.load(Ordering::SeqCst) + self.in_use.load(Ordering::SeqCst)
    }

    /// Waits until as many are idle as are to be kept so; an error when there is no hope of it. Cancel-safe.
    pub(super) async fn warm(&self) -> Result<(), PoolError> {
        // Before the look: who gives back later sees that somebody waits for it.
        let _warming = Counted::new(&self.warming);
        self.until(|yard| {
            if yard.closing.is_cancelled() {
                return Some(Err(yard.closed()));
            }
            if yard.idle() >= yard.settings.min_idle {
                return Some(Ok(()));
            }
            yard.tripped(&yard.state(), Instant::now()).map(Err)
        })
        .await
    }

    /// Waits until nothing is being made any more; for pools that are closed. Cancel-safe.
    pub(super) async fn makers_gone(&self) {
        self.until(|yard| (yard.making() == 0).then_some(())).await;
    }

    async fn until<T>(&self, done: impl Fn(&Self) -> Option<T>) -> T {
        loop {
            // Created before the look: a change between the look and the wait wakes it.
            let changed = self.changed.notified();
            if let Some(answer) = done(self) {
                return answer;
            }
            changed.await;
        }
    }

    pub(super) fn idle(&self) -> usize {
        let gone = self.in_use.load(Ordering::SeqCst) + self.ending.load(Ordering::Acquire);
        self.live.load(Ordering::Acquire).saturating_sub(gone)
    }

    pub(super) fn making(&self) -> usize {
        self.state().making
    }

    /// One that is ready, or a place among those who wait for one.
    pub(super) fn take(self: &Arc<Self>) -> Result<Taken<M>, PoolError> {
        let waiting = {
            let mut state = self.state();
            if self.closing.is_cancelled() {
                return Err(self.closed());
            }
            if let Some(item) = state.ready.pop_front() {
                return Ok(Taken::Ready(item));
            }
            // While the keeper looks at those that are idle one of them may be the one.
            if !self.is_looking() {
                if let Some(tripped) = self.tripped(&state, Instant::now()) {
                    return Err(tripped);
                }
            }
            let (give, given) = oneshot::channel();
            state.waiting.push_back(give);
            self.count_waiting(&state);
            Waiting { given, yard: self.clone() }
        };
        // If not, the keeper makes another at the end.
        if !self.is_looking() {
            self.grow();
        }
        // One may have come back in between, to where nobody looks any more.
        if self.idle() > 0 {
            self.nudge.notify_one();
        }
        Ok(Taken::Later(waiting))
    }

    /// Whether somebody waits for a resource to be made, and would take one that is given back as well.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Gives a resource to the first who waits, or keeps it ready.
    pub(super) fn settle(&self, mut item: Box<Item<M>>) {
        loop {
            let first = {
                let mut state = self.state();
                match state.waiting.pop_front() {
                    Some(first) => {
                        self.count_waiting(&state);
                        first
                    }
                    None if self.closing.is_cancelled() => break,
                    None => return state.ready.push_back(item),
                }
            };
            // Outside the lock: to wake a caller may run any code.
            match first.send(Ok(item)) {
                Ok(()) => return,
                Err(back) => item = back.unwrap_or_else(|_| unreachable!("a resource was sent")),
            }
        }
        item.retire(Retired::Drained);
    }

    /// A resource is about to go.
    pub(super) fn retired(&self, why: Retired, mark: Option<Mark>) {
        let mut state = self.state();
        if let Some(mark) = mark {
            state.terms.remove(&mark);
        }
        if !matches!(why, Retired::Age | Retired::Uses | Retired::Worn)
            && state.replacement == Replacement::Made
        {
            // Its place was taken by the one that was made for another.
            state.replacement = Replacement::NotNeeded;
        }
        drop(state);
        self.counters.retire(why);
    }

    /// A resource is gone.
    pub(super) fn gone(&self) {
        self.live.fetch_sub(1, Ordering::AcqRel);
        self.nudge.notify_one();
        self.tell();
    }

    pub(super) fn succeeded(&self) {
        self.state().breaker.succeeded();
    }

    /// A resource could not be made, or broke before it was of any use.
    pub(super) fn failed(&self, failure: Failure) {
        self.state().breaker.failed(failure, Instant::now(), fastrand::f64());
        // What the keeper looks at may be fit: it refuses who is left when it has.
        if !self.is_looking() {
            self.refuse_if_tripped();
        }
        self.changed.notify_waiters();
    }

    /// Tells those who wait that nothing is made for a while.
    pub(super) fn refuse_if_tripped(&self) {
        let refused: Vec<_> = {
            let mut state = self.state();
            // At one moment: what is asked again later may have opened meanwhile, and they would hear nothing.
            let now = Instant::now();
            if self.tripped(&state, now).is_none() {
                return;
            }
            let refused = std::mem::take(&mut state.waiting);
            self.count_waiting(&state);
            refused.into_iter().filter_map(|waiting| Some((waiting, self.tripped(&state, now)?))).collect()
        };
        for (waiting, tripped) in refused {
            let _ = waiting.send(Err(tripped));
        }
    }

    fn tripped(&self, state: &State<M>, now: Instant) -> Option<PoolError> {
        let Gate::Tripped { failures, until, last } = state.breaker.gate(now) else { return None };
        let Failure { what: last, tail } = last;
        let (pool, retry_in) = (self.settings.name.clone(), until - now);
        Some(PoolError::CrashLoop { pool, failures, retry_in, last, tail })
    }

    /// Whether one that has served long enough may go now. If not, another one is made so that it may later.
    pub(super) fn may_replace(&self) -> bool {
        let mut state = self.state();
        match state.replacement {
            Replacement::Made => {
                state.replacement = Replacement::NotNeeded;
                true
            }
            Replacement::NotNeeded => {
                state.replacement = Replacement::Wanted;
                self.nudge.notify_one();
                false
            }
            Replacement::Wanted | Replacement::Making => false,
        }
    }

    /// From now on the keeper looks at what is idle, or has looked.
    pub(super) fn set_looking(&self, looking: bool) {
        self.looking.store(looking, Ordering::SeqCst);
    }

    fn is_looking(&self) -> bool {
        self.looking.load(Ordering::SeqCst)
    }

    /// Takes out of those that are ready what the test says.
    pub(super) fn take_ready(&self, mut test: impl FnMut(&Item<M>) -> bool) -> Vec<Box<Item<M>>> {
        let mut state = self.state();
        let all = std::mem::take(&mut state.ready);
        let (taken, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(|item| test(item));
        state.ready = kept.into();
        taken
    }

    /// When the next one will have served its time; forgets those that have.
    pub(super) fn next_term(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        while state.terms.first().is_some_and(|(until, _)| *until <= now) {
            state.terms.pop_first();
        }
        state.terms.first().map(|(until, _)| *until)
    }

    /// Starts making as many as are wanted now.
    pub(super) fn grow(self: &Arc<Self>) {
        let mut started = Vec::new();
        let not_before = {
            let mut state = self.state();
            if self.closing.is_cancelled() {
                return;
            }
            let wanted = matches!(state.replacement, Replacement::Wanted | Replacement::Making);
            let counts = Counts {
                live: self.live.load(Ordering::Acquire),
                idle: self.idle(),
                making: state.making,
                waiting: state.waiting.len(),
                doubtful: state.breaker.is_doubtful(),
                replacement: wanted,
            };
            for _ in 0..to_make(counts, self.settings.size, self.settings.min_idle) {
                state.making += 1;
                let replaces = state.replacement == Replacement::Wanted;
                if replaces {
                    state.replacement = Replacement::Making;
                }
                started.push(Making { yard: self.clone(), replaces, ended: false });
            }
            match state.breaker.gate(Instant::now()) {
                Gate::Open => None,
                Gate::Later(until) | Gate::Tripped { until, .. } => Some(until),
            }
        };
        for making in started {
            drop(self.runtime.spawn(making.make(not_before)));
        }
    }

    /// Ends what is being made and what is ready, and tells those who wait.
    pub(super) fn close(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.closing.cancel();
        let (ready, waiting) = {
            let mut state = self.state();
            let both = (std::mem::take(&mut state.ready), std::mem::take(&mut state.waiting));
            self.count_waiting(&state);
            both
        };
        for item in ready {
            item.retire(Retired::Drained);
        }
        for waiting in waiting {
            let _ = waiting.send(Err(self.closed()));
        }
        self.changed.notify_waiters();
    }

    pub(super) fn count_waiting(&self, state: &State<M>) {
        self.waiting.store(state.waiting.len(), Ordering::SeqCst);
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Managed> State<M> {
    /// Remembers when this one will have served its time.
    pub(super) fn mark(&mut self, item: &mut Item<M>) {
        if let Some(until) = item.until() {
            self.marks += 1;
            item.set_mark((until, self.marks));
            self.terms.insert((until, self.marks));
        }
    }
}

/// One more, until this is dropped.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
