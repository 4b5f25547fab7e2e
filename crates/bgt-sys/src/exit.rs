//! How a program ended, and what it used.

use std::time::Duration;

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// By itself, with this code. On Windows the 32 bits as a signed number.
    Code(i32),
    /// By a signal (Unix).
    Signal {
        /// Which.
        number: i32,
        /// Whether a core file was written.
        core_dumped: bool,
    },
    /// Nobody can know: another part of the host process took the exit status first, or the host ignores SIGCHLD.
    Unknown,
}

/// What a program used, as far as the system tells honestly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// CPU time in user mode: Unix, of the program and the descendants it waited for; Windows, of the whole job, and
    /// absent if it was less than a tick of the clock (16 ms).
    pub user: Option<Duration>,
    /// CPU time in the kernel, counted the same way.
    pub system: Option<Duration>,
    /// Peak resident memory in bytes. `None` when it cannot be told from the host's own: on Unix a program inherits
    /// its host's high-water mark, so only a peak above that is the program's. On Windows of the program alone.
    pub peak_memory: Option<u64>,
}

/// The end of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// What it used.
    pub usage: Usage,
    /// Whether the system has ended it, or one of its tree, because the memory that [`Quota`](crate::Quota) allow did not
    /// suffice. Linux only: elsewhere the program is told, and nobody else.
    pub out_of_memory: bool,
}
