//! One connection, and whether its file is still the one at its path.
//!
//! Owns: opening, transactions, and noticing that the file was taken away.
//! Never does: create a file where there was one before; that would turn a loss into an empty store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bgt_sys::FileId;
use rusqlite::{Connection, OpenFlags};

use super::{Durability, schema};
use crate::{Fault, FaultKind};

/// Where the records are, and how to treat that.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) durability: Durability,
    pub(super) patience: Duration,
}

/// An open connection.
pub(super) struct Session {
    pub(super) connection: Connection,
    place: Arc<Place>,
    file: FileId,
    log: FileId,
}

/// Where the files of a session are. Removing or renaming an open file is no error to anybody on Unix: writes go on into
/// a file without a name, and are gone with the process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// Where they belong.
    Here,
    /// The write-ahead log is not, the file is.
    WithoutLog,
    /// Nothing is at the path.
    Gone,
    /// Something else is at the path.
    Replaced,
}

impl Session {
    /// Opens the file. Only the first time, by `may_create`, it is made or filled if need be.
    pub(super) fn open(place: &Arc<Place>, may_create: bool) -> Result<Self, Fault> {
        let path = &place.path;
        if may_create {
            match bgt_sys::create_private(path) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(Fault::because(unavailable(&error), path, error));
                }
                _ => {}
            }
        }
        let file = identity(place, path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let sql = |error| place.fault_of(error);
        let connection = Connection::open_with_flags(path, flags).map_err(sql)?;
        connection.busy_timeout(place.patience).map_err(sql)?;
        connection.set_prepared_statement_cache_capacity(128);
        schema::prepare(&connection, place, may_create)?;
        let log = identity(place, &log_of(path))?;
        Ok(Self { connection, place: place.clone(), file, log })
    }

    pub(super) fn whereabouts(&self) -> Whereabouts {
        let path = &self.place.path;
        match bgt_sys::file_id(path) {
            Err(_) => Whereabouts::Gone,
            Ok(file) if file != self.file => Whereabouts::Replaced,
            Ok(_) if bgt_sys::file_id(&log_of(path)).ok() != Some(self.log) => Whereabouts::WithoutLog,
            Ok(_) => Whereabouts::Here,
        }
    }

    /// Takes the lock for writing at once: a transaction that begins by reading may find that it can no longer write.
    pub(super) fn begin(&self) -> Result<(), Fault> {
        self.execute("BEGIN IMMEDIATE").map_err(|error| self.place.fault_of(error))
    }

    /// After an error SQLite may have rolled back by itself.
    pub(super) fn rollback(&self) -> Result<(), Fault> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.execute("ROLLBACK").map_err(|error| self.place.fault_of(error))
    }

    pub(super) fn fault(&self, kind: FaultKind) -> Fault {
        self.place.fault(kind)
    }

    pub(super) fn fault_of(&self, error: rusqlite::Error) -> Fault {
        self.place.fault_of(error)
    }

    pub(super) fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// Moves everything from the write-ahead log to the file, and waits for the disk.
    pub(super) fn empty_log(&self) -> Result<(), Fault> {
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        let busy = self.connection.query_row(checkpoint, [], |row| row.get::<_, bool>(0));
        match busy {
            Ok(false) => Ok(()),
            Ok(true) => Err(self.place.fault(FaultKind::Locked { patience: self.place.patience })),
            Err(error) => Err(self.place.fault_of(error)),
        }
    }
}

fn identity(place: &Place, path: &Path) -> Result<FileId, Fault> {
    bgt_sys::file_id(path).map_err(|error| {
        let removed = error.kind() == std::io::ErrorKind::NotFound;
        let kind = if removed { FaultKind::Removed } else { FaultKind::Unavailable };
        Fault::because(kind, &place.path, error)
    })
}

pub(super) fn unavailable(error: &std::io::Error) -> FaultKind {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        PermissionDenied | ReadOnlyFilesystem => FaultKind::ReadOnly,
        StorageFull => FaultKind::Full,
        _ => FaultKind::Unavailable,
    }
}

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}
