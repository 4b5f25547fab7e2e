//! How often a task may start.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// No more than so many starts in a time, evenly spread.
pub(crate) struct Pace {
    gap: Duration,
    // What is due within so short a time starts at once, and so much of the past may be made up for: timers are no finer.
    slack: Duration,
    next: Mutex<Option<Instant>>,
}

/// What timers can tell apart, and how late they may be.
const TICK: Duration = Duration::from_millis(2);

impl Pace {
    pub(crate) fn new(starts: u32, per: Duration) -> Self {
        // Longer than anybody waits, and short enough to be added to any time.
        let gap = (per / starts).min(Duration::from_secs(1 << 30));
        let slack = if gap < TICK { TICK } else { Duration::ZERO };
        Self { gap, slack, next: Mutex::new(None) }
    }

    /// Waits for the next start. A dropped call has used it up.
    pub(crate) async fn turn(&self) {
        let (now, turn) = (Instant::now(), self.take());
        if turn > now + self.slack {
            sleep_until(turn).await;
        }
    }

    fn take(&self) -> Instant {
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(self.slack).unwrap_or(now);
        let turn = next.map_or(now, |next| next.max(earliest));
        *next = Some(turn + self.gap);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn starts_are_evenly_spread_and_time_that_was_not_used_is_not_saved_up() {
        let pace = Pace::new(4, Duration::from_secs(1));
        let began = Instant::now();
        let mut starts = Vec::new();
        for _ in 0..4 {
            pace.turn().await;
            starts.push(began.elapsed().as_millis());
        }
        tokio::time::advance(Duration::from_secs(10)).await;
        for _ in 0..2 {
            pace.turn().await;
            starts.push(began.elapsed().as_millis());
        }
        assert_eq!(starts, [0, 250, 500, 750, 10_750, 11_000]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pace_finer_than_timers_is_kept_over_time() {
        let pace = Pace::new(100_000, Duration::from_secs(1));
        let began = Instant::now();
        for _ in 0..100_000 {
            pace.turn().await;
        }
        assert!((990..=1000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    }
}
