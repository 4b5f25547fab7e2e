//! What is kept of a run. Plain data.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use bgt_core::{Pattern, Progress, RunId, Status};
use bytes::Bytes;

use crate::{HostId, Lease, StoreError, limits};

/// A run to be accepted. Names, queues, keys and the values of labels are 1 to 512 bytes without NUL.
///
/// # Examples
///
/// ```
/// use bgt_store::NewRun;
///
/// let run = NewRun::new("nightly-report", r#"{"customer": 17}"#)
///     .queue("reports")
///     .priority(10)
///     .label("customer", "17")
///     .unique_key("report/17");
/// assert_eq!(run.queue, "reports");
/// ```
#[derive(Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use = "a new run does nothing until it is enqueued"]
pub struct NewRun {
    /// Its id, made by [`new`](Self::new). Enqueueing the same id again changes nothing, so that an answer that was
    /// lost can be asked for again.
    pub id: RunId,
    /// The task's name.
    pub name: String,
    /// The pattern that runs it.
    pub pattern: Pattern,
    /// The queue that it waits in.
    pub queue: String,
    /// Among those that are due in a queue, the highest goes first; of equals the one that was accepted first.
    pub priority: i32,
    /// To find it by.
    pub labels: BTreeMap<String, String>,
    /// Among runs that are not over, at most one has this key.
    pub unique_key: Option<String>,
    /// Not claimed before this time, by the wall clock.
    pub not_before: Option<SystemTime>,
    /// What to do, in the caller's own format; at most 16 MiB.
    pub payload: Bytes,
}

impl NewRun {
    /// A run with a new id, detached, in the queue `default`, of priority 0.
    pub fn new(name: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self {
            id: RunId::new(),
            name: name.into(),
            pattern: Pattern::Detached,
            queue: "default".into(),
            priority: 0,
            labels: BTreeMap::new(),
            unique_key: None,
            not_before: None,
            payload: payload.into(),
        }
    }

    /// Under an id that was made before.
    pub fn id(mut self, id: RunId) -> Self {
        self.id = id;
        self
    }

    /// The pattern that runs it.
    pub fn pattern(mut self, pattern: Pattern) -> Self {
        self.pattern = pattern;
        self
    }

    /// The queue that it waits in.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = queue.into();
        self
    }

    /// The highest goes first.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Adds a label to find it by; at most 64.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// Among runs that are not over, at most one has this key: while there is one, enqueueing answers with that one.
    pub fn unique_key(mut self, key: impl Into<String>) -> Self {
        self.unique_key = Some(key.into());
        self
    }

    /// Not claimed before this time, by the wall clock, to the millisecond.
    pub fn not_before(mut self, time: SystemTime) -> Self {
        self.not_before = Some(time);
        self
    }

    /// Refuses what no store takes, before anything is written; for those who write a backend.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`], which names the value.
    pub fn check(&self) -> Result<(), StoreError> {
        limits::name("the name of a run", &self.name)?;
        limits::name("the queue of a run", &self.queue)?;
        if let Some(key) = &self.unique_key {
            limits::name("the unique key of a run", key)?;
        }
        if self.labels.len() > limits::LABELS {
            let found = format!("{} of them", self.labels.len());
            return Err(StoreError::invalid("the labels of a run", found, "at most 64"));
        }
        for (key, value) in &self.labels {
            limits::name("the key of a label", key)?;
            limits::name("the value of a label", value)?;
        }
        limits::value("the payload of a run", &self.payload)
    }
}

/// What became of a [`NewRun`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Enqueued {
    /// The run: the new one, or the one that was there before.
    pub id: RunId,
    /// Whether it is new. It is not if that id, or an open run with that unique key, was there before.
    pub is_new: bool,
}

