//! What a firing knows of itself.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bgt_core::RunId;

/// Why a schedule fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Cause {
    /// It is time.
    Scheduled,
    /// It was time, and nobody could fire: the machine slept, the host was down, the schedule was paused.
    CatchUp,
    /// Somebody said *now*.
    Manual,
    /// Another host, or an earlier start of this one, had begun and did not come to the end, and the schedule says to
    /// [fire again](crate::Schedule::fire_again_after_a_crash).
    Recovered,
}

/// One firing of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tick {
    /// The schedule's name.
    pub schedule: Arc<str>,
    /// The run that comes of it.
    pub run: RunId,
    /// The time that it is for, by the wall clock. Jitter is not in it.
    pub scheduled_at: SystemTime,
    /// When it was fired, by the wall clock.
    pub fired_at: SystemTime,
    /// How many earlier times it stands for as well.
    pub missed: u64,
    /// Why.
    pub cause: Cause,
}

impl Tick {
    /// How late it is, jitter included; zero when somebody has set the clock back.
    #[must_use]
    pub fn lateness(&self) -> Duration {
        self.fired_at.duration_since(self.scheduled_at).unwrap_or_default()
    }
}
