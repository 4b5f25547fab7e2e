//! Writing records to files, in order. Blocks.
//!
//! Owns: which file is written, when the next one begins, which are removed.
//! Never does: leave a torn record behind a write that failed, or go on in a file that has lost its name.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use bgt_sys::FileId;

use super::record::Formatter;
use super::segments::{self, Segment};
use super::tail::Tail;
use super::{FileError, LogFiles};
use crate::Line;

/// How many bytes are written at once.
const AT_ONCE: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Writer {
    files: LogFiles,
    formatter: Formatter,
    /// Records that are not in a file yet, and how many of them are lines. Empty between calls.
    buffer: Vec<u8>,
    waiting: u64,
    /// The number of the next line that goes to a file.
    next: u64,
    /// The oldest first. The last is written; it exists if `is_ours`.
    segments: VecDeque<Segment>,
    is_ours: bool,
    open: Option<Open>,
    /// A file that should have been removed and could not be.
    unremoved: Option<FileError>,
}

#[derive(Debug)]
struct Open {
    file: File,
    id: FileId,
}

enum Fault {
    /// The file has no name any more, or lost what was in it. Somebody else did that; a new one is begun.
    Gone,
    Error(FileError),
}

impl From<FileError> for Fault {
    fn from(error: FileError) -> Self {
        Self::Error(error)
    }
}

impl Writer {
    /// Makes the folder, or finds where to go on in it.
    pub(super) fn open(files: LogFiles) -> Result<Self, FileError> {
        let folder = files.folder();
        if let Some(above) = folder.parent() {
            fs::create_dir_all(above).map_err(FileError::of("create the folder", above))?;
        }
        make_folder(&files)?;
        let list = segments::list(folder).map_err(FileError::of("list the folder", folder))?;
        let mut segments = VecDeque::from(list);
        let mut next = 1;
        if let Some(last) = segments.back_mut() {
            let path = segments::path(folder, last.first);
            let tail = Tail::of(&path).map_err(FileError::of("read the log file", &path))?;
            last.length = tail.length;
            next = last.first + tail.lines;
        }
        let is_ours = !segments.is_empty();
        let (formatter, buffer) = (Formatter::default(), Vec::new());
        Ok(Self {
            files,
            formatter,
            buffer,
            waiting: 0,
            next,
            segments,
            is_ours,
            open: None,
            unremoved: None,
        })
    }

    /// The number of the last line that is in a file, or should have been when it was this writer's turn.
    pub(super) fn last(&self) -> u64 {
        self.next - 1
    }

    /// The number of the first line that files hold, or will.
    pub(super) fn first(&self) -> u64 {
        self.segments.front().map_or(self.next, |segment| segment.first)
    }

    /// Writes lines, of which those that were written before are left out. After an error [`last`](Self::last) says how
    /// far it came.
    pub(super) fn write(&mut self, lines: impl Iterator<Item = Line>) -> Result<(), FileError> {
        let next = self.next;
        for line in lines.skip_while(|line| line.seq < next) {
            let before = self.buffer.len();
            self.formatter.line(&line, &mut self.buffer);
            let length = self.segments.back().map_or(0, |segment| segment.length);
            let is_full =
                length + self.buffer.len() as u64 > self.files.limit() && length + before as u64 > 0;
            if is_full || line.seq != self.next + self.waiting || self.segments.is_empty() {
                let record = self.buffer.split_off(before);
                self.flush()?;
                self.begin(line.seq);
                self.buffer = record;
            }
            self.waiting += 1;
            if self.buffer.len() >= AT_ONCE {
                self.flush()?;
            }
        }
        self.flush()?;
        self.unremoved.take().map_or(Ok(()), Err)
    }

    /// Says that nothing follows this line, and closes the file.
    pub(super) fn end(&mut self, last: u64, at: SystemTime) -> Result<(), FileError> {
        if self.segments.is_empty() || last != self.last() {
            self.begin(last + 1);
        }
        self.formatter.end(at, &mut self.buffer);
        self.flush()?;
        self.open = None;
        Ok(())
    }

