//! Records of what a batch has behind it.

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{OptionalExtension, Row, params};

use super::runs::count;
use super::{SqliteStore, rows};
use crate::clock::millis;
use crate::{JournalEntry, JournalStore, Result, limits};

#[async_trait]
impl JournalStore for SqliteStore {
    async fn record(&self, journal: &str, entries: Vec<JournalEntry>) -> Result<()> {
        limits::name("the name of a journal", journal)?;
        entries.iter().try_for_each(JournalEntry::check)?;
        let journal = journal.to_owned();
        self.write(move |connection, now| {
            let mut write = connection.prepare_cached(
                "INSERT OR REPLACE INTO journals (journal, key, status, value, at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for entry in &entries {
                let (status, at) = (entry.status.as_str(), millis(now.wall));
                write.execute(params![journal, entry.key, status, &entry.value[..], at])?;
            }
            Ok(())
        })
        .await
    }

    async fn entry(&self, journal: &str, key: &str) -> Result<Option<JournalEntry>> {
        let (journal, key) = (journal.to_owned(), key.to_owned());
        self.read(move |connection, _| {
            let mut query = connection.prepare_cached(
                "SELECT key, status, value, at FROM journals WHERE journal = ?1 AND key = ?2",
            )?;
            Ok(query.query_row(params![journal, key], entry).optional()?)
        })
        .await
    }

    async fn entries(&self, journal: &str, after: Option<&str>, limit: usize) -> Result<Vec<JournalEntry>> {
        limits::page("the limit of entries", limit)?;
        // No key is empty, so all of them come after the empty one.
        let (journal, after) = (journal.to_owned(), after.unwrap_or_default().to_owned());
        self.read(move |connection, _| {
            let mut query = connection.prepare_cached(
                "SELECT key, status, value, at FROM journals WHERE journal = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
            )?;
            let found = query.query_map(params![journal, after, count(limit)], entry)?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn erase(&self, journal: &str) -> Result<u64> {
        let journal = journal.to_owned();
        self.write(move |connection, _| {
            let mut erase = connection.prepare_cached("DELETE FROM journals WHERE journal = ?1")?;
            Ok(erase.execute([&journal])? as u64)
        })
        .await
    }
}

/// From `key, status, value, at`.
fn entry(row: &Row<'_>) -> rusqlite::Result<JournalEntry> {
    Ok(JournalEntry {
        key: row.get(0)?,
        status: rows::parsed(row, 1)?,
        value: Bytes::from(row.get::<_, Vec<u8>>(2)?),
        at: rows::time(row, 3)?,
    })
}
