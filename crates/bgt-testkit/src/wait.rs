//! Polling with a bound: the only way of waiting in this crate.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Asks `done` every few milliseconds, until it says yes (true) or the time is over (false). It is asked at least once.
///
/// For states of the operating system that nobody announces; where a handshake is possible, use that.
pub fn wait_until(within: Duration, mut done: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    loop {
        if done() {
            return true;
        }
        if began.elapsed() >= within {
            return false;
        }
        sleep(Duration::from_millis(2));
    }
}
