//! Waiting for the lock that another process holds.
//!
//! SQLite's own way looks again after ever longer pauses, up to 100 ms. A process that writes all the time leaves the lock
//! for microseconds between two commits, and who looks ten times a second may miss them all for seconds: long enough
//! for a lease to run out. So we look every half millisecond.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rusqlite::Connection;

const PAUSE: Duration = Duration::from_micros(500);

thread_local! {
    // SQLite calls a plain function. Each thread of a store has the connections of that one store.
    static PATIENCE: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Lets the connection wait so long. It must be used on this thread alone.
pub(super) fn set(connection: &mut Connection, patience: Duration) -> rusqlite::Result<()> {
    PATIENCE.set(patience);
    connection.busy_handler(Some(wait))
}

fn wait(tries: i32) -> bool {
    let now = Instant::now();
    if tries == 0 {
        SINCE.set(Some(now));
    }
    let waited = SINCE.get().map_or(Duration::ZERO, |since| now - since);
    if waited >= PATIENCE.get() {
        return false;
    }
    std::thread::sleep(PAUSE);
    true
}
