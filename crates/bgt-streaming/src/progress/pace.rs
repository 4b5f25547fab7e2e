//! From readings of a progress to a speed and the time left.
//!
//! Owns: which reading counts, and when an answer is withdrawn.
//! Never does: look at a clock; every point in time is given.

use std::time::{Duration, Instant, SystemTime};

use bgt_core::Progress;

use super::ProgressInfo;
use super::average::Average;

/// The time constant, unless said otherwise: what was 15 seconds ago counts for a third of what is now.
const CONSTANT: Duration = Duration::from_secs(15);
/// Readings that come within this part of the time constant are one: a buffer that was written out at once is no speed.
const BURST: f64 = 1.0 / 150.0;
/// Beyond this, in seconds (ten years), a time left says only that nobody knows.
const FAR: f64 = 10.0 * 365.0 * 86_400.0;

/// How fast a progress goes, and how long it will take, from its readings.
///
/// The speed is an average over time, in which what was a time constant ago (15 seconds, unless said otherwise) counts
/// for a third: how often the progress is read does not matter. The first reading is where it starts, not speed, so a
/// run that resumes at 80 % is not fast; work that turns out to be there already is not speed either, nor is a pause.
///
/// The progress only grows: a reading with a lower position is ignored, as is a number that makes no sense (NaN,
/// infinite, negative), unless it is [allowed to fall](Self::may_fall).
///
/// # When an answer is withdrawn
///
/// Without readings, neither the speed nor the time left grows or shrinks on a guess. The time left counts down, and is
/// withdrawn when it is over and the end has not come. Both are withdrawn when the progress stands still for three
/// times as long as it usually does, and for a time constant at least: the work may have paused, and a time left that
/// grows by the hour would say no more than that. They are back with the next readings.
///
/// # Examples
///
/// ```
/// use bgt_core::Progress;
/// use bgt_streaming::Pace;
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let mut pace = Pace::new();
/// for second in 0..=10 {
///     pace.read(Progress::of(40 + second, 100), start + Duration::from_secs(second));
/// }
/// let now = start + Duration::from_secs(10);
/// assert_eq!(pace.rate(now).map(f64::round), Some(1.0));
/// assert_eq!(pace.eta(now).map(|eta| eta.as_secs_f64().round()), Some(50.0));
/// assert_eq!(pace.eta(now + Duration::from_secs(16)), None);
/// ```
#[derive(Clone, Debug)]
pub struct Pace {
    /// In seconds.
    constant: f64,
    may_fall: bool,
    seen: Option<Seen>,
}

/// What is known since the first reading.
#[derive(Clone, Debug)]
struct Seen {
    progress: Progress,
    /// When it last said anything new.
    updated: Instant,
    /// Where it last moved to; the last of a burst.
    latest: Point,
    burst_since: Instant,
    /// The end of the burst before, and the speed up to there.
    before: Option<Point>,
    until_before: Average,
    /// The speed up to the latest point.
    average: Average,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    at: Instant,
    position: f64,
}

impl Pace {
    /// With a time constant of 15 seconds, and a progress that does not fall.
    #[must_use]
    pub const fn new() -> Self {
        Self { constant: CONSTANT.as_secs() as f64, may_fall: false, seen: None }
    }

    /// How long ago something was that counts for a third (1/e) of what is now, a millisecond at least. Longer is
    /// smoother, shorter is quicker to notice a change.
    #[must_use]
    pub fn time_constant(mut self, constant: Duration) -> Self {
        self.constant = constant.max(Duration::from_millis(1)).as_secs_f64();
        self
    }

    /// Takes a lower position as the progress, for work that begins again or goes through several things one after
    /// another. The way down is no speed; what was known of the speed stays, unless the total is another one.
    #[must_use]
    pub const fn may_fall(mut self) -> Self {
        self.may_fall = true;
        self
    }

