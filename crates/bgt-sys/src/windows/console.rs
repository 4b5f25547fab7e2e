//! Consoles: the only way to ask a program to end, and a process that comes with each.

use std::ffi::OsString;
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;

use windows_sys::Win32::Foundation::ERROR_ACCESS_DENIED;
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent, GetConsoleProcessList,
};
use windows_sys::Win32::System::Threading::{
    OpenProcess, PROCESS_NAME_WIN32, PROCESS_QUERY_LIMITED_INFORMATION, QueryFullProcessImageNameW,
};

use super::checked;

/// Whether this process has a console, with or without a window.
pub(super) fn is_there() -> bool {
    let mut pids = [0];
    // SAFETY: the list lives through the call, and its true length is given.
    unsafe { GetConsoleProcessList(pids.as_mut_ptr(), 1) != 0 }
}

/// Presses Ctrl-Break for the group that this process heads. Ctrl-C is not an option: a group of its own is started
/// with it switched off.
///
/// The caller must hold a handle of the process, or the number may be somebody else's.
pub(super) fn press_break(group: u32) -> io::Result<()> {
    // SAFETY: no memory arguments.
    checked(unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, group) })
}

/// Whether this is a console's host, or nobody any more.
pub(super) fn is_host(pid: u32) -> bool {
    match image(pid) {
        Ok(image) => {
            Path::new(&image).file_name().is_some_and(|name| name.eq_ignore_ascii_case("conhost.exe"))
        }
        Err(error) => error.raw_os_error() != Some(ERROR_ACCESS_DENIED as i32),
    }
}

fn image(pid: u32) -> io::Result<OsString> {
    // SAFETY: no memory arguments; the handle is checked, then owned once.
    let process = unsafe {
        let process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid);
        if process.is_null() {
            return Err(io::Error::last_os_error());
        }
        OwnedHandle::from_raw_handle(process)
    };
    // The longest path there can be.
    let mut name = vec![0; 1 << 15];
    let mut length = name.len() as u32;
    // SAFETY: the handle is open, the name lives through the call, and its true length is given.
    checked(unsafe {
        QueryFullProcessImageNameW(
            process.as_raw_handle(),
            PROCESS_NAME_WIN32,
            name.as_mut_ptr(),
            &raw mut length,
        )
    })?;
    Ok(OsString::from_wide(&name[..length as usize]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_is_no_console_host() {
        assert!(!is_host(std::process::id()));
    }
}
