//! Reading files from any line on. Blocks.
//!
//! Owns: which file comes next, what is missing between two, and what is not whole yet.
//! Never does: wait.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::record::{self, Record};
use super::segments;
use super::tail::Tail;
use crate::{Entry, From, Gap, Line};

/// How many bytes are read at once.
const AT_ONCE: usize = 64 << 10;
/// A record that is longer is none of ours.
const LONGEST: usize = 1 << 20;

/// A place in a log.
#[derive(Debug)]
pub(super) struct Cursor {
    folder: PathBuf,
    /// The number of the last line that was read.
    seq: u64,
    open: Option<Open>,
}

/// A file, and where in it.
#[derive(Debug)]
struct Open {
    first: u64,
    file: File,
    offset: u64,
    /// The number of the line there.
    next: u64,
}

/// What there is after a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Lines and gaps, at least one.
    Entries(Vec<Entry>),
    /// Nothing yet.
    Nothing,
    /// Nothing, and nothing will follow.
    End,
}

impl Cursor {
    pub(super) fn new(folder: PathBuf, seq: u64) -> Self {
        Self { folder, seq, open: None }
    }

    /// Where a reader begins.
    pub(super) fn from(folder: PathBuf, from: From) -> io::Result<Self> {
        // Also for one that begins at the start: that there is no such folder is said at once.
        let segments = segments::list(&folder)?;
        let mut last = 0;
        if let (Some(segment), true) = (segments.last(), from != From::Start) {
            last = segment.first - 1 + Tail::of(&segments::path(&folder, segment.first))?.lines;
        }
        let seq = match from {
            From::Start => 0,
            From::After(seq) => seq.min(last),
            From::Tail(lines) => last.saturating_sub(lines),
            From::Now => last,
        };
        Ok(Self::new(folder, seq))
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Goes on after this line.
    pub(super) fn seek(&mut self, seq: u64) {
        self.seq = seq;
        self.open = self.open.take().filter(|open| open.next <= seq + 1);
    }

    /// What comes next, but nothing after the line with this number.
    pub(super) fn read(&mut self, until: u64) -> io::Result<Found> {
        loop {
            if self.seq >= until {
                return Ok(Found::Nothing);
            }
            if self.open.is_none() {
                let segments = segments::list(&self.folder)?;
                let place = segments.partition_point(|segment| segment.first <= self.seq + 1);
                let Some(segment) = place.checked_sub(1).map(|place| segments[place]) else {
                    return Ok(segments.first().map_or(Found::Nothing, |next| self.gap(next.first, until)));
                };
                match File::open(segments::path(&self.folder, segment.first)) {
                    Ok(file) => {
                        let (first, next) = (segment.first, segment.first);
                        self.open = Some(Open { first, file, offset: 0, next });
                    }
                    // Removed meanwhile.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
            }
            let Some(open) = &mut self.open else { continue };
            let found = open.take(self.seq, until)?;
            if matches!(found, Found::Entries(_)) {
                return Ok(self.pass(found));
            }
            let segments = segments::list(&self.folder)?;
            let Some(next) = segments.iter().find(|segment| segment.first > open.first) else {
                return Ok(found);
            };
            // A file that has a successor is not the end, whatever it says: somebody went on. And nothing is added to it,
            // but something may have been just before.
            let found = open.take(self.seq, until)?;
            if matches!(found, Found::Entries(_)) {
                return Ok(self.pass(found));
            }
            self.open = None;
            if next.first > self.seq + 1 {
                return Ok(self.gap(next.first, until));
            }
        }
    }

    /// Everything up to the line with this number is missing.
    fn gap(&mut self, next: u64, until: u64) -> Found {
        let (first, last) = (self.seq + 1, until.min(next - 1));
        self.seq = last;
        Found::Entries(vec![Entry::Gap(Gap { first, last, bytes: None })])
    }

    fn pass(&mut self, found: Found) -> Found {
        if let Found::Entries(entries) = &found {
            self.seq = entries.last().map_or(self.seq, Entry::last);
        }
        found
    }
}

impl Open {
    /// Lines after one and up to another.
    fn take(&mut self, after: u64, until: u64) -> io::Result<Found> {
        let mut entries = Vec::new();
        while entries.is_empty() {
            let bytes = self.chunk()?;
            if bytes.is_empty() || self.next > until {
                return Ok(Found::Nothing);
            }
            let mut begin = 0;
            for newline in memchr::memchr_iter(b'\n', &bytes) {
                if self.next > until {
                    break;
                }
                if self.next > after {
                    match record::parse(&bytes[begin..newline]) {
                        Some(Record::Line { at, source, end, text }) => {
                            let bytes = bytes.slice(begin + text..newline);
                            entries.push(Entry::Line(Line { seq: self.next, at, source, bytes, end }));
                        }
                        Some(Record::End) if entries.is_empty() => return Ok(Found::End),
                        Some(Record::End) => break,
                        None => self.damaged(&mut entries),
                    }
                }
                self.offset += (newline + 1 - begin) as u64;
                self.next += 1;
                begin = newline + 1;
            }
        }
        Ok(Found::Entries(entries))
    }

    /// What is no record is a line that nobody can read any more.
    fn damaged(&self, entries: &mut Vec<Entry>) {
        match entries.last_mut() {
            Some(Entry::Gap(gap)) => gap.last = self.next,
            _ => entries.push(Entry::Gap(Gap { first: self.next, last: self.next, bytes: None })),
        }
    }

    /// Whole records from here on. What has no newline is being written, or was torn: it is not there yet.
    fn chunk(&mut self) -> io::Result<Bytes> {
        let mut bytes = Vec::new();
        for most in [AT_ONCE, LONGEST] {
            bytes.clear();
            self.file.seek(SeekFrom::Start(self.offset))?;
            self.file.by_ref().take(most as u64).read_to_end(&mut bytes)?;
            if let Some(newline) = memchr::memrchr(b'\n', &bytes) {
                bytes.truncate(newline + 1);
                return Ok(bytes.into());
            }
            if bytes.len() < most {
                break;
            }
        }
        Ok(Bytes::new())
    }
}
