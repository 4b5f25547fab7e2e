//! Time zones by name, and what they do to the times of a pattern. Pure but for the zones' data.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::ScheduleError;

/// A time zone, by its name.
///
/// The name is looked up with every use, which is cheap: when the system's data is updated, a host that has been up for
/// years knows.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Zone {
    Utc,
    /// Whatever the system says at that moment.
    Local,
    Named(Arc<str>),
}

impl Zone {
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "UTC" => Self::Utc,
            _ => Self::Named(name.into()),
        }
    }

    pub(crate) fn get(&self) -> Result<TimeZone, ScheduleError> {
        match self {
            Self::Utc => Ok(TimeZone::UTC),
            Self::Local => TimeZone::try_system().map_err(|_| ScheduleError::LocalZone),
            Self::Named(name) => {
                TimeZone::get(name).map_err(|_| ScheduleError::Zone { zone: name.to_string() })
            }
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utc => "UTC",
            Self::Local => "the system's time zone",
            Self::Named(name) => name,
        })
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The first change of the zone's clocks after this time.
pub(crate) fn change_after(zone: &TimeZone, time: Timestamp) -> Option<Timestamp> {
    zone.following(time).next().map(|change| change.timestamp())
}
