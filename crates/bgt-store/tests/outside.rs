//! A backend as somebody else would write it, to copy: only what is public, one lock around plain lists, and no index.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use bgt_store::backend::{self, Expiry, Refusal, Step, check_limit, check_name, from_millis, millis};
use bgt_store::conformance::Backend;
use bgt_store::{
    Adopt, Attempt, Beat, Bytes, Claim, Claimed, Clock, Cursor, Enqueued, Heard, Held, HostId, HostRecord,
    JournalEntry, JournalStore, Lease, LeaseStore, ManualClock, Moment, NewHost, NewRun, Outcome, Page,
    Requeue, Result, Retention, RunEvent, RunFilter, RunId, RunPage, RunRecord, RunStore, SlotClaim,
    SlotLease, SlotRecord, SlotStore, Status, Store, StoreError, async_trait,
};

/// Whatever happens under the lock happens as a whole: elsewhere this is a transaction.
struct Outside {
    clock: ManualClock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In the order of acceptance.
    runs: Vec<Run>,
    /// How many were ever accepted: no place is given twice, or pages would move.
    accepted: i64,
    /// Of the latest lease, on a run or a slot.
    token: u64,
    /// In the order of registration.
    hosts: Vec<Host>,
    schedules: BTreeMap<String, Schedule>,
    journals: BTreeMap<String, BTreeMap<String, JournalEntry>>,
}

struct Run {
    place: i64,
    record: RunRecord,
    /// Its time has come once, by the wall clock. That may be set back, and the run is due all the same.
    is_due: bool,
    payload: Bytes,
    result: Option<Bytes>,
    attempts: Vec<Attempt>,
    events: Vec<RunEvent>,
}

struct Host {
    record: HostRecord,
    lease: Duration,
    expiry: Expiry,
    /// When it was last heard of after its lease had been over.
    resumed: Option<Duration>,
}

#[derive(Default)]
struct Schedule {
    slots: BTreeMap<i64, SlotRecord>,
    /// The latest that was pruned.
    forgotten: Option<i64>,
}

impl Outside {
    /// The time is looked at under the lock, so that nobody who comes later has an earlier one.
    fn lock(&self) -> (MutexGuard<'_, State>, Moment) {
        let mut state = self.state.lock().expect("no panic under the lock");
        let now = self.clock.now();
        for run in &mut state.runs {
            run.is_due |= run.record.not_before <= now.stored();
        }
        (state, now)
    }

    fn take_slot(&self, host: HostId, schedule: &str, at: SystemTime, may_adopt: bool) -> Result<SlotClaim> {
        check_name("the name of a schedule", schedule)?;
        let (mut state, now) = self.lock();
        state.hear(host, &now)?;
        let State { schedules, hosts, token, .. } = &mut *state;
        let Schedule { slots, forgotten } = schedules.entry(schedule.to_owned()).or_default();
        let at = millis(at);
        if let Some(slot) = slots.get(&at) {
            let slot = seen(slot, hosts, &now);
            if !(may_adopt && slot.is_abandoned) {
                return Ok(SlotClaim::Taken(slot));
            }
            hosts.iter_mut().filter(|host| host.record.id == slot.host).for_each(|host| host.end(&now));
        } else if let Some(forgotten) = forgotten.filter(|forgotten| at <= *forgotten) {
            return Ok(SlotClaim::Past { forgotten: from_millis(forgotten) });
        }
        *token += 1;
        let slot = SlotRecord::new(schedule.to_owned(), from_millis(at), host, *token, now.stored());
        let lease = slot.lease();
        slots.insert(at, slot);
        Ok(SlotClaim::Won(lease))
    }
}

impl State {
    fn run(&mut self, id: RunId) -> Result<&mut Run> {
        self.runs.iter_mut().find(|run| run.record.id == id).ok_or(StoreError::UnknownRun(id))
    }

    fn host(&mut self, id: HostId) -> Result<&mut Host> {
        self.hosts.iter_mut().find(|host| host.record.id == id).ok_or(StoreError::UnknownHost(id))
    }

    /// A host sends a heartbeat, or takes something on, which counts as one.
    fn hear(&mut self, id: HostId, now: &Moment) -> Result<&mut Host> {
        let host = self.host(id)?;
        if host.record.ended_at.is_some() {
            return Err(StoreError::HostEnded(id));
        }
        if host.expiry.is_over(now) {
            host.resumed = Some(now.since_boot);
        }
        host.expiry = Expiry::of(now, host.lease);
        host.record.heard_at = now.stored();
        Ok(host)
    }
}

