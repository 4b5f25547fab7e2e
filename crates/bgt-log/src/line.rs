//! One line of output.

use std::borrow::Cow;
use std::time::SystemTime;

use bgt_core::Source;
use bytes::Bytes;

use crate::{Level, ansi, level};

/// One line of output, or a part of a very long one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// Its number in the log, counted from 1 without a gap, over both streams in the order in which lines ended. A part
    /// of a long line has a number of its own.
    pub seq: u64,
    /// When its end was read, by the wall clock.
    pub at: SystemTime,
    /// Where it came from.
    pub source: Source,
    /// What it says, without what ended it: bytes, as they came.
    pub bytes: Bytes,
    /// What ended it.
    pub end: LineEnd,
}

/// What ended a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum LineEnd {
    /// A newline, after a carriage return or not.
    Newline,
    /// A carriage return alone: what follows is meant to be shown in its place, as progress bars do.
    Return,
    /// Nothing: the line was too long for one piece, and goes on in the next line of the same source.
    Part,
    /// The end of the output.
    Eof,
}

impl Line {
    /// What it says as text; what is not UTF-8 becomes `�`.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// What it says as text, without the escape sequences that colour it or move a cursor.
    #[must_use]
    pub fn plain_text(&self) -> Cow<'_, str> {
        match ansi::strip(&self.bytes) {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
        }
    }

    /// How serious it says it is, if it does: by a word at its beginning, or as a field of a JSON object.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        level::of(&self.bytes)
    }
}
