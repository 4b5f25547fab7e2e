//! `LockFileEx`, on one byte where no content will ever be: locks here keep others from reading what they cover.

use std::fs::File;
use std::io;
use std::os::windows::io::AsRawHandle;

use windows_sys::Win32::Foundation::{ERROR_IO_PENDING, ERROR_LOCK_VIOLATION};
use windows_sys::Win32::Storage::FileSystem::{
    LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx,
};
use windows_sys::Win32::System::IO::OVERLAPPED;

use super::checked;

pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    let mut place = OVERLAPPED::default();
    place.Anonymous.Anonymous.Offset = u32::MAX - 1;
    place.Anonymous.Anonymous.OffsetHigh = i32::MAX.cast_unsigned();
    // SAFETY: the handle is open, and the place lives through the call, which does not wait.
    let locked = checked(unsafe {
        LockFileEx(
            file.as_raw_handle(),
            LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY,
            0,
            1,
            0,
            &raw mut place,
        )
    });
    match locked {
        Ok(()) => Ok(true),
        Err(error)
            if [ERROR_LOCK_VIOLATION, ERROR_IO_PENDING]
                .map(|code| Some(code.cast_signed()))
                .contains(&error.raw_os_error()) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
