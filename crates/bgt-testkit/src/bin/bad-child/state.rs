//! What one verb leaves behind for the next: where pids go, and when life ends.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::sys;
use crate::verbs::Trouble;

/// The safety net: a test that forgets a child must not leave it on the machine.
pub(crate) const LONGEST_LIFE: Duration = Duration::from_secs(600);

pub(crate) struct State {
    pids: Option<PathBuf>,
    /// Wall-clock time, because it is handed to descendants.
    end: SystemTime,
}

impl State {
    pub(crate) fn new() -> Self {
        let state = Self { pids: None, end: SystemTime::now() + LONGEST_LIFE };
        state.arm();
        state
    }

    /// Makes this process end by itself in time; a fork clears that, so forked children call it again.
    pub(crate) fn arm(&self) {
        let left = self.end.duration_since(SystemTime::now()).unwrap_or_default();
        sys::end_after(left.min(LONGEST_LIFE));
    }

    /// The end of life as milliseconds since 1970.
    pub(crate) fn end_millis(&self) -> u128 {
        self.end.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis())
    }

    /// A descendant takes the end over from its ancestor.
    pub(crate) fn end_at(&mut self, millis: u64) {
        self.end = self.end.min(UNIX_EPOCH + Duration::from_millis(millis));
        self.arm();
    }

    pub(crate) fn pids(&self) -> Option<&Path> {
        self.pids.as_deref()
    }

    /// Records this process now and its descendants later, in `path`, made absolute because a daemon changes folders.
    pub(crate) fn record_pids_in(&mut self, path: &OsStr) -> Result<(), Trouble> {
        self.pids = Some(std::path::absolute(path)?);
        self.record_pid()
    }

    pub(crate) fn record_pid(&self) -> Result<(), Trouble> {
        match &self.pids {
            Some(path) => append(path, format!("{}\n", std::process::id()).as_bytes()),
            None => Ok(()),
        }
    }
}

/// One write with `O_APPEND`, so that lines of several processes do not mix.
pub(crate) fn append(path: &Path, line: &[u8]) -> Result<(), Trouble> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(line)?;
    Ok(())
}
