//! What is decided beforehand: overlap and misfires. Plain data.

use std::fmt;
use std::time::Duration;

use crate::ScheduleError;

/// What happens to a firing while an earlier one of the same schedule still runs. Of this scheduler: two hosts on one store
/// do not see each other's runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Overlap {
    /// It is skipped, and counted.
    #[default]
    Skip,
    /// Up to so many run at once, 1 to 1 000; more are skipped.
    Allow(u32),
    /// Up to so many wait for their turn, 1 to 1 000; more are skipped.
    Queue(u32),
    /// What runs is asked to stop, and the new one starts when it has. One that waits already gives way to a newer one.
    Replace,
}

/// What happens to times that were missed: the machine slept, the clock was set forward, the host was down, the scheduler
/// paused and told to catch up.
///
/// A time is missed when it is noticed later than the [tolerance](crate::Schedule::tolerance), or when the next time has come as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Misfire {
    /// They are skipped, and counted.
    Skip,
    /// One firing stands for all of them, if the latest is not older than the grace.
    Once {
        /// How old.
        grace: Duration,
    },
    /// The latest of them are fired, one after the other, oldest first; those beyond the cap are skipped.
    All {
        /// How many, 1 to 1 000.
        cap: u32,
    },
}

/// One firing for all, within an hour.
impl Default for Misfire {
    fn default() -> Self {
        Self::Once { grace: Duration::from_secs(3600) }
    }
}

impl Overlap {
    pub(crate) fn check(self) -> Result<(), ScheduleError> {
        match self {
            Self::Allow(n) => counts("overlap: allow", n),
            Self::Queue(n) => counts("overlap: queue", n),
            Self::Skip | Self::Replace => Ok(()),
        }
    }
}

impl Misfire {
    pub(crate) fn check(self) -> Result<(), ScheduleError> {
        match self {
            Self::All { cap } => counts("misfire: all, up to a cap", cap),
            Self::Skip | Self::Once { .. } => Ok(()),
        }
    }
}

fn counts(option: &'static str, n: u32) -> Result<(), ScheduleError> {
    if (1..=1000).contains(&n) {
        return Ok(());
    }
    Err(ScheduleError::Option { option, value: n.to_string(), expected: "1 to 1000" })
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skip => f.write_str("skipped while an earlier one runs"),
            Self::Allow(n) => write!(f, "up to {n} at once"),
            Self::Queue(n) => write!(f, "up to {n} waiting for an earlier one"),
            Self::Replace => f.write_str("replacing an earlier one that still runs"),
        }
    }
}

impl fmt::Display for Misfire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skip => f.write_str("missed times are skipped"),
            Self::Once { grace } => write!(f, "missed times are made up for once within {grace:?}"),
            Self::All { cap } => write!(f, "missed times are made up for, the latest {cap} of them"),
        }
    }
}