impl Run {
    fn is_queued_in(&self, queue: &str) -> bool {
        self.record.status == Status::Queued && self.record.queue == queue
    }

    fn held(&self, host: HostId) -> Held {
        let run = self.record.clone();
        let lease = Lease { run: run.id, attempt: run.attempt, host, token: run.token };
        Held { lease, run, payload: self.payload.clone() }
    }

    /// Writes down what a rule said about the record, and answers whether anything has changed.
    fn write(&mut self, said: Result<Step, impl Into<Refusal>>, now: &Moment) -> Result<bool> {
        let step = match said.map_err(Into::into) {
            Ok(step) => step,
            Err(refusal) => {
                self.events.extend(refusal.event.map(|event| *event));
                return Err(refusal.error);
            }
        };
        if let (Some(end), Some(attempt)) = (step.attempt_end, self.attempts.last_mut()) {
            attempt.ended_at = Some(now.stored());
            (attempt.status, attempt.error) = (Some(end.status), end.error);
        }
        let has_changed = !step.events.is_empty();
        self.events.extend(step.events);
        Ok(has_changed)
    }
}

impl Host {
    fn is_alive(&self, now: &Moment) -> bool {
        self.record.ended_at.is_none() && !self.expiry.is_over(now)
    }

    fn end(&mut self, now: &Moment) {
        self.record.ended_at.get_or_insert(now.stored());
    }
}

/// A slot as it is at this moment.
fn seen(slot: &SlotRecord, hosts: &[Host], now: &Moment) -> SlotRecord {
    let is_alive = hosts.iter().any(|host| host.record.id == slot.host && host.is_alive(now));
    let mut slot = slot.clone();
    slot.is_abandoned = slot.status.is_none() && !is_alive;
    slot
}

#[async_trait]
impl RunStore for Outside {
    async fn enqueue(&self, runs: Vec<NewRun>) -> Result<Vec<Enqueued>> {
        runs.iter().try_for_each(NewRun::check)?;
        let (mut state, now) = self.lock();
        let mut answers = Vec::new();
        for new in runs {
            let has_its_key =
                |run: &&Run| run.record.unique_key == new.unique_key && !run.record.status.is_final();
            let by_id = state.runs.iter().find(|run| run.record.id == new.id);
            let by_key = || state.runs.iter().find(has_its_key).filter(|_| new.unique_key.is_some());
            if let Some(Run { record: known, .. }) = by_id.or_else(by_key) {
                answers.push(Enqueued { id: known.id, is_new: false });
                continue;
            }
            let (record, event) = backend::accept(&new, &now);
            answers.push(Enqueued { id: record.id, is_new: true });
            state.accepted += 1;
            let (place, is_due) = (state.accepted, record.not_before <= now.stored());
            let (payload, result, attempts, events) = (new.payload, None, Vec::new(), vec![event]);
            state.runs.push(Run { place, record, is_due, payload, result, attempts, events });
        }
        Ok(answers)
    }

    async fn run(&self, id: RunId) -> Result<Option<RunRecord>> {
        Ok(self.lock().0.run(id).ok().map(|run| run.record.clone()))
    }

    async fn payload(&self, id: RunId) -> Result<Bytes> {
        Ok(self.lock().0.run(id)?.payload.clone())
    }

    async fn result(&self, id: RunId) -> Result<Option<Bytes>> {
        Ok(self.lock().0.run(id)?.result.clone())
    }

    async fn attempts(&self, id: RunId) -> Result<Vec<Attempt>> {
        Ok(self.lock().0.run(id)?.attempts.clone())
    }

    async fn events(&self, id: RunId, after: u32, limit: usize) -> Result<Vec<RunEvent>> {
        check_limit("the limit of events", limit)?;
        let (mut state, _) = self.lock();
        Ok(state.run(id)?.events.iter().filter(|event| event.seq > after).take(limit).cloned().collect())
    }

