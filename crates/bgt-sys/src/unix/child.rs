//! A program and its process group, from start to reaping.

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

use rustix::process::Pid;

use super::cgroup::Limiter;
use super::reaper;
use super::strays::{Leader, Strays};
use super::watch::{Look, Watch, look};
use super::{group, guard, priority};
use crate::{Asked, Ended, Outcome, Priority, Signal, Usage};

/// A program that heads a tree of its own.
///
/// Its process id and the id of its group belong to it until [`reap`](Child::reap): everything that signals must
/// come before, and does.
///
/// # Dropping
///
/// Dropping a child that was not reaped kills its tree at once and leaves the reaping to a background thread. It
/// never waits.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    watch: Option<Watch>,
    /// Our own high-water mark when it was started, in bytes.
    host_peak: u64,
    strays: Strays,
    limiter: Option<Box<Limiter>>,
    reaped: bool,
}

impl Child {
    pub(super) fn adopt(pid: Pid, strays: Strays) -> io::Result<Self> {
        let host_peak = peak_memory_of_host();
        let mut child = Self { pid, watch: None, host_peak, strays, limiter: None, reaped: false };
        // In this order: if the watch cannot be had, the child is dropped, and with it the program.
        child.watch = Some(Watch::new(pid)?);
        guard::add(pid)?;
        Ok(child)
    }

    /// The program's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits until the program itself has ended. Its descendants may live, and its output may not have ended.
    ///
    /// # Errors
    ///
    /// What the system said, or that the runtime is shutting down.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe, and may be called again after it has answered.
    pub async fn ended(&mut self) -> io::Result<()> {
        match &mut self.watch {
            Some(watch) => watch.ended(self.pid).await,
            None => Ok(()),
        }
    }

    /// Has the whole tree stand back behind others.
    ///
    /// # Errors
    ///
    /// What the system said.
    ///
    /// # Platform-specific behavior
    ///
    /// By `nice`: 10 more than the host's, or 19; one that stands back as far by itself is left as it is. A program that
    /// runs as another user refuses it.
    pub fn set_priority(&self, priority: Priority) -> io::Result<()> {
        if self.reaped || priority == Priority::Normal {
            return Ok(());
        }
        priority::lower(self.pid, priority)
    }

