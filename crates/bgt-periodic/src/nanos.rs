//! Times as numbers: nanoseconds since 1970 for the wall clock, since boot for the steady one. Pure.
//!
//! 64 bits reach from 1677 to 2262; what lies outside is the nearest that lies inside.

use std::time::{Duration, SystemTime};

pub(crate) fn of_wall(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => of(after),
        Err(before) => -of(before.duration()),
    }
}

/// Whether it is what it says.
pub(crate) fn is_within(time: SystemTime) -> bool {
    let nanos = of_wall(time);
    nanos > -i64::MAX && nanos < i64::MAX
}

pub(crate) fn of(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

pub(crate) fn to_wall(nanos: i64) -> SystemTime {
    let distance = Duration::from_nanos(nanos.unsigned_abs());
    let time = if nanos < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// What is negative is none.
pub(crate) fn to_duration(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for nanos in [0, 1, -1, 1_767_225_600_123_456_700, -86_400_000_000_000] {
            // The wall clock of Windows has steps of 100 ns.
            assert!((of_wall(to_wall(nanos)) - nanos).abs() < 100, "{nanos}");
        }
        assert_eq!(of(Duration::MAX), i64::MAX);
        assert_eq!(to_duration(-5), Duration::ZERO);
    }
}
