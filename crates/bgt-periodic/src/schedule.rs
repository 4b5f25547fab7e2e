//! When a task is due, and what holds for its firings.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bgt_core::Retry;

use crate::cron::CronRule;
use crate::plan::Rules;
use crate::trigger::{Clock, Trigger};
use crate::zone::Zone;
use crate::{Misfire, Now, Overlap, ScheduleError, describe, nanos};

/// The longest interval, wait or jitter: 100 years.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);
const HISTORY: usize = 10;
const TOLERANCE: Duration = Duration::from_secs(5);

/// When a task is due, and what holds for its firings. Plain data: nothing is checked or started until it is used.
///
/// # Time zones and the changes of their clocks
///
/// A pattern of cron goes by the clock on the wall of its [`zone`](Self::zone); without one, UTC. Where the clocks are set:
///
/// | the pattern | a time that is skipped | a time that comes twice |
/// | --- | --- | --- |
/// | names its times: `30 2 * * *`, no `*` in seconds, minutes and hours | fires at the end of the gap | fires once, the first time |
/// | repeats: `*/30 * * * *` | does not fire | fires both times |
///
/// # Examples
///
/// ```
/// use bgt_periodic::{Misfire, Overlap, Schedule};
/// use std::time::Duration;
///
/// let nightly = Schedule::cron("30 2 * * *")
///     .zone("America/New_York")
///     .jitter(Duration::from_secs(300))
///     .misfire(Misfire::Once { grace: Duration::from_secs(6 * 3600) })
///     .overlap(Overlap::Skip);
/// assert_eq!(nightly.describe(), "every day at 02:30 (America/New_York), up to 5 min later");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a schedule does nothing until it is added to a scheduler"]
pub struct Schedule {
    pub(crate) kind: Kind,
    pub(crate) zone: Zone,
    pub(crate) jitter: Duration,
    pub(crate) overlap: Overlap,
    pub(crate) misfire: Misfire,
    pub(crate) tolerance: Duration,
    pub(crate) deadline: Option<Duration>,
    pub(crate) attempt_deadline: Option<Duration>,
    pub(crate) retry: Retry,
    pub(crate) history: usize,
    pub(crate) is_aligned: bool,
    pub(crate) is_in_memory: bool,
    pub(crate) fires_again: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Every(Duration),
    AfterCompletion(Duration),
    At(SystemTime),
    Cron(Arc<str>),
}

impl Schedule {
    /// Every so often, 1 ms to 100 years; first after that time. It goes by a clock that counts suspend and cannot be set.
    /// How long the task takes moves nothing.
    ///
    /// In a scheduler with a store it is [aligned](Self::aligned), so that all hosts mean the same times.
    pub fn every(interval: Duration) -> Self {
        Self::new(Kind::Every(interval))
    }

    /// So long after the last run has ended, or after the schedule was added.
    pub fn after_completion(pause: Duration) -> Self {
        Self::new(Kind::AfterCompletion(pause))
    }

    /// Once, at this time by the wall clock.
    pub fn at(time: SystemTime) -> Self {
        Self::new(Kind::At(time))
    }

    /// By a pattern of cron: minute, hour, day of month, month, day of week, with seconds before them if there are six fields;
    /// `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    ///
    /// Lists, ranges, steps and names as everywhere; a range does not go over the end of the week: `FRI,SAT,SUN,MON`. A day has to
    /// match both day fields if one of them begins with `*`, and one of them if none does, as in
    /// [Vixie cron](https://man7.org/linux/man-pages/man5/crontab.5.html): `*/2` and `MON` are Mondays of odd days. Also `L` (the last day of a month, `FRIL` for its last Friday), `15W` (the working day
    /// nearest to the 15th) and `MON#2` (the second Monday).
    pub fn cron(pattern: impl Into<Arc<str>>) -> Self {
        Self::new(Kind::Cron(pattern.into()))
    }

    fn new(kind: Kind) -> Self {
        Self {
            kind,
            zone: Zone::Utc,
            jitter: Duration::ZERO,
            overlap: Overlap::default(),
            misfire: Misfire::default(),
            tolerance: TOLERANCE,
            deadline: None,
            attempt_deadline: None,
            retry: Retry::never(),
            history: HISTORY,
            is_aligned: false,
            is_in_memory: false,
            fires_again: false,
        }
    }

    /// The time zone of a cron pattern, by its IANA name (`Europe/Berlin`); UTC without this. Of no meaning for others.
    pub fn zone(mut self, name: impl AsRef<str>) -> Self {
        self.zone = Zone::named(name.as_ref());
        self
    }

    /// The time zone of the system, whatever that is at the moment of looking.
    pub fn local_zone(mut self) -> Self {
        self.zone = Zone::Local;
        self
    }

    /// Fires later by a part of this, so that many schedules of one time do not start at once. Which part belongs to the
    /// schedule's name and is always the same, on every host. What is made up for is not delayed again.
    pub fn jitter(mut self, most: Duration) -> Self {
        self.jitter = most;
        self
    }

    /// Sets what happens while an earlier firing runs; without this, [`Overlap::Skip`].
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    /// Sets what happens to times that were missed; without this, one firing within an hour.
    pub fn misfire(mut self, misfire: Misfire) -> Self {
        self.misfire = misfire;
        self
    }

    /// Sets how late a firing may be and is still at its time; 5 s without this.
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets how long one firing may take, attempts and the waits between them together.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets how long one attempt may take.
    pub fn attempt_deadline(mut self, deadline: Duration) -> Self {
        self.attempt_deadline = Some(deadline);
        self
    }

    /// Sets when a failed attempt of a firing is tried again; never without this.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Sets how many firings are remembered in detail, up to 10 000; 10 without this.
    pub fn history(mut self, length: usize) -> Self {
        self.history = length;
        self
    }

