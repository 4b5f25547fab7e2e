//! A log: what writes to it, and who reads from it.
//!
//! Owns: the lock around the ring, and the wakers of those who wait.
//! Never does: wait for a reader, or keep one waiting for another.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use bgt_core::{Chunk, Sink, SinkClosed, Source};

use crate::cut::{Block, Cutter};
use crate::ring::{Position, Read, Ring};
use crate::{Follower, From, Keep};

/// The longest line that is kept in one piece, in bytes, unless said otherwise.
const LONGEST: usize = 64 << 10;

/// A run's output, line by line, for any number of readers.
///
/// It is a [`Sink`]: give it to a run. What comes is kept in memory up to [`Keep`], and numbered; readers
/// [subscribe](Self::subscribe) from any number. Neither a slow nor a dead reader slows the run or another reader: who
/// falls behind what is held gets one [`Gap`](crate::Gap), which says how much is missing.
///
/// Clones are the same log. Readers hold the log: it stays readable after the run, as long as anybody has it.
///
/// # Examples
///
/// ```
/// use bgt_core::{Chunk, Sink, Source};
/// use bgt_log::{Entry, From, Log};
/// use std::time::SystemTime;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_core::SinkClosed> {
/// let log = Log::new();
/// let chunk = |text: &'static str| Chunk { source: Source::Stdout, at: SystemTime::now(), bytes: text.into() };
/// log.write(chunk("one\ntw")).await?;
/// log.write(chunk("o\n")).await?;
/// log.finish();
///
/// let mut lines = log.subscribe(From::Start);
/// while let Some(entry) = lines.next().await {
///     if let Entry::Line(line) = entry {
///         println!("{}: {}", line.seq, line.text());
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Log {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    #[cfg(feature = "files")]
    pub(crate) files: Option<crate::files::Files>,
}

pub(crate) struct State {
    pub(crate) ring: Ring,
    stdout: Cutter,
    stderr: Cutter,
    pub(crate) is_over: bool,
    #[cfg(feature = "files")]
    pub(crate) progress: crate::files::Progress,
    /// Those who have read everything, by the number of the follower.
    waiting: HashMap<u64, Waker>,
    followers: u64,
}

/// How much a log has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extent {
    /// The number of the last line; 0 before the first.
    pub last: u64,
    /// The number of the first line that is still held, in memory or in files, or will be.
    pub first: u64,
    /// The bytes of all lines, with what ended them. Of a log that goes on in files: since it was opened.
    pub bytes: u64,
    /// The number of the last line that is in a file, or was given up when it was its turn; `None` without files.
    pub written: Option<u64>,
    /// Whether nothing will follow.
    pub is_over: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self::new()
    }
}

impl Log {
    /// A log that keeps the latest 8 MiB.
    #[must_use]
    pub fn new() -> Self {
        Self::keeping(Keep::default())
    }

    /// A log that keeps so much.
    #[must_use]
    pub fn keeping(keep: Keep) -> Self {
        let shared = Shared {
            state: Mutex::new(State::new(Ring::new(keep))),
            #[cfg(feature = "files")]
            files: None,
        };
        Self { shared: Arc::new(shared) }
    }

    /// A log that keeps so much in memory, and everything in files, within their quota. It goes on where the files end.
    ///
    /// Every line is in a file before the [`write`](Sink::write) that brought its end answers: no end of this process, not
    /// even a kill, loses it. (A loss of power may.) Lines are written by a thread of tokio's for blocking work, one at a
    /// time, while the run waits: a slow disk slows the run, as a slow terminal would. Readers do not wait for it.
    ///
    /// A fault of the files, such as a full disk, neither ends the run nor the log: it goes on in memory, tells by
    /// [`file_error`](Self::file_error), and every further line tries again. What memory holds is then written late; what
    /// it does not is missing in the files, and a gap for their readers.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made, listed or read. Nothing is written before the first line.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it answers it leaves at most an empty folder. A dropped `write` has taken its chunk, and loses
    /// nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_core::RunId;
    /// use bgt_log::{Chunk, Keep, Log, LogFiles, Sink, Source};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let base = std::env::temp_dir().join(format!("bgt-log-{}", std::process::id()));
    /// let files = LogFiles::of_run(&base, RunId::new());
    /// let log = Log::with_files(Keep::default(), files.clone()).await?;
    /// let at = std::time::SystemTime::UNIX_EPOCH;
    /// log.write(Chunk { source: Source::Stdout, at, bytes: "hello\n".into() }).await?;
    ///
    /// let file = files.folder().join("00000000000000000001.log");
    /// assert_eq!(std::fs::read_to_string(file)?, "1970-01-01T00:00:00.000000000Z stdout F hello\n");
    /// log.finish();
    /// log.flush().await?;
    /// # std::fs::remove_dir_all(base)?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "files")]
    #[cfg_attr(docsrs, doc(cfg(feature = "files")))]
    pub async fn with_files(keep: Keep, files: crate::LogFiles) -> Result<Self, crate::FileError> {
        let folder = files.folder().to_owned();
        let opened = tokio::task::spawn_blocking(move || crate::files::Files::open(files)).await;
        let (files, progress) = opened.unwrap_or_else(|error| Err(crate::FileError::lost(&folder, error)))?;
        let ring = Ring::continuing(keep, progress.last);
        let state = State { progress, ..State::new(ring) };
        Ok(Self { shared: Arc::new(Shared { state: Mutex::new(state), files: Some(files) }) })
    }