    /// Goes on in a new file.
    fn begin(&mut self, first: u64) {
        if self.open.take().is_none() && self.is_ours {
            // What an earlier writer left at its end goes, too. If it cannot, readers know what to make of it.
            let _ = self.reopen();
        }
        // One in which nothing was ever written.
        if self.segments.back().is_some_and(|segment| segment.length == 0) {
            if self.is_ours {
                let _ = fs::remove_file(self.path());
            }
            self.segments.pop_back();
        }
        self.segments.push_back(Segment { first, length: 0 });
        self.is_ours = false;
        self.next = first;
    }

    fn flush(&mut self) -> Result<(), FileError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.make_room();
        let mut result = self.append();
        if matches!(result, Err(Fault::Gone)) {
            // What is left of it is no place to go on. Others may be gone too.
            let left = segments::list(self.files.folder()).unwrap_or_default();
            self.segments = left.into_iter().filter(|segment| segment.first < self.next).collect();
            self.begin(self.next);
            result = self.append();
        }
        self.buffer.clear();
        let waiting = std::mem::take(&mut self.waiting);
        match result {
            Ok(()) => {
                self.next += waiting;
                Ok(())
            }
            Err(Fault::Error(error)) => Err(error),
            Err(Fault::Gone) => {
                let gone = io::Error::new(ErrorKind::NotFound, "it was removed while it was written");
                Err(FileError::of("write the log file", &self.path())(gone))
            }
        }
    }

    /// Appends what is in the buffer, as a whole or not at all.
    fn append(&mut self) -> Result<(), Fault> {
        let path = self.path();
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.reopen()?,
        };
        let Some(segment) = self.segments.back_mut() else { return Err(Fault::Gone) };
        let file = &mut open.file;
        let written = file.seek(SeekFrom::Start(segment.length)).and_then(|_| file.write_all(&self.buffer));
        if let Err(error) = written {
            // Where even that fails, opening it again will do it.
            if file.set_len(segment.length).is_ok() {
                self.open = Some(open);
            }
            return Err(FileError::of("write the log file", &path)(error).into());
        }
        // To write to a file that was removed is no error; but nobody will ever read it.
        if bgt_sys::file_id(&path).ok() != Some(open.id) {
            return Err(Fault::Gone);
        }
        segment.length += self.buffer.len() as u64;
        self.open = Some(open);
        Ok(())
    }

    /// Opens the file that is written, at its end.
    fn reopen(&mut self) -> Result<Open, Fault> {
        let path = self.path();
        let length = self.segments.back().map_or(0, |segment| segment.length);
        if !self.is_ours {
            let mut created = bgt_sys::create_private(&path);
            if created.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                make_folder(&self.files)?;
                created = bgt_sys::create_private(&path);
            }
            created.map_err(FileError::of("create the log file", &path))?;
            self.is_ours = true;
        }
        let open = OpenOptions::new().write(true).open(&path).and_then(|file| {
            let found = file.metadata()?.len();
            if found > length {
                file.set_len(length)?;
            }
            Ok((bgt_sys::file_id(&path)?, file, found))
        });
        match open {
            Ok((id, file, found)) if found >= length => Ok(Open { file, id }),
            Ok(_) => Err(Fault::Gone),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(Fault::Gone),
            Err(error) => Err(FileError::of("open the log file", &path)(error).into()),
        }
    }

    /// Removes the oldest files as long as there would be too much.
    fn make_room(&mut self) {
        let mut total =
            self.buffer.len() as u64 + self.segments.iter().map(|segment| segment.length).sum::<u64>();
        while total > self.files.quota && self.segments.len() > 1 {
            let Some(oldest) = self.segments.front() else { return };
            let path = segments::path(self.files.folder(), oldest.first);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    self.unremoved = Some(FileError::of("remove the log file", &path)(error));
                    return;
                }
                _ => {}
            }
            total -= oldest.length;
            self.segments.pop_front();
        }
    }

    /// The file that is written.
    fn path(&self) -> PathBuf {
        segments::path(self.files.folder(), self.segments.back().map_or(self.next, |segment| segment.first))
    }
}

fn make_folder(files: &LogFiles) -> Result<(), FileError> {
    let folder = files.folder();
    match bgt_sys::create_private_folder(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        made => made.map_err(FileError::of("create the folder", folder)),
    }
}
