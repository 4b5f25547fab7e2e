//! A program and its Job Object, from start to reaping.

use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::sync::OnceLock;
use std::time::Duration;

use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::{
    BELOW_NORMAL_PRIORITY_CLASS, GetExitCodeProcess, GetPriorityClass, IDLE_PRIORITY_CLASS, SetPriorityClass,
};

use super::job::Job;
use super::limiter::Limiter;
use super::wait::{Wait, has_ended};
use super::{checked, console};
use crate::{Asked, Ended, Outcome, Priority, Signal, Usage};

/// A program that heads a tree of its own.
///
/// Its process id belongs to it until this is dropped.
///
/// # Dropping
///
/// Dropping a child that was not reaped kills its tree at once. It never waits.
#[derive(Debug)]
pub struct Child {
    // Before `process`, whose handle it watches.
    wait: Option<Wait>,
    process: OwnedHandle,
    pid: u32,
    job: Job,
    shares_console: bool,
    /// Whether descendants lived when the end of the tree began.
    had_descendants: OnceLock<bool>,
    reaped: bool,
}

impl Child {
    /// `child` must be in the job.
    pub(super) fn adopt(child: std::process::Child, job: Job, shares_console: bool) -> Self {
        let pid = child.id();
        let had_descendants = OnceLock::new();
        Self { wait: None, process: child.into(), pid, job, shares_console, had_descendants, reaped: false }
    }

