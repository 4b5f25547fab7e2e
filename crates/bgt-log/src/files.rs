//! Logs in files: what survives the process, and what another process reads while it is written.
//!
//! Owns: the folder of a run. Its files are named by the numbers of their first lines, `00000000000000000001.log`; a line's
//! number is that plus its place in the file, so it is the same as in memory. Lines that are missing between two files
//! could not be written, or were given up. [`record`] says what is in a file.
//! Never does: `fsync`. What was written survives the end of this process, however it ends; that the machine loses power is
//! another matter.

mod behind;
mod chunks;
mod cursor;
mod error;
mod pump;
mod reader;
mod record;
mod retention;
mod segments;
mod tail;
mod time;
mod writer;

use std::path::{Path, PathBuf};

use bgt_core::RunId;

pub use error::FileError;
pub use reader::LogReader;
pub use retention::{Retention, Swept};

pub(crate) use behind::Behind;
pub(crate) use pump::{Files, Progress};

/// Where a log's files are, and how much of them is kept.
///
/// One folder is one log. Its files have one record a line, in the
/// [format](https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md) that Kubernetes
/// uses for the logs of containers:
///
/// ```text
/// 2026-01-01T12:00:00.123456789Z stdout F a line
/// ```
///
/// Time, stream, tags, bytes. `F` is a line and `P` a part of one that was longer than 64 KiB; `F:return` ended with a
/// carriage return alone, `F:eof` with the output; `P:end` says that nothing follows.
///
/// A folder that exists is continued, with the next number. It has one writer at a time; to see to that is up to the
/// caller. Readers may be any number, [in this process](crate::Log::subscribe) and [in others](LogReader).
///
/// # Platform-specific behavior
///
/// - Unix: a new folder has mode 0700, its files 0600. Folders above it that are missing have what the umask says.
/// - Windows: they inherit who may use them.
///
/// # Examples
///
/// ```
/// use bgt_core::RunId;
/// use bgt_log::LogFiles;
///
/// let run = RunId::new();
/// let files = LogFiles::of_run("logs", run).segment_bytes(4 << 20).quota_bytes(64 << 20);
/// assert_eq!(files.folder(), std::path::Path::new("logs").join(run.to_string()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "nothing is opened until a log has them"]
pub struct LogFiles {
    folder: PathBuf,
    segment: u64,
    quota: u64,
}

impl LogFiles {
    /// In this folder, which is made if it is missing.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), segment: 16 << 20, quota: 1 << 30 }
    }

    /// In the folder of a run below this one.
    pub fn of_run(base: impl AsRef<Path>, run: RunId) -> Self {
        Self::at(base.as_ref().join(run.to_string()))
    }

    /// A new file is begun when one would become larger than so many bytes; 16 MiB unless said otherwise, and never more
    /// than half of the quota. A single record that is larger has a file of its own.
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment = bytes;
        self
    }

    /// All files together have at most so many bytes, 1 GiB unless said otherwise. Before there would be more the oldest
    /// are removed, as a whole; never the one that is written.
    pub fn quota_bytes(mut self, bytes: u64) -> Self {
        self.quota = bytes;
        self
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// When a new file is begun.
    fn limit(&self) -> u64 {
        self.segment.min(self.quota / 2)
    }
}
