//! The records, and the indexes beside them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bgt_core::{RunId, Status};
use bytes::Bytes;

use crate::clock::{Moment, millis};
use crate::host::Expiry;
use crate::rules::{Refusal, Step};
use crate::{Attempt, HostId, HostRecord, JournalEntry, Result, RunEvent, RunRecord, SlotRecord, StoreError};

/// The order of acceptance.
pub(super) type Seq = i64;

#[derive(Default)]
pub(super) struct State {
    pub(super) runs: BTreeMap<Seq, Entry>,
    pub(super) ids: HashMap<RunId, Seq>,
    /// Of runs that are not over.
    pub(super) unique: HashMap<String, Seq>,
    /// Queued and due, in the order in which they are claimed.
    pub(super) ready: BTreeSet<(String, Reverse<i32>, Seq)>,
    /// Queued and not due when it was last looked, by the time at which they are.
    pub(super) delayed: BTreeSet<(String, i64, Seq)>,
    pub(super) running: BTreeSet<(HostId, Seq)>,
    pub(super) running_in: HashMap<String, u32>,
    pub(super) ended: BTreeSet<(i64, Seq)>,
    pub(super) accepted: Seq,
    pub(super) token: u64,
    pub(super) hosts: BTreeMap<HostId, Host>,
    pub(super) slots: BTreeMap<(String, i64), SlotRecord>,
    /// The latest slot of each schedule that was forgotten.
    pub(super) forgotten: HashMap<String, i64>,
    pub(super) journals: HashMap<String, BTreeMap<String, JournalEntry>>,
}

pub(super) struct Entry {
    pub(super) run: RunRecord,
    pub(super) payload: Bytes,
    pub(super) result: Option<Bytes>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) events: Vec<RunEvent>,
    is_ready: bool,
}

pub(super) struct Host {
    pub(super) record: HostRecord,
    pub(super) lease: Duration,
    pub(super) expiry: Expiry,
    /// When it was heard of again, if its lease was over then.
    pub(super) resumed: Option<Duration>,
}

impl Host {
    pub(super) fn is_alive(&self, now: &Moment) -> bool {
        self.record.ended_at.is_none() && !self.expiry.is_over(now)
    }
}

impl State {
    pub(super) fn seq(&self, id: RunId) -> Result<Seq> {
        self.ids.get(&id).copied().ok_or(StoreError::UnknownRun(id))
    }

    pub(super) fn entry(&self, id: RunId) -> Result<&Entry> {
        Ok(&self.runs[&self.seq(id)?])
    }

    pub(super) fn insert(&mut self, run: RunRecord, payload: Bytes, event: RunEvent, now: &Moment) {
        self.accepted += 1;
        let seq = self.accepted;
        self.ids.insert(run.id, seq);
        let is_ready = run.not_before <= now.wall;
        let entry = Entry { run, payload, result: None, attempts: Vec::new(), events: vec![event], is_ready };
        self.runs.insert(seq, entry);
        self.index(seq);
    }

    pub(super) fn remove(&mut self, seq: Seq) -> Option<RunId> {
        self.unindex(seq);
        let entry = self.runs.remove(&seq)?;
        self.ids.remove(&entry.run.id);
        Some(entry.run.id)
    }

    /// Lets a rule change a run, and writes down what it says.
    pub(super) fn apply<E: Into<Refusal>>(
        &mut self,
        seq: Seq,
        now: &Moment,
        rule: impl FnOnce(&mut RunRecord) -> Result<Step, E>,
    ) -> Result<bool> {
        self.unindex(seq);
        let entry = self.runs.get_mut(&seq).expect("an index that names a run");
        let was_ready = entry.is_ready && entry.run.status == Status::Queued;
        let outcome = rule(&mut entry.run).map_err(Into::into);
        let outcome = match outcome {
            Ok(step) => {
                if let (Some(end), Some(attempt)) = (step.attempt_end, entry.attempts.last_mut()) {
                    attempt.ended_at = Some(now.stored());
                    (attempt.status, attempt.error) = (Some(end.status), end.error);
                }
                let changed = !step.events.is_empty();
                entry.events.extend(step.events);
                Ok(changed)
            }
            Err(refusal) => {
                entry.events.extend(refusal.event.map(|event| *event));
                Err(refusal.error)
            }
        };
        // What was due stays due, also when the wall clock has been set back.
        entry.is_ready = was_ready || entry.run.not_before <= now.wall;
        self.index(seq);
        outcome
    }

    /// Moves what has become due to where it is claimed.
    pub(super) fn promote(&mut self, queue: &str, now: &Moment) {
        let due = (queue.to_owned(), i64::MIN, Seq::MIN)..=(queue.to_owned(), millis(now.wall), Seq::MAX);
        let due: Vec<Seq> = self.delayed.range(due).map(|(_, _, seq)| *seq).collect();
        for seq in due {
            self.unindex(seq);
            self.runs.get_mut(&seq).expect("an index that names a run").is_ready = true;
            self.index(seq);
        }
    }

    pub(super) fn unindex(&mut self, seq: Seq) {
        let Some(entry) = self.runs.get(&seq) else { return };
        let run = &entry.run;
        match (run.status, run.owner) {
            (Status::Queued, _) if entry.is_ready => {
                self.ready.remove(&(run.queue.clone(), Reverse(run.priority), seq));
            }
            (Status::Queued, _) => {
                self.delayed.remove(&(run.queue.clone(), millis(run.not_before), seq));
            }
            (Status::Running, Some(host)) => {
                self.running.remove(&(host, seq));
                if let Some(running) = self.running_in.get_mut(&run.queue) {
                    *running -= 1;
                    if *running == 0 {
                        self.running_in.remove(&run.queue);
                    }
                }
            }
            _ => {
                self.ended.remove(&(run.ended_at.map_or(0, millis), seq));
            }
        }
        if let Some(key) = run.unique_key.as_ref().filter(|_| !run.status.is_final()) {
            self.unique.remove(key);
        }
    }

    pub(super) fn index(&mut self, seq: Seq) {
        let Some(entry) = self.runs.get(&seq) else { return };
        let run = &entry.run;
        match (run.status, run.owner) {
            (Status::Queued, _) if entry.is_ready => {
                self.ready.insert((run.queue.clone(), Reverse(run.priority), seq));
            }
            (Status::Queued, _) => {
                self.delayed.insert((run.queue.clone(), millis(run.not_before), seq));
            }
            (Status::Running, Some(host)) => {
                self.running.insert((host, seq));
                *self.running_in.entry(run.queue.clone()).or_default() += 1;
            }
            _ => {
                self.ended.insert((run.ended_at.map_or(0, millis), seq));
            }
        }
        if let Some(key) = run.unique_key.as_ref().filter(|_| !run.status.is_final()) {
            self.unique.insert(key.clone(), seq);
        }
    }

    pub(super) fn next_token(&mut self) -> u64 {
        self.token += 1;
        self.token
    }

    /// A host that may still take something on is there.
    pub(super) fn hear(&mut self, host: HostId, now: &Moment) -> Result<()> {
        let known = self.hosts.get_mut(&host).ok_or(StoreError::UnknownHost(host))?;
        if known.record.ended_at.is_some() {
            return Err(StoreError::HostEnded(host));
        }
        if known.expiry.is_over(now) {
            known.resumed = Some(now.since_boot);
        }
        known.expiry = Expiry::of(now, known.lease);
        known.record.heard_at = now.stored();
        Ok(())
    }
}
