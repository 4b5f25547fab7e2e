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
use tokio::task::JoinSet;

use crate::entry::{Entry, Pending};
use crate::overdue::{Overdue, Passed};
use crate::shared::{Busy, Shared};
use crate::{Cause, Skipped};

/// How many finished slots a store keeps of a schedule, at least; and after how many more they are looked through.
const KEPT: u64 = 100;
const PRUNED_EVERY: u64 = 50;
/// So many slots of other hosts are looked at together.
const SWEPT_AT_ONCE: usize = 64;
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

    /// The right to fire a slot, or why not; what the store said if it has a fault. `asked_before` is whether the answer to a claim
    /// of our own may have been lost.
    async fn claim(
        &self,
        entry: &Arc<Entry>,
        at: SystemTime,
        asked_before: bool,
    ) -> Result<Result<SlotLease, Skipped>, StoreError> {
        Ok(match self.take(&entry.name, at, false).await? {
            (_, SlotClaim::Won(lease)) => Ok(lease),
            (host, SlotClaim::Taken(slot)) if asked_before && slot.host == host && slot.status.is_none() => {
                Ok(slot.lease())
            }
            (_, SlotClaim::Taken(slot)) => {
                if slot.status.is_none() {
                    self.watched().push((entry.clone(), at));
                }
                Err(Skipped::Elsewhere)
            }
            _ => Err(Skipped::Elsewhere),
        })
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
        if entry.finished() % PRUNED_EVERY == 0 {
            self.prune(entry).await;
        }
    }

    async fn prune(&self, entry: &Entry) {
        // What waits to be claimed is older than what has ended meanwhile, and would count as forgotten.
        if entry.state().claiming.is_some() {
            return;
        }
        if let Err(error) = self.store.prune_slots(&entry.name, kept(entry)).await {
            tracing::warn!(schedule = %entry.name, "old slots are not forgotten: {error}");
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
        let _ = tokio::time::timeout(within, leave).await;
    }

    fn watched(&self) -> std::sync::MutexGuard<'_, Vec<(Arc<Entry>, SystemTime)>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many finished slots of a schedule are kept.
fn kept(entry: &Entry) -> u64 {
    KEPT.max(entry.schedule.history as u64)
}

/// Claims slots that are due, the oldest first, and starts those that were won; until none waits. A store with a fault is asked
/// again for as long as the policy finds the slot of use: fired without a claim it could be fired twice.
pub(crate) async fn dispatch(shared: Busy, entry: Arc<Entry>) {
    let Some(claims) = &shared.claims else { return };
    let _given_up = GivenUpInAPanic(&entry);
    let (mut wait, mut asked) = (FIRST_WAIT, None);
    while let Some(at) = next(&shared, &entry) {
        match claims.claim(&entry, at, asked == Some(at)).await {
            Ok(answer) => {
                (wait, asked) = (FIRST_WAIT, None);
                let Some(mut pending) = entry.state().claiming.as_mut().and_then(Overdue::pop) else {
                    continue;
                };
                match answer {
                    Ok(lease) => {
                        pending.lease = Some(lease);
                        shared.dispatch(&entry, pending);
                    }
                    Err(reason) => drop(entry.refuse(&mut entry.state(), [(pending, reason)])),
                }
            }
            Err(error) => {
                entry.state().past.counts.store_faults += 1;
                tracing::warn!(schedule = %entry.name, "asking the store again in {wait:?}: {error}");
                asked = Some(at);
                let is_stopped = shared.once(|| shared.board().is_stopped);
                let _ = tokio::time::timeout(wait, is_stopped).await;
                wait = (wait * 2).min(LONGEST_WAIT);
                if shared.board().is_stopped {
                    let mut state = entry.state();
                    let left = state.claiming.as_mut().map(Overdue::take).unwrap_or_default();
                    let left = left.into_iter().map(|pending| (pending, Skipped::StoreFault));
                    entry.refuse(&mut state, left);
                }
            }
        }
    }
    shared.forget_if_over(&entry);
}

/// A store of a user's may panic: what waited is given up, and the next that is due is claimed by somebody new.
struct GivenUpInAPanic<'a>(&'a Arc<Entry>);

impl Drop for GivenUpInAPanic<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let mut state = self.0.state();
        let left = state.claiming.take().map(|mut waiting| waiting.take()).unwrap_or_default();
        self.0.refuse(&mut state, left.into_iter().map(|pending| (pending, Skipped::StoreFault)));
    }
}

/// The next slot to claim. Without one nobody claims any more, and the next that is due is claimed by somebody new.
fn next(shared: &Shared, entry: &Entry) -> Option<SystemTime> {
    let now = crate::nanos::of_wall(shared.engine.now().wall);
    let mut state = entry.state();
    let state = &mut *state;
    let rules = *state.plan.rules();
    let mut passed = Passed::default();
    let mut claiming = state.claiming.take()?;
    let next = claiming.next(now, &rules, &mut passed).filter(|_| !state.is_removed);
    let at = next.map(|pending| pending.scheduled_at);
    if at.is_some() {
        state.claiming = Some(claiming);
    } else {
        let left = claiming.take().into_iter().map(|pending| (pending, Skipped::Stopped));
        entry.refuse(state, left);
    }
    let Passed { given_up, misfires } = passed;
    state.past.counts.misfires += misfires;
    if !given_up.is_empty() {
        let (schedule, count) = (&entry.name, given_up.len());
        tracing::error!(%schedule, "{count} times are not fired, the store did not answer while they were of use");
    }
    entry.refuse(state, given_up.into_iter().map(|pending| (pending, Skipped::StoreFault)));
    at
}

/// Finds out about slots that were begun and not finished, and has the store forget old ones.
pub(crate) fn recover(shared: &Arc<Shared>, entry: &Arc<Entry>, past: Past) {
    let Some(claims) = &shared.claims else { return };
    let is_long = past.0.len() as u64 > kept(entry) + PRUNED_EVERY;
    let open: Vec<_> = past.0.into_iter().filter(|slot| slot.status.is_none()).collect();
    if open.is_empty() && !is_long {
        return;
    }
    claims.watched().extend(open.into_iter().rev().map(|slot| (entry.clone(), slot.at)));
    let (shared, entry) = (shared.busy(), entry.clone());
    drop(shared.runtime().spawn(async move {
        sweep(&shared).await;
        if let Some(claims) = shared.claims.as_ref().filter(|_| is_long) {
            claims.prune(&entry).await;
        }
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

/// Looks at what other hosts have begun: what they cannot finish any more is taken over. Several at a time, so that the store can
/// write them down together.
async fn sweep(shared: &Arc<Shared>) {
    let Some(claims) = &shared.claims else { return };
    let mut watched = std::mem::take(&mut *claims.watched()).into_iter();
    let mut looks = JoinSet::new();
    loop {
        while looks.len() < SWEPT_AT_ONCE {
            let Some((entry, at)) = watched.next() else { break };
            looks.spawn(look_at(shared.clone(), entry, at));
        }
        if looks.join_next().await.is_none() {
            return;
        }
    }
}

async fn look_at(shared: Arc<Shared>, entry: Arc<Entry>, at: SystemTime) {
    let Some(claims) = &shared.claims else { return };
    if shared.board().is_stopped || entry.state().is_removed {
        return;
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