    /// Takes a reading, and says whether it told anything new: a position, a total or a message.
    ///
    /// A point in time before that of the last reading counts as that.
    pub fn read(&mut self, progress: Progress, at: Instant) -> bool {
        let is_position = progress.position.is_finite() && progress.position >= 0.0;
        let Some(seen) = &mut self.seen else {
            // Without a position there is nothing to show, but there may be a word about it.
            if !is_position && progress.message.is_none() {
                return false;
            }
            self.seen = Some(Seen::new(sensible(progress), at));
            return true;
        };
        let mut progress = progress;
        if !is_position {
            progress.position = seen.progress.position;
            progress.total = seen.progress.total;
        }
        let progress = sensible(progress);
        if (progress.position < seen.progress.position && !self.may_fall) || progress == seen.progress {
            return false;
        }
        seen.take(progress, at.max(seen.updated), self.constant);
        true
    }

    /// Forgets everything that was read, as for a new attempt, which begins from nothing.
    pub fn restart(&mut self) {
        self.seen = None;
    }

    /// The progress so far.
    #[must_use]
    pub fn progress(&self) -> Option<&Progress> {
        self.seen.as_ref().map(|seen| &seen.progress)
    }

    /// How fast it goes, in units of the progress a second, if that is known at this point in time.
    #[must_use]
    pub fn rate(&self, now: Instant) -> Option<f64> {
        let seen = self.seen.as_ref()?;
        let is_paused = seen.stands_for(now) > seen.average.patience(self.constant);
        seen.average.rate(self.constant).filter(|_| !is_paused)
    }

    /// How long it will take from this point in time, if that is known: zero at the end.
    #[must_use]
    pub fn eta(&self, now: Instant) -> Option<Duration> {
        let seen = self.seen.as_ref()?;
        let remaining = seen.progress.total? - seen.progress.position;
        if remaining == 0.0 {
            return Some(Duration::ZERO);
        }
        let left = remaining / self.rate(now)? - seen.stands_for(now);
        Duration::try_from_secs_f64(left).ok().filter(|_| left > 0.0 && left < FAR)
    }

    /// All of it at this point in time, which is `wall` by the wall clock; `None` before the first reading.
    #[must_use]
    pub fn info(&self, now: Instant, wall: SystemTime) -> Option<ProgressInfo> {
        let seen = self.seen.as_ref()?;
        let age = now.saturating_duration_since(seen.updated);
        Some(ProgressInfo {
            progress: seen.progress.clone(),
            rate: self.rate(now),
            eta: self.eta(now),
            updated: wall.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH),
        })
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::new()
    }
}

impl Seen {
    fn new(progress: Progress, at: Instant) -> Self {
        Self {
            latest: Point { at, position: progress.position },
            progress,
            updated: at,
            burst_since: at,
            before: None,
            until_before: Average::default(),
            average: Average::default(),
        }
    }

    fn take(&mut self, progress: Progress, at: Instant, constant: f64) {
        let point = Point { at, position: progress.position };
        if point.position > self.latest.position {
            self.advance(point, progress.total, constant);
        } else if point.position < self.latest.position {
            let average =
                if progress.total == self.progress.total { self.average } else { Average::default() };
            *self = Self { until_before: average, average, ..Self::new(progress.clone(), at) };
        }
        self.progress = progress;
        self.updated = at;
    }

    /// Repeated readings of the same position do not come here: the time without a change belongs to the change that
    /// ends it, however often the same percent is printed meanwhile.
    fn advance(&mut self, point: Point, total: Option<f64>, constant: f64) {
        if (point.at - self.burst_since).as_secs_f64() >= constant * BURST {
            self.before = Some(self.latest);
            self.until_before = self.average;
            self.burst_since = point.at;
        }
        self.latest = point;
        if let Some(before) = self.before {
            let time = (point.at - before.at).as_secs_f64();
            self.average = self.until_before.with(point.position - before.position, time, total, constant);
        }
    }

    /// For how long it has not moved, in seconds.
    fn stands_for(&self, now: Instant) -> f64 {
        now.saturating_duration_since(self.latest.at).as_secs_f64()
    }
}

/// What makes no sense counts as unknown, and so does a total of nothing.
fn sensible(mut progress: Progress) -> Progress {
    // Zero has a sign in floating point, and would be shown with it.
    progress.position = if progress.position.is_finite() { progress.position.max(0.0) + 0.0 } else { 0.0 };
    progress.total = progress.total.filter(|total| total.is_finite() && *total > 0.0);
    progress
}

#[cfg(test)]
mod tests;