    async fn list(&self, filter: RunFilter, page: Page) -> Result<RunPage> {
        page.check()?;
        filter.check()?;
        let (state, _) = self.lock();
        let end = page.after.map_or(i64::MAX, Cursor::place);
        let mut found = state.runs.iter().rev().filter(|run| run.place < end && filter.matches(&run.record));
        let runs: Vec<_> = found.by_ref().take(page.limit).collect();
        let mut answer = RunPage::default();
        answer.next = found.next().and(runs.last()).map(|run| Cursor::new(run.place));
        answer.runs = runs.into_iter().map(|run| run.record.clone()).collect();
        Ok(answer)
    }

    async fn count(&self, filter: RunFilter) -> Result<BTreeMap<Status, u64>> {
        filter.check()?;
        let mut counts = BTreeMap::new();
        for run in self.lock().0.runs.iter().filter(|run| filter.matches(&run.record)) {
            *counts.entry(run.record.status).or_default() += 1;
        }
        Ok(counts)
    }

    async fn request_cancel(&self, id: RunId) -> Result<RunRecord> {
        let (mut state, now) = self.lock();
        let run = state.run(id)?;
        let said = backend::request_cancel(&mut run.record, &now);
        run.write(said, &now)?;
        Ok(run.record.clone())
    }

    async fn end_queued(&self, id: RunId, outcome: Outcome) -> Result<RunRecord> {
        outcome.check()?;
        let (mut state, now) = self.lock();
        let run = state.run(id)?;
        let said = backend::end_queued(&mut run.record, &outcome, &now);
        if run.write(said, &now)? {
            run.result = outcome.result;
        }
        Ok(run.record.clone())
    }

    async fn note(&self, id: RunId, text: &str) -> Result<()> {
        let (mut state, now) = self.lock();
        let run = state.run(id)?;
        run.events.push(backend::note(&mut run.record, text, &now));
        Ok(())
    }

    async fn prune(&self, retention: Retention, limit: usize) -> Result<Vec<RunId>> {
        check_limit("the limit of pruning", limit)?;
        let (mut state, _) = self.lock();
        let over = state.runs.iter().filter_map(|run| Some((millis(run.record.ended_at?), run.record.id)));
        let mut over: Vec<_> = over.collect();
        over.sort_by_key(|(ended, _)| *ended);
        let keep = retention.keep.map_or(usize::MAX, |keep| usize::try_from(keep).unwrap_or(usize::MAX));
        let surplus = over.len().saturating_sub(keep);
        let before = retention.ended_before.map_or(i64::MIN, millis);
        let gone = over.into_iter().enumerate().filter(|(n, (ended, _))| *n < surplus || *ended < before);
        let gone: Vec<_> = gone.map(|(_, (_, id))| id).take(limit).collect();
        state.runs.retain(|run| !gone.contains(&run.record.id));
        Ok(gone)
    }
}

#[async_trait]
impl LeaseStore for Outside {
    async fn register(&self, host: NewHost) -> Result<HostId> {
        host.check()?;
        let (mut state, now) = self.lock();
        let (id, lease, expiry) = (HostId::new(), host.lease, Expiry::of(&now, host.lease));
        let record = HostRecord::new(id, host.name, host.pid, now.stored());
        state.hosts.push(Host { record, lease, expiry, resumed: None });
        Ok(id)
    }

    async fn heartbeat(&self, host: HostId, beats: Vec<Beat>) -> Result<Heard> {
        let (mut state, now) = self.lock();
        state.hear(host, &now)?;
        let mut heard = Heard::default();
        for Beat { lease, progress } in beats {
            let Ok(Run { record, .. }) = state.run(lease.run) else { continue };
            if record.token != lease.token {
                heard.fenced.push(lease);
            } else if let (Status::Running, Some(told)) = (record.status, progress) {
                record.progress = Some(backend::progress(&told));
            }
        }
        let held = state.runs.iter().map(|run| &run.record).filter(|run| run.owner == Some(host));
        let asked = held.filter(|run| run.cancel_requests > 0);
        heard.cancel = asked.map(|run| (run.id, run.cancel_requests)).collect();
        Ok(heard)
    }

    async fn retire(&self, host: HostId) -> Result<()> {
        let (mut state, now) = self.lock();
        state.host(host)?.end(&now);
        Ok(())
    }

