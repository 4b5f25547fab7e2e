//! Names of environment variables.

use std::ffi::OsStr;

/// Whether two names are of the same environment variable: on Windows `Path` and `PATH` are.
#[must_use]
pub fn is_same_variable(one: &OsStr, other: &OsStr) -> bool {
    if cfg!(windows) { one.eq_ignore_ascii_case(other) } else { one == other }
}
