//! From chunks to blocks of whole lines. Pure: no clock, no lock.
//!
//! Owns: what is a line, and what becomes of one that is too long or never ended.
//! Never does: copy what came in one piece. A chunk becomes one block with all of its whole lines, which are cut apart
//! only by those who read them; what is copied is a line that came in two chunks.

use std::time::SystemTime;

use bgt_core::{Chunk, Source};
use bytes::{Bytes, BytesMut};

/// After so many carriage returns in a row a line has ended, whatever follows: what waits for more is bounded.
const MOST_RETURNS: usize = 64 << 10;

/// Lines of one source that came together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) source: Source,
    pub(crate) at: SystemTime,
    /// At least one line, each with what ended it.
    pub(crate) bytes: Bytes,
    pub(crate) lines: u64,
    pub(crate) is_whole: bool,
}

/// Where the lines of a block end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Up to here is text.
    pub(crate) text: usize,
    /// From here on is the next line.
    pub(crate) next: usize,
    /// Whether a carriage return alone ended it.
    pub(crate) by_return: bool,
}

/// The first line of these bytes, if it has ended.
///
/// A line ends with a newline, with any number of carriage returns before it; or with carriage returns alone, when
/// something else follows them.
pub(crate) fn first_line(bytes: &[u8]) -> Option<Cut> {
    let text = memchr::memchr2(b'\n', b'\r', bytes)?;
    let returns = bytes[text..].iter().take_while(|byte| **byte == b'\r').count();
    match bytes.get(text + returns) {
        Some(b'\n') => Some(Cut { text, next: text + returns + 1, by_return: false }),
        Some(_) => Some(Cut { text, next: text + returns, by_return: true }),
        // A newline may still follow.
        None => None,
    }
}

/// Cuts one source.
#[derive(Debug)]
pub(crate) struct Cutter {
    source: Source,
    longest: usize,
    /// What has no end yet: in one piece as it came, or put together.
    open: Open,
    /// When the latest of it came.
    at: SystemTime,
}

#[derive(Debug)]
enum Open {
    Piece(Bytes),
    Joined(BytesMut),
}

impl Cutter {
    /// Lines longer than so many bytes are cut in parts.
    pub(crate) fn new(source: Source, longest: usize) -> Self {
        Self { source, longest: longest.max(1), open: Open::Piece(Bytes::new()), at: SystemTime::UNIX_EPOCH }
    }

    /// Takes a chunk, and gives out what has ended with it.
    pub(crate) fn push(&mut self, chunk: Chunk, give: &mut impl FnMut(Block)) {
        let Chunk { at, mut bytes, .. } = chunk;
        self.at = at;
        if !self.open().is_empty() {
            bytes = self.join(bytes, at, give);
        }
        // As it is nearly always: nothing but newlines ends lines, and none can be too long.
        if bytes.len() <= self.longest && memchr::memchr(b'\r', &bytes).is_none() {
            let end = memchr::memrchr(b'\n', &bytes).map_or(0, |last| last + 1);
            let lines = memchr::memchr_iter(b'\n', &bytes[..end]).count() as u64;
            self.give(bytes.split_to(end), lines, at, give);
            return self.keep(bytes, at, give);
        }
        // Whole lines stay together, as long as none of them is too long.
        let (mut start, mut end, mut lines) = (0, 0, 0);
        while let Some(cut) = first_line(&bytes[end..]) {
            if cut.text > self.longest {
                self.give(bytes.slice(start..end), lines, at, give);
                let whole = bytes.slice(end..end + cut.next);
                start = end + cut.next;
                end = start;
                lines = 0;
                self.parts(whole, cut.text, at, give);
                continue;
            }
            end += cut.next;
            lines += 1;
        }
        self.give(bytes.slice(start..end), lines, at, give);
        self.keep(bytes.slice(end..), at, give);
    }

