//! What a check found: where, and what to do about it.

use std::fmt;

/// One thing to repair.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// From the repository's root, with `/`.
    path: String,
    /// Counted from 1.
    line: usize,
    what: String,
}

impl Finding {
    /// A finding in one line of a file; `what` says what is wrong and what to do.
    pub(crate) fn at(path: impl Into<String>, line: usize, what: impl Into<String>) -> Self {
        Finding { path: path.into(), line, what: what.into() }
    }

    /// A finding about a file as a whole.
    pub(crate) fn about(path: impl Into<String>, what: impl Into<String>) -> Self {
        Finding::at(path, 1, what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}
