//! The operating system under one interface; all `unsafe` of the program is below.

#[cfg(target_os = "linux")]
mod refuse;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(target_os = "linux")]
pub(crate) use refuse::become_without_pidfds;
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

/// What a polite signal (TERM, INT, HUP; on Windows a console event) does from now on.
pub(crate) enum Polite {
    Ignore,
    /// Print `polite` and exit with this code.
    Exit(i32),
    /// Print so many `d` and a newline, and exit with 0.
    Write(u64),
}

/// What a grandchild shares with its parent.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Ties {
    /// Streams and process group.
    Kept,
    /// The group only.
    NoStreams,
    /// The streams only.
    OwnGroup,
    /// Neither: on Unix a daemon is forked instead.
    #[cfg(windows)]
    Nothing,
}
