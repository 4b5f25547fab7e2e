//! What becomes of programs when their host is killed.

use std::io;

/// From now on every program that this library starts ends with this process, also when that is killed: by `kill -9`, by a panic
/// that aborts, by the system for want of memory. What the standard library or tokio starts is not known, and not ended.
///
/// It holds at a normal end of this process, too: also a daemon that a program has left behind ends then. What may live on are the
/// descendants of a program that was told so before its start (`Background::Keep`), detached programs, whose shim outlives
/// everybody, and what was started before this call.
///
/// Call it early, best before a runtime is there: it starts a process, which takes a few milliseconds. It stays on; calling it
/// again does nothing.
///
/// # Errors
///
/// When the guard cannot be started. Later, a program that the guard cannot be told of is not started.
///
/// # Platform-specific behavior
///
/// - Windows: the system does it, by the Job Objects that programs are in, and this does nothing.
/// - Unix: one more process for the whole host, a `/bin/sh` of a few lines, that reads from a socket whose other end only the
///   host has. At the end of that it kills the process groups that it was told of. A `fork` of the host without `exec` has the
///   socket as well, and postpones that.
/// - Linux: those who have left their group, or whose start the guard was not yet told of, are known by `BGT_TREE` in their
///   environment, and found with `grep`; without that this is an error. A program that forks and ends every few milliseconds
///   may get away.
/// - macOS: they are not found, nor is a program whose start the guard was not yet told of.
/// - Who replaces this process by `exec` ends what it has started.
///
/// # Examples
///
/// ```
/// bgt_sys::guard_orphans()?;
/// # Ok::<_, std::io::Error>(())
/// ```
pub fn guard_orphans() -> io::Result<()> {
    #[cfg(unix)]
    return crate::os::guard_orphans();
    #[cfg(not(unix))]
    Ok(())
}
