//! Pipes: blocking for the child, overlapped for us.
//!
//! An anonymous pipe cannot be overlapped, and reading it would hold a thread for each pending read; so these are
//! named pipes with a name that nobody can guess, whose only other end is open before anybody hears of it.

use std::fs::{File, OpenOptions};
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::windows::io::AsRawHandle;
use std::pin::pin;
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
use windows_sys::Win32::Foundation::ERROR_BROKEN_PIPE;
use windows_sys::Win32::System::Pipes::PeekNamedPipe;

use super::checked;

/// Of the pipe, and the most that one write takes: tokio copies what it writes.
const BUFFER: u32 = 64 * 1024;

/// A pipe that the child writes: our end, and its.
pub(super) fn from_child() -> io::Result<(PipeReader, File)> {
    let (ours, theirs) = pair(Direction::FromChild)?;
    Ok((PipeReader(ours), theirs))
}

/// A pipe that the child reads: our end, and its.
pub(super) fn to_child() -> io::Result<(PipeWriter, File)> {
    let (ours, theirs) = pair(Direction::ToChild)?;
    Ok((PipeWriter(ours), theirs))
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    FromChild,
    ToChild,
}

fn pair(direction: Direction) -> io::Result<(NamedPipeServer, File)> {
    let name = unused_name();
    let ours = ServerOptions::new()
        .access_inbound(direction == Direction::FromChild)
        .access_outbound(direction == Direction::ToChild)
        .first_pipe_instance(true)
        .reject_remote_clients(true)
        .max_instances(1)
        .in_buffer_size(BUFFER)
        .out_buffer_size(BUFFER)
        .create(&name)?;
    // The standard library makes an inheritable copy when it starts the program, under a lock of its own. If a stranger
    // came first, this fails: the pipe is busy.
    let theirs = OpenOptions::new()
        .write(direction == Direction::FromChild)
        .read(direction == Direction::ToChild)
        .open(&name)?;
    connected(&ours)?;
    Ok((ours, theirs))
}

/// Tells tokio that the other end is there: nothing else starts its first read. It answers at once.
fn connected(ours: &NamedPipeServer) -> io::Result<()> {
    match pin!(ours.connect()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::Error::other("the pipe to the program does not connect")),
    }
}

fn unused_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static SECRET: OnceLock<RandomState> = OnceLock::new();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let random = SECRET.get_or_init(RandomState::new).hash_one(count);
    format!(r"\\.\pipe\bgt-{}-{count}-{random:016x}", std::process::id())
}

/// Our end of a program's output.
#[derive(Debug)]
pub struct PipeReader(NamedPipeServer);

impl PipeReader {
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
        match self.read_once(buffer)? {
            0 if !self.is_broken() => Err(io::ErrorKind::WouldBlock.into()),
            // What came before the end, if tokio has it already; else the end again.
            0 => self.read_once(buffer),
            read => Ok(read),
        }
    }

    /// Reads, or wakes when there is something to read: 0 is the end.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            std::task::ready!(self.0.poll_read_ready(cx))?;
            match self.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
        }
    }

    fn read_once(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
            result => result,
        }
    }

    /// Whether nobody has the other end any more, and nothing is left in the pipe.
    ///
    /// Reading nothing is not enough to tell: on a named pipe it is also what a write of zero bytes looks like, and
    /// some runtimes write zero bytes when they flush.
    fn is_broken(&self) -> bool {
        // SAFETY: the handle is open, and all pointers may be null.
        let there = checked(unsafe {
            PeekNamedPipe(self.0.as_raw_handle(), null_mut(), 0, null_mut(), null_mut(), null_mut())
        });
        there.is_err_and(|error| error.raw_os_error() == Some(ERROR_BROKEN_PIPE as i32))
    }
}

/// Our end of a program's stdin. Dropping it is the end of input.
#[derive(Debug)]
pub struct PipeWriter(NamedPipeServer);

impl PipeWriter {
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
    /// What the system said; [`BrokenPipe`](io::ErrorKind::BrokenPipe) when nobody reads any more, which may show only
    /// with the next write.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        // To the program, a write of zero bytes would look like the end of its input.
        if bytes.is_empty() {
            return Ok(0);
        }
        self.0.try_write(&bytes[..bytes.len().min(BUFFER as usize)])
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    async fn read_to_end(pipe: &PipeReader) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), [0; 100]);
        loop {
            pipe.readable().await.unwrap();
            match pipe.try_read(&mut buffer) {
                Ok(0) => return all,
                Ok(read) => all.extend_from_slice(&buffer[..read]),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
    }

    #[tokio::test]
    async fn writing_nothing_is_not_the_end() {
        let (ours, mut theirs) = from_child().unwrap();
        let writer = std::thread::spawn(move || {
            for text in ["a", "", "", "b", "", "c", ""] {
                assert_eq!(theirs.write(text.as_bytes()).unwrap(), text.len());
            }
        });
        assert_eq!(read_to_end(&ours).await, b"abc");
        writer.join().unwrap();
    }

    #[tokio::test]
    async fn what_was_written_before_the_end_is_read() {
        for _ in 0..100 {
            let (ours, mut theirs) = from_child().unwrap();
            theirs.write_all(&[7; 5000]).unwrap();
            drop(theirs);
            assert_eq!(read_to_end(&ours).await, [7; 5000]);
            let again = ours.try_read(&mut [0; 10]).unwrap();
            assert_eq!(again, 0, "the end is the end, however often one asks");
        }
    }

    #[tokio::test]
    async fn names_are_used_once() {
        assert_ne!(unused_name(), unused_name());
        let (_ours, _theirs) = from_child().unwrap();
        let (_ours, _theirs) = to_child().unwrap();
    }
}
