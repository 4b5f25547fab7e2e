//! What becomes of programs when their host is killed.

use std::io;

/// From now on what this process starts ends with it, also when it is killed: by `kill -9`, by a panic that aborts, by the
/// system for want of memory.
///
/// # Errors
///
/// When the guard cannot be started. Later, a program that the guard cannot be told of is not started.
///
/// # Platform-specific behavior
///
/// - Windows: the system does it, by the Job Objects that programs are in, and this does nothing.
/// - Unix: one more process for the whole host, a `/bin/sh` of a few lines, that reads from a socket whose other end only the
///   host has. At the end of that it kills the process groups it was told of, and on Linux those who have left them, known by
///   `BGT_TREE` in their environment, with `grep`. It needs both programs, and ends with the host without a trace.
/// - Linux: a program that is just being started when the host is killed is found by its environment. On macOS, and for one
///   that has both left its group and cleared its environment, there is nobody who would know.
/// - Who replaces this process by `exec` ends what it has started.
pub fn guard_orphans() -> io::Result<()> {
    #[cfg(unix)]
    return crate::os::guard_orphans();
    #[cfg(not(unix))]
    Ok(())
}
