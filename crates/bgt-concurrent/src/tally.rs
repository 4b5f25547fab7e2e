//! What is counted while a batch runs. Constant in size, and taken from any thread.

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
    ended: [AtomicU64; Status::ALL.len()],
    already_done: AtomicU64,
    pulled: AtomicU64,
    /// Of the skipped, those that were never pulled.
    left: AtomicU64,
    running: AtomicU64,
    peak: AtomicU64,
    retries: AtomicU64,
    times: Histogram,
    failures: Mutex<Vec<Failure>>,
    more_failures: AtomicU64,
    keep_failures: usize,
    #[cfg(feature = "gates")]
    gated: Mutex<Gated>,
    total: OnceLock<u64>,
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
    pub(crate) fn new(keep_failures: usize, total: Option<u64>) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            started: Instant::now(),
            started_at: SystemTime::now(),
            took: OnceLock::new(),
            ended: std::array::from_fn(|_| zero()),
            already_done: zero(),
            pulled: zero(),
            left: zero(),
            running: zero(),
            peak: zero(),
            retries: zero(),
            times: Histogram::new(),
            failures: Mutex::default(),
            more_failures: zero(),
            keep_failures,
            #[cfg(feature = "gates")]
            gated: Mutex::default(),
            total: total.map_or_else(OnceLock::new, OnceLock::from),
        }
    }

    pub(crate) fn pulled(&self, items: u64) {
        self.pulled.fetch_add(items, Ordering::Relaxed);
    }

    pub(crate) fn begin(&self) -> Running<'_> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        if self.peak.load(Ordering::Relaxed) < running {
            self.peak.fetch_max(running, Ordering::Relaxed);
        }
        Running(self)
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
        let of = |status: Status| self.ended[status as usize].load(Ordering::SeqCst);
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
        let of = |status: Status| self.ended[status as usize].load(Ordering::SeqCst);
        let left = self.left.load(Ordering::SeqCst);
        let mut counts = Counts {
            succeeded: of(Status::Succeeded),
            failed: of(Status::Failed),
            timed_out: of(Status::TimedOut),
            cancelled: of(Status::Cancelled),
            skipped: of(Status::Skipped),
            already_done: self.already_done.load(Ordering::SeqCst),
            running: self.running.load(Ordering::SeqCst),
            waiting: 0,
        };
        let known = counts.ended() + counts.already_done + counts.running;
        counts.waiting = self.pulled.load(Ordering::SeqCst).saturating_sub(known);
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
        let [p50, p95, p99] = self.times.quantiles([0.5, 0.95, 0.99]);
        #[cfg(feature = "gates")]
        let gated = lock(&self.gated).total;
        #[cfg(not(feature = "gates"))]
        let gated = Duration::ZERO;
        BatchReport {
            counts,
            failures: lock(&self.failures).clone(),
            more_failures: self.more_failures.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            halted,
            peak: self.peak.load(Ordering::Relaxed),
            durations: Durations { p50, p95, p99, longest: self.times.longest() },
            gated,
            started_at: self.started_at,
            elapsed,
        }
    }
}

/// At work until dropped.
pub(crate) struct Running<'a>(&'a Tally);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
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