    /// Nothing follows: what has no end is a line all the same.
    pub(crate) fn finish(&mut self, give: &mut impl FnMut(Block)) {
        let open = std::mem::replace(&mut self.open, Open::Piece(Bytes::new()));
        let bytes = open.freeze();
        if !bytes.is_empty() {
            give(Block { source: self.source, at: self.at, bytes, lines: 1, is_whole: true });
        }
    }

    fn open(&self) -> &[u8] {
        match &self.open {
            Open::Piece(bytes) => bytes,
            Open::Joined(bytes) => bytes,
        }
    }

    /// Ends the open line with the beginning of a chunk, and answers with the rest of the chunk.
    fn join(&mut self, mut bytes: Bytes, at: SystemTime, give: &mut impl FnMut(Block)) -> Bytes {
        let held_return = self.open().ends_with(b"\r");
        let next = if held_return {
            // Returns were held back: what follows them says what they are.
            let returns = bytes.iter().take_while(|byte| **byte == b'\r').count();
            match bytes.get(returns) {
                Some(b'\n') => Some(returns + 1),
                Some(_) => Some(returns),
                None => None,
            }
        } else {
            first_line(&bytes).map(|cut| cut.next)
        };
        let mut joined = match std::mem::replace(&mut self.open, Open::Piece(Bytes::new())) {
            Open::Piece(piece) => BytesMut::from(&piece[..]),
            Open::Joined(joined) => joined,
        };
        let Some(next) = next else {
            joined.extend_from_slice(&bytes);
            self.open = Open::Joined(joined);
            self.shorten(at, give);
            return Bytes::new();
        };
        joined.extend_from_slice(&bytes.split_to(next));
        let line = joined.freeze();
        let text = text_of(&line).len();
        if text > self.longest {
            self.parts(line, text, at, give);
        } else {
            self.give(line, 1, at, give);
        }
        bytes
    }

    /// Keeps what has no end yet.
    fn keep(&mut self, rest: Bytes, at: SystemTime, give: &mut impl FnMut(Block)) {
        if !rest.is_empty() {
            self.open = Open::Piece(rest);
            self.shorten(at, give);
        }
    }

    /// Gives out parts of the open line while it is too long.
    fn shorten(&mut self, at: SystemTime, give: &mut impl FnMut(Block)) {
        // Returns at its end are not text yet.
        while text_of(self.open()).len() > self.longest {
            let part = match &mut self.open {
                Open::Piece(bytes) => bytes.split_to(self.longest),
                Open::Joined(bytes) => bytes.split_to(self.longest).freeze(),
            };
            give(Block { source: self.source, at, bytes: part, lines: 1, is_whole: false });
        }
        // So many returns are no end that a newline is still waited for.
        if self.open().len() > text_of(self.open()).len() + MOST_RETURNS {
            self.finish(give);
        }
    }

    /// A line that is too long, with what ended it.
    fn parts(&self, mut line: Bytes, mut text: usize, at: SystemTime, give: &mut impl FnMut(Block)) {
        while text > self.longest {
            let part = line.split_to(self.longest);
            text -= self.longest;
            give(Block { source: self.source, at, bytes: part, lines: 1, is_whole: false });
        }
        self.give(line, 1, at, give);
    }

    fn give(&self, bytes: Bytes, lines: u64, at: SystemTime, give: &mut impl FnMut(Block)) {
        if lines > 0 {
            give(Block { source: self.source, at, bytes, lines, is_whole: true });
        }
    }
}

impl Open {
    fn freeze(self) -> Bytes {
        match self {
            Self::Piece(bytes) => bytes,
            Self::Joined(bytes) => bytes.freeze(),
        }
    }
}

