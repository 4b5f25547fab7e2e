//! What several processes did, in the order in which they did it.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::wait_until;

/// A file to which several processes append lines, each in one write, so that none is torn or lost.
///
/// `bad-child append PATH TEXT` writes to it from a child. Dropping the value leaves the file.
#[derive(Debug, Clone)]
pub struct Ledger {
    path: PathBuf,
}

impl Ledger {
    /// Uses this file; it need not exist yet.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a line.
    ///
    /// # Panics
    /// When the file cannot be written, or the text has a newline of its own.
    pub fn append(&self, line: &str) {
        assert!(!line.contains('\n'), "one line, not {line:?}");
        let mut file =
            OpenOptions::new().create(true).append(true).open(&self.path).expect("a ledger that opens");
        file.write_all(format!("{line}\n").as_bytes()).expect("a ledger that takes a line");
    }

    /// All complete lines so far; none when there is no file yet.
    ///
    /// # Panics
    /// When the file cannot be read or is not UTF-8.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
            Err(error) => panic!("{}: {error}", self.path.display()),
        };
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        complete.lines().map(str::to_owned).collect()
    }

    /// Waits until there are at least `count` lines and answers them.
    ///
    /// # Panics
    /// When they do not come in time; the message has those that did.
    #[must_use]
    pub fn wait_for_lines(&self, count: usize, within: Duration) -> Vec<String> {
        let mut lines = Vec::new();
        let came = wait_until(within, || {
            lines = self.lines();
            lines.len() >= count
        });
        assert!(came, "{} lines instead of {count} after {within:?}: {lines:?}", lines.len());
        lines
    }
}
