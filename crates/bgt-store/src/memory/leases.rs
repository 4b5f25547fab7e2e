//! Hosts, and the leases that they hold on runs.

use std::cmp::Reverse;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bgt_core::Status;

use super::MemoryStore;
use super::state::{Entry, Host, Seq, State};
use crate::clock::{Moment, from_millis};
use crate::host::Expiry;
use crate::rules::{Refusal, Step};
use crate::{
    Adopt, Beat, Claim, Claimed, Heard, Held, HostId, HostRecord, Lease, LeaseStore, NewHost, Outcome,
    Requeue, Result, StoreError, limits, rules,
};

/// How many hosts are kept that have ended, or were not heard of for long, and hold nothing.
const GONE: usize = 1000;
const OLD: Duration = Duration::from_secs(7 * 86_400);

#[async_trait]
impl LeaseStore for MemoryStore {
    async fn register(&self, host: NewHost) -> Result<HostId> {
        host.check()?;
        let (mut state, now) = self.state_now();
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
        state.hosts.insert(id, Host { record, lease: host.lease, expiry, resumed: None });
        let holds =
            |id: &HostId| state.running.range((*id, Seq::MIN)..).next().is_some_and(|(host, _)| host == id);
        let gone = |host: &Host| {
            let is_old = now.wall.duration_since(host.record.heard_at).is_ok_and(|age| age > OLD);
            (host.record.ended_at.is_some() || is_old) && !holds(&host.record.id)
        };
        let mut gone: Vec<_> = state.hosts.values().filter(|host| gone(host)).collect();
        gone.sort_by_key(|host| host.record.heard_at);
        let surplus = gone.len().saturating_sub(GONE);
        let surplus: Vec<_> = gone[..surplus].iter().map(|host| host.record.id).collect();
        state.hosts.retain(|id, _| !surplus.contains(id));
        Ok(id)
    }

    async fn heartbeat(&self, host: HostId, beats: Vec<Beat>) -> Result<Heard> {
        let (mut state, now) = self.state_now();
        state.hear(host, &now)?;
        let mut heard = Heard::default();
        for beat in beats {
            let seq = state.ids.get(&beat.lease.run).copied();
            let Some(entry) = seq.and_then(|seq| state.runs.get_mut(&seq)) else { continue };
            if entry.run.token != beat.lease.token {
                heard.fenced.push(beat.lease);
            } else if entry.run.status == Status::Running {
                let told = beat.progress.as_ref().map(rules::progress);
                entry.run.progress = told.or(entry.run.progress.take());
            }
        }
        let held = state.held_by(host).into_iter().map(|seq| &state.runs[&seq].run);
        let asked = held.filter(|run| run.cancel_requests > 0);
        heard.cancel = asked.map(|run| (run.id, run.cancel_requests)).collect();
        Ok(heard)
    }

    async fn retire(&self, host: HostId) -> Result<()> {
        let (mut state, now) = self.state_now();
        let known = state.hosts.get_mut(&host).ok_or(StoreError::UnknownHost(host))?;
        known.record.ended_at.get_or_insert(now.stored());
        Ok(())
    }

    async fn hosts(&self) -> Result<Vec<HostRecord>> {
        let (state, now) = self.state_now();
        let hosts = state.hosts.values().rev();
        Ok(hosts.map(|host| HostRecord { is_alive: host.is_alive(&now), ..host.record.clone() }).collect())
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed> {
        claim.check()?;
        let (mut state, now) = self.state_now();
        state.hear(claim.host, &now)?;
        state.promote(&claim.queue, &now);
        let running = state.running_in.get(&claim.queue).copied().unwrap_or(0);
        let room = claim.max_running.map_or(usize::MAX, |max| max.saturating_sub(running) as usize);
        let wanted: Vec<Seq> = state.ready_in(&claim.queue).take(claim.limit.min(room)).collect();
        let runs: Result<_> = wanted.into_iter().map(|seq| state.claim(seq, claim.host, &now)).collect();
        let has_more = state.ready_in(&claim.queue).next().is_some();
        let next_due = state.next_delayed(&claim.queue).map(from_millis);
        Ok(Claimed { runs: runs?, has_more, next_due })
    }

    async fn next_due(&self, queue: &str) -> Result<Option<SystemTime>> {
        limits::name("the queue", queue)?;
        let (state, now) = self.state_now();
        if state.ready_in(queue).next().is_some() {
            return Ok(Some(now.stored()));
        }
        let next = state.next_delayed(queue);
        Ok(next.map(|due| from_millis(due).max(now.stored())))
    }

    async fn held(&self, host: HostId) -> Result<Vec<Held>> {
        let state = self.state();
        state.hosts.get(&host).ok_or(StoreError::UnknownHost(host))?;
        Ok(state.held_by(host).into_iter().map(|seq| state.runs[&seq].held(host)).collect())
    }

    async fn adopt(&self, adopt: Adopt) -> Result<Vec<Held>> {
        adopt.check()?;
        let (mut state, now) = self.state_now();
        state.hear(adopt.host, &now)?;
        if state.hosts.get(&adopt.host).is_some_and(|host| Expiry::must_wait(host.resumed, host.lease, &now))
        {
            return Ok(Vec::new());
        }
        for other in state.hosts.values_mut() {
            if !other.is_alive(&now) {
                other.record.ended_at.get_or_insert(now.stored());
            }
        }
        let over = |owner: &HostId| state.hosts.get(owner).is_none_or(|host| host.record.ended_at.is_some());
        let orphans = state.running.iter().filter(|(owner, _)| over(owner)).map(|(_, seq)| *seq);
        let mut orphans: Vec<Seq> = orphans.filter(|seq| adopt.matches(&state.runs[seq].run)).collect();
        orphans.sort_unstable();
        orphans.truncate(adopt.limit);
        Ok(orphans.into_iter().map(|seq| state.adopt(seq, adopt.host, &now)).collect())
    }

    async fn finish(&self, lease: Lease, outcome: Outcome) -> Result<()> {
        outcome.check()?;
        let (mut state, now) = self.state_now();
        let seq = state.seq(lease.run)?;
        let changed = state.apply(seq, &now, |run| rules::finish(run, &lease, &outcome, &now))?;
        if let Some(entry) = state.runs.get_mut(&seq).filter(|_| changed) {
            entry.result = outcome.result;
        }
        Ok(())
    }

    async fn requeue(&self, lease: Lease, requeue: Requeue) -> Result<Status> {
        requeue.check()?;
        let (mut state, now) = self.state_now();
        let seq = state.seq(lease.run)?;
        state.apply(seq, &now, |run| rules::requeue(run, &lease, &requeue, &now))?;
        Ok(state.runs[&seq].run.status)
    }
}

impl State {
    /// When the first of those that are delayed is due, in milliseconds.
    fn next_delayed(&self, queue: &str) -> Option<i64> {
        let next = self.delayed.range((queue.to_owned(), i64::MIN, Seq::MIN)..).next();
        next.filter(|(of, ..)| of == queue).map(|(_, due, _)| *due)
    }

    fn ready_in(&self, queue: &str) -> impl Iterator<Item = Seq> {
        let first = (queue.to_owned(), Reverse(i32::MAX), Seq::MIN);
        let last = (queue.to_owned(), Reverse(i32::MIN), Seq::MAX);
        self.ready.range(first..=last).map(|(_, _, seq)| *seq)
    }

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
