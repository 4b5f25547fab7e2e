//! The rival `plain`: `rusqlite` as people use it first.
//!
//! One connection behind a lock, one transaction for each write, called on the threads that tokio has for what blocks.
//! It promises what ours promises: a write-ahead log, and the same `synchronous`. In everything else it has the better of
//! it: one row in a table of five columns with one index, where ours writes three rows, keeps more indexes and a history,
//! and looks whether the id is known; its statement is prepared once.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bgt_store::{Durability, RunId};
use rusqlite::{Connection, params};
use tokio::task::spawn_blocking;

use super::queue::{PAYLOAD, Queue};
use crate::Result;

const TABLE: &str = "\
CREATE TABLE tasks (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    status     TEXT NOT NULL,
    payload    BLOB NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE INDEX tasks_by_status ON tasks (status);
";

#[derive(Clone)]
pub(super) struct Plain(Arc<Mutex<Connection>>);

impl Queue for Plain {
    const NAME: &'static str = "plain";
    // 1 000 pages, SQLite's own choice.
    const FULL_LOG: u64 = 4_000_000;
    const COUNT: &'static str = "SELECT count(*) FROM tasks WHERE payload = ?1";

    async fn open(file: &Path, durability: Durability) -> Result<Self> {
        let connection = Connection::open(file)?;
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        if mode != "wal" {
            return Err(format!("the file has no write-ahead log: its journal mode stays {mode}").into());
        }
        let synchronous = if durability == Durability::Process { "NORMAL" } else { "FULL" };
        // Of the last two only macOS knows something; without them a commit there does not reach the disk.
        for (name, value) in
            [("synchronous", synchronous), ("fullfsync", "ON"), ("checkpoint_fullfsync", "ON")]
        {
            connection.pragma_update(None, name, value)?;
        }
        connection.execute_batch(TABLE)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    async fn enqueue(&self) -> Result {
        let connection = Arc::clone(&self.0);
        spawn_blocking(move || insert(&connection)).await?
    }

    async fn close(self) {}
}

fn insert(connection: &Mutex<Connection>) -> Result {
    // The same kind of id as ours: they ascend, which is kind to the index.
    let id = RunId::new().to_string();
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
    let mut insert = connection.prepare_cached(
        "INSERT INTO tasks (id, name, status, payload, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    // A statement outside of a transaction is one of its own.
    insert.execute(params![id, "bench", "queued", PAYLOAD, now])?;
    Ok(())
}
