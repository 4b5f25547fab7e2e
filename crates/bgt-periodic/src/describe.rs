//! Schedules in words. Pure.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::cron::CronRule;
use crate::schedule::{Kind, Schedule};

pub(crate) fn schedule(schedule: &Schedule) -> String {
    let mut words = match &schedule.kind {
        Kind::Every(interval) => format!("every {}", length(*interval)),
        Kind::AfterCompletion(pause) => format!("{} after each completion", length(*pause)),
        Kind::At(time) => format!("once at {}", time_of(*time)),
        Kind::Cron(pattern) => format!("{} ({})", cron(pattern), schedule.zone),
    };
    if !schedule.jitter.is_zero() {
        let _ = write!(words, ", up to {} later", length(schedule.jitter));
    }
    words
}

/// A length of time in the largest unit that it is a whole number of.
pub(crate) fn length(time: Duration) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let whole = units.into_iter().find(|(unit, _)| time.subsec_nanos() == 0 && time.as_secs() % unit == 0);
    match whole {
        Some((unit, name)) if !time.is_zero() => format!("{} {name}", time.as_secs() / unit),
        _ => format!("{} ms", time.as_secs_f64() * 1000.0),
    }
}

fn time_of(time: SystemTime) -> String {
    Timestamp::try_from(time).map_or_else(|_| format!("{time:?}"), |time| time.to_string())
}

fn cron(pattern: &str) -> String {
    in_own_words(pattern)
        .or_else(|| CronRule::in_croners_words(pattern).map(|words| lower_first(words.trim_end_matches('.'))))
        .unwrap_or_else(|| format!("by {pattern:?}"))
}

/// Those that most people write.
fn in_own_words(pattern: &str) -> Option<String> {
    let lower = pattern.trim().to_ascii_lowercase();
    let fields = match lower.as_str() {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        _ => &lower,
    };
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let (second, [minute, hour, day, month, weekday]) = match *fields {
        [minute, hour, day, month, weekday] => ("0", [minute, hour, day, month, weekday]),
        [second, minute, hour, day, month, weekday] => (second, [minute, hour, day, month, weekday]),
        _ => return None,
    };
    let days = days(day, month, weekday)?;
    let number = |field: &str| field.parse::<u8>().ok();
    if let (Some(second), Some(minute), Some(hour)) = (number(second), number(minute), number(hour)) {
        let seconds = if second == 0 { String::new() } else { format!(":{second:02}") };
        return Some(format!("{days} at {hour:02}:{minute:02}{seconds}"));
    }
    let times = match (second, minute, hour) {
        ("*", "*", "*") => "every second".to_owned(),
        ("0", "*", "*") => "every minute".to_owned(),
        ("0", "0" | "00", "*") => "every hour".to_owned(),
        ("0", minute, "*") if number(minute).is_some() => format!("every hour at {minute:0>2} past"),
        (second, "*", "*") => format!("every {} s", second.strip_prefix("*/").and_then(number)?),
        ("0", minute, "*") => format!("every {} min", minute.strip_prefix("*/").and_then(number)?),
        ("0", "0", hour) => format!("every {} h", hour.strip_prefix("*/").and_then(number)?),
        _ => return None,
    };
    Some(if days == "every day" { times } else { format!("{times}, {days}") })
}

fn days(day: &str, month: &str, weekday: &str) -> Option<String> {
    let weekday = match weekday {
        "*" | "?" => None,
        "1-5" | "mon-fri" => Some("Monday to Friday".to_owned()),
        "0,6" | "6,0" | "sat,sun" | "6,7" => Some("Saturday and Sunday".to_owned()),
        one => Some(DAYS.iter().find(|(names, _)| names.contains(&one))?.1.to_owned()),
    };
    let month = match month {
        "*" => None,
        one => Some(MONTHS[one.parse::<usize>().ok()?.checked_sub(1)?..].first()?),
    };
    let day = match day {
        "*" | "?" => None,
        "l" => Some("the last day".to_owned()),
        one => Some(format!("day {}", one.parse::<u8>().ok()?)),
    };
    Some(match (day, month, weekday) {
        (None, None, None) => "every day".to_owned(),
        (None, None, Some(weekday)) => format!("every {weekday}"),
        (Some(day), None, None) => format!("every month on {day}"),
        (Some(day), Some(month), None) => format!("every year on {day} of {month}"),
        _ => return None,
    })
}

const DAYS: [(&[&str], &str); 7] = [
    (&["0", "7", "sun"], "Sunday"),
    (&["1", "mon"], "Monday"),
    (&["2", "tue"], "Tuesday"),
    (&["3", "wed"], "Wednesday"),
    (&["4", "thu"], "Thursday"),
    (&["5", "fri"], "Friday"),
    (&["6", "sat"], "Saturday"),
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn lower_first(words: &str) -> String {
    let mut letters = words.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().collect::<String>() + letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_most_people_write_in_the_words_that_they_would_use() {
        for (pattern, words) in [
            ("30 2 * * *", "every day at 02:30"),
            ("5 30 2 * * *", "every day at 02:30:05"),
            ("@daily", "every day at 00:00"),
            ("@hourly", "every hour"),
            ("5 * * * *", "every hour at 05 past"),
            ("0 9 * * MON-FRI", "every Monday to Friday at 09:00"),
            ("0 9 1 * *", "every month on day 1 at 09:00"),
            ("0 9 L * *", "every month on the last day at 09:00"),
            ("0 0 1 1 *", "every year on day 1 of January at 00:00"),
            ("*/15 * * * *", "every 15 min"),
            ("*/10 * * * * *", "every 10 s"),
            ("* * * * * *", "every second"),
            ("0 */6 * * sun", "every 6 h, every Sunday"),
        ] {
            assert_eq!(cron(pattern), words, "{pattern}");
        }
    }

    #[test]
    fn the_rest_is_described_too() {
        for pattern in
            ["0 9 13 * FRI", "1-5 */3 * 2,3 *", "0 0 * * MON#2", "0 0 15W * *", "0 0 1 13 *", "nonsense"]
        {
            assert!(!cron(pattern).is_empty(), "{pattern}");
        }
    }

    #[test]
    fn lengths_of_time() {
        for (time, words) in [
            (Duration::from_millis(250), "250 ms"),
            (Duration::from_millis(1500), "1500 ms"),
            (Duration::from_secs(90), "90 s"),
            (Duration::from_secs(7200), "2 h"),
            (Duration::from_secs(86_400), "1 d"),
            (Duration::ZERO, "0 ms"),
        ] {
            assert_eq!(length(time), words);
        }
    }
}
