//! Where an earlier writer came to in a file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::record::{self, Record};

/// What of a file is kept when it is continued. A record that was torn, by a kill in the middle of a write, was never
/// acknowledged to anybody, and is cut off; so is the record that says that nothing follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// Lines that are whole.
    pub(super) lines: u64,
    /// Their bytes.
    pub(super) length: u64,
}

impl Tail {
    /// Reads the file to its end.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut buffer = vec![0; 64 << 10];
        let (mut tail, mut last, mut read) = (Self::default(), 0, 0);
        loop {
            let length = file.read(&mut buffer)?;
            if length == 0 {
                break;
            }
            for newline in memchr::memchr_iter(b'\n', &buffer[..length]) {
                last = tail.length;
                tail.length = read + newline as u64 + 1;
                tail.lines += 1;
            }
            read += length as u64;
        }
        // The last record.
        let longest = buffer.len() as u64;
        if tail.lines > 0 && tail.length - last <= longest {
            let record = &mut buffer[..(tail.length - last) as usize - 1];
            file.seek(SeekFrom::Start(last))?;
            file.read_exact(record)?;
            if record::parse(record) == Some(Record::End) {
                tail = Self { lines: tail.lines - 1, length: last };
            }
        }
        Ok(tail)
    }
}
