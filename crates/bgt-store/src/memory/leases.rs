//! Hosts, and the leases that they hold on runs.

use async_trait::async_trait;
use bgt_core::Status;

use super::MemoryStore;
use super::state::{Entry, Host, Seq, State};
use crate::clock::{Moment, from_millis};
use crate::host::Expiry;
use crate::rules::{Refusal, Step};
use crate::{
    Beat, Claim, Claimed, Heard, Held, HostId, HostRecord, Lease, LeaseStore, NewHost, Outcome, Requeue,
    Result, StoreError, limits, rules,
};

/// How many hosts that have ended are kept.
const ENDED_HOSTS: usize = 1000;

#[async_trait]
impl LeaseStore for MemoryStore {
    async fn register(&self, host: NewHost) -> Result<HostId> {
        host.check()?;
        let (now, mut state) = (self.clock.now(), self.state());
        let id = HostId::new();
        let record = HostRecord {
            id,
            name: host.name,
            pid: host.pid,
            started_at: now.stored(),
            heard_at: now.stored(),
            ended_at: None,
            is_alive: true,
        };
        let expiry = Expiry::of(&now, host.lease);
        state.hosts.insert(id, Host { record, lease: host.lease, expiry });
        let ended = state.hosts.iter().filter(|(_, host)| host.record.ended_at.is_some());
        let ended: Vec<_> = ended.map(|(id, _)| *id).collect();
        for old in ended.iter().take(ended.len().saturating_sub(ENDED_HOSTS)) {
            state.hosts.remove(old);
        }
        Ok(id)
    }

    async fn heartbeat(&self, host: HostId, beats: Vec<Beat>) -> Result<Heard> {
        let (now, mut state) = (self.clock.now(), self.state());
        state.working(host)?;
        let known = state.hosts.get_mut(&host).ok_or(StoreError::UnknownHost(host))?;
        known.expiry = Expiry::of(&now, known.lease);
        known.record.heard_at = now.stored();
        let mut heard = Heard::default();
        for beat in beats {
            let seq = state.ids.get(&beat.lease.run).copied();
            let run = seq.and_then(|seq| state.runs.get_mut(&seq)).map(|entry| &mut entry.run);
            match run.filter(|run| run.token == beat.lease.token && run.status == Status::Running) {
                Some(run) => run.progress = Some(rules::progress(&beat.progress)),
                None => heard.fenced.push(beat.lease),
            }
        }
        let held = state.held_by(host).into_iter().map(|seq| &state.runs[&seq].run);
        let asked = held.filter(|run| run.cancel_requests > 0);
        heard.cancel = asked.map(|run| (run.id, run.cancel_requests)).collect();
        Ok(heard)
    }

    async fn retire(&self, host: HostId) -> Result<()> {
        let (now, mut state) = (self.clock.now(), self.state());
        let known = state.hosts.get_mut(&host).ok_or(StoreError::UnknownHost(host))?;
        known.record.ended_at.get_or_insert(now.stored());
        Ok(())
    }

