//! How much comes a second. Pure: times are given.

use std::time::{Duration, Instant};

/// How long a window is.
const WINDOW: Duration = Duration::from_secs(1);

/// Lines and bytes a second, over the latest window that is complete and the one that is not.
#[derive(Debug)]
pub(crate) struct Rates {
    /// Where the window before began, and what had come by then.
    before: (Instant, u64, u64),
    /// Where this window began.
    current: (Instant, u64, u64),
}

impl Rates {
    pub(crate) fn new(now: Instant) -> Self {
        Self { before: (now, 0, 0), current: (now, 0, 0) }
    }

    /// So much has come by now.
    pub(crate) fn note(&mut self, now: Instant, lines: u64, bytes: u64) {
        if now.saturating_duration_since(self.current.0) >= WINDOW {
            self.before = std::mem::replace(&mut self.current, (now, lines, bytes));
        }
    }

    /// Lines and bytes a second.
    pub(crate) fn at(&self, now: Instant, lines: u64, bytes: u64) -> (f64, f64) {
        let age = now.saturating_duration_since(self.current.0);
        let (since, lines_then, bytes_then) = if age >= 2 * WINDOW { self.current } else { self.before };
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        if seconds <= 0.0 {
            return (0.0, 0.0);
        }
        // Who writes notes what had come by then, and may be overtaken.
        let a_second = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
        (a_second(lines, lines_then), a_second(bytes, bytes_then))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_flow_has_its_rate_and_one_that_stopped_fades() {
        let start = Instant::now();
        let mut rates = Rates::new(start);
        let at = |tenths: u64| start + Duration::from_millis(tenths * 100);
        for tenths in 1..=50 {
            rates.note(at(tenths), tenths, tenths * 100);
        }
        let (lines, bytes) = rates.at(at(50), 50, 5000);
        assert!((lines - 10.0).abs() < 0.5 && (bytes - 1000.0).abs() < 50.0, "{lines} {bytes}");
        let (lines, _) = rates.at(at(1050), 50, 5000);
        assert!(lines < 0.2, "{lines}");
        assert_eq!(rates.at(start, 0, 0), (0.0, 0.0));
        assert_eq!(rates.at(at(1050), 49, 4900), (0.0, 0.0));
    }
}
