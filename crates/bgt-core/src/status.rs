//! Where a run stands, and which steps there are. Pure: the table below is the whole of it.

use std::fmt;
use std::str::FromStr;

/// Where a run stands.
///
/// ```text
/// Queued ──→ Running ──→ Succeeded | Failed | TimedOut | Cancelled | Lost
///    │  ↖─────┘ with the next attempt
///    └──→ Failed | TimedOut | Cancelled | Skipped | Lost        without an attempt, or between two
/// ```
///
/// Every run reaches exactly one final status. A final status absorbs: what arrives later is a note in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Status {
    /// Accepted, not running: new, or between two attempts.
    Queued,
    /// An attempt is under way.
    Running,
    /// Final: the task answered `Ok`.
    Succeeded,
    /// Final: the task answered an error, panicked, or was refused before it started.
    Failed,
    /// Final: a deadline passed.
    TimedOut,
    /// Final: stopped on request.
    Cancelled,
    /// Final: never ran, by policy.
    Skipped,
    /// Final: nobody can know how it ended.
    Lost,
}

/// A step that the table does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a run cannot go from {from} to {to}")]
pub struct InvalidTransition {
    /// Where the run stands.
    pub from: Status,
    /// Where it was to go.
    pub to: Status,
}

impl Status {
    /// All of them, in the order of a run's life.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Skipped,
        Self::Lost,
    ];

    /// Whether the run is over.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// Whether a run that stands here may go there.
    #[must_use]
    pub const fn can_become(self, next: Self) -> bool {
        match self {
            Self::Queued => !matches!(next, Self::Queued | Self::Succeeded),
            Self::Running => !matches!(next, Self::Running | Self::Skipped),
            _ => false,
        }
    }

    /// The next status, if the table has that step.
    ///
    /// # Errors
    ///
    /// [`InvalidTransition`] if it does not.
    pub const fn advance(self, next: Self) -> Result<Self, InvalidTransition> {
        if self.can_become(next) { Ok(next) } else { Err(InvalidTransition { from: self, to: next }) }
    }

    /// The name, as it is stored: `queued`, `timed_out`, ….
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown status {value:?}: expected queued, running, succeeded, failed, timed_out, cancelled, skipped or lost"
)]
pub struct UnknownStatus {
    value: String,
}

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| UnknownStatus { value: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::Status::{self, *};
    use proptest::prelude::*;

    #[test]
    fn the_table_by_enumeration() {
        let steps = [
            (Queued, Running),
            (Queued, Failed),
            (Queued, TimedOut),
            (Queued, Cancelled),
            (Queued, Skipped),
            (Queued, Lost),
            (Running, Queued),
            (Running, Succeeded),
            (Running, Failed),
            (Running, TimedOut),
            (Running, Cancelled),
            (Running, Lost),
        ];
        for from in Status::ALL {
            for to in Status::ALL {
                assert_eq!(from.can_become(to), steps.contains(&(from, to)), "{from} to {to}");
                assert_eq!(from.advance(to).is_ok(), from.can_become(to));
            }
        }
    }

    #[test]
    fn names_are_parsed_back_and_others_are_refused_by_name() {
        for status in Status::ALL {
            assert_eq!(status.to_string().parse(), Ok(status));
        }
        assert!("done".parse::<Status>().unwrap_err().to_string().contains("\"done\""));
    }

    proptest! {
        #[test]
        fn whatever_arrives_a_run_ends_once(wanted in proptest::collection::vec(0..8usize, 0..50)) {
            let (mut status, mut ends) = (Queued, 0);
            for next in wanted.into_iter().map(|i| Status::ALL[i]) {
                if let Ok(next) = status.advance(next) {
                    status = next;
                    ends += usize::from(next.is_final());
                }
            }
            prop_assert!(ends <= 1 && (ends == 1) == status.is_final());
        }
    }
}
