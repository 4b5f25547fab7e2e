//! Slots that are claimed in a store before they are fired.
//!
//! Owns: this scheduler's host in the store, its heartbeat, and the slots of other hosts that are not finished yet.
//! Never does: decide whether a slot is due.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bgt_core::Status;
use bgt_store::{HostId, NewHost, Outcome, SlotClaim, SlotLease, SlotRecord, Store, StoreError};
use tokio::sync::Notify;

use crate::entry::{Entry, Pending};
use crate::shared::Shared;
use crate::{Cause, Skipped};

/// How many finished slots a store keeps of a schedule, at least; and after how many more they are looked through.
const KEPT: u64 = 100;
const PRUNED_EVERY: u64 = 50;
/// The waits between calls of a store that has a fault.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

pub(crate) struct Claims {
    store: Arc<dyn Store>,
    new_host: NewHost,
    host: tokio::sync::Mutex<Option<HostId>>,
    /// Begun by another host: whoever sees that host end finds out what became of them.
    watched: Mutex<Vec<(Arc<Entry>, SystemTime)>>,
    is_retired: AtomicBool,
    retired: Notify,
}

/// What a store knows of a schedule.
pub(crate) struct Past(Vec<SlotRecord>);

impl Past {
    /// The latest slot that anybody has claimed.
    pub(crate) fn latest(&self) -> Option<SystemTime> {
        self.0.first().map(|slot| slot.at)
    }
}

impl Claims {
    pub(crate) fn new(store: Arc<dyn Store>, new_host: NewHost) -> Self {
        Self {
            store,
            new_host,
            host: tokio::sync::Mutex::default(),
            watched: Mutex::default(),
            is_retired: AtomicBool::new(false),
            retired: Notify::new(),
        }
    }

    /// What is known of a schedule; and that this host can be registered at all.
    pub(crate) async fn past(&self, schedule: &str) -> Result<Past, StoreError> {
        self.host().await?;
        self.store.slots(schedule, 1000).await.map(Past)
    }

    async fn host(&self) -> Result<HostId, StoreError> {
        let mut host = self.host.lock().await;
        match *host {
            Some(host) => Ok(host),
            None => Ok(*host.insert(self.store.register(self.new_host.clone()).await?)),
        }
    }

    /// Takes note of an error that means that this host is none any more.
    async fn hear(&self, error: &StoreError, from: HostId) {
        if matches!(error, StoreError::HostEnded(_) | StoreError::UnknownHost(_)) {
            tracing::warn!("another host has taken over, registering again: {error}");
            let mut host = self.host.lock().await;
            if *host == Some(from) {
                *host = None;
            }
        }
    }

    async fn take(
        &self,
        schedule: &str,
        at: SystemTime,
        adopts: bool,
    ) -> Result<(HostId, SlotClaim), StoreError> {
        let host = self.host().await?;
        let claim = if adopts {
            self.store.adopt_slot(host, schedule, at).await
        } else {
            self.store.claim_slot(host, schedule, at).await
        };
        match claim {
            Ok(claim) => Ok((host, claim)),
            Err(error) => {
                self.hear(&error, host).await;
                Err(error)
            }
        }
    }

