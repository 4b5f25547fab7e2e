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
}

struct State {
    ring: Ring,
    stdout: Cutter,
    stderr: Cutter,
    is_over: bool,
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
    /// The number of the first line that is still held, or will be.
    pub first: u64,
    /// The bytes of all lines, with what ended them.
    pub bytes: u64,
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
        let state = State {
            ring: Ring::new(keep),
            stdout: Cutter::new(Source::Stdout, LONGEST),
            stderr: Cutter::new(Source::Stderr, LONGEST),
            is_over: false,
            waiting: HashMap::new(),
            followers: 0,
        };
        Self { shared: Arc::new(Shared { state: Mutex::new(state) }) }
    }

    /// Nothing follows: what has no newline yet is a line, and readers come to an end. Again is fine.
    pub fn finish(&self) {
        let mut state = self.shared.state();
        let State { ring, stdout, stderr, is_over, waiting, .. } = &mut *state;
        if !std::mem::replace(is_over, true) {
            stdout.finish(&mut |block| ring.push(block));
            stderr.finish(&mut |block| ring.push(block));
        }
        let waiting = std::mem::take(waiting);
        drop(state);
        waiting.into_values().for_each(Waker::wake);
    }

    /// Reads from there on: what is held at once, and what follows as it comes.
    #[must_use]
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
        Extent { last, first, bytes, is_over: state.is_over }
    }
}

#[async_trait]
impl Sink for Log {
    async fn write(&self, chunk: Chunk) -> Result<(), SinkClosed> {
        let mut state = self.shared.state();
        if state.is_over {
            return Err(SinkClosed);
        }
        let State { ring, stdout, stderr, waiting, .. } = &mut *state;
        let before = ring.last();
        let mut give = |block: Block| ring.push(block);
        match chunk.source {
            Source::Stderr => stderr.push(chunk, &mut give),
            _ => stdout.push(chunk, &mut give),
        }
        let waiting = if ring.last() == before { HashMap::new() } else { std::mem::take(waiting) };
        drop(state);
        waiting.into_values().for_each(Waker::wake);
        Ok(())
    }
}

impl Shared {
    // Nothing of a caller's runs under the lock, and nothing in there is meant to panic.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        if !read.blocks.is_empty() {
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
