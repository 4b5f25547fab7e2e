//! What is counted while a batch runs. Constant in size, and taken from any thread: each lane has counters of its own, lest
//! all of them meet at each item.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use bgt_core::Status;
use tokio::time::Instant;

use crate::histogram::Histogram;
use crate::{BatchReport, Counts, Durations, Failure, Halted, Snapshot};

pub(crate) struct Tally {
    started: Instant,
    started_at: SystemTime,
    took: OnceLock<Duration>,
    lanes: Box<[Counters]>,
    /// Of the skipped, those that were never pulled.
    left: AtomicU64,
    running: AtomicU64,
    peak: AtomicU64,
    failures: Mutex<Vec<Failure>>,
    more_failures: AtomicU64,
    keep_failures: usize,
    #[cfg(feature = "gates")]
    gated: Mutex<Gated>,
    total: OnceLock<u64>,
}

/// What one lane has counted, and what went on from it. Apart from those of others by more than a cache line.
#[repr(align(128))]
pub(crate) struct Counters {
    ended: [AtomicU64; Status::ALL.len()],
    already_done: AtomicU64,
    pulled: AtomicU64,
    retries: AtomicU64,
    times: Histogram,
}

/// For how long somebody was held back, however many they were.
#[cfg(feature = "gates")]
#[derive(Default)]
struct Gated {
    waiting: u32,
    since: Option<Instant>,
    total: Duration,
}

impl Tally {
    pub(crate) fn new(lanes: usize, keep_failures: usize, total: Option<u64>) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            started: Instant::now(),
            started_at: SystemTime::now(),
            took: OnceLock::new(),
            lanes: (0..lanes).map(|_| Counters::new()).collect(),
            left: zero(),
            running: zero(),
            peak: zero(),
            failures: Mutex::default(),
            more_failures: zero(),
            keep_failures,
            #[cfg(feature = "gates")]
            gated: Mutex::default(),
            total: total.map_or_else(OnceLock::new, OnceLock::from),
        }
    }

    /// The counters of this lane.
    pub(crate) fn lane(&self, lane: usize) -> &Counters {
        &self.lanes[lane]
    }

    pub(crate) fn begin(&self) {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        if self.peak.load(Ordering::Relaxed) < running {
            self.peak.fetch_max(running, Ordering::Relaxed);
        }
    }

    pub(crate) fn rest(&self) {
        self.running.fetch_sub(1, Ordering::SeqCst);
    }

    fn sum(&self, counter: impl Fn(&Counters) -> &AtomicU64) -> u64 {
        self.lanes.iter().map(|lane| counter(lane).load(Ordering::SeqCst)).sum()
    }

    /// Items that the source still has and that nobody will pull.
    pub(crate) fn left(&self, items: u64) {
        self.left.store(items, Ordering::SeqCst);
    }

    pub(crate) fn failed(&self, failure: impl FnOnce() -> Failure) {
        {
            let mut failures = lock(&self.failures);
            if failures.len() < self.keep_failures {
                return failures.push(failure());
            }
        }
        self.more_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// How many have ended, and how many of them have failed, as a halt policy sees it.
    pub(crate) fn verdicts(&self) -> (u64, u64) {
        let of = |status: Status| self.sum(|lane| &lane.ended[status as usize]);
        let failed = of(Status::Failed) + of(Status::TimedOut) + of(Status::Lost);
        (failed + of(Status::Succeeded), failed)
    }

    /// Held back by a gate until the value is dropped.
    #[cfg(feature = "gates")]
    pub(crate) fn gated(&self) -> impl Drop + '_ {
        let mut gated = lock(&self.gated);
        gated.waiting += 1;
        gated.since.get_or_insert_with(Instant::now);
        drop(gated);
        HeldBack(self)
    }

    pub(crate) fn total(&self, total: u64) {
        let _ = self.total.set(total);
    }

    pub(crate) fn close(&self) {
        let _ = self.took.set(self.started.elapsed());
    }

    fn counts(&self) -> Counts {
        let of = |status: Status| self.sum(|lane| &lane.ended[status as usize]);
        let left = self.left.load(Ordering::SeqCst);
        let mut counts = Counts {
            succeeded: of(Status::Succeeded),
            failed: of(Status::Failed),
            timed_out: of(Status::TimedOut),
            cancelled: of(Status::Cancelled),
            skipped: of(Status::Skipped),
            already_done: self.sum(|lane| &lane.already_done),
            running: self.running.load(Ordering::SeqCst),
            waiting: 0,
        };
        let known = counts.ended() + counts.already_done + counts.running;
        counts.waiting = self.sum(|lane| &lane.pulled).saturating_sub(known);
        counts.skipped += left;
        counts
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let took = self.took.get().copied();
        Snapshot {
            counts: self.counts(),
            total: self.total.get().copied(),
            elapsed: took.unwrap_or_else(|| self.started.elapsed()),
            is_over: took.is_some(),
        }
    }

    pub(crate) fn report(&self, halted: Option<Halted>) -> BatchReport {
        let Snapshot { mut counts, elapsed, .. } = self.snapshot();
        // What went down with its runtime.
        counts.cancelled += std::mem::take(&mut counts.waiting);
        let times = Histogram::new();
        self.lanes.iter().for_each(|lane| times.merge(&lane.times));
        let [p50, p95, p99] = times.quantiles([0.5, 0.95, 0.99]);
        #[cfg(feature = "gates")]
        let gated = lock(&self.gated).total;
        #[cfg(not(feature = "gates"))]
        let gated = Duration::ZERO;
        BatchReport {
            counts,
            failures: lock(&self.failures).clone(),
            more_failures: self.more_failures.load(Ordering::Relaxed),
            retries: self.sum(|lane| &lane.retries),
            halted,
            peak: self.peak.load(Ordering::Relaxed),
            durations: Durations { p50, p95, p99, longest: times.longest() },
            gated,
            started_at: self.started_at,
            elapsed,
        }
    }
}

impl Counters {
    fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            ended: std::array::from_fn(|_| zero()),
            already_done: zero(),
            pulled: zero(),
            retries: zero(),
            times: Histogram::new(),
        }
    }

    pub(crate) fn pulled(&self, items: u64) {
        self.pulled.fetch_add(items, Ordering::SeqCst);
    }

    pub(crate) fn ran(&self, took: Duration, attempts: u32) {
        self.times.add(took);
        if attempts > 1 {
            self.retries.fetch_add(u64::from(attempts) - 1, Ordering::Relaxed);
        }
    }

    pub(crate) fn end(&self, status: Status) {
        self.ended[status as usize].fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn already_done(&self) {
        self.already_done.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(feature = "gates")]
struct HeldBack<'a>(&'a Tally);

#[cfg(feature = "gates")]
impl Drop for HeldBack<'_> {
    fn drop(&mut self) {
        let mut gated = lock(&self.0.gated);
        gated.waiting -= 1;
        if gated.waiting == 0 {
            if let Some(since) = gated.since.take() {
                gated.total += since.elapsed();
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
