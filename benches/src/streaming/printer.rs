//! The program that prints, and whether a side has heard what it was asked to print.

use std::path::PathBuf;

use crate::Result;

/// The bytes of each line that it prints, with the newline.
pub(super) const LINE: u64 = 64;

/// Prints so many bytes of such lines as fast as somebody reads them, in writes of 64 KiB.
#[derive(Clone, Debug)]
pub(super) struct Printer {
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    bytes: u64,
}

/// What a side says it has heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// None where lines are not looked for.
    pub(super) lines: Option<u64>,
    /// With newlines.
    pub(super) bytes: u64,
    /// Lines that it was told it has missed.
    pub(super) missed: u64,
}

impl Printer {
    pub(super) fn of_mib(mib: u64) -> Self {
        let (program, args) = bgt_testkit::bad(["flood".to_owned(), format!("{mib}M")]);
        Self { program, args, bytes: mib << 20 }
    }

    pub(super) fn lines(&self) -> u64 {
        self.bytes / LINE
    }

    /// # Errors
    /// Where what was heard, and was missed, is not what was printed.
    pub(super) fn verify(&self, heard: &Heard) -> Result {
        let (lines, bytes) = (self.lines() - heard.missed, self.bytes - heard.missed * LINE);
        if heard.bytes == bytes && heard.lines.is_none_or(|heard| heard == lines) {
            return Ok(());
        }
        Err(format!("{} lines, {} bytes were printed, and heard: {heard:?}", self.lines(), self.bytes).into())
    }
}