    /// Waits until everything that came is in files, and their end if the log is [finished](Self::finish). Without files
    /// it answers at once.
    ///
    /// Only after [`finish`](Self::finish) it is of use: what [`write`](Sink::write) took is written when that answers. What
    /// could not be written is tried once more.
    ///
    /// # Errors
    ///
    /// When something could not be written. It still is in memory as far as that holds.
    ///
    /// # Cancel safety
    ///
    /// What it waits for happens without it.
    #[cfg(feature = "files")]
    #[cfg_attr(docsrs, doc(cfg(feature = "files")))]
    pub async fn flush(&self) -> Result<(), crate::FileError> {
        if self.shared.files.is_none() {
            return Ok(());
        }
        let (last, is_over) = {
            let state = self.shared.state();
            (state.ring.last(), state.is_over)
        };
        self.shared.start_writing();
        self.shared.settled(last, is_over).await;
        let state = self.shared.state();
        match &state.progress.fault {
            Some(fault) if !state.progress.is_written(last, is_over) => Err(fault.clone()),
            _ => Ok(()),
        }
    }

    /// The latest fault of the files, if there was one; it stays when writing goes on. Whether it does, [`Extent::written`]
    /// says.
    #[cfg(feature = "files")]
    #[cfg_attr(docsrs, doc(cfg(feature = "files")))]
    #[must_use]
    pub fn file_error(&self) -> Option<crate::FileError> {
        self.shared.state().progress.fault.clone()
    }

    /// Nothing follows: what has no newline yet is a line, and readers come to an end. Again is fine.
    ///
    /// Where the log has files, their end is written soon after, which `flush` waits for. Outside of a tokio runtime this
    /// call blocks until it is.
    pub fn finish(&self) {
        let mut state = self.shared.state();
        state.end_lines();
        state.is_over = true;
        self.shared.tell(state);
    }

    /// What has no newline yet is a line, and what follows is another: for output of several programs one after the other,
    /// such as the attempts of a run. A streamed run calls this between its attempts; who gives a log to a run with retries as
    /// its sink may want to, or the first line of an attempt goes on where the one before stopped.
    pub fn end_lines(&self) {
        let mut state = self.shared.state();
        let before = state.ring.last();
        state.end_lines();
        if state.ring.last() > before {
            self.shared.tell(state);
        }
    }

    /// Reads from there on: what is held at once, and what follows as it comes.
    pub fn subscribe(&self, from: From) -> Follower {
        let mut state = self.shared.state();
        state.followers += 1;
        let (number, position) = (state.followers, state.ring.position(from));
        drop(state);
        Follower::new(self.shared.clone(), number, position)
    }

    /// How much it has seen.
    #[must_use]
    pub fn extent(&self) -> Extent {
        let state = self.shared.state();
        let (first, last, bytes) = (state.ring.first(), state.ring.last(), state.ring.bytes());
        #[cfg(feature = "files")]
        let (first, written) = match &self.shared.files {
            Some(_) => (first.min(state.progress.first), Some(state.progress.last)),
            None => (first, None),
        };
        #[cfg(not(feature = "files"))]
        let written = None;
        Extent { last, first, bytes, written, is_over: state.is_over }
    }
}

#[async_trait]
impl Sink for Log {
    async fn write(&self, chunk: Chunk) -> Result<(), SinkClosed> {
        let last = self.shared.take(chunk)?;
        #[cfg(feature = "files")]
        self.shared.settled(last, false).await;
        #[cfg(not(feature = "files"))]
        let _ = last;
        Ok(())
    }
}

impl State {
    fn new(ring: Ring) -> Self {
        Self {
            ring,
            stdout: Cutter::new(Source::Stdout, LONGEST),
            stderr: Cutter::new(Source::Stderr, LONGEST),
            is_over: false,
            #[cfg(feature = "files")]
            progress: crate::files::Progress::default(),
            waiting: HashMap::new(),
            followers: 0,
        }
    }

    /// Ends the lines that have no newline yet; there is none after the end.
    fn end_lines(&mut self) {
        self.stdout.finish(&mut |block| self.ring.push(block));
        self.stderr.finish(&mut |block| self.ring.push(block));
    }
}

impl Shared {
    // Nothing of a caller's runs under the lock, and nothing in there is meant to panic.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who wait, and lets what is new be written.
    fn tell(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_values().for_each(Waker::wake);
        #[cfg(feature = "files")]
        self.start_writing();
    }

    /// Takes a chunk at once; the number of the last line that ended with it or before.
    fn take(self: &Arc<Self>, chunk: Chunk) -> Result<u64, SinkClosed> {
        let mut state = self.state();
        if state.is_over {
            return Err(SinkClosed);
        }
        let State { ring, stdout, stderr, .. } = &mut *state;
        let before = ring.last();
        #[cfg(feature = "files")]
        ring.make_room();
        let mut give = |block: Block| ring.push(block);
        match chunk.source {
            Source::Stderr => stderr.push(chunk, &mut give),
            _ => stdout.push(chunk, &mut give),
        }
        let last = ring.last();
        if last > before {
            self.tell(state);
        }
        Ok(last)
    }

    /// Keeps what went wrong with the files.
    #[cfg(feature = "files")]
    pub(crate) fn note(&self, fault: Option<crate::FileError>) {
        if fault.is_some() {
            self.state().progress.fault = fault;
        }
    }

    /// The next blocks from a position on, or nothing if there will be none.
    pub(crate) fn poll_read(
        &self,
        follower: u64,
        position: Position,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Read>> {
        let mut state = self.state();
        let read = state.ring.read(position);
        if !read.blocks.is_empty() || read.missing.is_some() {
            return Poll::Ready(Some(read));
        }
        if state.is_over {
            return Poll::Ready(None);
        }
        state.waiting.insert(follower, cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn forget(&self, follower: u64) {
        self.state().waiting.remove(&follower);
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Log").field(&self.extent()).finish()
    }
}
