//! Runs, as everybody may see and ask for them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bgt_core::{RunId, Status};
use bytes::Bytes;

use super::MemoryStore;
use crate::clock::millis;
use crate::{
    Attempt, Cursor, Enqueued, NewRun, Outcome, Page, Result, Retention, RunEvent, RunFilter, RunPage,
    RunRecord, RunStore, limits, rules,
};

#[async_trait]
impl RunStore for MemoryStore {
    async fn enqueue(&self, runs: Vec<NewRun>) -> Result<Vec<Enqueued>> {
        runs.iter().try_for_each(NewRun::check)?;
        let (mut state, now) = self.state_now();
        let mut answers = Vec::with_capacity(runs.len());
        for new in runs {
            let open = || new.unique_key.as_ref().and_then(|key| state.unique.get(key));
            if let Some(seq) = state.ids.get(&new.id).or_else(open) {
                answers.push(Enqueued { id: state.runs[seq].run.id, is_new: false });
                continue;
            }
            let (run, event) = rules::accept(&new, &now);
            answers.push(Enqueued { id: run.id, is_new: true });
            state.insert(run, new.payload, event, &now);
        }
        Ok(answers)
    }

    async fn run(&self, id: RunId) -> Result<Option<RunRecord>> {
        Ok(self.state().entry(id).ok().map(|entry| entry.run.clone()))
    }

    async fn payload(&self, id: RunId) -> Result<Bytes> {
        Ok(self.state().entry(id)?.payload.clone())
    }

    async fn result(&self, id: RunId) -> Result<Option<Bytes>> {
        Ok(self.state().entry(id)?.result.clone())
    }

    async fn attempts(&self, id: RunId) -> Result<Vec<Attempt>> {
        Ok(self.state().entry(id)?.attempts.clone())
    }

    async fn events(&self, id: RunId, after: u32, limit: usize) -> Result<Vec<RunEvent>> {
        limits::page("the limit of events", limit)?;
        let state = self.state();
        Ok(state.entry(id)?.events.iter().skip(after as usize).take(limit).cloned().collect())
    }

    async fn list(&self, filter: RunFilter, page: Page) -> Result<RunPage> {
        page.check()?;
        filter.check()?;
        let state = self.state();
        let end = page.after.map_or(i64::MAX, |cursor| cursor.0);
        let found = state.runs.range(..end).rev().filter(|(_, entry)| filter.matches(&entry.run));
        let mut found: Vec<_> = found.take(page.limit + 1).collect();
        let more = found.len() > page.limit;
        found.truncate(page.limit);
        let next = found.last().filter(|_| more).map(|(seq, _)| Cursor(**seq));
        Ok(RunPage { runs: found.into_iter().map(|(_, entry)| entry.run.clone()).collect(), next })
    }

    async fn count(&self, filter: RunFilter) -> Result<BTreeMap<Status, u64>> {
        filter.check()?;
        let mut counts = BTreeMap::new();
        for entry in self.state().runs.values().filter(|entry| filter.matches(&entry.run)) {
            *counts.entry(entry.run.status).or_default() += 1;
        }
        Ok(counts)
    }

    async fn request_cancel(&self, id: RunId) -> Result<RunRecord> {
        let (mut state, now) = self.state_now();
        let seq = state.seq(id)?;
        state.apply(seq, &now, |run| rules::request_cancel(run, &now))?;
        Ok(state.runs[&seq].run.clone())
    }

    async fn end_queued(&self, id: RunId, outcome: Outcome) -> Result<RunRecord> {
        outcome.check()?;
        let (mut state, now) = self.state_now();
        let seq = state.seq(id)?;
        let changed = state.apply(seq, &now, |run| rules::end_queued(run, &outcome, &now))?;
        let entry = state.runs.get_mut(&seq).expect("a run that was just there");
        if changed {
            entry.result = outcome.result;
        }
        Ok(entry.run.clone())
    }

    async fn note(&self, id: RunId, text: &str) -> Result<()> {
        let (mut state, now) = self.state_now();
        let seq = state.seq(id)?;
        let entry = state.runs.get_mut(&seq).expect("a run that was just there");
        let event = rules::note(&mut entry.run, text, &now);
        entry.events.push(event);
        Ok(())
    }

    async fn prune(&self, retention: Retention, limit: usize) -> Result<Vec<RunId>> {
        limits::page("the limit of pruning", limit)?;
        let mut state = self.state();
        let surplus = retention
            .keep
            .map_or(0, |keep| state.ended.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX)));
        let before = retention.ended_before.map_or(i64::MIN, millis);
        let gone = state.ended.iter().enumerate();
        let gone = gone.take_while(|(place, (ended, _))| *place < surplus || *ended < before);
        let gone: Vec<_> = gone.take(limit).map(|(_, (_, seq))| *seq).collect();
        Ok(gone.into_iter().filter_map(|seq| state.remove(seq)).collect())
    }
}
