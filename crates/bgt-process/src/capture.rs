//! Keeping a program's output within bounds: the head, the tail, and a count of what was between. Pure.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;

/// How much of an output stream is kept: so many bytes from its beginning and so many from its end.
///
/// Memory grows with what is printed, up to the sum of both, and to about twice that while it is collected and put
/// together. The default keeps 8 MiB of each.
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

    /// Nothing: the output is read, counted and let go.
    pub const fn nothing() -> Self {
        Self::new(0, 0)
    }
}

/// What a program wrote to one stream, whole or with its middle cut out.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Captured {
    bytes: Vec<u8>,
    cut_at: usize,
    omitted: u64,
}

impl Captured {
    /// The bytes that were kept: all of them, or the head directly followed by the tail.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes that were kept.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
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
        self.bytes.len() as u64 + self.omitted
    }

    /// The bytes before and after the cut; all of them and none, when nothing was cut.
    #[must_use]
    pub fn head_and_tail(&self) -> (&[u8], &[u8]) {
        if self.is_complete() { (&self.bytes, &[]) } else { self.bytes.split_at(self.cut_at) }
    }

    /// As text, on purpose lossy: what is not UTF-8 becomes U+FFFD, and a cut is marked with the number of bytes that
    /// are missing. For exact bytes there is [`as_bytes`](Self::as_bytes).
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        if self.is_complete() {
            return String::from_utf8_lossy(&self.bytes);
        }
        let (head, tail) = self.head_and_tail();
        let (head, tail) = (String::from_utf8_lossy(head), String::from_utf8_lossy(tail));
        Cow::Owned(format!("{head}\n[… {} bytes omitted …]\n{tail}", self.omitted))
    }
}

/// The sizes only: output may hold secrets, and is rarely wanted in a log as a whole.
impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captured")
            .field("kept_bytes", &self.bytes.len())
            .field("omitted_bytes", &self.omitted)
            .finish()
    }
}

impl AsRef<[u8]> for Captured {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Collects a stream as it comes.
#[derive(Debug)]
pub(crate) struct Collector {
    limits: Capture,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
}

impl Collector {
    pub(crate) fn new(limits: Capture) -> Self {
        Self { limits, head: Vec::new(), tail: VecDeque::new(), total: 0 }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let (head, rest) = bytes.split_at(bytes.len().min(self.limits.head - self.head.len()));
        self.head.extend_from_slice(head);
        let rest = &rest[rest.len().saturating_sub(self.limits.tail)..];
        let excess = (self.tail.len() + rest.len()).saturating_sub(self.limits.tail);
        self.tail.drain(..excess);
        self.tail.extend(rest);
    }

    pub(crate) fn finish(self) -> Captured {
        let Self { head: mut bytes, tail, total, .. } = self;
        let cut_at = bytes.len();
        if !tail.is_empty() {
            let (front, back) = tail.as_slices();
            bytes.reserve_exact(tail.len());
            bytes.extend_from_slice(front);
            bytes.extend_from_slice(back);
        }
        let omitted = total - bytes.len() as u64;
        Captured { bytes, cut_at, omitted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn collect(limits: Capture, chunks: &[Vec<u8>]) -> Captured {
        let mut collector = Collector::new(limits);
        for chunk in chunks {
            collector.push(chunk);
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
        }
    }
}
