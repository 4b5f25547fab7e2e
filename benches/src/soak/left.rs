//! Who is still there of all the processes that a soak has started, and that those have started.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use bgt_testkit::wait_until;

/// The variable that all of them have. Hosts, workers and children are given it, those who look after programs inherit it.
pub(super) const NAME: &str = "BGT_SOAK";

/// Of this soak, and of no other on this machine.
pub(super) static MARK: LazyLock<String> = LazyLock::new(|| {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("{}.{}", std::process::id(), now.as_nanos())
});

/// Their process ids; nothing where the system does not tell. Those that have ended and were not waited for are not among them.
pub(super) fn marked() -> Option<Vec<u32>> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let wanted = format!("{NAME}={}", *MARK);
    let is_marked = |pid: &u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    let all =
        std::fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Some(all.filter(is_marked).collect())
}

/// Those who do not end in time, each with its words.
pub(super) fn survivors(within: Duration) -> Option<Vec<String>> {
    wait_until(within, || marked().is_none_or(|pids| pids.is_empty()));
    let words = |pid: u32| {
        let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        format!("{pid} ({}, called as {:?})", program.display(), words.trim_end())
    };
    Some(marked()?.into_iter().map(words).collect())
}
