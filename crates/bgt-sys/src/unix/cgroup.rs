//! A cgroup (version 2) of a tree's own: its limits, and one write that ends all who are in it.
//!
//! Only for trees that have limits: it costs half a dozen writes to the file system, and most hosts may not make one.
//!
//! A program is moved into it as soon as it has started, and whom it has started by then with it. `CLONE_INTO_CGROUP` would
//! have it there before its first instruction; `posix_spawn` offers that from glibc 2.39 on only.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, OnceLock, PoisonError};

use rustix::fs::getxattr;
use rustix::process::{Pid, geteuid, getpid};

use super::linux::process;
use crate::Quota;

/// For how long the CPU's time is counted, in microseconds: the kernel's own default.
const PERIOD: f64 = 100_000.0;

/// The least time in it that the kernel takes.
const LEAST_QUOTA: f64 = 1_000.0;

/// Rounds of moving those whom a program had started before it was moved itself.
const ROUNDS: usize = 8;

/// Limits that are ready for a tree which has not been started: see [`Child::limit`](crate::Child::limit).
///
/// # Dropping
///
/// Nothing is left of them if they were not used.
#[derive(Debug)]
#[must_use]
pub struct Limiter {
    folder: PathBuf,
    /// Whether others than the program were here when the end of the tree began.
    had_others: OnceLock<bool>,
}

impl Limiter {
    /// Makes limits ready.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) where there is no way to have them, and what the system said.
    pub fn new(quota: &Quota) -> io::Result<Self> {
        let wanted = controllers(quota);
        let parent = parent(&wanted)?;
        sweep(&parent);
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("{PREFIX}{}-{number}", getpid().as_raw_nonzero()));
        fs::create_dir(&folder).map_err(|error| at(&folder, &error))?;
        let group = Self { folder, had_others: OnceLock::new() };
        if let Some(bytes) = quota.memory {
            group.write("memory.max", &bytes.to_string())?;
            // A tree that has lost one of its processes is of no use: all end, and the run says why.
            group.write("memory.oom.group", "1")?;
        }
        if let Some(processors) = quota.processors {
            group.write("cpu.max", &cpu_max(processors))?;
        }
        Ok(group)
    }

    /// Moves a program here, which has just been started, and those that it has started.
    pub(super) fn take(&self, pid: Pid) -> io::Result<()> {
        let pid = pid.as_raw_nonzero().get();
        match self.write("cgroup.procs", &pid.to_string()) {
            // It has ended already.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => return Ok(()),
            moved => moved?,
        }
        for _ in 0..ROUNDS {
            let members = self.members();
            let mut outside =
                members.iter().flat_map(|member| children(*member)).filter(|child| !members.contains(child));
            let Some(first) = outside.next() else { break };
            for child in std::iter::once(first).chain(outside) {
                let _ = self.write("cgroup.procs", &child.to_string());
            }
        }
        Ok(())
    }

    /// Who lives here; those that have ended and were not reaped do not count.
    fn members(&self) -> Vec<i32> {
        let listed = fs::read_to_string(self.folder.join("cgroup.procs")).unwrap_or_default();
        listed.lines().filter_map(|pid| pid.parse().ok()).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members().is_empty()
    }

    /// Remembers whether others than the program are here now: what counts is the beginning of the end.
    pub(super) fn remember_others(&self, program: Pid) {
        let program = program.as_raw_nonzero().get();
        self.had_others.get_or_init(|| self.members().iter().any(|member| *member != program));
    }

    pub(super) fn had_others(&self) -> bool {
        self.had_others.get() == Some(&true)
    }

    /// Ends all who are here, also those that are being born. Without effect on kernels before 5.14.
    pub(super) fn kill(&self) {
        let _ = self.write("cgroup.kill", "1");
    }

    /// Whether the kernel has ended the tree because its memory did not suffice.
    pub(super) fn was_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.folder.join("memory.events")).unwrap_or_default();
        events
            .lines()
            .filter_map(|line| line.split_once(' '))
            .any(|(name, count)| name == "oom_kill" && count != "0")
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        let path = self.folder.join(file);
        fs::write(&path, text).map_err(|error| match error.raw_os_error() {
            Some(libc::ESRCH) => error,
            _ => at(&path, &error),
        })
    }
}

// If nobody is in it. If somebody is, it is taken away when the next one is made.
impl Drop for Limiter {
    fn drop(&mut self) {
        if fs::remove_dir(&self.folder).is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
            left().push(std::mem::take(&mut self.folder));
        }
    }
}

const PREFIX: &str = "bgt-";

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn controllers(quota: &Quota) -> Vec<&'static str> {
    let memory = quota.memory.map(|_| "memory");
    memory.into_iter().chain(quota.processors.map(|_| "cpu")).collect()
}

fn cpu_max(processors: f64) -> String {
    format!("{} {PERIOD}", (processors * PERIOD).round().max(LEAST_QUOTA))
}

