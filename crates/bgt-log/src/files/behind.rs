//! What a follower reads from files, because memory does not hold it any more.

use std::collections::VecDeque;
use std::path::Path;
use std::task::{Context, Poll};

use super::FileError;
use super::chunks::Chunks;
use super::cursor::{Cursor, Found};
use crate::ring::Missing;
use crate::{Entry, Gap};

/// The part of a follower that is behind what memory holds.
#[derive(Debug, Default)]
pub(crate) struct Behind {
    chunks: Option<Chunks>,
    /// What is to be read now.
    wanted: Option<(u64, Missing)>,
    entries: VecDeque<Entry>,
}

impl Behind {
    /// What is missing after this line is to be looked for.
    pub(crate) fn want(&mut self, folder: &Path, seq: u64, missing: Missing) {
        self.wanted = Some((seq, missing));
        match &mut self.chunks {
            Some(chunks) => chunks.seek(folder, seq),
            None => self.chunks = Some(Chunks::Idle(Cursor::new(folder.to_owned(), seq))),
        }
    }

    /// The next entry, if something was wanted and not all of it was read; and what went wrong.
    pub(crate) fn poll_entry(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Entry, Option<FileError>)>> {
        let mut fault = None;
        if let (Some((seq, missing)), Some(chunks)) = (self.wanted, &mut self.chunks) {
            let last = seq + missing.lines;
            let found = std::task::ready!(chunks.poll_read(last, cx));
            self.wanted = None;
            let gap = Entry::Gap(Gap { first: seq + 1, last, bytes: missing.bytes });
            let is_all = |entry: &Entry| matches!(entry, Entry::Gap(gap) if gap.lines() == missing.lines);
            self.entries = match found {
                Ok(Found::Entries(entries)) if !entries.iter().any(is_all) => entries.into(),
                Ok(_) => [gap].into(),
                Err(error) => {
                    let folder = match chunks {
                        Chunks::Idle(cursor) => cursor.folder(),
                        _ => Path::new(""),
                    };
                    fault = Some(FileError::of("read the log files in", folder)(error));
                    [gap].into()
                }
            };
        }
        Poll::Ready(self.entries.pop_front().map(|entry| (entry, fault)))
    }
}
