//! Which file a path names. Closing a handle here takes nobody's locks: they belong to the handle that took them.

use std::fs::OpenOptions;
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::Path;

use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_BACKUP_SEMANTICS, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE,
    GetFileInformationByHandle,
};

use super::checked;
use crate::FileId;

pub(crate) fn file_id(path: &Path) -> io::Result<FileId> {
    let file = OpenOptions::new()
        // Attributes alone: conflicts with nobody who has the file open, and keeps nobody from opening it.
        .access_mode(0)
        .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
        // Folders too.
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(path)?;
    let mut found = MaybeUninit::uninit();
    // SAFETY: the handle is open, and the place for the answer lives through the call.
    checked(unsafe { GetFileInformationByHandle(file.as_raw_handle(), found.as_mut_ptr()) })?;
    // SAFETY: the call wrote it.
    let found = unsafe { found.assume_init() };
    Ok(FileId {
        volume: u64::from(found.dwVolumeSerialNumber),
        index: u64::from(found.nFileIndexHigh) << 32 | u64::from(found.nFileIndexLow),
    })
}

pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path).map(drop)
}

pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    std::fs::create_dir(path)
}

#[expect(clippy::unnecessary_wraps, reason = "the other system's may fail")]
pub(crate) fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn path_from_bytes(bytes: &[u8]) -> Option<std::path::PathBuf> {
    std::str::from_utf8(bytes).ok().map(Into::into)
}
