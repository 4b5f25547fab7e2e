//! What a store refuses, and what can go wrong with where it keeps its records.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bgt_core::{InvalidTransition, RunId, Status};

use crate::{HostId, Lease};

/// Why a store did not do what it was asked.
///
/// Nothing was changed, with two exceptions: the history of a run has a note of what was [fenced](Self::Fenced), and
/// [`Fault`] tells of the other. Clones share their cause.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else holds the run by now, or it is over.
    #[error(transparent)]
    Fenced(Box<Fenced>),
    /// Somebody else took over the slot by now, or it is finished.
    #[error("the lease on slot {at} of schedule {schedule:?} with token {token} is not valid any more")]
    SlotFenced {
        /// The schedule.
        schedule: String,
        /// The slot, in milliseconds since 1970 UTC.
        at: i64,
        /// The token that was not good any more.
        token: u64,
    },
    /// The host retired, or its lease was over and another host took over from it. What nobody has adopted yet it can
    /// still finish.
    #[error(
        "host {0} holds nothing any more: it retired, or its lease ran out; end its work and register again"
    )]
    HostEnded(HostId),
    /// No host has this id.
    #[error("no host is registered as {0}: register, and use the id of this start")]
    UnknownHost(HostId),
    /// No run has this id.
    #[error("there is no run {0}: it was never accepted here, or it was pruned")]
    UnknownRun(RunId),
    /// The run is being worked on; only its owner can end it.
    #[error(
        "run {run} is held by host {host}: request its cancellation instead or, if that host is gone, adopt it first"
    )]
    Held {
        /// The run.
        run: RunId,
        /// Who holds it.
        host: HostId,
    },
    /// A run cannot go there from where it stands.
    #[error("run {run} cannot go from {} to {}", .step.from, .step.to)]
    Transition {
        /// The run.
        run: RunId,
        /// The step that does not exist.
        step: InvalidTransition,
    },
    /// A value that makes no sense, before anything was done.
    #[error("{what} is {found}: expected {expected}")]
    Invalid {
        /// What it is the value of.
        what: String,
        /// The value, or its size.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// Something is wrong with where the records are kept.
    #[error(transparent)]
    Fault(Fault),
}

/// A lease that is not valid any more, and what became of its run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease of host {} on run {} with token {} is not valid any more: the run is {status}{}",
    .lease.host, .lease.run, .lease.token,
    .owner.map_or_else(String::new, |owner| format!(", held by host {owner} with token {token}")))]
#[non_exhaustive]
pub struct Fenced {
    /// The lease.
    pub lease: Lease,
    /// Where the run stands.
    pub status: Status,
    /// Who holds it now.
    pub owner: Option<HostId>,
    /// The token of its latest lease.
    pub token: u64,
}

/// Something is wrong with where the records are kept.
///
/// What was acknowledged before is not affected. What the failed call wanted was not acknowledged; it was rolled back,
/// except that after [`FaultKind::Io`] and [`FaultKind::Removed`] it may turn out to have been done: enqueueing, finishing
/// and requeueing the same again is safe.
///
/// The store itself goes on: the next call tries again, and works as soon as the fault is gone.
#[derive(Clone)]
pub struct Fault(Arc<FaultParts>);

#[derive(Debug)]
struct FaultParts {
    kind: FaultKind,
    place: PathBuf,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// The disk, or the quota, is full.
    Full,
    /// The file or its folder may not be written.
    ReadOnly,
    /// Another process has held the lock for longer than the store's patience.
    Locked {
        /// The patience.
        patience: Duration,
    },
    /// The file was removed, renamed or replaced while it was in use.
    Removed,
    /// The file is damaged, or is no database.
    Corrupt,
    /// The file was written by a later version.
    Newer {
        /// The file's version.
        found: i64,
        /// The latest that is understood here.
        known: i64,
    },
    /// The file is a database of something else.
    Foreign,
    /// The file, or its folder, is not there or cannot be opened.
    Unavailable,
    /// Reading or writing failed.
    Io,
    /// The store was closed.
    Closed,
    /// The store did something that it should not have. A defect.
    Internal,
}