    async fn hosts(&self) -> Result<Vec<HostRecord>> {
        let (now, state) = (self.clock.now(), self.state());
        let hosts = state.hosts.values().rev();
        Ok(hosts.map(|host| HostRecord { is_alive: host.is_alive(&now), ..host.record.clone() }).collect())
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed> {
        claim.check()?;
        let (now, mut state) = (self.clock.now(), self.state());
        state.working(claim.host)?;
        state.promote(&claim.queue, &now);
        let running = state.running_in.get(&claim.queue).copied().unwrap_or(0);
        let room = claim.max_running.map_or(usize::MAX, |max| max.saturating_sub(running) as usize);
        let of_queue = state.ready.iter().skip_while(|(queue, ..)| *queue < claim.queue);
        let of_queue = of_queue.take_while(|(queue, ..)| *queue == claim.queue).map(|(_, _, seq)| *seq);
        let wanted: Vec<Seq> = of_queue.take(claim.limit.min(room)).collect();
        let runs: Result<_> = wanted.into_iter().map(|seq| state.claim(seq, claim.host, &now)).collect();
        let later = (claim.queue.clone(), i64::MIN, Seq::MIN)..;
        let next = state.delayed.range(later).next().filter(|(queue, ..)| *queue == claim.queue);
        Ok(Claimed { runs: runs?, next_due: next.map(|(_, due, _)| from_millis(*due)) })
    }

    async fn held(&self, host: HostId) -> Result<Vec<Held>> {
        let state = self.state();
        state.hosts.get(&host).ok_or(StoreError::UnknownHost(host))?;
        Ok(state.held_by(host).into_iter().map(|seq| state.runs[&seq].held(host)).collect())
    }

    async fn adopt(&self, host: HostId, limit: usize) -> Result<Vec<Held>> {
        limits::page(limit)?;
        let (now, mut state) = (self.clock.now(), self.state());
        state.working(host)?;
        for other in state.hosts.values_mut().filter(|other| other.record.id != host) {
            if !other.is_alive(&now) {
                other.record.ended_at.get_or_insert(now.stored());
            }
        }
        let over = |owner: &HostId| state.hosts.get(owner).is_none_or(|host| host.record.ended_at.is_some());
        let mut orphans: Vec<Seq> =
            state.running.iter().filter(|(owner, _)| over(owner)).map(|(_, seq)| *seq).collect();
        orphans.sort_unstable();
        orphans.truncate(limit);
        Ok(orphans.into_iter().map(|seq| state.adopt(seq, host, &now)).collect())
    }

    async fn finish(&self, lease: Lease, outcome: Outcome) -> Result<()> {
        outcome.check()?;
        let (now, mut state) = (self.clock.now(), self.state());
        let seq = state.seq(lease.run)?;
        let changed = state.apply(seq, &now, |run| rules::finish(run, &lease, &outcome, &now))?;
        if let Some(entry) = state.runs.get_mut(&seq).filter(|_| changed) {
            entry.result = outcome.result;
        }
        Ok(())
    }

    async fn requeue(&self, lease: Lease, requeue: Requeue) -> Result<Status> {
        requeue.check()?;
        let (now, mut state) = (self.clock.now(), self.state());
        let seq = state.seq(lease.run)?;
        state.apply(seq, &now, |run| rules::requeue(run, &lease, &requeue, &now))?;
        Ok(state.runs[&seq].run.status)
    }
}

impl State {
    fn held_by(&self, host: HostId) -> Vec<Seq> {
        self.running.range((host, Seq::MIN)..=(host, Seq::MAX)).map(|(_, seq)| *seq).collect()
    }

    fn claim(&mut self, seq: Seq, host: HostId, now: &Moment) -> Result<Held> {
        let token = self.next_token();
        let mut attempt = None;
        self.apply(seq, now, |run| {
            let (_, begun, event) = rules::claim(run, host, token, now)?;
            attempt = Some(begun);
            Ok::<_, Refusal>(Step { events: vec![event], attempt_end: None })
        })?;
        let entry = self.runs.get_mut(&seq).expect("a run that was just there");
        entry.attempts.extend(attempt);
        Ok(entry.held(host))
    }

    fn adopt(&mut self, seq: Seq, host: HostId, now: &Moment) -> Held {
        let token = self.next_token();
        self.unindex(seq);
        let entry = self.runs.get_mut(&seq).expect("an index that names a run");
        let (_, event) = rules::adopt(&mut entry.run, host, token, now);
        entry.events.push(event);
        if let Some(attempt) = entry.attempts.last_mut() {
            (attempt.host, attempt.token) = (host, token);
        }
        let held = entry.held(host);
        self.index(seq);
        held
    }
}

impl Entry {
    fn held(&self, host: HostId) -> Held {
        Held { lease: self.run.lease(host), run: self.run.clone(), payload: self.payload.clone() }
    }
}
