//! What this process holds, before and after.

use std::time::Duration;

use crate::{sys, wait_until};

/// A count of what leaks. What a platform cannot tell is `None` and not compared.
///
/// Other tests in the same process open files and start threads too: measure in a test binary of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    /// Open file descriptors; on Windows, handles.
    pub open_fds: usize,
    /// Threads of this process (Linux).
    pub threads: Option<usize>,
    /// Children of this process that have ended and were not waited for (Linux).
    pub zombies: Option<usize>,
}

/// How many threads this process has now; `None` where nobody tells (macOS).
#[must_use]
pub fn thread_count() -> Option<usize> {
    sys::thread_count()
}

impl Resources {
    /// Counts.
    ///
    /// # Panics
    /// When the operating system does not tell.
    #[must_use]
    pub fn now() -> Self {
        Self { open_fds: sys::open_fds(), threads: sys::threads(), zombies: sys::zombies() }
    }

    /// Waits until this process holds no more than at `start`, plus `slack` descriptors and `slack` threads. Zombies have
    /// no slack.
    ///
    /// # Panics
    /// When it still holds more at the end of the time; the message has both counts.
    #[track_caller]
    pub fn assert_back_to(start: &Self, slack: usize, within: Duration) {
        let mut now = Self::now();
        let back = wait_until(within, || {
            now = Self::now();
            now.is_within(start, slack)
        });
        assert!(back, "not back after {within:?} (slack {slack}): {start:?} at the start, {now:?} now");
    }

    fn is_within(&self, start: &Self, slack: usize) -> bool {
        let no_more = |now: Option<usize>, then: Option<usize>, slack| match (now, then) {
            (Some(now), Some(then)) => now <= then + slack,
            _ => true,
        };
        self.open_fds <= start.open_fds + slack
            && no_more(self.threads, start.threads, slack)
            && no_more(self.zombies, start.zombies, 0)
    }
}
