//! One time at which a schedule is due, fired by one host.

use std::time::SystemTime;

use bgt_core::Status;

use crate::HostId;

/// The right to fire one slot of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SlotLease {
    /// The schedule's name.
    pub schedule: String,
    /// The time at which it was due, to the millisecond.
    pub at: SystemTime,
    /// Who fires it.
    pub host: HostId,
    /// The fencing token.
    pub token: u64,
}

/// What is known of a slot that was claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SlotRecord {
    /// The schedule's name.
    pub schedule: String,
    /// The time at which it was due.
    pub at: SystemTime,
    /// Who claimed it last.
    pub host: HostId,
    /// The fencing token of its latest lease.
    pub token: u64,
    /// When it was claimed.
    pub claimed_at: SystemTime,
    /// When it was finished.
    pub ended_at: Option<SystemTime>,
    /// How it ended.
    pub status: Option<Status>,
    /// What went wrong.
    pub error: Option<String>,
    /// Whether it is not finished and its host's lease is over: nobody knows whether it fired, and whoever
    /// [adopts](crate::SlotStore::adopt_slot) it decides.
    pub is_abandoned: bool,
}

impl SlotRecord {
    /// The right of whoever claimed it last.
    #[must_use]
    pub fn lease(&self) -> SlotLease {
        SlotLease { schedule: self.schedule.clone(), at: self.at, host: self.host, token: self.token }
    }
}

/// What became of the wish to fire a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SlotClaim {
    /// It is the caller's to fire.
    Won(SlotLease),
    /// Somebody has claimed it before. If that was this very host and it is not finished, the answer to that claim was lost:
    /// [`SlotRecord::lease`] is what it was.
    Taken(SlotRecord),
    /// It lies before what is still remembered of the schedule, and counts as fired.
    Past {
        /// The latest slot that was forgotten.
        forgotten: SystemTime,
    },
}
