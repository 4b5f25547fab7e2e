//! Windows: handles instead of descriptors, and no zombies.

use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::process::Command;

use windows_sys::Win32::Foundation::{GetHandleInformation, INVALID_HANDLE_VALUE, WAIT_TIMEOUT};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, GetCurrentProcess, GetProcessHandleCount, OpenProcess, PROCESS_SYNCHRONIZE,
    WaitForSingleObject,
};

pub(crate) fn own_group(command: &mut Command) {
    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

pub(crate) fn under_wine() -> bool {
    let name: Vec<u16> = "ntdll.dll\0".encode_utf16().collect();
    // SAFETY: both names end with a zero and live through the calls; ntdll is loaded in every process.
    unsafe { GetProcAddress(GetModuleHandleW(name.as_ptr()), c"wine_get_version".as_ptr().cast()).is_some() }
}

/// A process whose handle is signalled has ended, however many handles keep its number taken.
pub(crate) fn alive(pid: u32) -> bool {
    // SAFETY: the handle is checked, then owned once and open through the wait, which does not wait.
    unsafe {
        let process = OpenProcess(PROCESS_SYNCHRONIZE, 0, pid);
        if process.is_null() {
            return false;
        }
        let process = OwnedHandle::from_raw_handle(process);
        WaitForSingleObject(process.as_raw_handle(), 0) == WAIT_TIMEOUT
    }
}

pub(crate) fn describe(_: u32) -> String {
    "running".to_owned()
}

pub(crate) fn open_fds() -> usize {
    if under_wine() {
        return probed_handles();
    }
    let mut count = 0;
    // SAFETY: the count lives through the call; the handle is that of this process.
    let known = unsafe { GetProcessHandleCount(GetCurrentProcess(), &raw mut count) };
    assert!(known != 0, "Windows does not tell how many handles are open");
    count as usize
}

/// Wine (8.0) counts 0 handles in every process, so there each possible one is asked for. They are small multiples of
/// four, the lowest free one first; the end is a long stretch of none.
fn probed_handles() -> usize {
    const STRETCH: usize = 512;
    let (mut open, mut none, mut next) = (0, 0, 4);
    while none < STRETCH {
        let mut flags = 0;
        // SAFETY: the flags live through the call, and a number that is no handle is answered with an error.
        if unsafe { GetHandleInformation(std::ptr::without_provenance_mut(next), &raw mut flags) } == 0 {
            none += 1;
        } else {
            (open, none) = (open + 1, 0);
        }
        next += 4;
    }
    open
}

/// Those of the system's thread pool stay for a while when there is nothing to do: none to expect back.
pub(crate) fn threads() -> Option<usize> {
    None
}

pub(crate) fn thread_count() -> Option<usize> {
    let mut entry = THREADENTRY32 { dwSize: size_of::<THREADENTRY32>() as u32, ..Default::default() };
    let mut count = 0;
    // SAFETY: the handle is checked, then owned once; the entry lives through the calls and says its true size.
    unsafe {
        let all = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
        if all == INVALID_HANDLE_VALUE {
            return None;
        }
        let all = OwnedHandle::from_raw_handle(all);
        let mut more = Thread32First(all.as_raw_handle(), &raw mut entry);
        while more != 0 {
            count += usize::from(entry.th32OwnerProcessID == std::process::id());
            more = Thread32Next(all.as_raw_handle(), &raw mut entry);
        }
    }
    Some(count)
}

pub(crate) fn zombies() -> Option<usize> {
    None
}
