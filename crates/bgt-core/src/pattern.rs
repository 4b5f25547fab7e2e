//! The six ways to run a task.

use std::fmt;
use std::str::FromStr;

/// A way to run tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Pattern {
    /// One task to its end, everything handed back.
    Simple,
    /// A long task whose output and progress are watched live.
    #[doc(alias = "long_running")]
    Streaming,
    /// Many tasks at once under limits.
    Concurrent,
    /// Started, given an id, asked about later.
    #[doc(alias = "fire_and_forget")]
    Detached,
    /// On a schedule.
    Periodic,
    /// On resources that are kept warm.
    Pooled,
}

impl Pattern {
    /// All six.
    pub const ALL: [Self; 6] =
        [Self::Simple, Self::Streaming, Self::Concurrent, Self::Detached, Self::Periodic, Self::Pooled];

    /// The name in lower case, which is also the name of the facade's feature.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Streaming => "streaming",
            Self::Concurrent => "concurrent",
            Self::Detached => "detached",
            Self::Periodic => "periodic",
            Self::Pooled => "pooled",
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names none of the six.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown pattern {value:?}: expected simple, streaming, concurrent, detached, periodic or pooled")]
pub struct UnknownPattern {
    value: String,
}

impl FromStr for Pattern {
    type Err = UnknownPattern;

    fn from_str(text: &str) -> Result<Self, UnknownPattern> {
        let found = Self::ALL.into_iter().find(|pattern| pattern.as_str() == text);
        found.ok_or_else(|| UnknownPattern { value: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_back_and_others_are_refused_by_name() {
        for pattern in Pattern::ALL {
            assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }
        assert!("cron".parse::<Pattern>().unwrap_err().to_string().contains("\"cron\""));
    }
}
