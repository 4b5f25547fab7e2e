//! What the standard library has no name for.

use std::io;

/// Whether starting a program failed because the file is not in a format that the system executes: ENOEXEC, or
/// `ERROR_BAD_EXE_FORMAT`.
#[must_use]
pub fn is_bad_format(error: &io::Error) -> bool {
    error.raw_os_error() == Some(if cfg!(windows) { 193 } else { 8 })
}

/// Whether starting a program failed because its arguments and environment are longer than the system takes: E2BIG,
/// or `ERROR_FILENAME_EXCED_RANGE`, which Windows says of a command line.
#[must_use]
pub fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(if cfg!(windows) { 206 } else { 7 })
}

/// Whether starting a program failed for something that passes by itself in a moment, and nothing was started.
///
/// - The file is still open for writing, in a start that another thread is at
///   ([rust#114554](https://github.com/rust-lang/rust/issues/114554)).
/// - Windows: `ERROR_INTERNAL_ERROR`, which is what Wine answers to one start in some thousands when it is crowded.
#[must_use]
pub fn is_passing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ExecutableFileBusy || cfg!(windows) && error.raw_os_error() == Some(1359)
}
