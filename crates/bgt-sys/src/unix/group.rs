//! A process group as a whole.

use std::io;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// Signals every member. A group without members, or (macOS) with none but zombies, is none to signal.
///
/// The caller must know that the group's leader was not reaped yet, or the number may be somebody else's.
pub(super) fn signal(group: Pid, signal: Signal) -> io::Result<bool> {
    match kill_process_group(group, signal) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::SRCH) => Ok(false),
        Err(rustix::io::Errno::PERM) if cfg!(target_vendor = "apple") => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether a group that was ours has no members left, its own leader having been reaped. Harmless to strangers.
pub(super) fn is_empty(group: Pid) -> bool {
    test_kill_process_group(group) == Err(rustix::io::Errno::SRCH)
}

/// Whether a group had live members when its leader, reaped since, had ended: members that live, or that our SIGKILL has
/// just ended. Not those that had ended before and only wait for whoever reaps orphans here.
pub(super) fn had_live_members(group: Pid) -> bool {
    if is_empty(group) {
        return false;
    }
    #[cfg(target_os = "linux")]
    if let Some(members) = super::linux::members(group) {
        // Gone between the two looks: somebody was there.
        return members.is_empty() || members.iter().any(|member| !member.zombie || member.killed);
    }
    true
}

/// Whether all members have ended and wait for whoever reaps orphans here. Not known but on Linux.
pub(super) async fn has_only_zombies(group: Pid) -> bool {
    #[cfg(target_os = "linux")]
    if let Some(snapshot) = super::snapshot::Snapshot::take().await {
        return snapshot.group(group.as_raw_nonzero().get()).all(|member| member.zombie);
    }
    let _ = group;
    false
}