/// What is known of a run.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RunRecord {
    /// The run.
    pub id: RunId,
    /// The task's name.
    pub name: String,
    /// The pattern that runs it.
    pub pattern: Pattern,
    /// The queue that it waits in.
    pub queue: String,
    /// The highest goes first.
    pub priority: i32,
    /// To find it by.
    pub labels: BTreeMap<String, String>,
    /// Among runs that are not over, at most one has this key.
    pub unique_key: Option<String>,
    /// Where it stands.
    pub status: Status,
    /// The latest attempt, counted from 1; 0 before the first.
    pub attempt: u32,
    /// Who holds it; nobody unless it is running.
    pub owner: Option<HostId>,
    /// The fencing token of the latest lease; 0 before the first.
    pub token: u64,
    /// When it was accepted.
    pub created_at: SystemTime,
    /// Not claimed before this time.
    pub not_before: SystemTime,
    /// When the latest attempt started.
    pub started_at: Option<SystemTime>,
    /// When it was over.
    pub ended_at: Option<SystemTime>,
    /// How often somebody asked to stop it.
    pub cancel_requests: u32,
    /// How far it said it had come.
    pub progress: Option<Progress>,
    /// What went wrong, of the run when it is over, of the latest attempt before that.
    pub error: Option<String>,
    /// How many events its history has.
    pub events: u32,
}

/// How a run, or an attempt of it, ended.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Outcome {
    /// A final one.
    pub status: Status,
    /// What went wrong, for people. Of more than 64 KiB the middle is left out.
    pub error: Option<String>,
    /// What it answered, in the caller's own format; at most 16 MiB.
    pub result: Option<Bytes>,
}

impl Outcome {
    /// Ended with this status.
    #[must_use]
    pub fn new(status: Status) -> Self {
        Self { status, error: None, result: None }
    }

    /// Ended well.
    #[must_use]
    pub fn succeeded() -> Self {
        Self::new(Status::Succeeded)
    }

    /// Failed, and why.
    #[must_use]
    pub fn failed(error: impl Into<String>) -> Self {
        Self::new(Status::Failed).error(error)
    }

    /// What went wrong, for people.
    #[must_use]
    pub fn error(mut self, error: impl Into<String>) -> Self {
        self.error = Some(error.into());
        self
    }

    /// What it answered.
    #[must_use]
    pub fn result(mut self, result: impl Into<Bytes>) -> Self {
        self.result = Some(result.into());
        self
    }

    /// Refuses what no store takes, before anything is written; for those who write a backend.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`], which names the value.
    pub fn check(&self) -> Result<(), StoreError> {
        if !self.status.is_final() {
            let found = format!("{:?}", self.status.as_str());
            return Err(StoreError::invalid("the status of an outcome", found, "a final one"));
        }
        limits::value("the result of a run", self.result.as_deref().unwrap_or_default())
    }
}

/// An attempt that is to be followed by another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Requeue {
    /// How the attempt ended: [`Failed`](Status::Failed), [`TimedOut`](Status::TimedOut),
    /// [`Cancelled`](Status::Cancelled) or [`Lost`](Status::Lost).
    pub status: Status,
    /// What went wrong with it, for people. Of more than 64 KiB the middle is left out.
    pub error: Option<String>,
    /// When the next may start, by the wall clock; at once without.
    pub not_before: Option<SystemTime>,
}

impl Requeue {
    /// After an attempt that ended so, at once.
    #[must_use]
    pub fn after(status: Status) -> Self {
        Self { status, error: None, not_before: None }
    }

    /// What went wrong, for people.
    #[must_use]
    pub fn error(mut self, error: impl Into<String>) -> Self {
        self.error = Some(error.into());
        self
    }

    /// When the next may start, by the wall clock, to the millisecond.
    #[must_use]
    pub fn not_before(mut self, time: SystemTime) -> Self {
        self.not_before = Some(time);
        self
    }

    /// Refuses what no store takes, before anything is written; for those who write a backend.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`], which names the value.
    pub fn check(&self) -> Result<(), StoreError> {
        if matches!(self.status, Status::Failed | Status::TimedOut | Status::Cancelled | Status::Lost) {
            return Ok(());
        }
        let found = format!("{:?}", self.status.as_str());
        let expected = "failed, timed_out, cancelled or lost";
        Err(StoreError::invalid(
            "the status of an attempt that is to be followed by another",
            found,
            expected,
        ))
    }
}

/// One attempt of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// Who made it; after a take-over, who took over.
    pub host: HostId,
    /// The fencing token of its latest lease.
    pub token: u64,
    /// When it started.
    pub started_at: SystemTime,
    /// When it ended.
    pub ended_at: Option<SystemTime>,
    /// How it ended.
    pub status: Option<Status>,
    /// What went wrong.
    pub error: Option<String>,
}

