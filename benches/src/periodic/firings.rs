//! The ledger: how late each firing was, and how many there were.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use crate::Result;

/// How late firings were. Written by the tasks that are fired.
#[derive(Debug)]
pub struct Firings {
    wanted: usize,
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
        Self { wanted, count: AtomicUsize::new(0), late, done: Notify::new() }
    }

    /// One has been fired that was for this time.
    ///
    /// # Panics
    ///
    /// Where another one has.
    pub fn fired(&self, at: SystemTime) {
        let late = SystemTime::now().duration_since(at).unwrap_or_default();
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
