//! Reading a log from anywhere, at the reader's own pace.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::Line;
use crate::lines::Lines;
use crate::log::Shared;
use crate::ring::{Placed, Position};

/// Where a reader begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum From {
    /// With the first line. If that is not held any more, with a gap.
    #[default]
    Start,
    /// After the line of this number, which was seen before. If the next is not held any more, with a gap. A number that
    /// was not given yet stands for the latest.
    After(u64),
    /// With the latest so many lines.
    Tail(u64),
    /// With the next line.
    Now,
}

/// What a reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entry {
    /// The next line.
    Line(Line),
    /// Lines that are not held any more, neither in memory nor in files: the reader was too slow, or came too late.
    Gap(Gap),
}

impl Entry {
    /// The number of the line, or of the last line that is missing: where to [go on](From::After).
    #[must_use]
    pub fn last(&self) -> u64 {
        match self {
            Self::Line(line) => line.seq,
            Self::Gap(gap) => gap.last,
        }
    }
}

/// Lines that a reader did not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Gap {
    /// The number of the first.
    pub first: u64,
    /// The number of the last.
    pub last: u64,
    /// Their bytes, with what ended them; `None` where nobody knows: the reader came from elsewhere, or from files.
    pub bytes: Option<u64>,
}

impl Gap {
    /// How many lines.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.last - self.first + 1
    }
}

/// Reads a log: a stream of its entries, which ends when the log is over and everything was read.
///
/// It holds at most 64 KiB and one block of output for itself; everything else it finds in the log when it asks: in memory,
/// or where the log has files, in those. Dropping it changes nothing for anybody.
///
/// # Cancel safety
///
/// [`next`](Self::next) loses nothing when it is dropped.
#[must_use = "a follower reads nothing until it is asked"]
pub struct Follower {
    log: Arc<Shared>,
    number: u64,
    position: Position,
    /// Blocks that were taken from the log, and what is left of the one before them.
    blocks: VecDeque<Placed>,
    lines: Option<Lines>,
    #[cfg(feature = "files")]
    behind: crate::files::Behind,
}

impl Follower {
    pub(crate) fn new(log: Arc<Shared>, number: u64, position: Position) -> Self {
        Self {
            log,
            number,
            position,
            blocks: VecDeque::new(),
            lines: None,
            #[cfg(feature = "files")]
            behind: crate::files::Behind::default(),
        }
    }

    /// The next entry, as soon as there is one; `None` when the log is over.
    pub async fn next(&mut self) -> Option<Entry> {
        std::future::poll_fn(|cx| self.poll_entry(cx)).await
    }

    /// The number of the last line that was read, to [go on from](From::After).
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.position.seq
    }

    fn poll_entry(&mut self, cx: &mut Context<'_>) -> Poll<Option<Entry>> {
        loop {
            if let Some(line) = self.line() {
                return Poll::Ready(Some(Entry::Line(line)));
            }
            #[cfg(feature = "files")]
            if let Some((entry, fault)) = std::task::ready!(self.behind.poll_entry(cx)) {
                self.position = Position { seq: entry.last(), bytes: None };
                self.log.note(fault);
                return Poll::Ready(Some(entry));
            }
            let Some(read) = std::task::ready!(self.log.poll_read(self.number, self.position, cx)) else {
                return Poll::Ready(None);
            };
            #[cfg(feature = "files")]
            if let (Some(missing), Some(files)) = (read.missing, &self.log.files) {
                self.behind.want(files.folder(), self.position.seq, missing);
                continue;
            }
            self.blocks.extend(read.blocks);
            if let Some(missing) = read.missing {
                let first = self.position.seq + 1;
                self.position = Position { seq: self.position.seq + missing.lines, bytes: None };
                let gap = Gap { first, last: self.position.seq, bytes: missing.bytes };
                return Poll::Ready(Some(Entry::Gap(gap)));
            }
        }
    }

    /// The next line of what was taken from the log.
    fn line(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.lines.as_mut().and_then(Iterator::next) {
                self.position = Position { seq: line.seq, bytes: self.lines.as_ref().map(Lines::offset) };
                return Some(line);
            }
            self.lines = Some(Lines::after(self.blocks.pop_front()?, self.position.seq));
        }
    }
}

impl Stream for Follower {
    type Item = Entry;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Entry>> {
        self.poll_entry(cx)
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("seq", &self.position.seq).finish_non_exhaustive()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.log.forget(self.number);
    }
}