/// Something that happened to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RunEvent {
    /// Its place in the history of the run, counted from 1 without a gap.
    pub seq: u32,
    /// When, by the wall clock.
    pub at: SystemTime,
    /// What.
    pub kind: RunEventKind,
    /// The attempt that was the latest then; 0 before the first.
    pub attempt: u32,
    /// Whose doing it was, where it was a host's.
    pub host: Option<HostId>,
    /// How it ended, or was to end, where that is what happened.
    pub status: Option<Status>,
    /// What there is to say about it.
    pub text: Option<String>,
}

/// What can happen to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RunEventKind {
    /// It was accepted.
    Queued,
    /// A host took it on, with a new attempt.
    Claimed,
    /// A host took over from another, in the middle of the attempt.
    Adopted,
    /// The attempt ended, and there will be another.
    Requeued,
    /// Somebody asked to stop it.
    CancelRequested,
    /// It is over.
    Ended,
    /// What a former owner brought too late. It changed nothing.
    Refused,
    /// Something that the owner, or anybody, wanted to be known.
    Note,
}

impl RunEventKind {
    const NAMES: [(Self, &'static str); 8] = [
        (Self::Queued, "queued"),
        (Self::Claimed, "claimed"),
        (Self::Adopted, "adopted"),
        (Self::Requeued, "requeued"),
        (Self::CancelRequested, "cancel_requested"),
        (Self::Ended, "ended"),
        (Self::Refused, "refused"),
        (Self::Note, "note"),
    ];

    /// The name, as it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, name)| *name == text).map(|(kind, _)| *kind)
    }
}

impl fmt::Display for RunEventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A run that a host holds.
#[derive(Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Held {
    /// The proof of it.
    pub lease: Lease,
    /// The run.
    pub run: RunRecord,
    /// What to do.
    pub payload: Bytes,
}

/// How much it is, not what: there may be secrets in it.
pub(crate) struct Hidden<'a>(pub(crate) &'a [u8]);

impl fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

impl fmt::Debug for NewRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewRun")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("pattern", &self.pattern)
            .field("queue", &self.queue)
            .field("priority", &self.priority)
            .field("labels", &self.labels)
            .field("unique_key", &self.unique_key)
            .field("not_before", &self.not_before)
            .field("payload", &Hidden(&self.payload))
            .finish()
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("status", &self.status)
            .field("error", &self.error)
            .field("result", &self.result.as_deref().map(Hidden))
            .finish()
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("lease", &self.lease)
            .field("run", &self.run)
            .field("payload", &Hidden(&self.payload))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_runs_are_refused_by_what_is_wrong_with_them() {
        let good = || NewRun::new("resize", "");
        let labelled = (0..65).fold(good(), |run, n| run.label(n.to_string(), "x"));
        let bad = [
            (NewRun::new("", ""), "name"),
            (good().queue("a\0"), "queue"),
            (good().unique_key(""), "unique key"),
            (good().label("", "x"), "key of a label"),
            (labelled, "65 of them"),
            (NewRun::new("x", vec![0; (16 << 20) + 1]), "payload"),
        ];
        for (run, word) in bad {
            let refused = run.check().unwrap_err().to_string();
            assert!(refused.contains(word), "{refused}");
        }
        assert!(good().check().is_ok());
    }

    #[test]
    fn what_a_run_is_given_and_answers_is_not_shown() {
        let shown =
            format!("{:?} {:?}", NewRun::new("x", "TOKEN=secret"), Outcome::succeeded().result("secret"));
        assert!(
            shown.contains("<12 bytes>") && shown.contains("<6 bytes>") && !shown.contains("secret"),
            "{shown}"
        );
    }

    #[test]
    fn only_what_is_over_is_an_outcome_and_only_what_went_wrong_is_done_again() {
        for status in Status::ALL {
            assert_eq!(Outcome::new(status).check().is_ok(), status.is_final(), "{status}");
            let again = status.is_final() && status != Status::Succeeded && status != Status::Skipped;
            assert_eq!(Requeue::after(status).check().is_ok(), again, "{status}");
        }
    }
}