/// A line without what ended it.
pub(crate) fn text_of(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let returns = line.iter().rev().take_while(|byte| **byte == b'\r').count();
    &line[..line.len() - returns]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the cutter gives out for these chunks: text, and whether it goes on.
    fn cut(chunks: &[&[u8]], longest: usize) -> Vec<(Vec<u8>, bool)> {
        let (mut cutter, mut lines) = (Cutter::new(Source::Stdout, longest), Vec::new());
        let at = SystemTime::UNIX_EPOCH;
        let mut give = |block: Block| {
            let (mut rest, mut count) = (&block.bytes[..], 0);
            while !rest.is_empty() {
                let cut = first_line(rest).filter(|_| block.is_whole);
                let next = cut.map_or(rest.len(), |cut| cut.next);
                let text = if block.is_whole { text_of(&rest[..next]) } else { rest };
                lines.push((text.to_vec(), !block.is_whole));
                rest = &rest[next..];
                count += 1;
            }
            assert_eq!(count, block.lines);
        };
        for chunk in chunks {
            let bytes = Bytes::copy_from_slice(chunk);
            cutter.push(Chunk { source: Source::Stdout, at, bytes }, &mut give);
        }
        cutter.finish(&mut give);
        lines
    }

    fn whole(lines: &[&str]) -> Vec<(Vec<u8>, bool)> {
        lines.iter().map(|line| (line.as_bytes().to_vec(), false)).collect()
    }

    #[test]
    fn lines_end_with_newlines_returns_or_the_output() {
        assert_eq!(cut(&[b"one\ntwo\r\nthree"], 100), whole(&["one", "two", "three"]));
        assert_eq!(cut(&[b"\r10%\r20%\r", b"30%\n"], 100), whole(&["", "10%", "20%", "30%"]));
        assert_eq!(cut(&[b"a\r", b"\nb\r\r", b"\n\n"], 100), whole(&["a", "b", ""]));
        assert_eq!(cut(&[b"", b"x", b"", b"y\n"], 100), whole(&["xy"]));
    }

    #[test]
    fn a_line_that_is_too_long_comes_in_marked_parts() {
        let parts = |lines: &[(&str, bool)]| -> Vec<_> {
            lines.iter().map(|(line, part)| (line.as_bytes().to_vec(), *part)).collect()
        };
        let expected = parts(&[("abc", true), ("def", true), ("g", false), ("x", false)]);
        assert_eq!(cut(&[b"abcdefg\nx\n"], 3), expected);
        assert_eq!(cut(&[b"ab", b"cdef", b"g\nx"], 3), expected);
        assert_eq!(cut(&[b"abc\r\nabc"], 3), parts(&[("abc", false), ("abc", false)]));
    }

    #[test]
    fn a_flood_of_returns_is_not_held_back() {
        let mut cutter = Cutter::new(Source::Stdout, 100);
        let (mut given, mut most) = (0, 0);
        for _ in 0..100 {
            let chunk = Chunk {
                source: Source::Stdout,
                at: SystemTime::UNIX_EPOCH,
                bytes: vec![b'\r'; 16 << 10].into(),
            };
            cutter.push(chunk, &mut |block| {
                assert_eq!(block.lines, 1);
                given += block.bytes.len();
            });
            most = most.max(cutter.open().len());
        }
        assert_eq!(given + cutter.open().len(), 100 * (16 << 10));
        assert!(most <= MOST_RETURNS, "{most} bytes wait for more");
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![4 => Just(b'a'), 2 => Just(b'\n'), 2 => Just(b'\r'), 1 => any::<u8>()];
        proptest::collection::vec(byte, 0..200)
    }

    proptest! {
        #[test]
        fn however_it_comes_it_is_cut_the_same(bytes in text(), cuts in proptest::collection::vec(0..200_usize, 0..20), longest in 1..50_usize) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut start = 0;
            for cut in cuts {
                chunks.push(&bytes[start..cut]);
                start = cut;
            }
            chunks.push(&bytes[start..]);
            let lines = cut(&chunks, longest);
            prop_assert_eq!(&lines, &cut(&[&bytes], longest));
            // Nothing is lost but what ends lines.
            let texts: Vec<u8> = lines.into_iter().flat_map(|(text, _)| text).collect();
            let ends = |byte: &u8| *byte != b'\n' && *byte != b'\r';
            prop_assert_eq!(texts, bytes.into_iter().filter(ends).collect::<Vec<_>>());
        }
    }
}
