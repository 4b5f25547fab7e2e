//! The tables, version by version.
//!
//! Owns: what a file must be before anything is read from it, and how an older one becomes the latest.
//! Never does: touch a file that it does not understand.

use std::time::{Duration, Instant};

use rusqlite::{Connection, Error, ErrorCode, TransactionBehavior};

use super::Durability;
use super::session::Place;
use crate::{Fault, FaultKind};

/// What the header of every store says, so that no other program's database is taken for one: `bgts`.
const APPLICATION: i64 = 0x6267_7473;

/// What makes each version of its predecessor. A released one is never changed; `tests/data` has a file of each.
const MIGRATIONS: [&str; 1] = [include_str!("schema/1.sql")];

/// Looks at a file, makes it a store if it is empty and may be filled, brings it up to date, and sets up the connection.
pub(super) fn prepare(connection: &Connection, place: &Place, may_create: bool) -> Result<(), Fault> {
    let sql = |error| place.fault_of(error);
    let found = version(connection, place)?;
    if found == 0 && !may_create {
        // As good as an empty file.
        return Err(place.fault(FaultKind::Removed));
    }
    // Written only where they differ: in a store that is in use, these are reads.
    let mode = with_log(connection, place).map_err(sql)?;
    if !mode.eq_ignore_ascii_case("wal") {
        let what = format!("the file cannot have a write-ahead log: its journal mode stays {mode}");
        return Err(Fault::because(FaultKind::Unavailable, &place.path, what));
    }
    let synchronous = match place.durability {
        Durability::Full => "FULL",
        Durability::Process => "NORMAL",
    };
    let settings = [
        ("synchronous", synchronous),
        // Only macOS has it, and needs it.
        ("fullfsync", "ON"),
        ("checkpoint_fullfsync", "ON"),
        ("temp_store", "MEMORY"),
        // In KiB, negative.
        ("cache_size", "-16384"),
        // What a burst made of the write-ahead log is given back, in bytes.
        ("wal_autocheckpoint", "4000"),
        ("journal_size_limit", "67108864"),
    ];
    for (name, value) in settings {
        connection.pragma_update(None, name, value).map_err(sql)?;
    }
    if found < LATEST {
        migrate(connection, place)?;
    }
    // A file that had no log so far, such as a backup, gets it with the first look.
    version(connection, place).map(drop)
}

/// Of two who want to change the mode at once one hears at once that the file is busy: SQLite does not let it wait, they
/// might wait for each other.
fn with_log(connection: &Connection, place: &Place) -> rusqlite::Result<String> {
    let began = Instant::now();
    loop {
        let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0));
        let is_busy = |error: &Error| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
        if mode.as_ref().is_err_and(is_busy) && began.elapsed() < place.patience {
            std::thread::sleep(Duration::from_millis(2));
        } else {
            return mode;
        }
    }
}

const LATEST: i64 = MIGRATIONS.len() as i64;

/// The version of the file, 0 if it is empty.
fn version(connection: &Connection, place: &Place) -> Result<i64, Fault> {
    let sql = |error| place.fault_of(error);
    // In one statement, which sees one state: another process may be making the tables.
    let all = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
        FROM pragma_application_id, pragma_user_version";
    let found = connection.query_row(all, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let (application, version, tables): (i64, i64, i64) = found.map_err(sql)?;
    match application {
        APPLICATION if version > LATEST => {
            Err(place.fault(FaultKind::Newer { found: version, known: LATEST }))
        }
        APPLICATION => Ok(version),
        _ if tables == 0 && application == 0 && version == 0 => Ok(0),
        _ => Err(place.fault(FaultKind::Foreign)),
    }
}

/// All steps in one transaction. Several processes may want to: the first does, the others find it done.
fn migrate(connection: &Connection, place: &Place) -> Result<(), Fault> {
    let sql = |error| place.fault_of(error);
    let transaction =
        rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate).map_err(sql)?;
    let found = version(&transaction, place)?;
    for step in &MIGRATIONS[usize::try_from(found).unwrap_or(0)..] {
        transaction.execute_batch(step).map_err(sql)?;
    }
    if found < LATEST {
        transaction.pragma_update(None, "application_id", APPLICATION).map_err(sql)?;
        transaction.pragma_update(None, "user_version", LATEST).map_err(sql)?;
    }
    transaction.commit().map_err(sql)
}

#[cfg(test)]
mod tests {
    /// Versions before that can lose committed writes when two processes meet at a checkpoint:
    /// <https://www.sqlite.org/wal.html#walresetbug>.
    #[test]
    fn sqlite_is_one_without_the_wal_reset_bug() {
        assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
    }
}
