//! How runs are found again, and when they are forgotten.

use std::time::SystemTime;

use bgt_core::{Pattern, Status};

use crate::{RunRecord, StoreError, limits};

/// Which runs; all of them by default. Every word that is added leaves fewer.
///
/// # Examples
///
/// ```
/// use bgt_store::RunFilter;
/// use bgt_store::Status;
///
/// let failures = RunFilter::new().status(Status::Failed).status(Status::TimedOut).label("customer", "17");
/// # let _ = failures;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
#[must_use = "a filter does nothing until it is used in a query"]
pub struct RunFilter {
    /// One of these; any if empty.
    pub statuses: Vec<Status>,
    /// Exactly this name.
    pub name: Option<String>,
    /// In this queue.
    pub queue: Option<String>,
    /// Run by this pattern.
    pub pattern: Option<Pattern>,
    /// With all of these labels.
    pub labels: Vec<(String, String)>,
    /// Accepted at this time or later.
    pub since: Option<SystemTime>,
    /// Accepted before this time.
    pub before: Option<SystemTime>,
}

impl RunFilter {
    /// All runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this status, or another that is asked for.
    pub fn status(mut self, status: Status) -> Self {
        self.statuses.push(status);
        self
    }

    /// With exactly this name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// In this queue.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Run by this pattern.
    pub fn pattern(mut self, pattern: Pattern) -> Self {
        self.pattern = Some(pattern);
        self
    }

    /// With this label too.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((key.into(), value.into()));
        self
    }

    /// Accepted at this time or later, by the wall clock, to the millisecond.
    pub fn since(mut self, time: SystemTime) -> Self {
        self.since = Some(time);
        self
    }

    /// Accepted before this time, by the wall clock, to the millisecond.
    pub fn before(mut self, time: SystemTime) -> Self {
        self.before = Some(time);
        self
    }

    /// Refuses what no store takes, before anything is read; for those who write a backend.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for more than 64 labels.
    pub fn check(&self) -> Result<(), StoreError> {
        if self.labels.len() <= limits::LABELS {
            return Ok(());
        }
        Err(StoreError::invalid(
            "the labels of a filter",
            format!("{} of them", self.labels.len()),
            "at most 64",
        ))
    }

    /// Whether the run is one of those.
    #[must_use]
    pub fn matches(&self, run: &RunRecord) -> bool {
        use crate::clock::millis;
        let label = |(key, value): &(String, String)| run.labels.get(key) == Some(value);
        (self.statuses.is_empty() || self.statuses.contains(&run.status))
            && self.name.as_ref().is_none_or(|name| *name == run.name)
            && self.queue.as_ref().is_none_or(|queue| *queue == run.queue)
            && self.pattern.is_none_or(|pattern| pattern == run.pattern)
            && self.labels.iter().all(label)
            && self.since.is_none_or(|time| millis(run.created_at) >= millis(time))
            && self.before.is_none_or(|time| millis(run.created_at) < millis(time))
    }
}

/// A place in a list of runs, to go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Cursor(pub(crate) i64);

impl Cursor {
    /// A place by its number in the order of acceptance, for those who write a backend.
    #[must_use]
    pub fn new(place: i64) -> Self {
        Self(place)
    }

    /// The number.
    #[must_use]
    pub fn place(self) -> i64 {
        self.0
    }
}

/// Which part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Page {
    /// How many at most: 1 to 1 000.
    pub limit: usize,
    /// Where the page before it ended.
    pub after: Option<Cursor>,
}

impl Page {
    /// The first so many.
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self { limit, after: None }
    }

    /// The next so many.
    #[must_use]
    pub fn after(cursor: Cursor, limit: usize) -> Self {
        Self { limit, after: Some(cursor) }
    }

    /// Refuses what no store takes, before anything is written; for those who write a backend.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`], which names the value.
    pub fn check(&self) -> Result<(), StoreError> {
        limits::page("the limit of a page", self.limit)
    }
}

/// Some runs of a list, the one that was accepted last first.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<RunRecord>,
    /// Where to go on, if there is more.
    pub next: Option<Cursor>,
}

/// Which runs that are over may be forgotten, with their attempts, events, payloads and results. Runs that are not over
/// always stay. If both are said, what either of them says may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct Retention {
    /// Those that ended before this time.
    pub ended_before: Option<SystemTime>,
    /// Those that ended before the latest so many.
    pub keep: Option<u64>,
}

impl Retention {
    /// Nothing is forgotten.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets those that ended before this time, by the wall clock.
    #[must_use]
    pub fn ended_before(mut self, time: SystemTime) -> Self {
        self.ended_before = Some(time);
        self
    }

    /// Forgets those that ended before the latest so many.
    #[must_use]
    pub fn keep(mut self, latest: u64) -> Self {
        self.keep = Some(latest);
        self
    }
}
