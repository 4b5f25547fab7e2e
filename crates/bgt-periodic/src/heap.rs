//! Who is to be woken next. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::entry::Entry;

/// Alarms by one clock, the earliest first; those that were replaced are left in until they come or there are too many.
///
/// Those of one instant are kept together: they are often many, and are taken out in one go.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    times: BTreeMap<i64, Vec<Wake>>,
    len: usize,
}

/// An alarm, and whom it wakes, if it is still the latest alarm of that.
#[derive(Debug)]
pub(crate) struct Wake {
    pub(crate) alarm: u64,
    pub(crate) entry: Arc<Entry>,
}

impl Heap {
    /// Adds an alarm, and answers whether it is the earliest.
    pub(crate) fn push(&mut self, entry: Arc<Entry>, (at, alarm): (i64, u64), entries: usize) -> bool {
        if self.len > 2 * entries + 64 {
            self.times.retain(|_, wakes| {
                wakes.retain(|wake| wake.entry.is_armed(wake.alarm));
                !wakes.is_empty()
            });
            self.len = self.times.values().map(Vec::len).sum();
        }
        let is_first = self.first().is_none_or(|first| at < first);
        // Exactly one at first: most times have no second.
        self.times.entry(at).or_insert_with(|| Vec::with_capacity(1)).push(Wake { alarm, entry });
        self.len += 1;
        is_first
    }

    pub(crate) fn first(&self) -> Option<i64> {
        self.times.first_key_value().map(|(at, _)| *at)
    }

    /// Takes out all whose time has come.
    pub(crate) fn take(&mut self, now: i64, due: &mut Vec<Wake>) {
        while let Some(first) = self.times.first_entry().filter(|first| *first.key() <= now) {
            let mut wakes = first.remove();
            self.len -= wakes.len();
            due.append(&mut wakes);
        }
    }
}
