//! Points in time as text: RFC 3339, in UTC, with nanoseconds. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const NANOS: i128 = 1_000_000_000;
const DAY: i64 = 86_400;
/// The seconds of the years 0000 to 9999, which is what the format can say.
const FIRST: i64 = -62_167_219_200;
const LAST: i64 = 253_402_300_799;
/// `2026-01-01T00:00:00.000000000Z`.
pub(super) const LENGTH: usize = 30;

/// As text. What is before the year 0 or after 9999 becomes the nearest that can be said.
pub(super) fn format(at: SystemTime) -> String {
    let nanos = match at.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    };
    let nanos = nanos.clamp(i128::from(FIRST) * NANOS, i128::from(LAST) * NANOS + (NANOS - 1));
    let (seconds, nanos) = (nanos.div_euclid(NANOS) as i64, nanos.rem_euclid(NANOS));
    let (year, month, day) = date(seconds.div_euclid(DAY));
    let second = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

/// From text; from exactly what [`format`] writes.
pub(super) fn parse(text: &[u8]) -> Option<SystemTime> {
    const SHAPE: &[u8; LENGTH] = b"0000-00-00T00:00:00.000000000Z";
    let is_shaped =
        |(byte, shape): (&u8, &u8)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == shape };
    if text.len() != LENGTH || !text.iter().zip(SHAPE).all(is_shaped) {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to].iter().fold(0_i64, |number, digit| number * 10 + i64::from(digit - b'0'))
    };
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    let days = days(year, month, day);
    // A day that no month has comes out as another.
    if date(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days * DAY + hour * 3600 + minute * 60 + second;
    let nanos = Duration::from_nanos(number(20, 29) as u64);
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let at = if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    at?.checked_add(nanos)
}

/// Year, month and day of a day since 1970, by Howard Hinnant's
/// [`civil_from_days`](https://howardhinnant.github.io/date_algorithms.html#civil_from_days).
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The reverse.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year * 365 + year / 4 - year / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn well_known_points_in_time() {
        let after = |seconds: u64| UNIX_EPOCH + Duration::from_secs(seconds);
        let cases = [
            (UNIX_EPOCH, "1970-01-01T00:00:00.000000000Z"),
            (after(951_782_400), "2000-02-29T00:00:00.000000000Z"),
            (after(1_234_567_890), "2009-02-13T23:31:30.000000000Z"),
            (after(4_107_542_399), "2100-02-28T23:59:59.000000000Z"),
            (after(LAST as u64), "9999-12-31T23:59:59.000000000Z"),
        ];
        for (at, text) in cases {
            assert_eq!(format(at), text);
            assert_eq!(parse(text.as_bytes()), Some(at), "{text}");
        }
        if let Some(late) = UNIX_EPOCH.checked_add(Duration::from_secs(LAST as u64 + 1)) {
            assert_eq!(format(late), "9999-12-31T23:59:59.999999999Z");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let cases = [
            "",
            "2026-02-29T00:00:00.000000000Z",
            "2026-13-01T00:00:00.000000000Z",
            "2026-01-01T24:00:00.000000000Z",
        ];
        for text in cases.into_iter().chain(["2026-01-01T00:00:00.00000000xZ", "2026-01-01T00:00:00Z"]) {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in -10_000_000_000_i64..LAST, hundreds in 0..10_000_000_u32) {
            // Windows counts in hundreds of nanoseconds, from 1601 on.
            let whole = Duration::from_secs(seconds.unsigned_abs());
            let at = if seconds < 0 { UNIX_EPOCH - whole } else { UNIX_EPOCH + whole };
            let at = at + Duration::from_nanos(u64::from(hundreds) * 100);
            prop_assert_eq!(parse(format(at).as_bytes()), Some(at));
        }

        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