impl Fault {
    /// A fault of the records at this place, for those who write a backend.
    pub fn new(kind: FaultKind, place: impl Into<PathBuf>) -> Self {
        Self(Arc::new(FaultParts { kind, place: place.into(), source: None }))
    }

    /// A fault with its cause, for those who write a backend.
    pub fn because(
        kind: FaultKind,
        place: impl Into<PathBuf>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self(Arc::new(FaultParts { kind, place: place.into(), source: Some(source.into()) }))
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.0.kind
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.0.place
    }

    /// Whether trying again later can help without anybody mending the file.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self.0.kind, FaultKind::Full | FaultKind::Locked { .. } | FaultKind::Io)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "store {}: ", self.0.place.display())?;
        match self.0.kind {
            FaultKind::Full => f.write_str("the disk or the quota is full: make room, then it goes on"),
            FaultKind::ReadOnly => {
                f.write_str("it may not be written: check the permissions of the file and of its folder")
            }
            FaultKind::Locked { patience } => write!(
                f,
                "another process has held its lock for more than {patience:?}: look for a long transaction, or raise the patience"
            ),
            FaultKind::Removed => f.write_str(
                "the file was removed, renamed or replaced while in use: put it back, or write what is still held to its place with `SqliteStore::backup`",
            ),
            FaultKind::Corrupt => {
                f.write_str("the file is damaged or no database: use another path, restore a backup, or try `sqlite3 FILE .recover`")
            }
            FaultKind::Newer { found, known } => write!(
                f,
                "the file has version {found}, and this program knows versions up to {known}: update the program, or use another file"
            ),
            FaultKind::Foreign => f.write_str("the file is a database of something else: use another path"),
            FaultKind::Unavailable => f.write_str("it cannot be opened: check that its folder exists, and the permissions of both"),
            FaultKind::Io => f.write_str("reading or writing failed"),
            FaultKind::Closed => f.write_str("it was closed: open it again"),
            FaultKind::Internal => f.write_str("something happened that should not: please report it"),
        }
    }
}

/// The whole story, for `fn main() -> Result`: what happened, and the chain of causes.
impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        story(self, f)
    }
}

/// The whole story, for `fn main() -> Result`: what happened, and the chain of causes.
impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        story(self, f)
    }
}

fn story(error: &dyn Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{error}")?;
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(f, ": {error}")?;
        cause = error.source();
    }
    Ok(())
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl StoreError {
    /// The fault, if it is one.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            _ => None,
        }
    }

    /// Whether a lease, or its host, was refused because it is not valid any more: end the work, and do not try again.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        matches!(self, Self::Fenced(_) | Self::SlotFenced { .. } | Self::HostEnded(_) | Self::UnknownHost(_))
    }

    /// A value that makes no sense, for those who write a backend.
    pub fn invalid(what: impl Into<String>, found: impl Into<String>, expected: &'static str) -> Self {
        Self::Invalid { what: what.into(), found: found.into(), expected }
    }

    pub(crate) fn slot_fenced(schedule: &str, at: SystemTime, token: u64) -> Self {
        Self::SlotFenced { schedule: schedule.to_owned(), at: crate::clock::millis(at), token }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_the_file_and_the_way_out_and_keeps_its_cause() {
        let fault = Fault::because(FaultKind::Full, "runs.db", "no space left on device");
        let error = StoreError::from(fault.clone());
        assert!(error.to_string().contains("runs.db") && error.to_string().contains("make room"));
        assert_eq!(error.source().unwrap().to_string(), "no space left on device");
        assert!(fault.is_transient() && !Fault::new(FaultKind::Corrupt, "x").is_transient());
    }

    #[test]
    fn a_refused_lease_says_who_holds_the_run() {
        let (old, new) = (HostId::new(), HostId::new());
        let lease = Lease { run: RunId::new(), attempt: 1, host: old, token: 3 };
        let fenced = Fenced { lease, status: Status::Running, owner: Some(new), token: 7 };
        let text = StoreError::Fenced(Box::new(fenced)).to_string();
        assert!(text.contains(&format!("held by host {new} with token 7")), "{text}");
    }
}