    /// Quota what the whole tree has, from now on. Then nobody escapes the end of the tree by leaving its group.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn limit(&mut self, limiter: Limiter) -> io::Result<()> {
        if !self.reaped {
            limiter.take(self.pid)?;
            self.limiter = Some(Box::new(limiter));
        }
        Ok(())
    }

    /// Asks the whole tree to end.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn ask(&self, how: Signal) -> io::Result<Asked> {
        use rustix::process::Signal as Unix;
        if self.reaped || look(self.pid)? != Look::Alive {
            return Ok(Asked::Ended);
        }
        let signal = match how {
            Signal::Terminate => Unix::TERM,
            Signal::Interrupt => Unix::INT,
            Signal::Hangup => Unix::HUP,
        };
        let delivered = group::signal(self.pid, signal)?;
        // A program that was stopped (SIGSTOP, Ctrl-Z) cannot obey before it goes on.
        group::signal(self.pid, Unix::CONT)?;
        Ok(if delivered { Asked::Delivered } else { Asked::Ended })
    }

    /// Kills the whole tree. Has no effect after [`reap`](Self::reap), nor when somebody else has reaped the program:
    /// the number could be a stranger's.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn kill(&self) -> io::Result<()> {
        if self.reaped {
            return Ok(());
        }
        if let Some(limiter) = &self.limiter {
            limiter.remember_others(self.pid);
            limiter.kill();
        }
        if look(self.pid)? == Look::Taken {
            return Ok(());
        }
        // On Linux one signal is enough: a fork is refused to a process with a signal pending, under the same lock.
        // Elsewhere a member that is forking may be missed, hence another look.
        for _ in 0..if cfg!(target_os = "linux") { 1 } else { 3 } {
            if !group::signal(self.pid, rustix::process::Signal::KILL)? {
                break;
            }
        }
        Ok(())
    }

    /// How much of the program is in memory now, in bytes, without its descendants. `None` when nobody tells, or when the
    /// program has ended.
    ///
    /// # Platform-specific behavior
    ///
    /// Linux, from `/proc`, what is shared with other processes included; Windows, the working set. `None` elsewhere.
    #[must_use]
    pub fn resident_memory(&self) -> Option<u64> {
        #[cfg(target_os = "linux")]
        // The number is the program's own for as long as it was not reaped.
        if !self.reaped {
            return super::linux::resident_memory(self.pid);
        }
        None
    }

    /// Looks for descendants that have left the tree, and remembers them. Costs a look at every process of the machine
    /// on a thread for blocking work, so it is for a stop by force: before the program is asked, while the parents of
    /// those live.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    ///
    /// # Platform-specific behavior
    ///
    /// Linux only: elsewhere on Unix nobody is found, and on Windows nobody leaves the job.
    pub async fn find_strays(&mut self) {
        if let Some(leader) = self.leader() {
            self.strays.find(leader).await;
        }
    }

    /// Whether only a search can end the tree, because somebody else has reaped the program: another part of the host, or
    /// the system where the host ignores SIGCHLD. Its group may be a stranger's by now, so [`kill`](Self::kill) did
    /// nothing.
    #[must_use]
    pub fn needs_search(&self) -> bool {
        matches!(self.leader(), Some(Leader::Taken))
    }

    /// Whose tree is searched; nobody's after it was reaped.
    fn leader(&self) -> Option<Leader> {
        let look = if self.reaped { return None } else { look(self.pid) };
        Some(if look.is_ok_and(|look| look == Look::Taken) { Leader::Taken } else { Leader::Held(self.pid) })
    }

    /// Kills the descendants that have left the tree, those remembered and those found now, in bounded rounds. Says whether
    /// there were any. Has no effect after [`reap`](Self::reap).
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    ///
    /// # Platform-specific behavior
    ///
    /// As for [`find_strays`](Self::find_strays).
    pub async fn kill_strays(&mut self) -> bool {
        if let Some(leader) = self.leader() {
            self.strays.kill(leader).await;
        }
        self.strays.were_there()
    }

    /// Takes the exit status of a program that has ended; `None` while it has not. From then on the number may be
    /// somebody else's, and nothing is signalled any more.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn reap(&mut self) -> io::Result<Option<Ended>> {
        guard::remove(self.pid);
        let mut ended = wait4(self.pid, self.host_peak)?;
        if let (Some(limiter), Some(ended)) = (&self.limiter, &mut ended) {
            limiter.remember_others(self.pid);
            ended.out_of_memory = limiter.was_out_of_memory();
        }
        if ended.is_some() {
            self.reaped = true;
            self.watch = None;
        } else {
            guard::add(self.pid)?;
        }
        Ok(ended)
    }

    /// After [`reap`](Self::reap): whether descendants were alive when the program ended.
    #[must_use]
    pub fn had_descendants(&self) -> bool {
        let had_others = self.limiter.as_ref().is_some_and(|limiter| limiter.had_others());
        self.reaped && (had_others || group::had_live_members(self.pid))
    }

    /// After [`kill`](Self::kill) and [`reap`](Self::reap): waits until the whole tree has ended, or the time is
    /// over. Says whether it has.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn tree_ended(&self, within: Duration) -> bool {
        let deadline = tokio::time::Instant::now().checked_add(within);
        let mut pause = Duration::from_micros(200);
        // The system tells nobody but the parent when a process ends, and these are not our children. They were
        // killed, so this is a matter of a few looks.
        loop {
            // The cheap question first; who is still there may be a zombie that nobody reaps.
            let no_group = group::is_empty(self.pid)
                || pause > Duration::from_millis(10) && group::has_only_zombies(self.pid).await;
            let no_members = self.limiter.as_ref().is_none_or(|limiter| limiter.is_empty());
            if no_group && no_members && self.strays.are_gone() {
                return true;
            }
            if deadline.is_some_and(|deadline| tokio::time::Instant::now() >= deadline) {
                return false;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// Lets descendants live, in place of [`kill`](Self::kill): after the end of the program itself, before it is reaped.
    /// One that leaves its group is let live by a guard only if that was said at the start, by
    /// [`SpawnOptions::may_live_on`](crate::SpawnOptions::may_live_on).
    pub fn release(&mut self) {
        // Its group is told to the guard until it is reaped.
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        let _ = self.kill();
        reaper::reap(self.pid, self.watch.take(), std::mem::take(&mut self.strays));
    }
}

/// Reaps a child of ours if it has ended.
pub(super) fn wait4(pid: Pid, host_peak: u64) -> io::Result<Option<Ended>> {
    let raw = pid.as_raw_nonzero().get();
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are valid for writes for the whole call, and an all-zero rusage is a valid one.
        match unsafe { libc::wait4(raw, &mut status, libc::WNOHANG, usage.as_mut_ptr()) } {
            0 => return Ok(None),
            -1 => match io::Error::last_os_error() {
                error if error.raw_os_error() == Some(libc::EINTR) => {}
                error if error.raw_os_error() == Some(libc::ECHILD) => {
                    let (outcome, usage) = (Outcome::Unknown, Usage::default());
                    return Ok(Some(Ended { outcome, usage, out_of_memory: false }));
                }
                error => return Err(error),
            },
            _ => break,
        }
    }
    // SAFETY: zeroed above and filled in by wait4.
    let usage = unsafe { usage.assume_init() };
    let outcome = if libc::WIFSIGNALED(status) {
        Outcome::Signal { number: libc::WTERMSIG(status), core_dumped: libc::WCOREDUMP(status) }
    } else {
        Outcome::Code(libc::WEXITSTATUS(status))
    };
    let peak = peak_memory(&usage);
    let usage = Usage {
        user: Some(duration(usage.ru_utime)),
        system: Some(duration(usage.ru_stime)),
        peak_memory: (peak > host_peak).then_some(peak),
    };
    Ok(Some(Ended { outcome, usage, out_of_memory: false }))
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
}

fn peak_memory(usage: &libc::rusage) -> u64 {
    let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
    u64::try_from(usage.ru_maxrss).unwrap_or(0) * unit
}

fn peak_memory_of_host() -> u64 {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is valid for writes, and an all-zero rusage is a valid one whatever the call answers.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    peak_memory(&usage)
}
