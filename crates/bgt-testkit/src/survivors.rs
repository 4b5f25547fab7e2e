//! Who is still there.

use std::path::Path;
use std::time::Duration;

use crate::{Ledger, sys, wait_until};

/// The pids in a file that `bad-child pids-to` wrote, in the order in which the processes started.
///
/// # Panics
/// When a line is not a pid.
#[must_use]
pub fn read_pids(path: impl AsRef<Path>) -> Vec<u32> {
    let lines = Ledger::at(path.as_ref()).lines();
    lines.iter().map(|line| line.parse().unwrap_or_else(|_| panic!("{line:?} is not a pid"))).collect()
}

/// The same, after at least `count` came.
///
/// # Panics
/// When they do not come in time, or a line is not a pid.
#[must_use]
pub fn wait_for_pids(path: impl AsRef<Path>, count: usize, within: Duration) -> Vec<u32> {
    let _ = Ledger::at(path.as_ref()).wait_for_lines(count, within);
    read_pids(path)
}

/// Whether a process with this pid runs. A zombie does not: it is dead and only waits for its parent to notice.
#[must_use]
pub fn alive(pid: u32) -> bool {
    sys::alive(pid)
}

/// Waits until none of these processes runs.
///
/// # Panics
/// When some still run at the end of the time; the message lists them. It panics also for an empty list, because a check
/// of nobody proves nothing.
#[track_caller]
pub fn assert_gone(pids: &[u32], within: Duration) {
    assert!(!pids.is_empty(), "no pids to check: did the child record any?");
    let mut left = pids.to_vec();
    wait_until(within, || {
        left.retain(|pid| alive(*pid));
        left.is_empty()
    });
    let who: Vec<String> = left.iter().map(|pid| format!("{pid} ({})", sys::describe(*pid))).collect();
    assert!(left.is_empty(), "{} of {} survived {within:?}: {}", left.len(), pids.len(), who.join(", "));
}
