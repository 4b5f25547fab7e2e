//! A process that outlives a host that is killed, to end what that had started: one for the whole host.
//!
//! It is a shell with a script of a few lines, and reads from a socket whose other end only the host has: what it reads is
//! which groups there are, and the end of it is the end of the host, whatever was the cause. A program of ours would have to be
//! installed beside the host, and a fork of the host would be a copy of its threads' locks.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use rustix::process::{Pid, WaitOptions, waitpid};

use super::strays;
use super::watch::{Look, look};

/// Who writes to a guard that is gone is told so, not ended.
#[cfg(not(target_vendor = "apple"))]
const QUIETLY: SendFlags = SendFlags::NOSIGNAL;
/// There the socket itself says so.
#[cfg(target_vendor = "apple")]
const QUIETLY: SendFlags = SendFlags::empty();

const SCRIPT: &str = include_str!("guard.sh");

static IS_ON: AtomicBool = AtomicBool::new(false);
static GUARD: Mutex<Guard> = Mutex::new(Guard { line: None, pid: None, groups: BTreeSet::new() });

/// How long a guard that is behind is waited for, before another one takes its place. It takes 3 µs a line, and there is
/// room for some hundred of them.
const BEHIND: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

struct Guard {
    line: Option<UnixStream>,
    pid: Option<Pid>,
    groups: BTreeSet<i32>,
}

/// Starts the guard, if it is not there yet.
pub(crate) fn guard_orphans() -> io::Result<()> {
    let mut guard = guard();
    if guard.line.is_none() {
        guard.start()?;
    }
    IS_ON.store(true, Ordering::Release);
    Ok(())
}

/// A program was started. Where this fails it must not live: nobody would end it.
pub(super) fn add(group: Pid) -> io::Result<()> {
    if !is_on() {
        return Ok(());
    }
    let group = group.as_raw_nonzero().get();
    let mut guard = guard();
    guard.groups.insert(group);
    guard.say(&format!("+ {group}\n"))
}

/// The number is about to be given back: from here on it may be a stranger's.
pub(super) fn remove(group: Pid) {
    if !is_on() {
        return;
    }
    let group = group.as_raw_nonzero().get();
    let mut guard = guard();
    if guard.groups.remove(&group) {
        // A guard that cannot be told is gone, and with it what it knew.
        let _ = guard.say(&format!("- {group}\n"));
    }
}

/// Whether what is started from now on is to end with the host.
pub(super) fn is_on() -> bool {
    IS_ON.load(Ordering::Acquire)
}

fn guard() -> MutexGuard<'static, Guard> {
    GUARD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guard {
    /// Tells the guard. One that is gone, or does not read any more, has another take its place, who is told everything.
    fn say(&mut self, words: &str) -> io::Result<()> {
        // Now, and not with the next words: a number that is given back must not be one that it kills.
        let tell = |line: &UnixStream| send(line, words.as_bytes(), QUIETLY);
        let told = self.line.as_ref().map(|line| match tell(line) {
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(line, PollFlags::OUT)], Some(&BEHIND));
                tell(line)
            }
            told => told,
        });
        if matches!(told, Some(Ok(sent)) if sent == words.len()) { Ok(()) } else { self.start() }
    }

    fn start(&mut self) -> io::Result<()> {
        self.end();
        let (ours, theirs) = UnixStream::pair()?;
        #[cfg(target_vendor = "apple")]
        rustix::net::sockopt::set_socket_nosigpipe(&ours, true)?;
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SCRIPT, "bgt-orphan-guard", &strays::guarded_token()]);
        // A group of its own: what ends the host's group must not end it.
        shell.env_clear().env("PATH", path()?).current_dir("/").process_group(0);
        shell.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null());
        let child = shell.spawn()?;
        self.pid = Some(Pid::from_child(&child));
        let known: String = self.groups.iter().map(|group| format!("+ {group}\n")).collect();
        // Before the line is made not to wait: all of this may be more than there is room for.
        (&ours).write_all(known.as_bytes())?;
        ours.set_nonblocking(true)?;
        self.line = Some(ours);
        Ok(())
    }

    /// Ends one that is of no use any more. Killed first: at the end of its line it would end everything.
    fn end(&mut self) {
        if let Some(pid) = self.pid.take() {
            // Where somebody else reaps all children of the host, its number may be a stranger's by now.
            if !matches!(look(pid), Ok(Look::Taken) | Err(_)) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                let _ = waitpid(Some(pid), WaitOptions::empty());
            }
        }
        self.line = None;
    }
}

/// Where the shell looks for `grep`, which it needs to search `/proc`: the usual folders, and those of the host.
fn path() -> io::Result<OsString> {
    let mut path = OsString::from("/usr/bin:/bin");
    if let Some(hosts) = std::env::var_os("PATH") {
        path.push(":");
        path.push(hosts);
    }
    let found = std::env::split_paths(&path).any(|folder| super::is_executable(&folder.join("grep")));
    if found || !cfg!(target_os = "linux") {
        return Ok(path);
    }
    let why = format!(
        "there is no `grep` in {}, by which those who have left their group are found",
        path.to_string_lossy()
    );
    Err(io::Error::new(io::ErrorKind::NotFound, why))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    /// Thousands of starts and ends, with real groups among numbers that nobody has: whoever is still there at the end of the
    /// line is killed, and nobody else.
    #[test]
    fn the_script_ends_those_that_are_there_when_its_line_ends_and_nobody_else() {
        let sleeper = || Command::new("sleep").arg("300").process_group(0).spawn().expect("sleep");
        let [mut first, mut over, mut back, mut last] = std::array::from_fn(|_| sleeper());
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let mut shell = Command::new("/bin/sh");
        // No token: nobody is searched for.
        shell.args(["-c", SCRIPT, "bgt-orphan-guard", ""]).stdin(OwnedFd::from(theirs));
        let mut shell = shell.spawn().unwrap();
        let mut say = |words: String| ours.write_all(words.as_bytes()).unwrap();
        say(format!("+ {}\n+ {}\n", first.id(), over.id()));
        for n in 0..5_000_u32 {
            // Beyond what the system gives.
            let number = 2_000_000_000 + n % 700;
            say(format!("+ {number}\n"));
            if n % 500 == 0 {
                say(format!("+ {back}\n- {back}\n", back = back.id()));
            }
            say(format!("- {number}\n"));
        }
        say(format!("- {}\n+ {}\n+ {}\n", over.id(), back.id(), last.id()));
        drop(ours);
        assert!(shell.wait().unwrap().success());
        for (name, gone) in [("first", &mut first), ("back", &mut back), ("last", &mut last)] {
            assert_eq!(gone.wait().unwrap().signal(), Some(libc::SIGKILL), "{name}");
        }
        assert!(over.try_wait().unwrap().is_none());
        over.kill().unwrap();
        over.wait().unwrap();
    }
}
