//! Pipes: blocking for the child, non-blocking for us.

use std::io;
use std::os::fd::OwnedFd;

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
pub struct PipeWriter(Sender);

impl PipeWriter {
    pub(super) fn new(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        Sender::from_owned_fd_unchecked(fd).map(Self)
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
        self.0.writable().await
    }

    /// Writes what fits; [`WouldBlock`](io::ErrorKind::WouldBlock) is nothing now.
    ///
    /// # Errors
    ///
    /// What the system said; [`BrokenPipe`](io::ErrorKind::BrokenPipe) when nobody reads any more.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }
}
