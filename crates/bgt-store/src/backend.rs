//! What those need who write a backend: the rules that every store follows, ready to be applied to records.
//!
//! Implement [`RunStore`](crate::RunStore), [`LeaseStore`](crate::LeaseStore), [`SlotStore`](crate::SlotStore) and
//! [`JournalStore`](crate::JournalStore) in these steps: `check` what came in, load the [`RunRecord`], let a rule change it,
//! write the record and the [`Step`] in one transaction. Then pass the suite of the feature `conformance`.
//! In the repository, `crates/bgt-store/tests/outside.rs` is a small one to copy, in memory.
//!
//! ```
//! use bgt_store::backend::{accept, claim, finish};
//! use bgt_store::{Clock, HostId, ManualClock, NewRun, Outcome, Status};
//!
//! let now = ManualClock::new().now();
//! let (mut run, queued) = accept(&NewRun::new("resize", "a.png"), &now);
//! let (lease, attempt, claimed) = claim(&mut run, HostId::new(), 1, &now)?;
//! let step = finish(&mut run, &lease, &Outcome::succeeded(), &now).map_err(|refusal| refusal.error)?;
//! assert_eq!((run.status, attempt.number), (Status::Succeeded, 1));
//! assert_eq!([queued.seq, claimed.seq, step.events[0].seq], [1, 2, 3]);
//! # Ok::<(), bgt_store::StoreError>(())
//! ```

use std::time::SystemTime;

use bgt_core::Status;

#[cfg(doc)]
use crate::RunRecord;
pub use crate::host::Expiry;
pub use crate::rules::{
    AttemptEnd, Refusal, Step, accept, adopt, claim, end_queued, finish, note, progress, request_cancel,
    requeue,
};
use crate::{Attempt, HostId, HostRecord, RunEvent, RunEventKind, SlotRecord, StoreError, clock, limits};

/// Refuses a name that no store takes: of a queue, a schedule, a journal, a key. `what` says of what.
///
/// # Errors
///
/// [`StoreError::Invalid`] unless it is 1 to 512 bytes without NUL.
pub fn check_name(what: &str, name: &str) -> Result<(), StoreError> {
    limits::name(what, name)
}

/// Refuses a limit that no store takes. `what` says of what.
///
/// # Errors
///
/// [`StoreError::Invalid`] unless it is 1 to 1 000.
pub fn check_limit(what: &str, limit: usize) -> Result<(), StoreError> {
    limits::page(what, limit)
}

/// The text as it is kept: of more than 64 KiB the middle is left out.
#[must_use]
pub fn kept_text(text: &str) -> String {
    limits::text(text)
}

/// The time as it is kept: in milliseconds since 1970 UTC. What is out of range is the nearest that is in range.
#[must_use]
pub fn millis(time: SystemTime) -> i64 {
    clock::millis(time)
}

/// The other way round. A time that the platform cannot express is 1970.
#[must_use]
pub fn from_millis(millis: i64) -> SystemTime {
    clock::from_millis(millis)
}

impl Attempt {
    /// An attempt that has not ended, as it was stored.
    #[must_use]
    pub fn new(number: u32, host: HostId, token: u64, started_at: SystemTime) -> Self {
        Self { number, host, token, started_at, ended_at: None, status: None, error: None }
    }
}

impl RunEvent {
    /// An event without details, as it was stored.
    #[must_use]
    pub fn new(seq: u32, at: SystemTime, kind: RunEventKind, attempt: u32) -> Self {
        Self { seq, at, kind, attempt, host: None, status: None, text: None }
    }
}

impl HostRecord {
    /// A host that registers at this time.
    #[must_use]
    pub fn new(id: HostId, name: String, pid: Option<u32>, at: SystemTime) -> Self {
        Self { id, name, pid, started_at: at, heard_at: at, ended_at: None, is_alive: true }
    }
}

impl SlotRecord {
    /// A slot that is claimed at this time.
    #[must_use]
    pub fn new(schedule: String, at: SystemTime, host: HostId, token: u64, claimed_at: SystemTime) -> Self {
        let (ended_at, status, error) = (None, None::<Status>, None);
        Self { schedule, at, host, token, claimed_at, ended_at, status, error, is_abandoned: false }
    }
}
