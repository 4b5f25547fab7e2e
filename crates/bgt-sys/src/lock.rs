//! A lock that is free when its holder has ended, however it ended.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use crate::os;

/// An exclusive lock on a file. Dropping it frees it, as does the end of the process.
///
/// It is a lock among those that use this. It keeps nobody from reading or writing the file, and is not passed on to
/// programs that are started.
///
/// # Examples
///
/// ```
/// # let path = std::env::temp_dir().join(format!("bgt-sys-lock-{}", std::process::id()));
/// use bgt_sys::FileLock;
///
/// let lock = FileLock::try_new(&path)?.expect("nobody has it");
/// assert!(FileLock::try_new(&path)?.is_none());
/// drop(lock);
/// assert!(FileLock::try_new(&path)?.is_some());
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FileLock {
    // Holds it.
    _file: File,
}

impl FileLock {
    /// The lock on this file, which is made if it is missing, as [`create_private`](crate::create_private) does; `None` if somebody has it, be it this process.
    ///
    /// # Errors
    ///
    /// What the system said.
    ///
    /// # Platform-specific behavior
    ///
    /// - Unix: `flock`. Not for network file systems.
    /// - Windows: `LockFileEx`, on a byte beyond the end.
    pub fn try_new(path: &Path) -> io::Result<Option<Self>> {
        match crate::create_private(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(os::try_lock(&file)?.then_some(Self { _file: file }))
    }
}
