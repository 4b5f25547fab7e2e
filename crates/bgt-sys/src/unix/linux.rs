//! What only Linux has: pidfds, and `/proc` to tell the living from the zombies.

use std::fs;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// A pidfd of a child that nobody has reaped; `None` where there are none (old kernel, seccomp, no descriptors left)
/// or the portable way was asked for.
pub(super) fn pidfd(pid: Pid) -> Option<OwnedFd> {
    static PORTABLE: OnceLock<bool> = OnceLock::new();
    if *PORTABLE.get_or_init(|| std::env::var_os("BGT_BACKEND").is_some_and(|backend| backend == "portable"))
    {
        return None;
    }
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// A process as `/proc` shows it.
pub(super) struct Member {
    pub(super) zombie: bool,
    /// Ended by SIGKILL.
    pub(super) killed: bool,
}

/// The members of a process group; `None` without `/proc`. About 2 µs for each process on the machine.
pub(super) fn members(group: Pid) -> Option<Vec<Member>> {
    let group = group.as_raw_nonzero().get();
    let mut members = Vec::new();
    for entry in fs::read_dir("/proc").ok()? {
        let Ok(entry) = entry else { continue };
        if !entry.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit) {
            continue;
        }
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        members.extend(parse(&stat).filter(|(of, _)| *of == group).map(|(_, member)| member));
    }
    Some(members)
}

/// The group and the member in a line of `/proc/PID/stat`.
fn parse(stat: &str) -> Option<(i32, Member)> {
    // The name is in parentheses and may hold any character, parentheses too: the fields begin after the last one.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let zombie = matches!(*fields.first()?, "Z" | "X" | "x");
    // Field 52 of proc(5), counted from 1 with two before the parenthesis' end; 0 when we may not know.
    let exit_code: i32 = fields.get(49).and_then(|code| code.parse().ok()).unwrap_or(0);
    Some((fields.get(2)?.parse().ok()?, Member { zombie, killed: exit_code & 0x7f == libc::SIGKILL }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse_the_fields() {
        let rest = "0 ".repeat(45);
        let (group, member) = parse(&format!("7 (a) Z 1 (b) Z 1 42 42 {rest}9")).unwrap();
        assert_eq!((group, member.zombie, member.killed), (42, true, true));
        let (group, member) = parse(&format!("7 (sh) S 1 42 42 {rest}0")).unwrap();
        assert_eq!((group, member.zombie, member.killed), (42, false, false));
    }

    #[test]
    fn we_are_a_member_of_our_own_group() {
        let members = members(rustix::process::getpgrp()).unwrap();
        assert!(members.iter().any(|member| !member.zombie));
    }
}
