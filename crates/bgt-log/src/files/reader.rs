//! A reader of files alone, in whatever process.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::time::Sleep;

use super::FileError;
use super::chunks::Chunks;
use super::cursor::{Cursor, Found};
use crate::{Entry, From};

/// How often a reader that has read everything looks again: no way to be told works on all file systems.
const AGAIN: Duration = Duration::from_millis(100);

/// Reads a log from its files, also while another process writes them: the same lines with the same numbers as a
/// [`Follower`](crate::Follower) of the log itself.
///
/// It survives that files are begun and removed while it reads: what was removed before it came there is a
/// [`Gap`](crate::Gap), and so is what could not be written, or cannot be read as a record. A record that is not whole yet
/// is not there yet.
///
/// A folder cannot tell a writer that was killed from one that has nothing to say: then a reader that follows waits for ever.
/// Who knows that the run has ended [reads](Self::open) what there is.
///
/// It holds at most 64 KiB of output, or one record, and one open file. Dropping it changes nothing for anybody.
///
/// # Cancel safety
///
/// [`next`](Self::next) loses nothing when it is dropped.
///
/// # Panics
///
/// A reader that follows, outside of a tokio runtime with its timer enabled.
///
/// # Examples
///
/// ```
/// use bgt_log::{Entry, From, LogReader};
///
/// # async fn read(run: &std::path::Path) -> Result<(), bgt_log::FileError> {
/// let mut reader = LogReader::follow(run, From::Tail(10)).await?;
/// while let Some(entry) = reader.next().await? {
///     if let Entry::Line(line) = entry {
///         println!("{}: {}", line.seq, line.text());
///     }
/// }
/// # Ok(()) }
/// ```
#[must_use = "a reader reads nothing until it is asked"]
pub struct LogReader {
    folder: PathBuf,
    chunks: Chunks,
    entries: VecDeque<Entry>,
    seq: u64,
    follows: bool,
    pause: Option<Pin<Box<Sleep>>>,
    is_over: bool,
    is_finished: bool,
}

impl LogReader {
    /// Reads what there is, and then ends.
    ///
    /// # Errors
    ///
    /// When the folder or a file cannot be read, or is not there.
    pub async fn open(folder: impl Into<PathBuf>, from: From) -> Result<Self, FileError> {
        let (folder, place) = (folder.into(), from);
        let of = folder.clone();
        let cursor = tokio::task::spawn_blocking(move || Cursor::from(of, place)).await;
        let cursor = cursor
            .map_err(|error| FileError::lost(&folder, error))?
            .map_err(FileError::of("read the log files in", &folder))?;
        let seq = cursor.seq();
        Ok(Self {
            folder,
            chunks: Chunks::Idle(cursor),
            entries: VecDeque::new(),
            seq,
            follows: false,
            pause: None,
            is_over: false,
            is_finished: false,
        })
    }

    /// Reads what there is and what follows, until the writer has [finished](crate::Log::finish). Having read everything it
    /// looks again every 100 milliseconds.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub async fn follow(folder: impl Into<PathBuf>, from: From) -> Result<Self, FileError> {
        Ok(Self { follows: true, ..Self::open(folder, from).await? })
    }

    /// The next entry; `None` when there is none and none will be waited for.
    ///
    /// # Errors
    ///
    /// When the folder or a file cannot be read any more, or was removed. Asked again it tries again.
    pub async fn next(&mut self) -> Result<Option<Entry>, FileError> {
        std::future::poll_fn(|cx| self.poll_entry(cx)).await.transpose()
    }

    /// The number of the last line that was read, to [go on from](From::After).
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Whether it has read that the writer had finished: nothing follows.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.is_finished
    }

    fn poll_entry(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Entry, FileError>>> {
        loop {
            if let Some(entry) = self.entries.pop_front() {
                self.seq = entry.last();
                return Poll::Ready(Some(Ok(entry)));
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            if let Some(pause) = &mut self.pause {
                std::task::ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match std::task::ready!(self.chunks.poll_read(u64::MAX, cx)) {
                Ok(Found::Entries(entries)) => self.entries = entries.into(),
                Ok(Found::Nothing) if self.follows => self.pause = Some(Box::pin(tokio::time::sleep(AGAIN))),
                Ok(found) => {
                    self.is_finished = found == Found::End;
                    self.is_over = true;
                }
                Err(error) => {
                    self.chunks.seek(&self.folder, self.seq);
                    return Poll::Ready(Some(Err(FileError::of("read the log files in", &self.folder)(
                        error,
                    ))));
                }
            }
        }
    }
}

/// Ends after an error, other than [`next`](LogReader::next).
impl Stream for LogReader {
    type Item = Result<Entry, FileError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let entry = std::task::ready!(self.poll_entry(cx));
        self.is_over |= matches!(entry, Some(Err(_)));
        Poll::Ready(entry)
    }
}

impl fmt::Debug for LogReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { folder, seq, follows, .. } = self;
        f.debug_struct("LogReader")
            .field("folder", folder)
            .field("seq", seq)
            .field("follows", follows)
            .finish_non_exhaustive()
    }
}
