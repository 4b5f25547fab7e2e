//! The console, by which alone a program can be asked to end.

use std::io;

use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent, GetConsoleProcessList,
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
