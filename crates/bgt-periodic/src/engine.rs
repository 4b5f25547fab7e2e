//! What tells the time and rings when it has come. Everything else is the scheduler's.

mod manual;
mod native;
#[cfg(feature = "tokio-cron")]
mod tokio_cron;

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::{Schedule, ScheduleError};

pub use manual::ManualClock;
pub use native::Native;
#[cfg(feature = "tokio-cron")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio-cron")))]
pub use tokio_cron::TokioCron;

/// One reading of two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The clock on the wall, which may be set, forwards and back. Cron patterns and points in time go by it.
    pub wall: SystemTime,
    /// A clock that counts suspend, never goes back and cannot be set, from a beginning of its own. Intervals go by it.
    pub steady: Duration,
}

/// The times at which a scheduler wants to look again: the earlier one counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarm {
    /// By the wall clock.
    pub wall: Option<SystemTime>,
    /// By the steady clock.
    pub steady: Option<Duration>,
}

impl Alarm {
    /// Whether one of the times has come.
    #[must_use]
    pub fn has_come(&self, now: Now) -> bool {
        self.wall.is_some_and(|wall| wall <= now.wall)
            || self.steady.is_some_and(|steady| steady <= now.steady)
    }

    /// How long until the first of them comes, if nobody sets the clock; `None` without any.
    #[must_use]
    pub fn remaining(&self, now: Now) -> Option<Duration> {
        let to_wall = self.wall.map(|wall| wall.duration_since(now.wall).unwrap_or_default());
        let to_steady = self.steady.map(|steady| steady.saturating_sub(now.steady));
        to_wall.into_iter().chain(to_steady).min()
    }
}

/// What tells a scheduler the time and wakes it.
///
/// An engine says *now* and nothing else: which schedule is due, and what becomes of it, is decided by the scheduler, which
/// looks at the clocks again whenever it is woken. So an engine may wake it for no reason, and must wake it when the clock was
/// set or the machine has slept, or else every 30 s.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// What time it is.
    fn now(&self) -> Now;

    /// Makes ready what [`until`](Self::until) needs. Called on the scheduler's runtime when the first schedule is added, so that a
    /// panic for something that the runtime lacks is seen there.
    fn start(&self) {}

    /// Waits until the alarm's time has come; it may come back early.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: the scheduler drops the future when something else happens, and calls again.
    async fn until(&self, alarm: Alarm);

    /// How late it may be by its nature.
    fn resolution(&self) -> Duration {
        Duration::ZERO
    }

    /// Refuses what it cannot do.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::Unsupported`], with the way out.
    fn check(&self, schedule: &Schedule) -> Result<(), ScheduleError> {
        let _ = schedule;
        Ok(())
    }
}