/// Whom a process has started by its main thread, or by others.
fn children(pid: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let listed = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    listed
        .flat_map(|line| line.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// The cgroup in which ours are made: our own, or the one above it, whichever was given to us and has the controllers on for
/// what is below it.
fn parent(wanted: &[&str]) -> io::Result<PathBuf> {
    let (top, own) =
        place(&fs::read_to_string("/proc/self/mountinfo")?, &fs::read_to_string("/proc/self/cgroup")?)
            .ok_or_else(|| unsupported("no cgroup of version 2 is mounted here"))?;
    let above = own.parent().filter(|_| own != top);
    let mut reasons = Vec::new();
    for folder in [Some(own.as_path()), above].into_iter().flatten() {
        match may_be_divided(folder, folder == top, wanted) {
            Ok(()) => return Ok(folder.to_owned()),
            Err(reason) => reasons.push(format!("{} {reason}", folder.display())),
        }
    }
    Err(unsupported(&format!("no cgroup here may be divided: {}", reasons.join(", "))))
}

fn unsupported(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, why.to_owned())
}

/// The top of the mounted hierarchy, and our own place in it.
fn place(mounts: &str, groups: &str) -> Option<(PathBuf, PathBuf)> {
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        // proc_pid_mountinfo(5): "ID PARENT DEVICES ROOT MOUNTPOINT OPTIONS [FIELDS] - TYPE SOURCE OPTIONS"
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        let (root, top) = (fields.next()?, PathBuf::from(fields.next()?));
        if !after.starts_with("cgroup2 ") {
            return None;
        }
        let below = Path::new(own).strip_prefix(root).ok()?;
        Some((top.clone(), if below.as_os_str().is_empty() { top } else { top.join(below) }))
    })
}

fn may_be_divided(folder: &Path, is_top: bool, wanted: &[&str]) -> Result<(), String> {
    let on = fs::read_to_string(folder.join("cgroup.subtree_control"))
        .map_err(|error| format!("cannot be read ({error})"))?;
    let on: Vec<_> = on.split_whitespace().collect();
    if let Some(off) = wanted.iter().find(|wanted| !on.contains(wanted)) {
        return Err(format!("has the controller {off:?} not switched on for what is below it"));
    }
    // Who is not root can write only what it was given; root is told by systemd, and has the top of a container's own.
    let given = is_top
        || !geteuid().is_root()
        || ["trusted.delegate", "user.delegate"].iter().any(|name| {
            let mut value = [0; 4];
            getxattr(folder, *name, &mut value).is_ok_and(|len| value[..len] == *b"1")
        });
    if given { Ok(()) } else { Err("was not given to this program (Delegate=)".to_owned()) }
}

/// Cgroups of ours that could not be taken away when their tree had ended, or was let go.
fn left() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    static LEFT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes away what is left of our own, and, once, of hosts that are no more. One that somebody is in stays.
fn sweep(parent: &Path) {
    left()
        .retain(|folder| fs::remove_dir(folder).is_err_and(|error| error.kind() != io::ErrorKind::NotFound));
    static OTHERS: Once = Once::new();
    OTHERS.call_once(|| {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let host =
                name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split_once('-')?.0.parse().ok());
            if host.is_some_and(|host: i32| process(host).is_none()) {
                let _ = fs::remove_dir(entry.path());
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "29 23 0:26 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
                          30 23 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn our_place_is_found_below_where_the_hierarchy_is_mounted() {
        let place = |mounts: &str, groups: &str| {
            place(mounts, groups).map(|(top, own)| (top.display().to_string(), own.display().to_string()))
        };
        let at = |top: &str, own: &str| Some((top.to_owned(), own.to_owned()));
        assert_eq!(place(MOUNTS, "0::/\n"), at("/sys/fs/cgroup", "/sys/fs/cgroup"));
        assert_eq!(
            place(MOUNTS, "4:memory:/x\n0::/a.slice/b\n"),
            at("/sys/fs/cgroup", "/sys/fs/cgroup/a.slice/b")
        );
        assert_eq!(
            place(&MOUNTS.replace("0:27 / ", "0:27 /a.slice "), "0::/a.slice/b"),
            at("/sys/fs/cgroup", "/sys/fs/cgroup/b")
        );
        // Another part of the tree is mounted than the one that we are in, or none.
        assert_eq!(place(&MOUNTS.replace("0:27 / ", "0:27 /c.slice "), "0::/a.slice/b"), None);
        assert_eq!(place("", "0::/\n"), None);
        assert_eq!(place(MOUNTS, "4:memory:/x\n"), None);
    }

    #[test]
    fn the_share_is_what_the_kernel_takes() {
        assert_eq!(cpu_max(1.5), "150000 100000");
        assert_eq!(cpu_max(0.01), "1000 100000");
        assert_eq!(cpu_max(1.0 / 3.0), "33333 100000");
    }
}
