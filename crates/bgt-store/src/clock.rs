//! What time it is, on two clocks: one for people, one for leases.
//!
//! Owns: the pair of readings that every decision about time is made from.
//! Never does: wait.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

/// One reading of both clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock, for people and for work that is due at a time. It may be set, forwards and back.
    pub wall: SystemTime,
    /// Since the machine started, counting the time that it was suspended. Leases are measured with it: setting the
    /// wall clock neither ends nor prolongs one.
    pub since_boot: Duration,
    /// Which start of the machine `since_boot` counts from, where the system says so.
    pub boot: Option<Arc<str>>,
}

/// Tells the time to a store.
pub trait Clock: Send + Sync {
    /// Both clocks, now.
    fn now(&self) -> Moment;
}

/// The clocks of the machine.
///
/// # Platform-specific behavior
///
/// Time since the start is `CLOCK_BOOTTIME` on Linux, `CLOCK_MONOTONIC_RAW` on macOS and `GetTickCount64` on Windows; all
/// of them count sleep, the last in steps of 10 to 16 ms.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        static BOOT: OnceLock<Option<Arc<str>>> = OnceLock::new();
        let boot = BOOT.get_or_init(|| bgt_sys::boot_id().map(Into::into));
        Moment { wall: SystemTime::now(), since_boot: bgt_sys::since_boot(), boot: boot.clone() }
    }
}

/// A clock that stands still until it is moved, for tests: leases run out without anybody waiting.
///
/// Clones are the same clock.
///
/// # Examples
///
/// ```
/// use bgt_store::{Clock, ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().since_boot - before.since_boot, Duration::from_secs(60));
/// ```
#[derive(Clone)]
pub struct ManualClock {
    now: Arc<Mutex<Moment>>,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl ManualClock {
    /// A clock at 2026-01-01 00:00 UTC, an hour after the machine started.
    #[must_use]
    pub fn new() -> Self {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        let moment = Moment { wall, since_boot: Duration::from_secs(3600), boot: Some("boot 1".into()) };
        Self { now: Arc::new(Mutex::new(moment)) }
    }

    /// Lets time pass, on both clocks.
    ///
    /// # Panics
    ///
    /// If there is no such time any more.
    pub fn advance(&self, by: Duration) {
        let mut now = self.lock();
        now.wall += by;
        now.since_boot += by;
    }

    /// Sets the wall clock, as an administrator would; leases do not notice.
    pub fn set_wall(&self, wall: SystemTime) {
        self.lock().wall = wall;
    }

    /// Starts the machine anew: time since the start begins at zero, under another boot id.
    pub fn reboot(&self) {
        let mut now = self.lock();
        let next = format!("{}'", now.boot.as_deref().unwrap_or_default());
        now.since_boot = Duration::ZERO;
        now.boot = Some(next.into());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Moment> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        self.lock().clone()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&*self.lock()).finish()
    }
}

impl Moment {
    /// The wall clock as it is stored: whole milliseconds.
    #[must_use]
    pub fn stored(&self) -> SystemTime {
        from_millis(millis(self.wall))
    }
}

/// Milliseconds since 1970 in UTC; what is out of range is the nearest that is in range.
pub(crate) fn millis(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        // Down, as after 1970: what is stored is never later than what was.
        Err(before) => {
            i64::try_from(before.duration().as_nanos().div_ceil(1_000_000)).map_or(i64::MIN, |millis| -millis)
        }
    }
}

/// The other way round; a time that the platform cannot express is the epoch.
pub(crate) fn from_millis(millis: i64) -> SystemTime {
    let distance = Duration::from_millis(millis.unsigned_abs());
    let time = if millis < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_stored_to_the_millisecond_before_and_after_1970() {
        for stored in [0, 1, -1, 1_767_225_600_123, -86_400_000] {
            assert_eq!(millis(from_millis(stored)), stored);
        }
        assert_eq!(millis(SystemTime::UNIX_EPOCH + Duration::from_micros(1999)), 1);
        assert_eq!(millis(SystemTime::UNIX_EPOCH - Duration::from_micros(1999)), -2);
    }

    #[test]
    fn a_set_wall_clock_moves_no_lease() {
        let clock = ManualClock::new();
        let before = clock.now();
        clock.set_wall(SystemTime::UNIX_EPOCH);
        assert_eq!(clock.now().since_boot, before.since_boot);
        clock.reboot();
        assert_ne!(clock.now().boot, before.boot);
    }
}
