//! How far a run has come and how fast, for people and programs.

use std::fmt;
use std::time::{Duration, SystemTime};

use bgt_core::Progress;

/// How far a run has come, how fast it goes, and how long it will take, at one point in time.
///
/// `Display` is a phrase for people, such as `42 % (epoch 2), 3.1/s, 2 min left`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProgressInfo {
    /// How far.
    pub progress: Progress,
    /// How fast lately, in units of the progress (percent, items, bytes) a second; `None` until it is known, and while
    /// the work seems to pause.
    pub rate: Option<f64>,
    /// How long it will take from the point in time at which this was asked for; `None` when nobody can say: the total
    /// or the rate is unknown, or the time is over without the end having come.
    pub eta: Option<Duration>,
    /// When the progress last said something new, by the wall clock.
    pub updated: SystemTime,
}

impl ProgressInfo {
    /// For how long the progress has said nothing new; zero when the wall clock was set back.
    #[must_use]
    pub fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.updated).unwrap_or_default()
    }

    /// Whether the progress has said nothing new for longer than this.
    ///
    /// What is long depends on the work: a download says something every second, a training every hour. A rate and an
    /// ETA are withdrawn without a bound from outside, by the usual time between two changes.
    #[must_use]
    pub fn is_stale(&self, now: SystemTime, bound: Duration) -> bool {
        self.age(now) > bound
    }
}

impl fmt::Display for ProgressInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.progress.fmt(f)?;
        if let Some(rate) = self.rate {
            f.write_str(", ")?;
            write_rate(f, rate)?;
        }
        match self.eta {
            Some(eta) if !eta.is_zero() => {
                f.write_str(", ")?;
                write_duration(f, eta)?;
                f.write_str(" left")
            }
            _ => Ok(()),
        }
    }
}

fn write_rate(f: &mut fmt::Formatter<'_>, rate: f64) -> fmt::Result {
    let slow = [(1.0, "s"), (60.0, "min"), (3600.0, "h")];
    let (times, unit) = slow.into_iter().find(|(times, _)| rate * times >= 0.1).unwrap_or(slow[2]);
    let (mut rate, mut prefixes) = (rate * times, ["", "k", "M", "G"].into_iter());
    let mut prefix = prefixes.next();
    // Up to 10 000 it is still read as a number.
    while rate >= 10_000.0 {
        let Some(next) = prefixes.next() else { break };
        (rate, prefix) = (rate / 1000.0, Some(next));
    }
    let decimals = usize::from(rate < 100.0);
    write!(f, "{rate:.decimals$}{}/{unit}", prefix.unwrap_or_default())
}

/// With the two units that matter.
fn write_duration(f: &mut fmt::Formatter<'_>, duration: Duration) -> fmt::Result {
    let seconds = duration.as_secs().saturating_add(u64::from(duration.subsec_millis() >= 500));
    let minutes = seconds.saturating_add(30) / 60;
    let hours = minutes / 60;
    match (seconds, minutes, hours) {
        (..60, ..) => write!(f, "{} s", seconds.max(1)),
        (_, ..60, _) => write!(f, "{minutes} min"),
        (.., ..48) => write!(f, "{hours} h {} min", minutes % 60),
        _ => write!(f, "{} d {} h", hours / 24, hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(progress: Progress, rate: Option<f64>, eta: Option<f64>) -> ProgressInfo {
        let eta = eta.map(Duration::from_secs_f64);
        ProgressInfo { progress, rate, eta, updated: SystemTime::UNIX_EPOCH }
    }

    #[test]
    fn it_reads_as_a_phrase() {
        let percent = |percent| Progress::percent(percent);
        let cases = [
            (
                info(percent(42.0).message("epoch 2"), Some(3.1), Some(118.0)),
                "42 % (epoch 2), 3.1/s, 2 min left",
            ),
            (info(percent(42.0), None, None), "42 %"),
            (info(Progress::count(17), Some(0.05), None), "17, 3.0/min"),
            (info(Progress::of(1, 9), Some(0.001), Some(9000.0)), "1/9, 3.6/h, 2 h 30 min left"),
            (info(Progress::of(1, 9), Some(1_234_567.0), Some(0.2)), "1/9, 1235k/s, 1 s left"),
            (info(percent(1.0), Some(3456.0), Some(59.4)), "1 %, 3456/s, 59 s left"),
            (info(percent(1.0), None, Some(59.6)), "1 %, 1 min left"),
            (info(percent(1.0), None, Some(3599.0)), "1 %, 1 h 0 min left"),
            (info(percent(1.0), None, Some(200_000.0)), "1 %, 2 d 7 h left"),
            (info(percent(100.0), Some(1.0), Some(0.0)), "100 %, 1.0/s"),
        ];
        for (info, expected) in cases {
            assert_eq!(info.to_string(), expected);
        }
    }

    #[test]
    fn it_is_stale_after_the_bound() {
        let info = info(Progress::count(1), None, None);
        let later = info.updated + Duration::from_secs(10);
        assert_eq!(info.age(later), Duration::from_secs(10));
        assert!(info.is_stale(later, Duration::from_secs(9)));
        assert!(!info.is_stale(later, Duration::from_secs(10)));
        assert_eq!(info.age(info.updated - Duration::from_secs(1)), Duration::ZERO);
    }
}
