//! Files that this process may have locked.
//!
//! A POSIX lock belongs to a process and a file, not to a descriptor: when a process closes *any* descriptor of a file,
//! all its locks on that file are gone, whichever descriptor and whichever library took them. `SQLite` locks this way.
//! Whoever opens and closes a database beside it, only to look at it, takes `SQLite`'s locks from under it, and two
//! processes that both believe to have the lock corrupt the database: <https://www.sqlite.org/howtocorrupt.html>, 2.2.
//!
//! So nothing here opens a file that exists.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::FileId;

/// By `stat`, never by opening.
pub(crate) fn file_id(path: &Path) -> io::Result<FileId> {
    let found = path.metadata()?;
    Ok(FileId { volume: found.dev(), index: found.ino() })
}

pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    // From the file's creation to the closing of our descriptor: a thread that was told `AlreadyExists` in between could
    // have its lock when we close. `mknod` would need no descriptor, but does that for everybody on Linux only.
    static CREATING: Mutex<()> = Mutex::new(());
    let _creating = CREATING.lock().unwrap_or_else(PoisonError::into_inner);
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}

pub(crate) fn path_from_bytes(bytes: &[u8]) -> Option<std::path::PathBuf> {
    Some(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes).into())
}
