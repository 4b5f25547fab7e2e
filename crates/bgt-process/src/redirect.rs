//! Where a program's output goes.

use std::path::PathBuf;

/// Where a program's stdout or stderr goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Redirect {
    /// To us: kept within the [`Capture`](crate::Capture) limits, and passed on to the run's sink if it has one.
    #[default]
    Capture,
    /// To a file, which is created or emptied at each attempt.
    File(PathBuf),
    /// To the end of a file, which is created if it is not there.
    Append(PathBuf),
    /// To where the host's own goes.
    Inherit,
    /// Nowhere.
    Null,
}

impl Redirect {
    /// To a file, which is created or emptied at each attempt.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File(path.into())
    }

    /// To the end of a file, which is created if it is not there.
    pub fn append(path: impl Into<PathBuf>) -> Self {
        Self::Append(path.into())
    }
}
