//! Values that must not be seen.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::sync::Arc;

/// An argument or an environment value that never appears in `Debug` output, logs, dry runs, or the tail of output
/// that errors carry.
///
/// # Examples
///
/// ```
/// use bgt_process::{Command, Secret};
///
/// let command = Command::new("upload").env_secret("TOKEN", Secret::literal("hunter2"));
/// assert!(!format!("{command:?}").contains("hunter2"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Inner);

#[derive(Clone, PartialEq, Eq)]
enum Inner {
    Literal(OsString),
    FromEnv(OsString),
}

impl Secret {
    /// This value. It lives in the memory of the host as long as the command does.
    pub fn literal(value: impl Into<OsString>) -> Self {
        Self(Inner::Literal(value.into()))
    }

    /// What the host's environment variable of this name holds when the command runs. The command itself holds only
    /// the name.
    pub fn from_env(name: impl Into<OsString>) -> Self {
        Self(Inner::FromEnv(name.into()))
    }

    /// The variable that it comes from, if it does.
    #[cfg(feature = "serde")]
    pub(crate) fn variable(&self) -> Option<&OsStr> {
        match &self.0 {
            Inner::Literal(_) => None,
            Inner::FromEnv(name) => Some(name),
        }
    }

    /// The value, or the name of the variable that is not set.
    pub(crate) fn reveal(&self) -> Result<OsString, &OsStr> {
        match &self.0 {
            Inner::Literal(value) => Ok(value.clone()),
            Inner::FromEnv(name) => std::env::var_os(name).ok_or(name),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Literal(_) => f.write_str("***"),
            Inner::FromEnv(name) => write!(f, "*** from ${}", name.to_string_lossy()),
        }
    }
}

/// A word that may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Word {
    Plain(OsString),
    Secret(Secret),
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(word) => word.fmt(f),
            Self::Secret(secret) => secret.fmt(f),
        }
    }
}

/// The values that a run must not show, revealed for the search in its output.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Values(Arc<[Vec<u8>]>);

impl Values {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

impl FromIterator<Vec<u8>> for Values {
    fn from_iter<T: IntoIterator<Item = Vec<u8>>>(values: T) -> Self {
        Self(values.into_iter().collect())
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
