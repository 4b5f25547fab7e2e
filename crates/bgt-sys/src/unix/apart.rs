//! Processes that are not of our tree.

use std::io;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, waitpid};

use super::watch::Watch;
use crate::Identity;

/// Where the system has no way to tell: how often to look.
const AGAIN: Duration = Duration::from_millis(100);

/// A process that is not of our tree: one that was started with [`start_apart`](crate::start_apart), or one of which only
/// its [`Identity`] is known.
///
/// # Dropping
///
/// Dropping it changes nothing for the process.
#[derive(Debug)]
pub struct Apart {
    pid: Pid,
    identity: Option<Identity>,
    watch: How,
}

#[derive(Debug)]
enum How {
    /// Our child, to be reaped.
    Child(Watch),
    #[cfg(target_os = "linux")]
    Pidfd(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>),
    /// Looked at again and again.
    Looks,
    Ended,
}

impl Apart {
    /// The process of this identity, if it still runs.
    ///
    /// # Errors
    ///
    /// What the system said.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O driver enabled.
    pub fn find(identity: Identity) -> io::Result<Option<Self>> {
        let Some(pid) = i32::try_from(identity.pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = super::linux::pidfd(pid) {
            use tokio::io::{Interest, unix::AsyncFd};
            // Held first and compared then: what is compared cannot be replaced by another any more.
            if !identity.is_alive() {
                return Ok(None);
            }
            // SAFETY: an OwnedFd is open for as long as it lives, and always answers the same number.
            let pidfd = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }?;
            return Ok(Some(Self { pid, identity: Some(identity), watch: How::Pidfd(pidfd) }));
        }
        Ok(identity.is_alive().then_some(Self { pid, identity: Some(identity), watch: How::Looks }))
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    ///
    /// What the system said.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe, and may be called again after it has answered.
    pub async fn ended(&mut self) -> io::Result<()> {
        match &mut self.watch {
            How::Child(watch) => {
                watch.ended(self.pid).await?;
                reap(self.pid);
            }
            #[cfg(target_os = "linux")]
            How::Pidfd(pidfd) => drop(pidfd.readable().await?),
            How::Looks => {
                while self.identity.is_some_and(|identity| identity.is_alive()) {
                    tokio::time::sleep(AGAIN).await;
                }
            }
            How::Ended => {}
        }
        self.watch = How::Ended;
        Ok(())
    }

    /// Asks the process, and nobody else, to end or to look what is wanted: SIGTERM. Has no effect after its end.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn ask(&self) -> io::Result<()> {
        let sent = match &self.watch {
            // Not reaped yet: the number is its own.
            How::Child(_) => rustix::process::kill_process(self.pid, Signal::TERM),
            #[cfg(target_os = "linux")]
            How::Pidfd(pidfd) => rustix::process::pidfd_send_signal(pidfd.get_ref(), Signal::TERM),
            How::Looks if self.identity.is_some_and(|identity| identity.is_alive()) => {
                rustix::process::kill_process(self.pid, Signal::TERM)
            }
            How::Looks | How::Ended => Ok(()),
        };
        match sent {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            sent => Ok(sent?),
        }
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        if let How::Child(_) = self.watch {
            reap_some(Some(self.pid));
        }
    }
}

pub(crate) fn start_apart(command: &mut Command) -> io::Result<Apart> {
    reap_some(None);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let pid = Pid::from_child(&command.spawn()?);
    // It goes on, whatever happens here: if it cannot be watched its end is looked for.
    let watch = Watch::new(pid).map_or(How::Looks, How::Child);
    let identity = Identity::of(pid.as_raw_nonzero().get().unsigned_abs());
    Ok(Apart { pid, identity, watch })
}

pub(crate) fn leave_session() -> io::Result<()> {
    rustix::process::setsid()?;
    Ok(())
}

fn reap(pid: Pid) -> bool {
    !matches!(waitpid(Some(pid), WaitOptions::NOHANG), Ok(None))
}

/// Children of which nobody wants to know any more. They may run for hours yet: whoever starts or drops the next one
/// reaps those that have ended, so that there are never more zombies than processes at once.
fn reap_some(add: Option<Pid>) {
    static LEFT: Mutex<Vec<Pid>> = Mutex::new(Vec::new());
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    left.extend(add);
    left.retain(|pid| !reap(*pid));
}

/// When a process was started; `None` for one that has ended.
#[cfg(target_os = "linux")]
pub(crate) fn started(pid: u32) -> Option<u64> {
    let process = super::linux::process(i32::try_from(pid).ok()?)?;
    (!process.zombie).then_some(process.started)
}

#[cfg(target_vendor = "apple")]
pub(crate) fn started(pid: u32) -> Option<u64> {
    let mut info = std::mem::MaybeUninit::<libc::proc_bsdinfo>::zeroed();
    let size = size_of::<libc::proc_bsdinfo>() as libc::c_int;
    // SAFETY: the place for the answer lives through the call, and its true size is given.
    let answer = unsafe {
        libc::proc_pidinfo(pid.cast_signed(), libc::PROC_PIDTBSDINFO, 0, info.as_mut_ptr().cast(), size)
    };
    if answer != size {
        return None;
    }
    // SAFETY: the call wrote all of it.
    let info = unsafe { info.assume_init() };
    (info.pbi_status != libc::SZOMB)
        .then_some(info.pbi_start_tvsec.wrapping_mul(1_000_000).wrapping_add(info.pbi_start_tvusec))
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
pub(crate) fn started(_pid: u32) -> Option<u64> {
    None
}

pub(crate) fn kill(identity: &Identity) -> io::Result<bool> {
    let Some(pid) = i32::try_from(identity.pid).ok().and_then(Pid::from_raw) else { return Ok(false) };
    #[cfg(target_os = "linux")]
    let _held = super::linux::pidfd(pid);
    if !identity.is_alive() {
        return Ok(false);
    }
    // As long as it is there, reaped by nobody, the number of the group that it heads is its own.
    let heads = rustix::process::getpgid(Some(pid)).is_ok_and(|group| group == pid);
    let killed = match heads {
        true => super::group::signal(pid, Signal::KILL).map(drop),
        false => rustix::process::kill_process(pid, Signal::KILL).map_err(io::Error::from),
    };
    match killed {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(false),
        killed => killed.map(|()| true),
    }
}

pub(crate) fn own_program() -> io::Result<std::path::PathBuf> {
    let link = std::path::Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && link.exists() { Ok(link.to_owned()) } else { std::env::current_exe() }
}

#[derive(Debug)]
pub(crate) struct Knocks(tokio::signal::unix::Signal);

impl Knocks {
    pub(crate) fn listen() -> io::Result<Self> {
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map(Self)
    }

    pub(crate) async fn next(&mut self) -> bool {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        true
    }
}