    async fn hosts(&self) -> Result<Vec<HostRecord>> {
        let (state, now) = self.lock();
        let (mut answer, mut ended) = (Vec::new(), 0);
        for host in state.hosts.iter().rev() {
            let mut record = host.record.clone();
            record.is_alive = host.is_alive(&now);
            ended += usize::from(record.ended_at.is_some());
            if record.ended_at.is_none() || ended <= 1000 {
                answer.push(record);
            }
        }
        Ok(answer)
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed> {
        claim.check()?;
        let (mut state, now) = self.lock();
        state.hear(claim.host, &now)?;
        let State { runs, token, .. } = &mut *state;
        let is_running = |run: &&Run| run.record.status == Status::Running && run.record.queue == claim.queue;
        let running = runs.iter().filter(is_running).count();
        let room = claim.max_running.map_or(usize::MAX, |max| (max as usize).saturating_sub(running));
        let waiting = runs.iter_mut().filter(|run| run.is_queued_in(&claim.queue));
        let (mut due, later): (Vec<_>, Vec<_>) = waiting.partition(|run| run.is_due);
        // Of equals the one that was accepted first: sorting leaves them in their order.
        due.sort_by_key(|run| Reverse(run.record.priority));
        let mut claimed = Claimed::default();
        claimed.has_more = due.len() > claim.limit.min(room);
        claimed.next_due = later.iter().map(|run| run.record.not_before).min();
        for run in due.into_iter().take(claim.limit.min(room)) {
            *token += 1;
            let (_, attempt, event) = backend::claim(&mut run.record, claim.host, *token, &now)?;
            run.attempts.push(attempt);
            run.events.push(event);
            claimed.runs.push(run.held(claim.host));
        }
        Ok(claimed)
    }

    async fn next_due(&self, queue: &str) -> Result<Option<SystemTime>> {
        Claim::new(HostId::new(), queue, 1).check()?;
        let (state, now) = self.lock();
        let waiting = state.runs.iter().filter(|run| run.is_queued_in(queue));
        let first = waiting.map(|run| if run.is_due { now.stored() } else { run.record.not_before }).min();
        Ok(first.map(|due| due.max(now.stored())))
    }

    async fn held(&self, host: HostId) -> Result<Vec<Held>> {
        let (mut state, _) = self.lock();
        state.host(host)?;
        let held = state.runs.iter().filter(|run| run.record.owner == Some(host));
        Ok(held.map(|run| run.held(host)).collect())
    }

    async fn adopt(&self, adopt: Adopt) -> Result<Vec<Held>> {
        adopt.check()?;
        let (mut state, now) = self.lock();
        let host = state.hear(adopt.host, &now)?;
        if Expiry::must_wait(host.resumed, host.lease, &now) {
            return Ok(Vec::new());
        }
        let State { runs, hosts, token, .. } = &mut *state;
        hosts.iter_mut().filter(|host| !host.is_alive(&now)).for_each(|host| host.end(&now));
        let is_gone = |owner| hosts.iter().any(|host| host.record.id == owner && !host.is_alive(&now));
        let orphans = runs.iter_mut().filter(|run| run.record.owner.is_some_and(is_gone));
        let mut adopted = Vec::new();
        for run in orphans.filter(|run| adopt.matches(&run.record)).take(adopt.limit) {
            *token += 1;
            let (_, event) = backend::adopt(&mut run.record, adopt.host, *token, &now);
            run.events.push(event);
            if let Some(attempt) = run.attempts.last_mut() {
                (attempt.host, attempt.token) = (adopt.host, *token);
            }
            adopted.push(run.held(adopt.host));
        }
        Ok(adopted)
    }

    async fn finish(&self, lease: Lease, outcome: Outcome) -> Result<()> {
        outcome.check()?;
        let (mut state, now) = self.lock();
        let run = state.run(lease.run)?;
        let said = backend::finish(&mut run.record, &lease, &outcome, &now);
        if run.write(said, &now)? {
            run.result = outcome.result;
        }
        Ok(())
    }

    async fn requeue(&self, lease: Lease, requeue: Requeue) -> Result<Status> {
        requeue.check()?;
        let (mut state, now) = self.lock();
        let run = state.run(lease.run)?;
        let said = backend::requeue(&mut run.record, &lease, &requeue, &now);
        if run.write(said, &now)? {
            run.is_due = run.record.not_before <= now.stored();
        }
        Ok(run.record.status)
    }
}

#[async_trait]
impl SlotStore for Outside {
    async fn claim_slot(&self, host: HostId, schedule: &str, at: SystemTime) -> Result<SlotClaim> {
        self.take_slot(host, schedule, at, false)
    }

