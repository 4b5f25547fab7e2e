//! Counts what tasks themselves see.
#![allow(dead_code, reason = "not every test program needs all of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many are at work, and the most that ever were.
#[derive(Clone, Default)]
pub(crate) struct Gauge {
    now: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
}

impl Gauge {
    /// At work until the value is dropped.
    pub(crate) fn enter(&self, weight: u64) -> impl Drop + use<> {
        let now = self.now.fetch_add(weight, Ordering::SeqCst) + weight;
        self.most.fetch_max(now, Ordering::SeqCst);
        Inside(self.clone(), weight)
    }

    pub(crate) fn most(&self) -> u64 {
        self.most.load(Ordering::SeqCst)
    }

    pub(crate) fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }
}

struct Inside(Gauge, u64);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.now.fetch_sub(self.1, Ordering::SeqCst);
    }
}
