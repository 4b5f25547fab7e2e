//! Pipes: blocking for the child, non-blocking for us.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe::{Receiver, Sender};

/// Held while pipes are made and given to a child, where that takes more than one step.
///
/// Without `pipe2` (macOS) a descriptor exists for a moment without its close-on-exec flag, and a program started
/// by another thread at that moment inherits it: a pipe end that never closes
/// ([rust#95584](https://github.com/rust-lang/rust/issues/95584)).
pub(super) fn lock() -> Option<std::sync::MutexGuard<'static, ()>> {
    static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
    cfg!(target_vendor = "apple").then(|| LOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// A pipe, both ends closed on exec: reading end, writing end.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(not(target_vendor = "apple"))]
    return Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?);
    #[cfg(target_vendor = "apple")]
    {
        let (read, write) = rustix::pipe::pipe()?;
        for end in [&read, &write] {
            rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
        }
        Ok((read, write))
    }
}

/// Our end of a program's output.
#[derive(Debug)]
pub struct PipeReader(Receiver);

impl PipeReader {
    pub(super) fn new(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        Receiver::from_owned_fd_unchecked(fd).map(Self)
    }

    /// Waits until there is something to read, or the end.
    ///
    /// # Errors
    ///
    /// When the runtime is shutting down.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn readable(&self) -> io::Result<()> {
        self.0.readable().await
    }

    /// Reads, or wakes when there is something to read: 0 is the end. A read that fills less than the buffer needs no second
    /// one to know that nothing is left, as [`readable`](Self::readable) with [`try_read`](Self::try_read) does.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        Pin::new(&mut self.0).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
    }

    /// Reads what is there: 0 is the end, [`WouldBlock`](io::ErrorKind::WouldBlock) is nothing yet.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

/// Our end of a program's stdin. Dropping it is the end of input.
#[derive(Debug)]
pub struct PipeWriter {
    pipe: Sender,
    /// Whether writing to nobody would end the host. Rust programs ignore SIGPIPE, unless they chose not to.
    sigpipe_kills: bool,
}

impl PipeWriter {
    pub(super) fn new(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        let pipe = Sender::from_owned_fd_unchecked(fd)?;
        Ok(Self { pipe, sigpipe_kills: !sigpipe::is_ignored() })
    }

    /// Waits until something can be written, or nobody reads any more.
    ///
    /// # Errors
    ///
    /// When the runtime is shutting down.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn writable(&self) -> io::Result<()> {
        self.pipe.writable().await
    }

    /// Writes what fits; [`WouldBlock`](io::ErrorKind::WouldBlock) is nothing now.
    ///
    /// # Errors
    ///
    /// What the system said; [`BrokenPipe`](io::ErrorKind::BrokenPipe) when nobody reads any more. Never a SIGPIPE,
    /// whatever the host does with it.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        if self.sigpipe_kills {
            return sigpipe::without(|| self.pipe.try_write(bytes));
        }
        self.pipe.try_write(bytes)
    }
}

/// Writing to nobody without being killed for it.
mod sigpipe {
    use std::mem::MaybeUninit;
    use std::ptr::null_mut;

    pub(super) fn is_ignored() -> bool {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: asks for the current action only; the pointer is valid for writes, and all-zero is a valid one.
        let action = unsafe {
            libc::sigaction(libc::SIGPIPE, std::ptr::null(), action.as_mut_ptr());
            action.assume_init()
        };
        action.sa_sigaction == libc::SIG_IGN
    }

    /// Calls with SIGPIPE blocked on this thread, and takes away the one that the call has raised.
    pub(super) fn without<T>(call: impl FnOnce() -> T) -> T {
        let mut pipe = MaybeUninit::<libc::sigset_t>::zeroed();
        let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: each pointer is valid for the call that gets it, and the sets are filled in before they are read.
        unsafe {
            libc::sigemptyset(pipe.as_mut_ptr());
            libc::sigaddset(pipe.as_mut_ptr(), libc::SIGPIPE);
            libc::pthread_sigmask(libc::SIG_BLOCK, pipe.as_ptr(), before.as_mut_ptr());
        }
        let result = call();
        let mut pending = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: as above. What sigwait waits for is pending, so it returns at once.
        unsafe {
            libc::sigpending(pending.as_mut_ptr());
            let raised = libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1;
            let was_blocked = libc::sigismember(before.as_ptr(), libc::SIGPIPE) == 1;
            if raised && !was_blocked {
                let mut signal = 0;
                libc::sigwait(pipe.as_ptr(), &raw mut signal);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), null_mut());
        }
        result
    }
}
