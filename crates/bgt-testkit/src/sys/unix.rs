//! Unix: `/proc` where there is one, else what the system calls tell.

use std::os::unix::process::CommandExt;
use std::process::Command;

pub(crate) fn own_group(command: &mut Command) {
    command.process_group(0);
}

pub(crate) fn under_wine() -> bool {
    false
}

pub(crate) fn open_fds() -> usize {
    let folder = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    // Less the one that this very listing holds open.
    std::fs::read_dir(folder).expect("the list of open descriptors").count() - 1
}

#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;

    /// State and parent from `/proc/PID/stat`; the name before them may itself have spaces and brackets.
    fn state_and_parent(pid: u32) -> Option<(char, u32)> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
        Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
    }

    pub(crate) fn alive(pid: u32) -> bool {
        state_and_parent(pid).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
    }

    pub(crate) fn describe(pid: u32) -> String {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").trim_end().to_owned()
    }

    pub(crate) fn threads() -> Option<usize> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        status.lines().find_map(|line| line.strip_prefix("Threads:"))?.trim().parse().ok()
    }

    pub(crate) fn zombies() -> Option<usize> {
        let own = std::process::id();
        let names = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.file_name());
        let pids = names.filter_map(|name| name.to_str()?.parse().ok());
        Some(pids.filter(|pid| state_and_parent(*pid) == Some(('Z', own))).count())
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) use other::*;

#[cfg(not(target_os = "linux"))]
mod other {
    use std::io;

    pub(crate) fn alive(pid: u32) -> bool {
        let Ok(pid) = libc::pid_t::try_from(pid) else { return false };
        // SAFETY: no memory arguments; signal 0 only asks.
        let answers = unsafe { libc::kill(pid, 0) } == 0;
        let exists = answers || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM);
        exists && !is_zombie(pid)
    }

    /// macOS describes living processes only, unless asked for zombies by name.
    #[cfg(target_os = "macos")]
    fn is_zombie(pid: libc::pid_t) -> bool {
        let size = size_of::<libc::proc_bsdinfo>() as libc::c_int;
        // SAFETY: all zero is a valid structure, and its true size is given.
        let read = unsafe {
            let mut info: libc::proc_bsdinfo = std::mem::zeroed();
            libc::proc_pidinfo(pid, libc::PROC_PIDTBSDINFO, 0, (&raw mut info).cast(), size)
        };
        read <= 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
    }

    #[cfg(not(target_os = "macos"))]
    fn is_zombie(_: libc::pid_t) -> bool {
        false
    }

    pub(crate) fn describe(_: u32) -> String {
        "running".to_owned()
    }

    pub(crate) fn threads() -> Option<usize> {
        None
    }

    pub(crate) fn zombies() -> Option<usize> {
        None
    }
}

pub(crate) fn thread_count() -> Option<usize> {
    threads()
}
