//! Cron patterns in a time zone: when is the next time? Pure but for the zones' data.
//!
//! The pattern itself is croner's to read and to match, on civil times: those that a clock on the wall shows. What a zone
//! does to civil times is decided here, by the rules of Vixie cron:
//!
//! - A pattern that **names** its times (no `*` in seconds, minutes and hours) fires once for each of them: at the end of the
//!   gap for one that the clocks skip, and in the first pass for one that they repeat.
//! - A pattern that **repeats** (`*/30 * * * *`) fires whenever a clock on the wall shows a time that matches: in neither
//!   gap, and in both passes.

use std::collections::HashMap;
use std::str::FromStr as _;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::ScheduleError;
use crate::zone::{Zone, change_after};

/// How many changes of the clocks are looked at for one time: leap days need sixteen.
const CHANGES: usize = 200;

/// A pattern in a zone. Equal ones are one and the same.
#[derive(Debug)]
pub(crate) struct CronRule {
    cron: Cron,
    names_its_times: bool,
    zone: Zone,
    /// As it was when it could last be read: a schedule does not stop because it cannot be read for a while.
    read: Mutex<TimeZone>,
    /// Of many that wait for the same time only one has to look for it.
    latest: Mutex<Option<Found>>,
}

#[derive(Clone, Copy, Debug)]
struct Found {
    after: i64,
    next: i64,
}

/// The rules that are in use, and perhaps some that were.
#[derive(Debug, Default)]
struct Known {
    rules: HashMap<(Box<str>, Zone), Weak<CronRule>>,
    /// With so many those that were are looked for: twice as many as were in use the last time.
    sweep_at: usize,
}

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

impl Known {
    fn insert(&mut self, key: (Box<str>, Zone), rule: &Arc<CronRule>) {
        if self.rules.len() >= self.sweep_at.max(64) {
            self.rules.retain(|_, rule| rule.strong_count() > 0);
            self.sweep_at = 2 * self.rules.len();
        }
        self.rules.insert(key, Arc::downgrade(rule));
    }
}

impl CronRule {
    /// Reads the pattern, or finds the rule that an equal one has made.
    pub(crate) fn shared(pattern: &str, zone: &Zone) -> Result<Arc<Self>, ScheduleError> {
        let key = (Box::from(pattern), zone.clone());
        let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rule) = known().rules.get(&key).and_then(Weak::upgrade) {
            return Ok(rule);
        }
        let rule = Arc::new(Self::new(pattern, zone)?);
        known().insert(key, &rule);
        Ok(rule)
    }

    fn new(pattern: &str, zone: &Zone) -> Result<Self, ScheduleError> {
        let read = zone.get()?;
        let parser = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .dom_and_dow(is_a_day_field_open(pattern))
            .build();
        let cron = parser.parse(pattern).map_err(|error| ScheduleError::Cron {
            pattern: pattern.to_owned(),
            reason: error.to_string().trim_end_matches('.').to_owned(),
        })?;
        let names_its_times = !time_fields(cron.as_str()).any(|field| field.contains(['*', '?']));
        Ok(Self {
            cron,
            names_its_times,
            zone: zone.clone(),
            read: Mutex::new(read),
            latest: Mutex::new(None),
        })
    }

    /// The first time after this one; both in nanoseconds since 1970.
    pub(crate) fn next_after(&self, after: i64) -> Option<i64> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = latest.filter(|found| found.after <= after && after < found.next) {
            return Some(found.next);
        }
        let next = self.look_after(after)?;
        *latest = Some(Found { after, next });
        Some(next)
    }

    fn look_after(&self, after: i64) -> Option<i64> {
        let zone = self.time_zone();
        let after = Timestamp::from_nanosecond(after.into()).ok()?;
        let next = if self.names_its_times { self.named(&zone, after) } else { self.repeating(&zone, after) };
        i64::try_from(next?.as_nanosecond()).ok()
    }

    fn time_zone(&self) -> TimeZone {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        match self.zone.get() {
            Ok(zone) => *read = zone,
            Err(error) => tracing::warn!("the rules of this time zone are used as they were: {error}"),
        }
        read.clone()
    }

    fn named(&self, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        // What a clock shows now; who asks in the second pass of an hour has the first one behind.
        let mut civil = zone.to_datetime(after);
        loop {
            civil = self.civil(civil, false)?;
            let time = match zone.to_ambiguous_timestamp(civil).offset() {
                AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(civil).ok()?,
                AmbiguousOffset::Fold { before, .. } => before.to_timestamp(civil).ok()?,
                // By the offset that begins with the gap it would have been before it.
                AmbiguousOffset::Gap { after: later, .. } => {
                    change_after(zone, later.to_timestamp(civil).ok()?)?
                }
            };
            if time > after {
                return Some(time);
            }
        }
    }

    fn repeating(&self, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        let (mut from, mut inclusive) = (after, false);
        // Between two changes the clocks are those of one offset, and a civil time is one time.
        for _ in 0..CHANGES {
            let offset = zone.to_offset(from);
            let civil = self.civil(offset.to_datetime(from), inclusive)?;
            let time = offset.to_timestamp(civil).ok()?;
            match change_after(zone, from) {
                Some(change) if time >= change => (from, inclusive) = (change, true),
                _ => return Some(time),
            }
        }
        None
    }

    fn civil(&self, from: DateTime, inclusive: bool) -> Option<DateTime> {
        self.cron.find_next_occurrence(&from, inclusive).ok()
    }

    /// What croner says of it.
    pub(crate) fn in_croners_words(pattern: &str) -> Option<String> {
        Cron::from_str(pattern).ok().map(|cron| cron.describe())
    }
}

