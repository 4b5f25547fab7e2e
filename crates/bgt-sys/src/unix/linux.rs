//! What only Linux has: pidfds, and `/proc` to tell the living from the zombies and to find who is whose child.

use std::fs;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Whether this process was told to do as other Unixes do.
pub(super) fn is_portable() -> bool {
    static PORTABLE: OnceLock<bool> = OnceLock::new();
    *PORTABLE.get_or_init(|| std::env::var_os("BGT_BACKEND").is_some_and(|backend| backend == "portable"))
}

/// A pidfd of a child that nobody has reaped; `None` where there are none (old kernel, seccomp, no descriptors left)
/// or the portable way was asked for.
pub(super) fn pidfd(pid: Pid) -> Option<OwnedFd> {
    if is_portable() {
        return None;
    }
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// A process as `/proc` shows it.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: Pid,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) zombie: bool,
    /// Ended by SIGKILL.
    pub(super) killed: bool,
    /// When it was started, in clock ticks since boot: who has the same number and the same start is the same.
    pub(super) started: u64,
}

/// All processes, of whom there is one at least; `None` without `/proc`. About 2 µs for each.
pub(super) fn processes() -> Option<Vec<Process>> {
    let entries = fs::read_dir("/proc").ok()?;
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let processes: Vec<_> = numbers.filter_map(process).collect();
    // We are one ourselves: a folder without anybody is there, and nothing is mounted on it.
    (!processes.is_empty()).then_some(processes)
}

/// One process, if it is there.
pub(super) fn process(pid: i32) -> Option<Process> {
    parse(Pid::from_raw(pid)?, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// How much of a process is in memory, in bytes; `None` for a zombie, which has none.
pub(super) fn resident_memory(pid: Pid) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{}/statm", pid.as_raw_nonzero())).ok()?;
    // The second field of proc_pid_statm(5), in pages.
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    (pages > 0).then(|| pages * rustix::param::page_size() as u64)
}

/// The members of a process group; `None` without `/proc`.
pub(super) fn members(group: Pid) -> Option<Vec<Process>> {
    let group = group.as_raw_nonzero().get();
    Some(processes()?.into_iter().filter(|process| process.group == group).collect())
}

/// What a line of `/proc/PID/stat` says.
fn parse(pid: Pid, stat: &str) -> Option<Process> {
    // The name is in parentheses and may hold any character, parentheses too: the fields begin after the last one.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    // Field 52 of proc(5), counted from 1 with two before the parenthesis' end; 0 when we may not know.
    let exit_code: i32 = fields.get(49).and_then(|code| code.parse().ok()).unwrap_or(0);
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        zombie: matches!(*fields.first()?, "Z" | "X" | "x"),
        killed: exit_code & 0x7f == libc::SIGKILL,
        started: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse_the_fields() {
        let (pid, rest) = (rustix::process::getpid(), "0 ".repeat(45));
        let ended = parse(pid, &format!("7 (a) Z 1 (b) Z 1 42 42 {rest}9")).unwrap();
        assert_eq!((ended.parent, ended.group, ended.zombie, ended.killed), (1, 42, true, true));
        let alive = parse(pid, &format!("7 (sh) S 1 42 42 {rest}0")).unwrap();
        assert_eq!((alive.group, alive.zombie, alive.killed), (42, false, false));
    }

    #[test]
    fn we_are_a_member_of_our_own_group() {
        let us = rustix::process::getpid();
        let members = members(rustix::process::getpgrp()).unwrap();
        assert!(members.iter().any(|member| member.pid == us && !member.zombie));
    }
}
