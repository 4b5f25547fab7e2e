//! The lines of a block, one by one. Pure.

use crate::cut::{Block, first_line, text_of};
use crate::ring::Placed;
use crate::{Line, LineEnd};

/// What is left to read of a block.
#[derive(Debug)]
pub(crate) struct Lines {
    placed: Placed,
    /// The bytes that were read, and the number of the line after them.
    read: usize,
    next: u64,
}

impl Lines {
    /// The lines after this one.
    pub(crate) fn after(placed: Placed, seq: u64) -> Self {
        let next = placed.first;
        let mut lines = Self { placed, read: 0, next };
        while lines.next <= seq && lines.step().is_some() {}
        lines
    }

    /// The bytes of output before the next line, since the log began.
    pub(crate) fn offset(&self) -> u64 {
        self.placed.offset + self.read as u64
    }

    /// Goes on by one line: where it begins, where its text ends, and what ended it.
    fn step(&mut self) -> Option<(usize, usize, LineEnd)> {
        let (begin, rest) = (self.read, &self.placed.block.bytes[self.read..]);
        if rest.is_empty() {
            return None;
        }
        let (text, length, end) = cut(&self.placed.block, rest);
        self.read += length;
        self.next += 1;
        Some((begin, begin + text, end))
    }
}

impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let seq = self.next;
        let (begin, end_of_text, end) = self.step()?;
        let Block { at, source, bytes, .. } = &self.placed.block;
        Some(Line { seq, at: *at, source: *source, bytes: bytes.slice(begin..end_of_text), end })
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
