//! One connection, and whether its file is still the one at its path.
//!
//! Owns: opening, transactions, noticing that the file was taken away, and leaving it when another took its place.
//! Never does: create a file where there was one before; that would turn a loss into an empty store.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bgt_sys::FileId;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use super::{Durability, patience, schema};
use crate::{Fault, FaultKind};

/// Where the records are, and how to treat that.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) durability: Durability,
    pub(super) patience: Duration,
    /// Held by the thread that closes its connection.
    pub(super) closing: Mutex<()>,
}

/// An open connection.
pub(super) struct Session {
    pub(super) connection: Connection,
    place: Arc<Place>,
    file: FileId,
    log: Beside,
    index: Beside,
}

/// A file that SQLite keeps beside the database.
struct Beside {
    path: PathBuf,
    file: Option<FileId>,
}

/// Where the files of a session are. Removing or renaming an open file is no error to anybody on Unix: writes go on into
/// a file without a name, and are gone with the process.
pub(super) enum Whereabouts {
    /// Where they belong.
    Here,
    /// The write-ahead log is not, the file is.
    WithoutLog,
    /// Nothing is at the path, or nobody may look.
    Gone(Fault),
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
        let file = bgt_sys::file_id(path).map_err(|error| gone(place, may_create, error))?;
        match path.metadata().map_or(0, |found| found.len()) {
            // An empty file where there was a store: whoever put it there did not bring the records back, and SQLite
            // would remove the log that belongs to them.
            0 if !may_create => {
                return Err(Fault::because(FaultKind::Removed, path, "an empty file is in its place"));
            }
            // SQLite takes it for an empty one.
            1 => return Err(Fault::because(FaultKind::Corrupt, path, "the file has one byte")),
            _ => {}
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let sql = |error| place.fault_of(error);
        let mut connection = Connection::open_with_flags(path, flags).map_err(sql)?;
        // Before SQLite makes a log that may only be read too, and leaves it there.
        if connection.is_readonly(MAIN_DB).map_err(sql)? {
            let what = "the system allows to read it, not to write it";
            return Err(Fault::because(FaultKind::ReadOnly, path, what));
        }
        // SQLite follows links, and keeps its files beside what they lead to.
        let real = connection.path().map_or_else(|| path.clone(), PathBuf::from);
        let beside = |suffix| {
            let mut name = real.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let (log, index) = (beside("-wal"), beside("-shm"));
        if log.metadata().is_ok_and(|log| log.len() > 0) {
            // The last to close a database finishes its log. Not in one that turns out to be somebody else's.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(sql)?;
        }
        patience::set(&mut connection, place.patience).map_err(sql)?;
        connection.set_prepared_statement_cache_capacity(128);
        schema::prepare(&connection, place, may_create)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(sql)?;
        let [log, index] = [log, index].map(|path| Beside { file: bgt_sys::file_id(&path).ok(), path });
        Ok(Self { connection, place: place.clone(), file, log, index })
    }

    pub(super) fn whereabouts(&self) -> Whereabouts {
        match bgt_sys::file_id(&self.place.path) {
            Err(error) => Whereabouts::Gone(gone(&self.place, false, error)),
            Ok(file) if file != self.file => Whereabouts::Replaced,
            Ok(_) if !self.log.is_here() => Whereabouts::WithoutLog,
            Ok(_) => Whereabouts::Here,
        }
    }

    /// Makes way for the file that was put in the place of this one. To be called before that is opened.
    ///
    /// SQLite finds log and index by name. If ours are still there it would play our log into the new file, and share
    /// our index with it: <https://www.sqlite.org/howtocorrupt.html>, 1.4 and 2.4. So the log is emptied into our own
    /// file, wherever that is now, and both names are given up.
    pub(super) fn leave(&self) -> Result<(), Fault> {
        // Who comes second finds the names taken away, or new files there, and leaves them alone.
        static LEAVING: Mutex<()> = Mutex::new(());
        let _leaving = LEAVING.lock().unwrap_or_else(PoisonError::into_inner);
        let emptied = self.empty_log();
        if self.log.is_here() {
            emptied?;
        }
        // The log last: as long as it is there, others do not go on.
        for beside in [&self.index, &self.log] {
            if beside.file.is_some() && beside.is_here() {
                let removed = std::fs::remove_file(&beside.path);
                removed.map_err(|error| Fault::because(unavailable(&error), &self.place.path, error))?;
            }
        }
        Ok(())
    }

    /// Empties the log after its name was removed.
    pub(super) fn save_log(&self) -> Result<(), Fault> {
        match self.empty_log() {
            // Another store here, or another process, may have done that and gone on with a new log. There is nothing in
            // ours then, and too little is read from it.
            Err(fault) if fault.kind() == FaultKind::Io && self.log.path.is_file() && !self.log.is_here() => {
                Ok(())
            }
            emptied => emptied,
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
            Ok(true) => {
                let kind = FaultKind::Locked { patience: self.place.patience };
                Err(Fault::because(kind, &self.place.path, "its log is being read and cannot be emptied"))
            }
            Err(error) => Err(self.place.fault_of(error)),
        }
    }
}

impl Beside {
    fn is_here(&self) -> bool {
        bgt_sys::file_id(&self.path).ok() == self.file
    }
}

/// Why there is no file to be found.
fn gone(place: &Place, is_first: bool, error: std::io::Error) -> Fault {
    let was_removed = !is_first && error.kind() == std::io::ErrorKind::NotFound;
    let kind = if was_removed { FaultKind::Removed } else { unavailable(&error) };
    Fault::because(kind, &place.path, error)
}

pub(super) fn unavailable(error: &std::io::Error) -> FaultKind {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        PermissionDenied | ReadOnlyFilesystem => FaultKind::ReadOnly,
        StorageFull => FaultKind::Full,
        _ => FaultKind::Unavailable,
    }
}
