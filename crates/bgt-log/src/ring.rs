//! The latest lines, in a bounded space. Pure: no clock, no lock.
//!
//! Owns: sequence numbers, and what is given up when there is no more room: lines that still wait for a file last.
//! Never does: cut lines apart.

use std::collections::VecDeque;

use crate::From;
use crate::cut::{Block, first_line};

/// How much of a log stays in memory. Whichever bound is reached first counts.
///
/// Output is given up in the pieces in which it came, and the latest piece stays: up to 64 KiB more may be held than asked
/// for, with the lines in it. Pieces cost memory too, some 150 bytes each: there are never more than one for 64 bytes asked
/// for, or 1 024. So lines of a few bytes that come one by one are given up before they fill the space.
///
/// # Examples
///
/// ```
/// use bgt_log::Keep;
///
/// let keep = Keep::bytes(1 << 20).lines(10_000);
/// assert_eq!((keep.bytes, keep.lines), (1 << 20, 10_000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
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
        Self::bytes(8 << 20)
    }
}

impl Keep {
    /// The latest so many bytes of output, however many lines they are.
    pub const fn bytes(bytes: usize) -> Self {
        Self { bytes, lines: u64::MAX }
    }

    /// No more than so many lines of it.
    pub const fn lines(self, lines: u64) -> Self {
        Self { lines, ..self }
    }
}

/// A block in its place.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    /// The number of its first line; the first of all is 1.
    pub(crate) first: u64,
    /// The bytes of output before it, since this ring began.
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
    /// The number of the last line before this ring; 0 but where an earlier log is continued.
    base: u64,
    /// The number of the last line, 0 before the first.
    last: u64,
    /// The bytes of all lines since `base`.
    bytes: u64,
    /// The number of the last line that need not wait here for a file.
    written: u64,
}

/// How far a reader is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The number of the last line that it has seen.
    pub(crate) seq: u64,
    /// The bytes of all lines up to that one, where they are known.
    pub(crate) bytes: Option<u64>,
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
    pub(crate) bytes: Option<u64>,
}

/// How much more than asked for is kept while it waits for a file, in bytes: what a slow disk may be behind.
#[cfg(feature = "files")]
const WAITING: u64 = 1 << 20;

/// For so many bytes that may be kept there may be one block: what a block costs beside them is bounded with them.
const BYTES_A_BLOCK: usize = 64;

/// So many blocks there may be however little is kept.
const FEWEST_BLOCKS: usize = 1024;

/// How many bytes are given to a reader at once: what a reader holds is not given up when the ring moves on.
const AT_ONCE: usize = 64 << 10;

/// How many blocks are given to a reader at once, while all others wait.
const BLOCKS_AT_ONCE: usize = 256;

impl Ring {
    pub(crate) fn new(keep: Keep) -> Self {
        Self { keep, blocks: VecDeque::new(), base: 0, last: 0, bytes: 0, written: u64::MAX }
    }

    /// One that goes on after this line of a log in files. Lines wait here until they are [written](Self::written).
    #[cfg(feature = "files")]
    pub(crate) fn continuing(keep: Keep, base: u64) -> Self {
        Self { base, last: base, written: base, ..Self::new(keep) }
    }

    pub(crate) fn push(&mut self, block: Block) {
        let placed = Placed { first: self.last + 1, offset: self.bytes, block };
        (self.last, self.bytes) = (placed.last(), placed.end());
        self.blocks.push_back(placed);
        self.give_up();
    }

    /// Lines up to this one need not wait for a file any more.
    #[cfg(feature = "files")]
    pub(crate) fn written(&mut self, seq: u64) {
        self.written = seq;
        self.give_up();
    }

    /// Gives up what has waited for a file too long. Before a chunk, not within one: a chunk is never too large to be
    /// written.
    #[cfg(feature = "files")]
    pub(crate) fn make_room(&mut self) {
        let most = (self.keep.bytes as u64).saturating_add(WAITING);
        while self.blocks.front().is_some_and(|oldest| self.bytes - oldest.offset > most)
            || self.blocks.len() > 2 * self.most_blocks()
        {
            self.blocks.pop_front();
        }
    }

    fn give_up(&mut self) {
        // The latest block stays, however small the space.
        while self.blocks.len() > 1 && !self.fits() {
            self.blocks.pop_front();
        }
    }

    fn fits(&self) -> bool {
        let Some(oldest) = self.blocks.front() else { return true };
        let fits = self.bytes - oldest.offset <= self.keep.bytes as u64
            && self.last - oldest.first < self.keep.lines
            && self.blocks.len() <= self.most_blocks();
        fits || oldest.last() > self.written
    }

    fn most_blocks(&self) -> usize {
        (self.keep.bytes / BYTES_A_BLOCK).max(FEWEST_BLOCKS)
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
        let blocks: Vec<_> = blocks.take(BLOCKS_AT_ONCE).cloned().collect();
        let (next, offset) =
            blocks.first().map_or((self.last + 1, self.bytes), |placed| (placed.first, placed.offset));
        let missing = (next > position.seq + 1).then(|| Missing {
            lines: next - position.seq - 1,
            bytes: position.bytes.map(|bytes| offset.saturating_sub(bytes)),
        });
        Read { missing, blocks }
    }

    /// Where a reader begins. Of a line in the middle of a block the bytes before it are counted.
    pub(crate) fn position(&self, from: From) -> Position {
        let seq = match from {
            From::Start => 0,
            From::After(seq) => seq.min(self.last),
            From::Tail(lines) => self.last.saturating_sub(lines),
            From::Now => self.last,
        };
        let place = self.blocks.partition_point(|placed| placed.last() <= seq);
        let bytes = match self.blocks.get(place) {
            _ if seq == self.base => Some(0),
            None => (seq == self.last).then_some(self.bytes),
            Some(placed) => (seq + 1).checked_sub(placed.first).map(|lines| {
                let mut end = 0;
                for _ in 0..lines {
                    end += first_line(&placed.block.bytes[end..]).map_or(0, |cut| cut.next);
                }
                placed.offset + end as u64
            }),
        };
        Position { seq, bytes }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use bgt_core::Source;

    use super::*;

    #[test]
    fn many_lines_of_a_few_bytes_do_not_cost_more_than_what_is_kept() {
        let mut ring = Ring::new(Keep::bytes(1 << 20));
        for _ in 0..100_000 {
            let (at, bytes) = (SystemTime::UNIX_EPOCH, bytes::Bytes::from_static(b"\n"));
            ring.push(Block { source: Source::Stdout, at, bytes, lines: 1, is_whole: true });
        }
        assert_eq!(ring.blocks.len(), (1 << 20) / BYTES_A_BLOCK);
        assert_eq!(ring.last() - ring.first() + 1, ring.blocks.len() as u64);
        #[cfg(feature = "files")]
        {
            // Nor do those that wait for a file that cannot be written.
            let mut ring = Ring::continuing(Keep::bytes(1 << 20), 0);
            for _ in 0..100_000 {
                ring.make_room();
                let (at, bytes) = (SystemTime::UNIX_EPOCH, bytes::Bytes::from_static(b"\n"));
                ring.push(Block { source: Source::Stdout, at, bytes, lines: 1, is_whole: true });
            }
            assert_eq!(ring.blocks.len(), 2 * (1 << 20) / BYTES_A_BLOCK + 1);
        }
        assert!(size_of::<Placed>() <= 2 * BYTES_A_BLOCK);
    }
}
