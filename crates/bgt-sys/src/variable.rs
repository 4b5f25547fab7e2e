//! Names of environment variables.

use std::ffi::{OsStr, OsString};

/// The name under which the system files a variable: equal for names of the same one. On Windows `Path` and `PATH`
/// are.
#[must_use]
pub fn variable_key(name: &OsStr) -> OsString {
    if cfg!(windows) { name.to_ascii_uppercase() } else { name.to_owned() }
}
