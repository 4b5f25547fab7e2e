//! Keeping a program's output within bounds: the head, the tail, and a count of what was between. Pure.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;

use crate::Encoding;
use crate::rope::Rope;

/// How much of an output stream is kept: so many bytes from its beginning and so many from its end.
///
/// Memory grows with what is printed, up to the sum of both, and to about twice that where it is looked at in one piece.
/// The default keeps 8 MiB of each.
///
/// # Examples
///
/// ```
/// use bgt_process::Capture;
///
/// assert_eq!(Capture::default(), Capture::new(8 << 20, 8 << 20));
/// assert_eq!(Capture::tail(1000), Capture::new(0, 1000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Capture {
    head: usize,
    tail: usize,
}

impl Default for Capture {
    fn default() -> Self {
        Self::new(8 << 20, 8 << 20)
    }
}

impl Capture {
    /// The first `head` and the last `tail` bytes.
    pub const fn new(head: usize, tail: usize) -> Self {
        Self { head, tail }
    }

    /// The first bytes only.
    pub const fn head(bytes: usize) -> Self {
        Self::new(bytes, 0)
    }

    /// The last bytes only.
    pub const fn tail(bytes: usize) -> Self {
        Self::new(0, bytes)
    }

    /// Head and tail.
    #[cfg(feature = "serde")]
    pub(crate) const fn parts(self) -> (usize, usize) {
        (self.head, self.tail)
    }

    /// Nothing: the output is read, counted and let go.
    pub const fn nothing() -> Self {
        Self::new(0, 0)
    }
}

/// What a program wrote to one stream, whole or with its middle cut out.
///
/// It is put together in one piece when somebody looks at it, not before.
#[derive(Clone, Default)]
pub struct Captured {
    pieces: Vec<Bytes>,
    kept: usize,
    whole: OnceLock<Vec<u8>>,
    cut_at: usize,
    omitted: u64,
    encoding: Encoding,
}

impl Captured {
    /// The bytes that were kept: all of them, or the head directly followed by the tail.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.pieces[..] {
            [] => &[],
            [piece] => piece,
            pieces => self.whole.get_or_init(|| pieces.concat()),
        }
    }

    /// The bytes that were kept.
    #[must_use]
    pub fn into_bytes(mut self) -> Vec<u8> {
        match self.pieces.len() {
            0 | 1 => self.pieces.pop().map(Vec::from).unwrap_or_default(),
            _ => self.whole.take().unwrap_or_else(|| self.pieces.concat()),
        }
    }

    /// How many bytes were cut out of the middle.
    #[must_use]
    pub fn omitted(&self) -> u64 {
        self.omitted
    }

    /// Whether nothing was cut out.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.omitted == 0
    }

    /// How many bytes the program wrote, kept or not.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.kept as u64 + self.omitted
    }

    /// The bytes before and after the cut; all of them and none, when nothing was cut.
    #[must_use]
    pub fn head_and_tail(&self) -> (&[u8], &[u8]) {
        if self.is_complete() { (self.as_bytes(), &[]) } else { self.as_bytes().split_at(self.cut_at) }
    }

    /// As text, on purpose lossy: what is not UTF-8, or what [`Command::encoding`](crate::Command::encoding) says in its
    /// place, becomes U+FFFD, and a cut is marked with the number of bytes that are missing. For exact bytes there is
    /// [`as_bytes`](Self::as_bytes).
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        if self.is_complete() {
            return self.encoding.decode(self.as_bytes(), 0);
        }
        let (head, tail) = self.head_and_tail();
        let tail_at = self.total() - tail.len() as u64;
        let (head, tail) = (self.encoding.decode(head, 0), self.encoding.decode(tail, tail_at));
        Cow::Owned(format!("{head}\n[… {} bytes omitted …]\n{tail}", self.omitted))
    }
}

impl Captured {
    pub(crate) fn encoded_as(self, encoding: Encoding) -> Self {
        Self { encoding, ..self }
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }
}

/// The sizes only: output may hold secrets, and is rarely wanted in a log as a whole.
impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captured")
            .field("kept_bytes", &self.kept)
            .field("omitted_bytes", &self.omitted)
            .finish()
    }
}

