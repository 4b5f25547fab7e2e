//! What can go wrong with files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file or folder of a log could not be used. What the system said is the [source](std::error::Error::source).
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
#[non_exhaustive]
pub struct FileError {
    action: &'static str,
    path: PathBuf,
    source: Arc<io::Error>,
}

impl FileError {
    /// The file or folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the system said, by kind: [`NotFound`](io::ErrorKind::NotFound), [`StorageFull`](io::ErrorKind::StorageFull), …
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// The thread that was to do it ended without an answer.
    pub(crate) fn lost(path: &Path, error: tokio::task::JoinError) -> Self {
        Self::of("use the log files in", path)(io::Error::other(error))
    }

    /// Makes one of what was done and to what.
    pub(super) fn of<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self { action, path: path.to_owned(), source: Arc::new(source) }
    }
}
