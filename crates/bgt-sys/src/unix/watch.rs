//! Knowing that a program has ended while its number still belongs to it.
//!
//! Both ways look with `WNOWAIT`, which leaves the zombie where it is: as long as it is there, neither its process
//! id nor its group id can be given to anybody else, so the group can be signalled without hitting a stranger.

use std::io;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use tokio::signal::unix as signal;

/// A host that ignores SIGCHLD, or has put a handler of its own in tokio's place, hears of no end at all.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) enum Watch {
    #[cfg(target_os = "linux")]
    Pidfd(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>),
    /// Every SIGCHLD is a reason to look again, and so is some time without one.
    Sigchld(signal::Signal),
}

impl Watch {
    /// A watch on a child that nobody has reaped.
    pub(super) fn new(pid: Pid) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = super::linux::pidfd(pid) {
            use tokio::io::{Interest, unix::AsyncFd};
            // SAFETY: an OwnedFd is open for as long as it lives, and always answers the same number.
            if let Ok(pidfd) = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) } {
                return Ok(Self::Pidfd(pidfd));
            }
        }
        let _ = pid;
        Ok(Self::Sigchld(signal::signal(signal::SignalKind::child())?))
    }

    /// Waits until the child has ended. Cancel-safe.
    pub(super) async fn ended(&mut self, pid: Pid) -> io::Result<()> {
        match self {
            // No look before the first wake-up: this is polled once for every piece of output.
            #[cfg(target_os = "linux")]
            Self::Pidfd(pidfd) => {
                // Not `readable`, which takes a place in a list, under a lock, each time it is polled anew.
                std::future::poll_fn(|cx| {
                    loop {
                        let mut ready = std::task::ready!(pidfd.poll_read_ready(cx))?;
                        if look(pid)? != Look::Alive {
                            return std::task::Poll::Ready(Ok(()));
                        }
                        ready.clear_ready();
                    }
                })
                .await
            }
            Self::Sigchld(signal) => loop {
                if look(pid)? != Look::Alive {
                    return Ok(());
                }
                if let Ok(None) = tokio::time::timeout(LOOK_AGAIN, signal.recv()).await {
                    return Err(io::Error::other("the runtime no longer delivers SIGCHLD"));
                }
            },
        }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn into_pidfd(self) -> Option<std::os::fd::OwnedFd> {
        match self {
            Self::Pidfd(pidfd) => Some(pidfd.into_inner()),
            Self::Sigchld(_) => None,
        }
    }
}

/// How a child stands with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Alive,
    /// It has ended and its number is still its own.
    Zombie,
    /// Somebody else has reaped it (another part of the host, or the system because the host ignores SIGCHLD): its
    /// number may belong to a stranger.
    Taken,
}

/// Looks at a child of ours, and leaves it as it is.
pub(super) fn look(pid: Pid) -> io::Result<Look> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    loop {
        match waitid(WaitId::Pid(pid), options) {
            Ok(None) => return Ok(Look::Alive),
            Ok(Some(_)) => return Ok(Look::Zombie),
            Err(Errno::CHILD) => return Ok(Look::Taken),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
