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
    /// Of many that wait for the same time only one has to look for it.
    latest: Mutex<Option<Found>>,
}

#[derive(Clone, Copy, Debug)]
struct Found {
    after: i64,
    next: i64,
}

type Known = Mutex<HashMap<(Box<str>, Zone), Weak<CronRule>>>;
static KNOWN: LazyLock<Known> = LazyLock::new(Known::default);

impl CronRule {
    /// Reads the pattern, or finds the rule that an equal one has made.
    pub(crate) fn shared(pattern: &str, zone: &Zone) -> Result<Arc<Self>, ScheduleError> {
        let key = (Box::from(pattern), zone.clone());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rule) = known.get(&key).and_then(Weak::upgrade) {
            return Ok(rule);
        }
        drop(known);
        let rule = Arc::new(Self::new(pattern, zone)?);
        known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= 2 * known.capacity().max(64) / 3 {
            known.retain(|_, rule| rule.strong_count() > 0);
        }
        known.insert(key, Arc::downgrade(&rule));
        Ok(rule)
    }

    fn new(pattern: &str, zone: &Zone) -> Result<Self, ScheduleError> {
        zone.get()?;
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(pattern).map_err(|error| ScheduleError::Cron {
            pattern: pattern.to_owned(),
            reason: error.to_string().trim_end_matches('.').to_owned(),
        })?;
        let names_its_times = !time_fields(cron.as_str()).any(|field| field.contains(['*', '?']));
        Ok(Self { cron, names_its_times, zone: zone.clone(), latest: Mutex::new(None) })
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
        let zone = self.zone.get().ok()?;
        let after = Timestamp::from_nanosecond(after.into()).ok()?;
        let next = if self.names_its_times { self.named(&zone, after) } else { self.repeating(&zone, after) };
        i64::try_from(next?.as_nanosecond()).ok()
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