    /// The right to fire a slot, or why not. A store with a fault is asked again for as long as the slot is of use: firing
    /// without a claim would fire it twice, and giving it up would lose it.
    async fn claim(&self, shared: &Shared, entry: &Arc<Entry>, at: SystemTime) -> Result<SlotLease, Skipped> {
        let (mut wait, mut asked_before) = (FIRST_WAIT, false);
        loop {
            match self.take(&entry.name, at, false).await {
                Ok((_, SlotClaim::Won(lease))) => return Ok(lease),
                // The answer to our own claim was lost.
                Ok((host, SlotClaim::Taken(slot)))
                    if asked_before && slot.host == host && slot.status.is_none() =>
                {
                    return Ok(slot.lease());
                }
                Ok((_, SlotClaim::Taken(slot))) => {
                    if slot.status.is_none() {
                        self.watched().push((entry.clone(), at));
                    }
                    return Err(Skipped::Elsewhere);
                }
                Ok(_) => return Err(Skipped::Elsewhere),
                Err(error) => {
                    entry.state().past.counts.store_faults += 1;
                    let late = shared.engine.now().wall.duration_since(at).unwrap_or_default();
                    if late >= entry.schedule.worth() || shared.board().is_stopped {
                        tracing::error!(schedule = %entry.name, "not fired, the store does not answer: {error}");
                        return Err(Skipped::StoreFault);
                    }
                    tracing::warn!(schedule = %entry.name, "asking the store again in {wait:?}: {error}");
                    asked_before = true;
                    let _ = tokio::time::timeout(wait, self.retired.notified()).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    /// Says how a firing has ended, until the store has heard it.
    pub(crate) async fn finish(&self, entry: &Arc<Entry>, lease: SlotLease, outcome: Outcome) {
        let mut wait = FIRST_WAIT;
        loop {
            match self.store.finish_slot(lease.clone(), outcome.clone()).await {
                Ok(()) => break,
                Err(error) if error.fault().is_some() && !self.is_retired.load(Ordering::Acquire) => {
                    entry.state().past.counts.store_faults += 1;
                    tracing::warn!(schedule = %entry.name, "telling the store again in {wait:?}: {error}");
                    let _ = tokio::time::timeout(wait, self.retired.notified()).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
                // Another host has taken it over: what it says holds.
                Err(error) => {
                    tracing::warn!(schedule = %entry.name, "the end of a firing is not recorded: {error}");
                    return;
                }
            }
        }
        self.prune(entry).await;
    }

    async fn prune(&self, entry: &Entry) {
        let turns = entry.finished();
        if turns % PRUNED_EVERY == 0 {
            let keep = KEPT.max(entry.schedule.history as u64);
            if let Err(error) = self.store.prune_slots(&entry.name, keep).await {
                tracing::warn!(schedule = %entry.name, "old slots are not forgotten: {error}");
            }
        }
    }

    /// Leaves the store, as far as that takes no longer.
    pub(crate) async fn retire(&self, within: Duration) {
        self.is_retired.store(true, Ordering::Release);
        self.retired.notify_waiters();
        let leave = async {
            if let Some(host) = self.host.lock().await.take() {
                if let Err(error) = self.store.retire(host).await {
                    tracing::warn!("the store does not know that this host has ended: {error}");
                }
            }
        };
        let _ = tokio::time::timeout(within.max(FIRST_WAIT), leave).await;
    }

    fn watched(&self) -> std::sync::MutexGuard<'_, Vec<(Arc<Entry>, SystemTime)>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Claims slots that are due, one after the other, and starts those that were won.
pub(crate) async fn dispatch(shared: Arc<Shared>, entry: Arc<Entry>, firings: Vec<Pending>) {
    if let Some(claims) = &shared.claims {
        for mut pending in firings {
            match claims.claim(&shared, &entry, pending.scheduled_at).await {
                Ok(lease) => {
                    pending.lease = Some(lease);
                    shared.dispatch(&entry, pending);
                }
                Err(reason) => {
                    let mut state = entry.state();
                    entry.refuse(&mut state, [(pending, reason)]);
                }
            }
        }
    }
    shared.forget_if_over(&entry);
    shared.ends();
}

/// Finds out about slots that were begun and not finished.
pub(crate) fn recover(shared: &Arc<Shared>, entry: &Arc<Entry>, past: Past) {
    let Some(claims) = &shared.claims else { return };
    let open: Vec<_> = past.0.into_iter().filter(|slot| slot.status.is_none()).collect();
    if open.is_empty() {
        return;
    }
    claims.watched().extend(open.into_iter().rev().map(|slot| (entry.clone(), slot.at)));
    let shared = shared.clone();
    shared.begins();
    drop(shared.runtime().spawn(async move {
        sweep(&shared).await;
        shared.ends();
    }));
}

/// The heartbeat of this scheduler's host, for as long as there is something to hold.
pub(crate) async fn keep(shared: Arc<Shared>) {
    let Some(claims) = &shared.claims else { return };
    let every = claims.new_host.lease / 4;
    loop {
        let mut retired = std::pin::pin!(claims.retired.notified());
        retired.as_mut().enable();
        if claims.is_retired.load(Ordering::Acquire) {
            return;
        }
        if shared.board().is_stopped && shared.in_flight() == 0 {
            return claims.retire(every).await;
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = retired => return,
        }
        if let Ok(host) = claims.host().await {
            if let Err(error) = claims.store.heartbeat(host, Vec::new()).await {
                claims.hear(&error, host).await;
            }
        }
        sweep(&shared).await;
    }
}

/// Looks at what other hosts have begun: what they cannot finish any more is taken over.
async fn sweep(shared: &Arc<Shared>) {
    let Some(claims) = &shared.claims else { return };
    let watched = std::mem::take(&mut *claims.watched());
    for (entry, at) in watched {
        if shared.board().is_stopped {
            return;
        }
        if entry.state().is_removed {
            continue;
        }
        match claims.take(&entry.name, at, true).await {
            Ok((_, SlotClaim::Won(lease))) if entry.schedule.fires_again => {
                let mut pending = Pending::new(at, Cause::Recovered, 0);
                pending.lease = Some(lease);
                shared.dispatch(&entry, pending);
            }
            Ok((_, SlotClaim::Won(lease))) => {
                tracing::warn!(schedule = %entry.name, "a firing was begun by a host that is gone: it is lost");
                entry.state().past.skipped(at, Skipped::Lost, 1, entry.schedule.history);
                let outcome = Outcome::new(Status::Lost).error("its host did not bring it to an end");
                claims.finish(&entry, lease, outcome).await;
            }
            Ok((_, SlotClaim::Taken(slot))) if slot.status.is_some() => {}
            Ok((_, SlotClaim::Past { .. })) => {}
            Ok(_) | Err(_) => claims.watched().push((entry, at)),
        }
    }
}
