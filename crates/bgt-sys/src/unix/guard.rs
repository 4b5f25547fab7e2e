//! A process that outlives a host that is killed, to end what that had started: one for the whole host.
//!
//! It is a shell with a script of a few lines, and reads from a socket whose other end only the host has: what it reads is
//! which groups there are, and the end of it is the end of the host, whatever was the cause. A program of ours would have to be
//! installed beside the host, and a fork of the host would be a copy of its threads' locks.

use std::collections::BTreeSet;
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

/// Who writes to a guard that is gone is told so, not ended.
#[cfg(not(target_vendor = "apple"))]
const QUIETLY: SendFlags = SendFlags::NOSIGNAL;
/// There the socket itself says so.
#[cfg(target_vendor = "apple")]
const QUIETLY: SendFlags = SendFlags::empty();

const SCRIPT: &str = include_str!("guard.sh");

static IS_ON: AtomicBool = AtomicBool::new(false);
static GUARD: Mutex<Guard> =
    Mutex::new(Guard { line: None, pid: None, groups: BTreeSet::new(), kept: Vec::new() });

/// How long a guard that is behind is waited for, before another one takes its place. It takes 3 µs a line, and there is
/// room for some hundred of them.
const BEHIND: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

struct Guard {
    line: Option<UnixStream>,
    pid: Option<Pid>,
    groups: BTreeSet<i32>,
    /// The trees that may outlive the host.
    kept: Vec<String>,
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

/// What is left of this tree may live on.
pub(super) fn keep(token: &str) {
    if is_on() && !token.is_empty() {
        let mut guard = guard();
        guard.kept.push(token.to_owned());
        let _ = guard.say(&format!("= {token}\n"));
    }
}

fn is_on() -> bool {
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
        shell.args(["-c", SCRIPT, "bgt-orphan-guard", &strays::host_token()]);
        // A group of its own: what ends the host's group must not end it.
        shell.env_clear().env("PATH", "/usr/bin:/bin").current_dir("/").process_group(0);
        shell.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null());
        let child = shell.spawn()?;
        self.pid = Some(Pid::from_child(&child));
        let groups = self.groups.iter().map(|group| format!("+ {group}\n"));
        let known: String = groups.chain(self.kept.iter().map(|token| format!("= {token}\n"))).collect();
        // Before the line is made not to wait: all of this may be more than there is room for.
        (&ours).write_all(known.as_bytes())?;
        ours.set_nonblocking(true)?;
        self.line = Some(ours);
        Ok(())
    }

    /// Ends one that is of no use any more. Killed first: at the end of its line it would end everything.
    fn end(&mut self) {
        if let Some(pid) = self.pid.take() {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
        self.line = None;
    }
}
