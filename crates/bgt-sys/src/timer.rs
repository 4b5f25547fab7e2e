//! Waiting for a time, on the clock that people set and on the one that nobody can.

use std::fmt;
use std::io;
use std::time::{Duration, SystemTime};

use crate::os;

/// The time since the machine started, as [`since_boot`](crate::since_boot), but as fine as the system has it. Means something to this
/// process alone.
///
/// # Platform-specific behavior
///
/// The same clock as `since_boot`, but on Windows, where that one moves in steps of 10 to 16 ms: there it is the
/// performance counter, which counts sleep too.
///
/// # Examples
///
/// ```
/// let before = bgt_sys::steady();
/// assert!(bgt_sys::steady() >= before);
/// ```
#[must_use]
pub fn steady() -> Duration {
    os::steady()
}

/// Waits for points in time.
///
/// # Platform-specific behavior
///
/// - Linux: two timers of the kernel, as exact as the machine is. The wait ends when the machine wakes up after its time
///   has come, and when somebody sets the clock.
/// - Windows: a high-resolution waitable timer; before Windows 10 1803 and under Wine the ordinary one, of some ms.
/// - Elsewhere, and with `BGT_BACKEND=portable`: tokio's timer, of 1 ms.
///
/// Where nothing tells that the clock was set or that the machine slept, a wait ends after 30 s at the latest.
pub struct Timer(os::Timer);

impl Timer {
    /// A timer at rest.
    ///
    /// # Errors
    ///
    /// What the system says when it has no more of them. Outside a tokio runtime with its I/O driver, where one is needed, it panics
    /// as tokio does.
    pub fn new() -> io::Result<Self> {
        os::Timer::new().map(Self)
    }

    /// Waits until one of the two has come, or the clock was set. It may come back early, for no reason: look at the
    /// clocks, and wait again.
    ///
    /// `wall` is a time of the wall clock, `steady` one of [`steady`]. Without either it waits for ever, or until it
    /// comes back for no reason.
    ///
    /// # Errors
    ///
    /// What the system says; never because of the times.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
    /// let mut timer = bgt_sys::Timer::new()?;
    /// let then = bgt_sys::steady() + Duration::from_millis(5);
    /// while bgt_sys::steady() < then {
    ///     timer.until(None, Some(then)).await?;
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn until(&mut self, wall: Option<SystemTime>, steady: Option<Duration>) -> io::Result<()> {
        self.0.until(wall, steady).await
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").finish_non_exhaustive()
    }
}

/// The longest wait where nobody says that the clock was set.
const LONGEST: Duration = Duration::from_secs(30);

/// How long to wait where only waits of a length can be asked for.
pub(crate) fn remaining(wall: Option<SystemTime>, steady: Option<Duration>) -> Duration {
    let to_wall = wall.map(|wall| wall.duration_since(SystemTime::now()).unwrap_or_default());
    let to_steady = steady.map(|steady| steady.saturating_sub(os::steady()));
    to_wall.into_iter().chain(to_steady).fold(LONGEST, Duration::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_passed_is_not_waited_for_and_what_is_far_only_for_a_while() {
        assert_eq!(remaining(Some(SystemTime::UNIX_EPOCH), None), Duration::ZERO);
        assert_eq!(remaining(None, Some(Duration::ZERO)), Duration::ZERO);
        let far = SystemTime::now() + Duration::from_secs(1 << 30);
        assert_eq!(remaining(Some(far), Some(Duration::MAX)), LONGEST);
        assert_eq!(remaining(None, None), LONGEST);
        assert!(remaining(Some(far), Some(os::steady() + Duration::from_secs(5))) <= Duration::from_secs(5));
    }
}
