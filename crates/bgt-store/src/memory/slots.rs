//! Claims on the times at which schedules are due.

use std::time::SystemTime;

use async_trait::async_trait;

use super::MemoryStore;
use super::state::State;
use crate::clock::{Moment, from_millis, millis};
use crate::{HostId, Outcome, Result, SlotClaim, SlotLease, SlotRecord, SlotStore, StoreError, limits};

#[async_trait]
impl SlotStore for MemoryStore {
    async fn claim_slot(&self, host: HostId, schedule: &str, at: SystemTime) -> Result<SlotClaim> {
        self.take_slot(host, schedule, at, false)
    }

    async fn adopt_slot(&self, host: HostId, schedule: &str, at: SystemTime) -> Result<SlotClaim> {
        self.take_slot(host, schedule, at, true)
    }

    async fn finish_slot(&self, lease: SlotLease, outcome: Outcome) -> Result<()> {
        outcome.check()?;
        let (mut state, now) = self.state_now();
        let fenced = || StoreError::slot_fenced(&lease.schedule, lease.at, lease.token);
        let slot = state.slots.get_mut(&(lease.schedule.clone(), millis(lease.at))).ok_or_else(fenced)?;
        let again = slot.status == Some(outcome.status);
        if slot.token != lease.token || (slot.status.is_some() && !again) {
            return Err(fenced());
        }
        if !again {
            (slot.ended_at, slot.status) = (Some(now.stored()), Some(outcome.status));
            slot.error = outcome.error.as_deref().map(limits::text);
        }
        Ok(())
    }

    async fn slots(&self, schedule: &str, limit: usize) -> Result<Vec<SlotRecord>> {
        limits::name("the name of a schedule", schedule)?;
        limits::page("the limit of slots", limit)?;
        let (state, now) = self.state_now();
        Ok(state.slots_of(schedule).rev().take(limit).map(|slot| state.seen(slot, &now)).collect())
    }

    async fn prune_slots(&self, schedule: &str, keep: u64) -> Result<u64> {
        limits::name("the name of a schedule", schedule)?;
        let (mut state, now) = self.state_now();
        let ended = state.slots_of(schedule).rev().filter(|slot| slot.status.is_some());
        let gone = ended.skip(usize::try_from(keep).unwrap_or(usize::MAX));
        let gone: Vec<i64> = gone.map(|slot| millis(slot.at)).filter(|at| *at <= millis(now.wall)).collect();
        for at in &gone {
            state.slots.remove(&(schedule.to_owned(), *at));
        }
        if let Some(latest) = gone.first() {
            let forgotten = state.forgotten.entry(schedule.to_owned()).or_insert(*latest);
            *forgotten = (*forgotten).max(*latest);
        }
        Ok(gone.len() as u64)
    }

    async fn erase_slots(&self, schedule: &str) -> Result<u64> {
        limits::name("the name of a schedule", schedule)?;
        let mut state = self.state();
        let all: Vec<_> = state.slots_of(schedule).map(|slot| millis(slot.at)).collect();
        for at in &all {
            state.slots.remove(&(schedule.to_owned(), *at));
        }
        state.forgotten.remove(schedule);
        Ok(all.len() as u64)
    }
}

impl MemoryStore {
    fn take_slot(&self, host: HostId, schedule: &str, at: SystemTime, may_adopt: bool) -> Result<SlotClaim> {
        limits::name("the name of a schedule", schedule)?;
        let (mut state, now) = self.state_now();
        state.hear(host, &now)?;
        let key = (schedule.to_owned(), millis(at));
        if let Some(slot) = state.slots.get(&key) {
            let slot = state.seen(slot, &now);
            if !(may_adopt && slot.is_abandoned) {
                return Ok(SlotClaim::Taken(slot));
            }
            if let Some(former) = state.hosts.get_mut(&slot.host) {
                former.record.ended_at.get_or_insert(now.stored());
            }
        } else if let Some(forgotten) = state.forgotten.get(&key.0).filter(|forgotten| key.1 <= **forgotten) {
            return Ok(SlotClaim::Past { forgotten: from_millis(*forgotten) });
        }
        let token = state.next_token();
        let (schedule, at) = (key.0.clone(), from_millis(key.1));
        let slot = SlotRecord {
            schedule: schedule.clone(),
            at,
            host,
            token,
            claimed_at: now.stored(),
            ended_at: None,
            status: None,
            error: None,
            is_abandoned: false,
        };
        state.slots.insert(key, slot);
        Ok(SlotClaim::Won(SlotLease { schedule, at, host, token }))
    }
}

impl State {
    fn slots_of(&self, schedule: &str) -> impl DoubleEndedIterator<Item = &SlotRecord> {
        let all = (schedule.to_owned(), i64::MIN)..=(schedule.to_owned(), i64::MAX);
        self.slots.range(all).map(|(_, slot)| slot)
    }

    /// As it is at this moment.
    fn seen(&self, slot: &SlotRecord, now: &Moment) -> SlotRecord {
        let alive = self.hosts.get(&slot.host).is_some_and(|host| host.is_alive(now));
        SlotRecord { is_abandoned: slot.status.is_none() && !alive, ..slot.clone() }
    }
}