    /// The program's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid
    }

    /// Waits until the program itself has ended. Its descendants may live, and its output may not have ended.
    ///
    /// # Errors
    ///
    /// What the system said.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe, and may be called again after it has answered.
    pub async fn ended(&mut self) -> io::Result<()> {
        while !has_ended(&self.process)? {
            let wait = match &mut self.wait {
                Some(wait) => wait,
                none => none.insert(Wait::new(&self.process)?),
            };
            wait.ended().await;
        }
        Ok(())
    }

    /// Has the whole tree stand back behind others.
    ///
    /// # Errors
    ///
    /// What the system said.
    ///
    /// # Platform-specific behavior
    ///
    /// By the priority class of the program, which what it starts from then on inherits; one that is idle stays so.
    pub fn set_priority(&self, priority: Priority) -> io::Result<()> {
        let class = match priority {
            Priority::Normal => return Ok(()),
            Priority::Low => BELOW_NORMAL_PRIORITY_CLASS,
            Priority::Idle => IDLE_PRIORITY_CLASS,
        };
        // SAFETY: the handle is open.
        if unsafe { GetPriorityClass(self.process.as_raw_handle()) } == IDLE_PRIORITY_CLASS {
            // As its host does: nobody is brought forward.
            return Ok(());
        }
        // SAFETY: the handle is open.
        match checked(unsafe { SetPriorityClass(self.process.as_raw_handle(), class) }) {
            // What has ended need not be told.
            Err(error) if !has_ended(&self.process)? => {
                Err(io::Error::other(format!("its priority cannot be set: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// Quota what the whole tree has, from now on.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn limit(&mut self, limiter: Limiter) -> io::Result<()> {
        self.job
            .restrict(limiter)
            .map_err(|error| io::Error::new(error.kind(), format!("its job takes no such limits: {error}")))
    }

    /// Asks the whole tree to end: by Ctrl-Break, whatever the signal, if it shares a console with its host.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn ask(&self, _how: Signal) -> io::Result<Asked> {
        if self.reaped || has_ended(&self.process)? {
            return Ok(Asked::Ended);
        }
        // The host may have let go of its console meanwhile: then the call fails.
        let asked = self.shares_console && console::press_break(self.pid).is_ok();
        Ok(if asked { Asked::Delivered } else { Asked::Undeliverable })
    }

    /// Kills the whole tree. Has no effect after [`reap`](Self::reap).
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn kill(&self) -> io::Result<()> {
        if self.reaped {
            return Ok(());
        }
        self.remember_descendants();
        self.job.terminate()
    }

    /// How much of the program is in memory now, in bytes, without its descendants: its working set. `None` when nobody
    /// tells, or when the program has ended.
    #[must_use]
    pub fn resident_memory(&self) -> Option<u64> {
        let memory = memory(&self.process)?.WorkingSetSize as u64;
        (memory > 0).then_some(memory)
    }

    /// Does nothing: nobody leaves a job. See the Unix side.
    pub async fn find_strays(&mut self) {}

    /// Never: see the Unix side.
    #[must_use]
    pub fn needs_search(&self) -> bool {
        false
    }

    /// Does nothing, and finds nobody: nobody leaves a job. See the Unix side.
    pub async fn kill_strays(&mut self) -> bool {
        false
    }

    /// Takes the exit status of a program that has ended; `None` while it has not.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn reap(&mut self) -> io::Result<Option<Ended>> {
        if !has_ended(&self.process)? {
            return Ok(None);
        }
        let mut code = 0;
        // SAFETY: the handle is open and the code lives through the call.
        checked(unsafe { GetExitCodeProcess(self.process.as_raw_handle(), &raw mut code) })?;
        self.remember_descendants();
        self.wait = None;
        self.reaped = true;
        Ok(Some(Ended {
            outcome: Outcome::Code(code.cast_signed()),
            usage: self.usage(),
            out_of_memory: false,
        }))
    }

    /// After [`reap`](Self::reap): whether descendants were alive when the program ended.
    #[must_use]
    pub fn had_descendants(&self) -> bool {
        self.reaped && self.had_descendants.get() == Some(&true)
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
        // A job can also report to a completion port when it is empty, but "delivery of messages to the completion
        // port is not guaranteed" (JOBOBJECT_ASSOCIATE_COMPLETION_PORT), so there would have to be looks as well.
        // They were killed, so this is a matter of a few.
        // https://learn.microsoft.com/windows/win32/api/winnt/ns-winnt-jobobject_associate_completion_port
        while self.job.accounts().is_ok_and(|accounts| accounts.active > 0) {
            if deadline.is_some_and(|deadline| tokio::time::Instant::now() >= deadline) {
                return false;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(20));
        }
        true
    }

    /// Lets descendants live, in place of [`kill`](Self::kill): after the end of the program itself, before it is reaped.
    pub fn release(&mut self) {
        self.remember_descendants();
        let _ = self.job.spare();
    }

    fn remember_descendants(&self) {
        self.had_descendants.get_or_init(|| self.job.has_others(self.pid).unwrap_or(false));
    }

    fn usage(&self) -> Usage {
        let times = self.job.accounts().ok().map(|accounts| (accounts.user, accounts.system));
        // Less than a tick, or nobody counts: Wine does not.
        let times = times.filter(|times| *times != (Duration::ZERO, Duration::ZERO));
        let (user, system) = times.unzip();
        Usage { user, system, peak_memory: peak_memory(&self.process) }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = self.job.terminate();
        }
    }
}

/// The peak of what a process had in memory. A job tells only the peak of what its members had reserved, which is
/// another thing.
fn peak_memory(process: &OwnedHandle) -> Option<u64> {
    let peak = memory(process)?.PeakWorkingSetSize as u64;
    // Wine does not know it of a process that has ended.
    (peak > 0).then_some(peak)
}

fn memory(process: &OwnedHandle) -> Option<PROCESS_MEMORY_COUNTERS> {
    let size = size_of::<PROCESS_MEMORY_COUNTERS>() as u32;
    let mut memory = PROCESS_MEMORY_COUNTERS { cb: size, ..Default::default() };
    // SAFETY: the handle is open, the counters live through the call, and their true size is given.
    checked(unsafe { K32GetProcessMemoryInfo(process.as_raw_handle(), &raw mut memory, size) }).ok()?;
    Some(memory)
}
