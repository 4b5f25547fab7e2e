//! Which file a path names, and new files and folders that are nobody else's to read.

use std::io;
use std::path::{Path, PathBuf};

use crate::os;

/// Which file it is, whatever its names: equal for two paths of one file.
///
/// The system gives the number of a file that is gone, removed and closed by all, to a new one. To compare with an
/// earlier answer proves something only as long as the earlier file is held open, or has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId {
    pub(crate) volume: u64,
    pub(crate) index: u64,
}

/// Which file a path names now. Who has the file open sees thereby that it was removed, renamed or replaced.
///
/// Links are followed.
///
/// # Errors
///
/// `NotFound` when the path names nothing, else what the system said.
///
/// # Platform-specific behavior
///
/// - Unix: the file is never opened, so the POSIX locks that this process holds on it stay: closing any descriptor of
///   a file would drop them all.
/// - Windows: the file is opened for its attributes alone, which no share mode of others forbids. One that was removed
///   while others have it open may answer `PermissionDenied` until they close it. FAT may number a file anew when it is
///   renamed, and `ReFS` has more files than these 64 bits can tell apart.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # let folder = std::env::temp_dir().join(format!("bgt-sys-file-id-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("state");
/// bgt_sys::create_private(&path)?;
/// let id = bgt_sys::file_id(&path)?;
///
/// std::fs::rename(&path, folder.join("old"))?;
/// bgt_sys::create_private(&path)?;
/// assert_ne!(bgt_sys::file_id(&path)?, id);
/// assert_eq!(bgt_sys::file_id(&folder.join("old"))?, id);
/// # std::fs::remove_dir_all(&folder)
/// # }
/// ```
pub fn file_id(path: &Path) -> io::Result<FileId> {
    os::file_id(path)
}

/// The path that another program has written as bytes: on Unix they are the path, on Windows UTF-8. `None` where they are
/// none.
#[must_use]
pub fn path_from_bytes(bytes: &[u8]) -> Option<PathBuf> {
    os::path_from_bytes(bytes)
}

/// The path without links of what this one names.
///
/// # Errors
///
/// `NotFound` when the path names nothing, else what the system said.
///
/// # Platform-specific behavior
///
/// Windows: `C:\\…` as people write it, not `\\\\?\\C:\\…`, which not every program takes.
pub fn real_path(path: &Path) -> io::Result<PathBuf> {
    let real = path.canonicalize()?;
    #[cfg(windows)]
    if let Some(rest) = real.to_str().and_then(|real| real.strip_prefix(r"\\?\")) {
        if rest.get(1..3) == Some(r":\") {
            return Ok(rest.into());
        }
    }
    Ok(real)
}

/// Creates an empty file that only its owner may read and write, from the first moment on.
///
/// A file that is already there is never opened, nor is what a link there leads to.
///
/// # Errors
///
/// `AlreadyExists` when the path names something, be it a link to nothing; else what the system said.
///
/// # Platform-specific behavior
///
/// - Unix: mode 0600, or less if the umask says so. The new file is open for a moment, and its closing would drop the
///   POSIX locks that this process has taken on it meanwhile. Calls wait for each other, so a thread that has its own
///   answer from here, `AlreadyExists` too, may lock the file at once; one that opens the file without having asked
///   here may lose its locks.
/// - Windows: the file inherits who may use it from its folder.
pub fn create_private(path: &Path) -> io::Result<()> {
    os::create_private(path)
}

/// Creates a folder that only its owner may list, enter and write to, from the first moment on. Those above it must exist.
///
/// # Errors
///
/// `AlreadyExists` when the path names something, be it a link to nothing; else what the system said.
///
/// # Platform-specific behavior
///
/// - Unix: mode 0700, or less if the umask says so.
/// - Windows: the folder inherits who may use it from the one above.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    os::create_private_folder(path)
}

/// What files a folder has, and how they are called, survives a loss of power when this has answered.
///
/// # Errors
///
/// What the system said.
///
/// # Platform-specific behavior
///
/// Windows: nothing to do, there is no such call for folders; NTFS keeps a journal of names.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    os::sync_folder(path)
}