impl AsRef<[u8]> for Captured {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// By what was kept and how much was not, however it came.
impl PartialEq for Captured {
    fn eq(&self, other: &Self) -> bool {
        (self.omitted, self.cut_at, self.kept) == (other.omitted, other.cut_at, other.kept)
            && self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Captured {}

/// Collects a stream as it comes.
#[derive(Debug)]
pub(crate) struct Collector {
    limits: Capture,
    head: Rope,
    tail: Rope,
    total: u64,
}

impl Collector {
    pub(crate) fn new(limits: Capture) -> Self {
        Self { limits, head: Rope::default(), tail: Rope::default(), total: 0 }
    }

    pub(crate) fn limits(&self) -> Capture {
        self.limits
    }

    /// Collects a copy.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let split = self.split(bytes.len());
        let (head, rest) = bytes.split_at(split);
        self.head.extend(head);
        self.tail.extend(&rest[rest.len().saturating_sub(self.limits.tail)..]);
        self.tail.shorten_to(self.limits.tail);
    }

    /// Collects the bytes themselves, which others may hold too.
    pub(crate) fn share(&mut self, mut bytes: Bytes) {
        let head = bytes.split_to(self.split(bytes.len()));
        self.head.share(head);
        self.tail.share(bytes);
        self.tail.shorten_to(self.limits.tail);
    }

    /// Counts so many bytes, and answers how many of them still belong to the head.
    fn split(&mut self, length: usize) -> usize {
        self.total += length as u64;
        length.min(self.limits.head - self.head.len())
    }

    pub(crate) fn finish(self) -> Captured {
        let Self { head, tail, total, .. } = self;
        let (cut_at, kept) = (head.len(), head.len() + tail.len());
        let pieces = head.into_pieces().chain(tail.into_pieces()).collect();
        let omitted = total - kept as u64;
        Captured { pieces, kept, whole: OnceLock::new(), cut_at, omitted, encoding: Encoding::Utf8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn collect(limits: Capture, chunks: &[Vec<u8>]) -> Captured {
        let mut collector = Collector::new(limits);
        for (n, chunk) in chunks.iter().enumerate() {
            if n % 3 == 0 {
                collector.share(Bytes::copy_from_slice(chunk));
            } else {
                collector.push(chunk);
            }
            assert!(collector.head.len() <= limits.head && collector.tail.len() <= limits.tail);
        }
        collector.finish()
    }

    #[test]
    fn a_cut_is_marked_in_text_and_absent_from_bytes() {
        let captured = collect(Capture::new(3, 2), &[b"abcdef".to_vec(), b"gh".to_vec()]);
        assert_eq!(captured.as_bytes(), b"abcgh");
        assert_eq!(captured.head_and_tail(), (&b"abc"[..], &b"gh"[..]));
        assert_eq!(captured.text(), "abc\n[… 3 bytes omitted …]\ngh");
        assert_eq!((captured.omitted(), captured.total()), (3, 8));
    }

    #[test]
    fn text_after_a_cut_in_the_middle_of_a_unit_is_read_from_the_next_one_on() {
        let utf16: Vec<u8> = "abcdef".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let captured = collect(Capture::new(5, 5), &[utf16]).encoded_as(Encoding::Utf16);
        assert_eq!(captured.text(), "ab\u{fffd}\n[… 2 bytes omitted …]\n\u{fffd}ef");
    }

    proptest! {
        #[test]
        fn the_same_as_cutting_the_whole_at_once(
            head in 0..40usize, tail in 0..40usize,
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..8),
        ) {
            let whole = chunks.concat();
            let captured = collect(Capture::new(head, tail), &chunks);
            let expected = if whole.len() <= head + tail {
                whole.clone()
            } else {
                [&whole[..head], &whole[whole.len() - tail..]].concat()
            };
            prop_assert_eq!(captured.as_bytes(), &expected[..]);
            prop_assert_eq!(captured.total(), whole.len() as u64);
            prop_assert_eq!(captured.is_complete(), whole.len() <= head + tail);
            prop_assert_eq!(&captured.clone().into_bytes(), &expected);
            prop_assert_eq!(captured, collect(Capture::new(head, tail), &[whole]));
        }
    }
}
