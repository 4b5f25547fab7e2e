//! Letting a program run that was started suspended.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::Threading::{OpenThread, ResumeThread, THREAD_SUSPEND_RESUME};

/// Resumes the threads of a process: a new one has one.
///
/// The standard library closes the handle of that thread, or keeps it to itself (`main_thread_handle` is unstable), so
/// it is looked up among all threads of the system.
pub(super) fn resume(pid: u32) -> io::Result<()> {
    let mut resumed = false;
    for thread in threads_of(pid)? {
        // SAFETY: no memory arguments; the handle is checked, then owned once and open through the call.
        let before = unsafe {
            let thread = OpenThread(THREAD_SUSPEND_RESUME, 0, thread);
            if thread.is_null() {
                return Err(io::Error::last_os_error());
            }
            let thread = OwnedHandle::from_raw_handle(thread);
            ResumeThread(thread.as_raw_handle())
        };
        match before {
            u32::MAX => return Err(io::Error::last_os_error()),
            // A virus scanner's, say.
            0 => {}
            _ => resumed = true,
        }
    }
    if resumed { Ok(()) } else { Err(io::Error::other("the program has no thread that could be resumed")) }
}

fn threads_of(pid: u32) -> io::Result<Vec<u32>> {
    // SAFETY: no memory arguments; the handle is checked, then owned once.
    let snapshot = unsafe {
        let snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
        if snapshot == INVALID_HANDLE_VALUE {
            return Err(io::Error::last_os_error());
        }
        OwnedHandle::from_raw_handle(snapshot)
    };
    let mut entry = THREADENTRY32 { dwSize: size_of::<THREADENTRY32>() as u32, ..Default::default() };
    let mut threads = Vec::new();
    // SAFETY: the handle is open, the entry lives through the call and says its true size.
    let mut more = unsafe { Thread32First(snapshot.as_raw_handle(), &raw mut entry) };
    while more != 0 {
        if entry.th32OwnerProcessID == pid {
            threads.push(entry.th32ThreadID);
        }
        // SAFETY: as above.
        more = unsafe { Thread32Next(snapshot.as_raw_handle(), &raw mut entry) };
    }
    Ok(threads)
}
