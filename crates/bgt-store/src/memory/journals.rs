//! Records of what a batch has behind it.

use std::ops::Bound;

use async_trait::async_trait;

use super::MemoryStore;
use crate::{JournalEntry, JournalStore, Result, limits};

#[async_trait]
impl JournalStore for MemoryStore {
    async fn record(&self, journal: &str, entries: Vec<JournalEntry>) -> Result<()> {
        limits::name("the name of a journal", journal)?;
        entries.iter().try_for_each(JournalEntry::check)?;
        let (mut state, now) = self.state_now();
        let at = now.stored();
        let journal = state.journals.entry(journal.to_owned()).or_default();
        journal.extend(entries.into_iter().map(|entry| (entry.key.clone(), JournalEntry { at, ..entry })));
        Ok(())
    }

    async fn entry(&self, journal: &str, key: &str) -> Result<Option<JournalEntry>> {
        Ok(self.state().journals.get(journal).and_then(|journal| journal.get(key)).cloned())
    }

    async fn entries(&self, journal: &str, after: Option<&str>, limit: usize) -> Result<Vec<JournalEntry>> {
        limits::page("the limit of entries", limit)?;
        let state = self.state();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let entries =
            state.journals.get(journal).map(|journal| journal.range::<str, _>((from, Bound::Unbounded)));
        Ok(entries.into_iter().flatten().take(limit).map(|(_, entry)| entry.clone()).collect())
    }

    async fn erase(&self, journal: &str) -> Result<u64> {
        Ok(self.state().journals.remove(journal).map_or(0, |journal| journal.len() as u64))
    }
}
