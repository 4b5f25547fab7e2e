//! Who is to be woken next. Pure.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::entry::Entry;

/// Alarms by one clock, the earliest first; those that were replaced are left in until they come or there are too many.
#[derive(Debug, Default)]
pub(crate) struct Heap(BinaryHeap<Wake>);

#[derive(Debug)]
struct Wake {
    at: i64,
    alarm: u64,
    entry: Arc<Entry>,
}

impl Heap {
    /// Adds an alarm, and answers whether it is the earliest.
    pub(crate) fn push(&mut self, entry: Arc<Entry>, (at, alarm): (i64, u64), entries: usize) -> bool {
        if self.0.len() > 2 * entries + 64 {
            self.0.retain(|wake| wake.entry.is_armed(wake.alarm));
        }
        let is_first = self.0.peek().is_none_or(|first| at < first.at);
        self.0.push(Wake { at, alarm, entry });
        is_first
    }

    pub(crate) fn first(&self) -> Option<i64> {
        self.0.peek().map(|wake| wake.at)
    }

    /// Takes out all whose time has come.
    pub(crate) fn take(&mut self, now: i64, due: &mut Vec<Arc<Entry>>) {
        while self.0.peek().is_some_and(|wake| wake.at <= now) {
            let Some(wake) = self.0.pop() else { return };
            if wake.entry.is_armed(wake.alarm) {
                due.push(wake.entry);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl PartialEq for Wake {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Wake {}

impl PartialOrd for Wake {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Wake {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}