/// Whether one of the two day fields begins with a star. As in Vixie cron a day then has to match both, also where that star
/// has a step: `*/2` and `MON` are Mondays of odd days.
fn is_a_day_field_open(pattern: &str) -> bool {
    let fields: Vec<_> = pattern.split_whitespace().rev().collect();
    matches!(fields[..], [weekday, _, day, ..] if [weekday, day].iter().any(|field| field.starts_with(['*', '?'])))
}

/// Seconds, minutes, hours.
fn time_fields(pattern: &str) -> impl Iterator<Item = &str> {
    let fields = pattern.split_whitespace().count();
    pattern.split_whitespace().take(fields.saturating_sub(3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(pattern: &str, zone: &str) -> Arc<CronRule> {
        CronRule::shared(pattern, &Zone::named(zone)).unwrap()
    }

    #[test]
    fn equal_patterns_are_one() {
        let (one, two) = (rule("5 4 * * *", "Asia/Tokyo"), rule("5 4 * * *", "Asia/Tokyo"));
        assert!(Arc::ptr_eq(&one, &two));
        assert!(!Arc::ptr_eq(&one, &rule("5 4 * * *", "Asia/Seoul")));
    }

    #[test]
    fn who_names_times_is_told_from_who_repeats() {
        for (pattern, names) in [
            ("30 2 * * *", true),
            ("0,30 9-17 * * MON", true),
            ("@daily", true),
            ("@hourly", false),
            ("*/10 2 * * *", false),
            ("* * * * * *", false),
            ("0 0 3 * * *", true),
            ("* 0 3 * * *", false),
        ] {
            assert_eq!(rule(pattern, "UTC").names_its_times, names, "{pattern}");
        }
    }

    #[test]
    fn a_day_field_that_begins_with_a_star_leaves_the_other_to_decide() {
        let days = |pattern: &str| {
            // From Thursday, 2026-01-01.
            let rule = CronRule::new(pattern, &Zone::Utc).unwrap();
            let first = rule.next_after(1_767_225_599_999_999_999);
            let times = std::iter::successors(first, |time| rule.next_after(*time));
            times.take(4).map(|time| (time / 1_000_000_000 - 1_767_225_600) / 86_400 + 1).collect::<Vec<_>>()
        };
        assert_eq!(days("0 0 * * MON"), [5, 12, 19, 26]);
        assert_eq!(days("0 0 */2 * MON"), [5, 19, 31 + 9, 31 + 23]);
        assert_eq!(days("0 0 1-31/2 * MON"), [1, 3, 5, 7]);
        assert_eq!(days("0 0 0 */2 * MON"), [5, 19, 31 + 9, 31 + 23]);
    }

    #[test]
    fn many_patterns_are_swept_a_few_times() {
        let mut known = Known::default();
        let rules: Vec<_> =
            (0..1000).map(|_| Arc::new(CronRule::new("@daily", &Zone::Utc).unwrap())).collect();
        let mut sweeps = 0;
        for (n, rule) in rules.iter().enumerate() {
            let before = known.sweep_at;
            known.insert((n.to_string().into(), Zone::Utc), rule);
            sweeps += u32::from(known.sweep_at != before);
        }
        assert_eq!((known.rules.len(), sweeps), (1000, 4));
        drop(rules);
        let one = Arc::new(CronRule::new("@daily", &Zone::Utc).unwrap());
        for n in 0..1100 {
            known.insert((format!("new {n}").into(), Zone::Utc), &one);
        }
        assert!(known.rules.len() <= 1100, "{}", known.rules.len());
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd_to_be_refused(pattern in "[0-9*/,?LW#@A-Za-z+ -]{0,30}|\\PC{0,20}") {
            if let Ok(rule) = CronRule::new(&pattern, &Zone::Utc) {
                rule.next_after(1_767_225_600_000_000_000);
            }
        }

        #[test]
        fn what_is_remembered_is_what_is_found(
            steps in proptest::collection::vec(0..40_000_000i64, 1..60), which in 0..4usize,
        ) {
            let (pattern, zone) = [
                ("30 2 * * *", "America/New_York"), ("*/30 * * * *", "Australia/Lord_Howe"),
                ("15 0 1 * FRI", "Africa/Cairo"), ("7 */5 * * *", "Europe/London"),
            ][which];
            let (fresh, used) = (CronRule::new(pattern, &Zone::named(zone)).unwrap(), rule(pattern, zone));
            let mut after = 1_767_225_600_000_000_000;
            for step in steps {
                after += step * 1_000_000;
                let next = used.next_after(after).unwrap();
                prop_assert!(next > after);
                prop_assert_eq!(fresh.look_after(after), Some(next));
                // Nothing lies between: who asks a moment before it hears the same.
                prop_assert_eq!(fresh.look_after(next - 1), Some(next));
            }
        }
    }
}
