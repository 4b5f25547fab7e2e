//! Processes that are not of our tree: which one it is, whether it still is that one, and when it ends.

use std::io;

use crate::os;

/// Which process: its id, and when it was started. Ids are given to others after a process has ended; both together are
/// not, until the machine is started anew. Keep it together with [`boot_id`](crate::boot_id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The process id.
    pub pid: u32,
    /// When it was started, in a unit of the system's own.
    pub started: u64,
}

impl Identity {
    /// Of the process that has this id now; `None` if there is none, it has ended and was not reaped yet, or the
    /// system does not tell.
    ///
    /// # Platform-specific behavior
    ///
    /// Linux, macOS and Windows tell. Others do not: there nobody is known again.
    ///
    /// # Examples
    ///
    /// ```
    /// let us = bgt_sys::Identity::of(std::process::id()).unwrap();
    /// assert!(us.is_alive());
    /// assert!(!bgt_sys::Identity { started: us.started + 1, ..us }.is_alive());
    /// ```
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        os::started(pid).map(|started| Self { pid, started })
    }

    /// Whether that very process still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        Self::of(self.pid) == Some(*self)
    }

    /// Kills that very process, and on Unix the process group that it heads. Somebody else who has its id by now is left
    /// alone. Answers whether it was there.
    ///
    /// For programs that nobody else looks after any more. Who holds a [`Child`](crate::Child) uses that.
    ///
    /// # Errors
    ///
    /// What the system said.
    ///
    /// # Platform-specific behavior
    ///
    /// - Linux: the process is held by a pidfd while it is compared, so that no stranger is hit.
    /// - Other Unixes: between the look and the signal its id could be given to another.
    /// - Windows: the process alone; its descendants were ended with the job of whoever started it.
    pub fn kill(&self) -> io::Result<bool> {
        os::kill(self)
    }
}

/// Starts a program that is to outlive this process: no pipe, no console and no tree ties it to us.
///
/// `command` says program, arguments, folder and environment; its streams are replaced: nothing to read, and what it
/// prints goes nowhere.
///
/// # Errors
///
/// What the system said. Nothing is left running.
///
/// # Panics
///
/// Outside a tokio runtime with its I/O driver enabled.
///
/// # Platform-specific behavior
///
/// - Unix: it is still in our session and process group. It leaves them itself, with [`leave_session`].
/// - Windows: it breaks away from the job that we are in, where that job lets it; a host whose job does not, takes it along
///   when it ends. It has a console of its own without a window.
pub fn start_apart(command: &mut std::process::Command) -> io::Result<os::Apart> {
    os::start_apart(command)
}

/// Makes this process the head of a session of its own, out of reach of the terminal and of the group of whoever started it.
///
/// # Errors
///
/// Unix: when it is the head of a process group already.
///
/// # Platform-specific behavior
///
/// Windows: nothing to leave.
pub fn leave_session() -> io::Result<()> {
    os::leave_session()
}

/// The program that this process was started from, to start it again.
///
/// # Errors
///
/// What the system said.
///
/// # Platform-specific behavior
///
/// Linux: the very file, whatever has its name by now, as long as `/proc` is there. Elsewhere what has its name.
pub fn own_program() -> io::Result<std::path::PathBuf> {
    os::own_program()
}

/// Hears that somebody used [`Apart::ask`](os::Apart::ask) on this process, which from then on does not end it.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let mut knocks = bgt_sys::Knocks::listen()?;
/// tokio::select! {
///     asked = knocks.next() => println!("asked: {asked}"),
///     () = async { /* the work */ } => {}
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Knocks(os::Knocks);

impl Knocks {
    /// Hears from now on.
    ///
    /// # Errors
    ///
    /// What the system said.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O driver enabled.
    pub fn listen() -> io::Result<Self> {
        os::Knocks::listen().map(Self)
    }

    /// The next: `true` if somebody has asked, `false` if nobody can and it is time to look whether there is something to do.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    ///
    /// # Platform-specific behavior
    ///
    /// Windows: it is time to look five times a second.
    pub async fn next(&mut self) -> bool {
        self.0.next().await
    }
}
