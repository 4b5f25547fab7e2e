//! Where a program's stdin comes from.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};

pub(crate) type Reader = Pin<Box<dyn AsyncRead + Send>>;

/// Where a program's stdin comes from. Strings, byte vectors and [`Bytes`] convert.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Stdin {
    /// Nothing to read.
    #[default]
    Null,
    /// These bytes, then the end. A program that does not read them all is not disturbed.
    Bytes(Bytes),
    /// A file, opened at each attempt. Made by [`Stdin::file`].
    File(PathBuf),
    /// What the host's own stdin is. A program that reads a terminal is stopped by it on Unix, because it runs in a
    /// process group of its own, in the background.
    Inherit,
    /// Something that is read while the program runs. Made by [`Stdin::reader`] or [`Stdin::live`]; for one attempt.
    Live(LiveStdin),
}

/// A source that is read while the program runs: what is in [`Stdin::Live`]. It is used up by the first attempt that
/// starts a program.
#[derive(Clone)]
pub struct LiveStdin(Arc<Mutex<Option<Reader>>>);

/// Writes to the stdin of a program that may not have been started yet.
///
/// Up to 64 KiB wait for the program; then writing waits. When the program has ended, writing answers
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe). Dropping the writer is the end of input.
#[derive(Debug)]
pub struct StdinWriter(DuplexStream);

impl Stdin {
    /// A file, opened at each attempt.
    ///
    /// A named pipe is waited for, until its writer writes or closes; the run's deadline ends the wait.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File(path.into())
    }

    /// Anything that can be read asynchronously, for one attempt. Do not combine it with retries: the second attempt is
    /// refused, and its error hides why the first one failed.
    pub fn reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::Live(LiveStdin(Arc::new(Mutex::new(Some(Box::pin(reader))))))
    }

    /// A writer for a conversation with the program, and the stdin to give it. For one attempt, as
    /// [`reader`](Self::reader).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use bgt_process::{Command, Stdin};
    /// use tokio::io::AsyncWriteExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (stdin, mut writer) = Stdin::live();
    /// let sort = Command::new("sort").stdin(stdin);
    /// let (output, written) = tokio::join!(bgt_simple::run(sort), async move {
    ///     writer.write_all(b"b\n").await?;
    ///     writer.write_all(b"a\n").await // dropped here: the end of input
    /// });
    /// written?;
    /// assert_eq!(output?.stdout_text(), "a\nb\n");
    /// # Ok(()) } main().unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn live() -> (Self, StdinWriter) {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        (Self::reader(theirs), StdinWriter(ours))
    }
}

impl LiveStdin {
    /// The source, the first time; whoever has it gives it back by dropping it.
    pub(crate) fn take(&self) -> Option<Taken> {
        let reader = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Taken { home: self.clone(), reader: Some(reader) })
    }
}

/// A live source on its way to a program. Dropped before the program has started, it can be taken again.
pub(crate) struct Taken {
    home: LiveStdin,
    reader: Option<Reader>,
}

impl Taken {
    pub(crate) fn into_reader(mut self) -> Reader {
        self.reader.take().expect("taken once, here")
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            *self.home.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
        }
    }
}

macro_rules! from_bytes {
    ($($type:ty),*) => {$(
        impl From<$type> for Stdin {
            fn from(bytes: $type) -> Self {
                Self::Bytes(bytes.into())
            }
        }
    )*};
}
from_bytes!(&'static str, String, &'static [u8], Vec<u8>, Bytes);

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Inherit => f.write_str("Inherit"),
            Self::Live(_) => f.write_str("Live"),
        }
    }
}

impl fmt::Debug for LiveStdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LiveStdin")
    }
}

impl AsyncWrite for StdinWriter {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
