//! The ledger: how late each firing was, and how many there were.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use crate::Result;

/// How late firings were. Written by the tasks that are fired.
#[derive(Debug)]
pub struct Firings {
    wanted: usize,
    /// The whole second since 1970 that is measured, if it is only one.
    second: AtomicU64,
    count: AtomicUsize,
    // Each thread has its own, or the ledger would be the queue that is measured.
    late: [Mutex<Vec<Duration>>; 16],
    done: Notify,
}

thread_local! {
    static SHARD: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % 16
    };
}

impl Firings {
    /// A ledger for so many.
    #[must_use]
    pub fn of(wanted: usize) -> Self {
        let late = std::array::from_fn(|_| Mutex::new(Vec::with_capacity(wanted)));
        Self { wanted, second: AtomicU64::new(0), count: AtomicUsize::new(0), late, done: Notify::new() }
    }

    /// Measures the second whole second from now on. With the first one everybody gets warm.
    pub(super) fn measure_a_second(&self) {
        self.second.store(since_1970(SystemTime::now()).as_secs() + 2, Ordering::Release);
    }

    /// One has been fired that was for the whole second that has just begun.
    ///
    /// # Panics
    ///
    /// Where another one has.
    pub fn fired_this_second(&self) {
        let late = since_1970(SystemTime::now());
        if late.as_secs() == self.second.load(Ordering::Acquire) {
            self.note(Duration::from_nanos(late.subsec_nanos().into()));
        }
    }

    /// One has been fired that was for this time.
    ///
    /// # Panics
    ///
    /// Where another one has.
    pub fn fired(&self, at: SystemTime) {
        self.note(SystemTime::now().duration_since(at).unwrap_or_default());
    }

    fn note(&self, late: Duration) {
        SHARD.with(|shard| self.late[*shard].lock().expect("nobody panics").push(late));
        if self.count.fetch_add(1, Ordering::AcqRel) + 1 == self.wanted {
            self.done.notify_one();
        }
    }

    /// Waits for all, and answers the 99th percentile in milliseconds.
    pub(super) async fn p99_ms(&self) -> Result<f64> {
        tokio::time::timeout(Duration::from_secs(60), self.done.notified())
            .await
            .map_err(|_| format!("{} of {} were fired", self.count.load(Ordering::Acquire), self.wanted))?;
        let shards = self.late.iter().flat_map(|shard| shard.lock().expect("nobody panics").clone());
        let mut late: Vec<_> = shards.take(self.wanted).collect();
        late.sort_unstable();
        let rank = (late.len() * 99).div_ceil(100).max(1) - 1;
        Ok(late[rank].as_secs_f64() * 1000.0)
    }
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