    /// Lets an interval go by the wall clock, at its multiples since 1970 UTC: every 15 minutes is at 0, 15, 30 and 45 past the
    /// hour. Of no meaning for others.
    pub fn aligned(mut self) -> Self {
        self.is_aligned = true;
        self
    }

    /// Keeps this schedule out of the scheduler's store: a restart knows nothing of it, and every host fires it.
    pub fn in_memory(mut self) -> Self {
        self.is_in_memory = true;
        self
    }

    /// Fires a time again whose host has died before it came to an end. Without this such a time is lost, and counted as
    /// that, for nobody knows how far it came.
    pub fn fire_again_after_a_crash(mut self) -> Self {
        self.fires_again = true;
        self
    }

    /// The next times after this one, up to `n` of them, without jitter. Of an interval those that it had if it were
    /// added at that time; of one after completion only the first.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`], as when it is added.
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_periodic::Schedule;
    /// use std::time::{Duration, SystemTime};
    ///
    /// let new_year = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    /// let next = Schedule::cron("0 12 * * *").next(new_year, 2)?;
    /// assert_eq!(next, [new_year + Duration::from_secs(12 * 3600), new_year + Duration::from_secs(36 * 3600)]);
    /// # Ok::<(), bgt_periodic::ScheduleError>(())
    /// ```
    pub fn next(&self, after: SystemTime, n: usize) -> Result<Vec<SystemTime>, ScheduleError> {
        self.check()?;
        let after = nanos::of_wall(after);
        let first = match &self.kind {
            Kind::AfterCompletion(pause) => after.checked_add(nanos::of(*pause)),
            _ => None,
        };
        let trigger = self.trigger(after, self.is_aligned)?;
        let first = first.or_else(|| trigger.next_after(after));
        let slots = std::iter::successors(first, |slot| trigger.next_after(*slot));
        Ok(slots.take(n).map(nanos::to_wall).collect())
    }

    /// In words.
    #[must_use]
    pub fn describe(&self) -> String {
        describe::schedule(self)
    }

    /// Refuses what cannot be. A scheduler does so when it is added.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`], which names the value and the way out.
    pub fn check(&self) -> Result<(), ScheduleError> {
        self.overlap.check()?;
        self.misfire.check()?;
        let option = |option, value, expected| Err(ScheduleError::Option { option, value, expected });
        if self.jitter > LONGEST {
            return option("jitter", format!("{:?}", self.jitter), "up to 100 years");
        }
        if self.history > 10_000 {
            return option("history", self.history.to_string(), "up to 10000");
        }
        for (name, deadline) in [("deadline", self.deadline), ("attempt deadline", self.attempt_deadline)] {
            if deadline == Some(Duration::ZERO) {
                return option(name, "0".into(), "more than nothing, or leave it out");
            }
        }
        if self.retry.validate().is_err() {
            return option("retry", "0 attempts".into(), "at least 1, which means no retry");
        }
        match &self.kind {
            Kind::Every(interval) | Kind::AfterCompletion(interval)
                if !(Duration::from_millis(1)..=LONGEST).contains(interval) =>
            {
                Err(ScheduleError::Interval { interval: *interval })
            }
            Kind::At(at) if !nanos::is_within(*at) => {
                option("at", format!("{at:?}"), "a time between the years 1678 and 2261")
            }
            Kind::Cron(pattern) => match CronRule::shared(pattern, &self.zone)?.next_after(0) {
                Some(_) => Ok(()),
                None => Err(self.never("no day is like that")),
            },
            _ => Ok(()),
        }
    }

    /// Its trigger, from `start` on by the trigger's clock.
    pub(crate) fn trigger(&self, start: i64, is_aligned: bool) -> Result<Trigger, ScheduleError> {
        Ok(match &self.kind {
            Kind::Every(every) => {
                let every = nanos::of(*every);
                let (anchor, clock) = if is_aligned { (0, Clock::Wall) } else { (start, Clock::Steady) };
                Trigger::Every { every, anchor, clock }
            }
            Kind::AfterCompletion(after) => Trigger::AfterCompletion { after: nanos::of(*after) },
            Kind::At(at) => Trigger::At(nanos::of_wall(*at)),
            Kind::Cron(pattern) => Trigger::Cron(CronRule::shared(pattern, &self.zone)?),
        })
    }

    pub(crate) fn rules(&self, name: &str, resolution: Duration) -> Rules {
        let jitter = crate::jitter::of(name, nanos::of(self.jitter));
        Rules {
            // In steps that every system's clock can show: on Windows it moves by 100 ns.
            jitter: jitter - jitter % 1000,
            tolerance: nanos::of(self.tolerance.saturating_add(resolution)),
            overlap: self.overlap,
            misfire: self.misfire,
        }
    }

    /// How long a time is worth being fired after it has come.
    pub(crate) fn worth(&self) -> Duration {
        match self.misfire {
            Misfire::Skip => self.tolerance,
            Misfire::Once { grace } => grace.max(self.tolerance),
            Misfire::All { .. } => Duration::MAX,
        }
    }

    /// Refuses what would never fire.
    pub(crate) fn check_future(&self, trigger: &Trigger, now: Now) -> Result<(), ScheduleError> {
        let now = nanos::of_wall(now.wall);
        match trigger {
            Trigger::Cron(rule) if rule.next_after(now).is_none() => Err(self.never("no day is like that")),
            Trigger::At(at) if now.saturating_sub(*at) > nanos::of(self.worth()) => {
                Err(self.never("its time has passed"))
            }
            _ => Ok(()),
        }
    }

    fn never(&self, reason: &'static str) -> ScheduleError {
        ScheduleError::NeverFires { schedule: self.describe(), reason }
    }
}
