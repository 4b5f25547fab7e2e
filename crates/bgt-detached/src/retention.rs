//! How long runs are remembered that are over.

use std::time::{Duration, SystemTime};

/// How many runs that are over are kept, and for how long. What is not kept is forgotten with its output.
///
/// # Examples
///
/// ```
/// use bgt_detached::Keep;
/// use std::time::Duration;
///
/// let week = Keep::default().age(Duration::from_secs(7 * 24 * 3600)).runs(100_000);
/// # let _ = week;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Keep {
    runs: Option<u64>,
    age: Option<Duration>,
}

impl Default for Keep {
    /// The latest 10 000, for 30 days.
    fn default() -> Self {
        Self { runs: Some(10_000), age: Some(Duration::from_secs(30 * 24 * 3600)) }
    }
}

impl Keep {
    /// Everything, for ever.
    pub fn everything() -> Self {
        Self { runs: None, age: None }
    }

    /// The latest so many.
    pub fn runs(mut self, runs: u64) -> Self {
        self.runs = Some(runs);
        self
    }

    /// Those that ended no longer ago than this.
    pub fn age(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    pub(crate) fn retention(self, now: SystemTime) -> bgt_store::Retention {
        let mut retention = bgt_store::Retention::new();
        if let Some(runs) = self.runs {
            retention = retention.keep(runs);
        }
        if let Some(before) = self.age.and_then(|age| now.checked_sub(age)) {
            retention = retention.ended_before(before);
        }
        retention
    }
}
