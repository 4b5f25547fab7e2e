//! Reading a log from anywhere, at the reader's own pace.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::cut::{Block, first_line, text_of};
use crate::log::Shared;
use crate::ring::{Placed, Position};
use crate::{Line, LineEnd};

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
    /// Lines that are not held any more: the reader was too slow, or came too late.
    Gap(Gap),
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
    /// Their bytes, with what ended them.
    pub bytes: u64,
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
/// It holds at most 64 KiB and one block of output for itself; everything else it finds in the log when it asks. Dropping
/// it changes nothing for anybody.
///
/// # Cancel safety
///
/// [`next`](Self::next) loses nothing when it is dropped.
#[must_use = "a follower reads nothing until it is asked"]
pub struct Follower {
    log: Arc<Shared>,
    number: u64,
    position: Position,
    /// Blocks that were taken from the log, and how much of the first was read.
    blocks: VecDeque<Placed>,
    read: usize,
}

impl Follower {
    pub(crate) fn new(log: Arc<Shared>, number: u64, position: Position) -> Self {
        Self { log, number, position, blocks: VecDeque::new(), read: 0 }
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
            let Some(read) = std::task::ready!(self.log.poll_read(self.number, self.position, cx)) else {
                return Poll::Ready(None);
            };
            self.blocks.extend(read.blocks);
            self.read = 0;
            if let Some(missing) = read.missing {
                let first = self.position.seq + 1;
                self.position.seq += missing.lines;
                self.position.bytes += missing.bytes;
                let gap = Gap { first, last: self.position.seq, bytes: missing.bytes };
                return Poll::Ready(Some(Entry::Gap(gap)));
            }
        }
    }

    /// The next line of what was taken from the log.
    fn line(&mut self) -> Option<Line> {
        loop {
            let placed = self.blocks.front()?;
            let rest = placed.block.bytes.slice(self.read..);
            if rest.is_empty() {
                self.blocks.pop_front();
                self.read = 0;
                continue;
            }
            // Where it was begun in the middle.
            let is_before = placed.offset + (self.read as u64) < self.position.bytes;
            let (text, length, end) = cut(&placed.block, &rest);
            self.read += length;
            if is_before {
                continue;
            }
            self.position.seq += 1;
            self.position.bytes += length as u64;
            let (at, source) = (placed.block.at, placed.block.source);
            return Some(Line { seq: self.position.seq, at, source, bytes: rest.slice(..text), end });
        }
    }
}

/// The length of the text, the length with what ended it, and what that was.
fn cut(block: &Block, rest: &[u8]) -> (usize, usize, LineEnd) {
    if !block.is_whole {
        return (rest.len(), rest.len(), LineEnd::Part);
    }
    match first_line(rest) {
        Some(cut) if cut.by_return => (cut.text, cut.next, LineEnd::Return),
        Some(cut) => (cut.text, cut.next, LineEnd::Newline),
        // What followed the returns, and was no newline, is in another block.
        None if rest.ends_with(b"\r") => (text_of(rest).len(), rest.len(), LineEnd::Return),
        None => (rest.len(), rest.len(), LineEnd::Eof),
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
