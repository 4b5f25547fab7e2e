//! The tables, version by version.
//!
//! Owns: what a file must be before anything is read from it, and how an older one becomes the latest.
//! Never does: touch a file that it does not understand.

use rusqlite::{Connection, TransactionBehavior};

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
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).map_err(sql)?;
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

const LATEST: i64 = MIGRATIONS.len() as i64;

/// The version of the file, 0 if it is empty.
fn version(connection: &Connection, place: &Place) -> Result<i64, Fault> {
    let sql = |error| place.fault_of(error);
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) =
        (pragma("application_id").map_err(sql)?, pragma("user_version").map_err(sql)?);
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0)).map_err(sql)?;
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
