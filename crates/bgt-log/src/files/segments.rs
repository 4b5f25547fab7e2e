//! The files of a folder, by the numbers of their first lines.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A file of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    /// The number of its first line.
    pub(super) first: u64,
    /// Its length in bytes.
    pub(super) length: u64,
}

const DIGITS: usize = 20;

/// Where the file with this first line is.
pub(super) fn path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.log"))
}

/// The first line of a file with this name; nothing for a file of somebody else.
fn first(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log").filter(|digits| digits.len() == DIGITS)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|first| is_number && *first > 0)
}

/// All files of a log, in the order of their lines.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(first) = entry.file_name().to_str().and_then(first) else { continue };
        match entry.metadata() {
            Ok(found) if found.is_file() => segments.push(Segment { first, length: found.len() }),
            Ok(_) => {}
            // Removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_like_numbers_and_others_are_left_alone() {
        for number in [1, 42, u64::MAX] {
            let path = path(Path::new("folder"), number);
            assert_eq!(first(path.file_name().unwrap().to_str().unwrap()), Some(number));
        }
        for other in
            ["1.log", "00000000000000000000.log", "+0000000000000000001.log", "00000000000000000001.txt"]
        {
            assert_eq!(first(other), None, "{other}");
        }
    }
}
