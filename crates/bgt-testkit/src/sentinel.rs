//! An innocent bystander.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::{bad, sys};

/// A process that has nothing to do with what the test stops, in a process group of its own.
///
/// If it dies, something signalled a stranger. Dropping the value kills it by its own id and waits for its end.
#[derive(Debug)]
pub struct Sentinel {
    child: Child,
}

impl Sentinel {
    /// Starts it and returns when it runs.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start() -> Self {
        let (program, args) = bad(["ready", "then", "hang"]);
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        sys::own_group(&mut command);
        let mut child = command.spawn().expect("a sentinel that starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a piped stdout");
        BufReader::new(stdout).read_line(&mut line).expect("the sentinel's handshake");
        assert_eq!(line, "ready\n", "the sentinel did not start");
        Self { child }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Checks that nobody ended it.
    ///
    /// # Panics
    /// When it has ended; the message says how.
    #[track_caller]
    pub fn assert_alive(&mut self) {
        let ended = self.child.try_wait().expect("the sentinel's state");
        if let Some(status) = ended {
            panic!("the sentinel, a stranger, was ended: {status}");
        }
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
