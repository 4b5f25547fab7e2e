//! What the driver, the firings and the handles of one scheduler share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use bgt_core::Observer;
use tokio::runtime::Handle as Runtime;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::engine::Engine;
#[cfg(feature = "store")]
use crate::entry::Pending;
use crate::entry::{Admitted, Entry, Refused, Turn};
use crate::firing::Firing;
use crate::heap::Heap;
use crate::job::{Discarded, Job};
use crate::trigger::Clock;

pub(crate) struct Shared {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    #[cfg(feature = "store")]
    pub(crate) claims: Option<crate::claims::Claims>,
    board: Mutex<Board>,
    runtime: OnceLock<Runtime>,
    /// The driver has something new to look at.
    pub(crate) changed: Notify,
    /// A firing has ended.
    over: Notify,
    in_flight: AtomicU64,
    /// The runtime was shut down.
    is_gone: AtomicBool,
}

#[derive(Default)]
pub(crate) struct Board {
    pub(crate) entries: HashMap<Arc<str>, Arc<Entry>>,
    /// Those that were removed, of which something may run.
    leaving: Vec<Weak<Entry>>,
    pub(crate) wall: Heap,
    pub(crate) steady: Heap,
    pub(crate) is_stopped: bool,
}

impl Board {
    pub(crate) fn heap(&mut self, clock: Clock) -> &mut Heap {
        match clock {
            Clock::Wall => &mut self.wall,
            Clock::Steady => &mut self.steady,
        }
    }

    /// Takes it off, if it is still this one that has the name.
    fn forget(&mut self, entry: &Arc<Entry>) -> Option<Arc<Entry>> {
        let is_it = self.entries.get(&entry.name).is_some_and(|known| Arc::ptr_eq(known, entry));
        if is_it { self.entries.remove(&entry.name) } else { None }
    }

    /// Takes everything off, and answers all of which something may run.
    pub(crate) fn close(&mut self) -> Vec<Arc<Entry>> {
        self.is_stopped = true;
        let mut entries: Vec<_> = self.entries.drain().map(|(_, entry)| entry).collect();
        entries.extend(self.leaving.iter().filter_map(Weak::upgrade));
        self.leaving = entries.iter().map(Arc::downgrade).collect();
        entries
    }
}

impl Shared {
    pub(crate) fn new(
        engine: Arc<dyn Engine>,
        observer: Option<Arc<dyn Observer>>,
        #[cfg(feature = "store")] claims: Option<crate::claims::Claims>,
    ) -> Self {
        Self {
            engine,
            observer,
            #[cfg(feature = "store")]
            claims,
            board: Mutex::default(),
            runtime: OnceLock::new(),
            changed: Notify::new(),
            over: Notify::new(),
            in_flight: AtomicU64::new(0),
            is_gone: AtomicBool::new(false),
        }
    }

    // Never taken while an entry's state is held, nor the other way round; nothing of a user's runs under it.
    pub(crate) fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runtime that everything is on; whoever comes first starts the driver.
    pub(crate) fn start(self: &Arc<Self>) {
        let mut is_first = false;
        let runtime = self.runtime.get_or_init(|| {
            is_first = true;
            Runtime::current()
        });
        // Not before it is known: on another thread the driver may ask for it at once.
        if is_first {
            self.engine.start();
            drop(runtime.spawn(crate::driver::drive(self.clone())));
            #[cfg(feature = "store")]
            if self.claims.is_some() {
                drop(runtime.spawn(crate::claims::keep(self.clone())));
            }
        }
    }

    pub(crate) fn runtime(&self) -> Runtime {
        self.runtime.get().expect("started with the first schedule").clone()
    }