    async fn adopt_slot(&self, host: HostId, schedule: &str, at: SystemTime) -> Result<SlotClaim> {
        self.take_slot(host, schedule, at, true)
    }

    async fn finish_slot(&self, lease: SlotLease, outcome: Outcome) -> Result<()> {
        outcome.check()?;
        let (mut state, now) = self.lock();
        let SlotLease { schedule, at, token, .. } = lease;
        let at = millis(at);
        let slot = state.schedules.get_mut(&schedule).and_then(|schedule| schedule.slots.get_mut(&at));
        match slot.filter(|slot| slot.token == token) {
            Some(slot) if slot.status.is_none() => {
                (slot.status, slot.ended_at) = (Some(outcome.status), Some(now.stored()));
                slot.error = outcome.error.as_deref().map(backend::kept_text);
                Ok(())
            }
            Some(slot) if slot.status == Some(outcome.status) => Ok(()),
            _ => Err(StoreError::SlotFenced { schedule, at, token }),
        }
    }

    async fn slots(&self, schedule: &str, limit: usize) -> Result<Vec<SlotRecord>> {
        check_name("the name of a schedule", schedule)?;
        check_limit("the limit of slots", limit)?;
        let (state, now) = self.lock();
        let slots =
            state.schedules.get(schedule).into_iter().flat_map(|schedule| schedule.slots.values().rev());
        Ok(slots.take(limit).map(|slot| seen(slot, &state.hosts, &now)).collect())
    }

    async fn prune_slots(&self, schedule: &str, keep: u64) -> Result<u64> {
        check_name("the name of a schedule", schedule)?;
        let (mut state, now) = self.lock();
        let Some(Schedule { slots, forgotten }) = state.schedules.get_mut(schedule) else { return Ok(0) };
        let ended = slots.iter().rev().filter(|(_, slot)| slot.status.is_some()).map(|(at, _)| *at);
        let gone = ended.skip(usize::try_from(keep).unwrap_or(usize::MAX));
        let gone: Vec<_> = gone.filter(|at| *at <= millis(now.wall)).collect();
        slots.retain(|at, _| !gone.contains(at));
        *forgotten = gone.first().copied().max(*forgotten);
        Ok(gone.len() as u64)
    }

    async fn erase_slots(&self, schedule: &str) -> Result<u64> {
        check_name("the name of a schedule", schedule)?;
        let erased = self.lock().0.schedules.remove(schedule);
        Ok(erased.map_or(0, |schedule| schedule.slots.len() as u64))
    }
}

#[async_trait]
impl JournalStore for Outside {
    async fn record(&self, journal: &str, entries: Vec<JournalEntry>) -> Result<()> {
        check_name("the name of a journal", journal)?;
        entries.iter().try_for_each(JournalEntry::check)?;
        let (mut state, now) = self.lock();
        let journal = state.journals.entry(journal.to_owned()).or_default();
        for mut entry in entries {
            entry.at = now.stored();
            journal.insert(entry.key.clone(), entry);
        }
        Ok(())
    }

    async fn entry(&self, journal: &str, key: &str) -> Result<Option<JournalEntry>> {
        Ok(self.lock().0.journals.get(journal).and_then(|journal| journal.get(key)).cloned())
    }

    async fn entries(&self, journal: &str, after: Option<&str>, limit: usize) -> Result<Vec<JournalEntry>> {
        check_limit("the limit of entries", limit)?;
        let (state, _) = self.lock();
        let Some(journal) = state.journals.get(journal) else { return Ok(Vec::new()) };
        let after = journal.values().filter(|entry| after < Some(entry.key.as_str()));
        Ok(after.take(limit).cloned().collect())
    }

    async fn erase(&self, journal: &str) -> Result<u64> {
        Ok(self.lock().0.journals.remove(journal).map_or(0, |journal| journal.len() as u64))
    }
}

#[derive(Default)]
struct Place {
    clock: ManualClock,
}

#[async_trait]
impl Backend for Place {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(Outside { clock: self.clock.clone(), state: Mutex::default() })
    }

    fn clock(&self) -> ManualClock {
        self.clock.clone()
    }

    fn survives_restart(&self) -> bool {
        false
    }
}

bgt_store::conformance!(outside, Place::default());
