//! The latest lines, in a bounded space. Pure: no clock, no lock.
//!
//! Owns: sequence numbers, and what is given up when there is no more room.
//! Never does: cut lines apart.

use std::collections::VecDeque;

use crate::From;
use crate::cut::{Block, first_line};

/// How much of a log stays in memory. Whichever bound is reached first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keep {
    /// Bytes of output.
    pub bytes: usize,
    /// Lines of output.
    pub lines: u64,
}

impl Default for Keep {
    /// 8 MiB, and no bound on lines.
    fn default() -> Self {
        Self { bytes: 8 << 20, lines: u64::MAX }
    }
}

/// A block in its place.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    /// The number of its first line; the first of all is 1.
    pub(crate) first: u64,
    /// The bytes of output before it.
    pub(crate) offset: u64,
    pub(crate) block: Block,
}

impl Placed {
    /// The number of its last line.
    pub(crate) fn last(&self) -> u64 {
        self.first + self.block.lines - 1
    }

    fn end(&self) -> u64 {
        self.offset + self.block.bytes.len() as u64
    }
}

#[derive(Debug)]
pub(crate) struct Ring {
    keep: Keep,
    blocks: VecDeque<Placed>,
    /// The number of the last line, 0 before the first.
    last: u64,
    /// The bytes of all lines so far.
    bytes: u64,
}

/// How far a reader is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The number of the last line that it has seen.
    pub(crate) seq: u64,
    /// The bytes of all lines up to that one.
    pub(crate) bytes: u64,
}

/// What a reader gets.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// What it wanted and is not held any more.
    pub(crate) missing: Option<Missing>,
    pub(crate) blocks: Vec<Placed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
}

/// How many bytes are given to a reader at once: what a reader holds is not given up when the ring moves on.
const AT_ONCE: usize = 64 << 10;

impl Ring {
    pub(crate) fn new(keep: Keep) -> Self {
        Self { keep, blocks: VecDeque::new(), last: 0, bytes: 0 }
    }

    pub(crate) fn push(&mut self, block: Block) {
        let placed = Placed { first: self.last + 1, offset: self.bytes, block };
        (self.last, self.bytes) = (placed.last(), placed.end());
        self.blocks.push_back(placed);
        // The latest block stays, however small the space.
        while self.blocks.len() > 1 && !self.fits() {
            self.blocks.pop_front();
        }
    }

    fn fits(&self) -> bool {
        let Some(oldest) = self.blocks.front() else { return true };
        self.bytes - oldest.offset <= self.keep.bytes as u64 && self.last - oldest.first < self.keep.lines
    }

    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The first line that is held, or the one that will come next.
    pub(crate) fn first(&self) -> u64 {
        self.blocks.front().map_or(self.last + 1, |block| block.first)
    }

    /// What comes after a position: at least one block if there is one.
    pub(crate) fn read(&self, position: Position) -> Read {
        let place = self.blocks.partition_point(|placed| placed.last() <= position.seq);
        let mut bytes = 0;
        let blocks = self.blocks.range(place..).take_while(|placed| {
            let is_next = bytes < AT_ONCE;
            bytes += placed.block.bytes.len();
            is_next
        });
        let blocks: Vec<_> = blocks.cloned().collect();
        let missing = blocks.first().filter(|placed| placed.first > position.seq + 1).map(|placed| Missing {
            lines: placed.first - position.seq - 1,
            bytes: placed.offset.saturating_sub(position.bytes),
        });
        Read { missing, blocks }
    }

    /// Where a reader begins. Of a line in the middle of a block the bytes before it are counted.
    pub(crate) fn position(&self, from: From) -> Position {
        let seq = match from {
            From::Start => return Position::default(),
            From::After(seq) => seq.min(self.last),
            From::Tail(lines) => self.last.saturating_sub(lines),
            From::Now => self.last,
        };
        let place = self.blocks.partition_point(|placed| placed.last() <= seq);
        let Some(placed) = self.blocks.get(place) else { return Position { seq, bytes: self.bytes } };
        let lines = (seq + 1).checked_sub(placed.first);
        let bytes = lines.map_or(placed.offset, |lines| {
            let mut end = 0;
            for _ in 0..lines {
                end += first_line(&placed.block.bytes[end..]).map_or(0, |cut| cut.next);
            }
            placed.offset + end as u64
        });
        Position { seq, bytes }
    }
}
