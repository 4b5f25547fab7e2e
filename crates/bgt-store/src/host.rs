//! Who works on runs: one process that holds leases, under a name that no other start of it has.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bgt_core::{InvalidRunId, Progress, RunId};

use crate::clock::Moment;
use crate::{Lease, StoreError};

/// The identity of one start of one host, never used twice.
///
/// A name of a machine or a pod comes back after a restart, and with it the claim to what the former start held; this
/// does not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct HostId(RunId);

impl HostId {
    /// A new identity.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "every call answers something else, which is no default")]
    pub fn new() -> Self {
        Self(RunId::new())
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for HostId {
    type Err = InvalidRunId;

    fn from_str(text: &str) -> Result<Self, InvalidRunId> {
        text.parse().map(Self)
    }
}

/// A host that registers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct NewHost {
    /// What people call it. Need not be unique.
    pub name: String,
    /// Its process.
    pub pid: Option<u32>,
    /// How long after a heartbeat others may take over what it holds.
    pub lease: Duration,
}

impl NewHost {
    /// This process, with a lease of 15 s.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), pid: Some(std::process::id()), lease: Duration::from_secs(15) }
    }

    /// How long after a heartbeat others may take over what it holds: from 100 ms to a day. Send heartbeats several
    /// times as often.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Refuses what no store takes, before anything is written; for those who write a backend.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`], which names the value.
    pub fn check(&self) -> Result<(), StoreError> {
        crate::limits::name("the host's name", &self.name)?;
        if (Duration::from_millis(100)..=Duration::from_secs(86_400)).contains(&self.lease) {
            return Ok(());
        }
        Err(StoreError::invalid("the lease of a host", format!("{:?}", self.lease), "100 ms to 24 h"))
    }
}

/// What is known of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HostRecord {
    /// The identity of this start.
    pub id: HostId,
    /// What people call it.
    pub name: String,
    /// Its process.
    pub pid: Option<u32>,
    /// When it registered, by the wall clock.
    pub started_at: SystemTime,
    /// When it was last heard of, by the wall clock.
    pub heard_at: SystemTime,
    /// When it retired, or another host took over from it. It may take on nothing any more.
    pub ended_at: Option<SystemTime>,
    /// Whether its lease is valid at the moment of the query.
    pub is_alive: bool,
}

/// What a host says with its heartbeat about a run that it holds.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Beat {
    /// What it holds.
    pub lease: Lease,
    /// How far the run has come. Numbers that make no sense count as unknown; of a message of more than 64 KiB the
    /// middle is left out.
    pub progress: Option<Progress>,
}

/// What a host hears back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Heard {
    /// The runs among those that it holds which somebody asked to stop, and how often: who asks twice wants no grace.
    pub cancel: Vec<(RunId, u32)>,
    /// The leases among those it spoke of whose runs were given to somebody since. Their work is to be ended, if it goes on:
    /// a run that this host has requeued itself, and that was claimed again, is among them too.
    pub fenced: Vec<Lease>,
}

/// Until when a host's lease is valid, on the clock that counts suspend.
///
/// All hosts of a store must be told the time by one such clock: those of one machine are. A backend for several machines
/// brings a clock that they share, without a `boot`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The start of the machine that the next two count from.
    pub boot: Option<Arc<str>>,
    /// When the host was last heard of.
    pub heard: Duration,
    /// From when on the lease is over.
    pub expires: Duration,
}

impl Expiry {
    /// That of a host that is heard of now.
    #[must_use]
    pub fn of(now: &Moment, lease: Duration) -> Self {
        Self { boot: now.boot.clone(), heard: now.since_boot, expires: now.since_boot.saturating_add(lease) }
    }

    /// Whether it is over. Another start of the machine ends every lease; so does, where the system does not name its
    /// starts, a clock that runs behind the last heartbeat.
    #[must_use]
    pub fn is_over(&self, now: &Moment) -> bool {
        let has_rebooted = match (&self.boot, &now.boot) {
            (Some(then), Some(now)) => then != now,
            _ => now.since_boot < self.heard,
        };
        has_rebooted || now.since_boot >= self.expires
    }

    /// Whether a host that was heard of after its lease had been over, at `resumed`, must not yet take over from others.
    ///
    /// When a machine wakes up, the leases of all its hosts are over at once. Who wakes first leaves the others the time
    /// of its own lease to be heard of, or it would end them all.
    #[must_use]
    pub fn must_wait(resumed: Option<Duration>, lease: Duration, now: &Moment) -> bool {
        resumed.is_some_and(|resumed| now.since_boot < resumed.saturating_add(lease))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, ManualClock};

    #[test]
    fn a_lease_ends_with_its_time_or_with_the_boot_and_not_with_the_wall_clock() {
        let clock = ManualClock::new();
        let expiry = Expiry::of(&clock.now(), Duration::from_secs(15));
        clock.set_wall(SystemTime::UNIX_EPOCH);
        clock.advance(Duration::from_millis(14_999));
        assert!(!expiry.is_over(&clock.now()));
        clock.advance(Duration::from_millis(1));
        assert!(expiry.is_over(&clock.now()));

        let expiry = Expiry::of(&clock.now(), Duration::from_secs(15));
        clock.reboot();
        assert!(expiry.is_over(&clock.now()));
        let nameless = |since_boot| Moment { boot: None, since_boot, wall: SystemTime::UNIX_EPOCH };
        let expiry = Expiry::of(&nameless(Duration::from_secs(100)), Duration::from_secs(15));
        assert!(expiry.is_over(&nameless(Duration::from_secs(5))));
        assert!(!expiry.is_over(&nameless(Duration::from_secs(100))));
        // Another thread may have looked at the clock a moment before.
        let now = clock.now();
        let expiry = Expiry::of(&now, Duration::from_secs(15));
        let before = now.since_boot.saturating_sub(Duration::from_nanos(1));
        assert!(!expiry.is_over(&Moment { since_boot: before, ..now }));
    }

    #[test]
    fn a_lease_out_of_range_is_refused_by_its_value() {
        let refused = NewHost::new("h").lease(Duration::from_millis(99)).check().unwrap_err();
        assert!(refused.to_string().contains("99ms"), "{refused}");
        assert!(NewHost::new("").check().is_err() && NewHost::new("h").check().is_ok());
    }
}