    /// Whether the runtime was shut down: nothing will be fired any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    pub(crate) fn gone(&self) {
        self.is_gone.store(true, Ordering::Release);
        self.over();
    }

    /// Has the driver look at an entry at this time.
    pub(crate) fn wake_at(&self, entry: &Arc<Entry>, alarm: (i64, u64)) {
        let clock = entry.state().plan.clock();
        let mut board = self.board();
        if board.is_stopped {
            return;
        }
        let entries = board.entries.len();
        let is_first = board.heap(clock).push(entry.clone(), alarm, entries);
        drop(board);
        if is_first {
            self.changed.notify_one();
        }
    }

    /// Starts a firing that was claimed, if it may start now.
    #[cfg(feature = "store")]
    pub(crate) fn dispatch(self: &Arc<Self>, entry: &Arc<Entry>, pending: Pending) {
        let (admitted, refused) = entry.admit(pending);
        self.settle(entry, refused);
        if let Some(admitted) = admitted {
            self.launch(entry, admitted);
        }
    }

    /// Starts a firing that may start now.
    pub(crate) fn launch(self: &Arc<Self>, entry: &Arc<Entry>, (turn, job): Admitted) {
        job.launch(Firing::new(self.clone(), entry.clone(), turn));
    }

    /// Whoever would have run this one is gone; others run it if there are any.
    pub(crate) fn hand_on(self: &Arc<Self>, entry: &Arc<Entry>, turn: Turn, are_there_others: bool) {
        let job = entry.job().filter(|_| are_there_others && !self.is_gone());
        match job {
            Some(job) => self.launch(entry, (turn, job)),
            None => self.settle(entry, entry.abandon(turn.0)),
        }
    }

    /// Drops what was fired, away from everything that must not wait.
    pub(crate) fn discard(&self, jobs: Vec<Arc<dyn Job>>) -> Option<JoinHandle<()>> {
        let discarded = Discarded(jobs);
        Some(self.runtime.get()?.spawn_blocking(move || drop(discarded)))
    }

    /// As long as this is held, something is under way.
    #[cfg(feature = "store")]
    pub(crate) fn busy(self: &Arc<Self>) -> Busy {
        self.begins();
        Busy(self.clone())
    }

    /// Tells the store of firings that did not start.
    pub(crate) fn settle(self: &Arc<Self>, entry: &Arc<Entry>, refused: Vec<Refused>) {
        #[cfg(feature = "store")]
        for (pending, reason) in refused {
            let Some(lease) = pending.lease else { continue };
            let (shared, entry) = (self.busy(), entry.clone());
            drop(self.runtime().spawn(async move {
                if let Some(claims) = &shared.claims {
                    let outcome =
                        bgt_store::Outcome::new(bgt_core::Status::Skipped).error(reason.to_string());
                    claims.finish(&entry, lease, outcome).await;
                }
            }));
        }
        #[cfg(not(feature = "store"))]
        let _ = (entry, refused);
    }

    /// Takes it off the board if its single time is over.
    pub(crate) fn forget_if_over(&self, entry: &Arc<Entry>) {
        if let Some(job) = entry.job_if_over() {
            drop(self.board().forget(entry));
            drop(self.discard(vec![job]));
        }
    }

    /// Takes it off the board; what runs of it is still the board's to stop.
    pub(crate) fn remove(self: &Arc<Self>, entry: &Arc<Entry>) -> Option<JoinHandle<()>> {
        let mut board = self.board();
        let known = board.forget(entry);
        if board.leaving.len() == board.leaving.capacity() {
            board.leaving.retain(|entry| entry.strong_count() > 0);
        }
        board.leaving.push(Arc::downgrade(entry));
        drop(board);
        drop(known);
        let (refused, job) = entry.remove();
        self.settle(entry, refused);
        self.discard(vec![job?])
    }

    pub(crate) fn begins(&self) {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn ends(&self) {
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.over();
    }

    /// Something is over: who waits for an end looks again.
    pub(crate) fn over(&self) {
        self.over.notify_waiters();
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Waits until this holds; looked at after each end of a firing. Cancel-safe.
    pub(crate) async fn once(&self, mut holds: impl FnMut() -> bool) {
        loop {
            let mut over = std::pin::pin!(self.over.notified());
            over.as_mut().enable();
            if holds() {
                return;
            }
            over.await;
        }
    }
}

/// Something is under way that no firing stands for. It is over when this is dropped, also with its runtime.
#[cfg(feature = "store")]
pub(crate) struct Busy(Arc<Shared>);

#[cfg(feature = "store")]
impl std::ops::Deref for Busy {
    type Target = Arc<Shared>;

    fn deref(&self) -> &Arc<Shared> {
        &self.0
    }
}

#[cfg(feature = "store")]
impl Drop for Busy {
    fn drop(&mut self) {
        self.0.ends();
    }
}
