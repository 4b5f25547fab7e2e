//! What a run would do.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::{Priority, Quota};

/// What running a [`Command`](crate::Command) would do, exactly: the result of a dry run. Secrets are shown as `***`.
///
/// Displayed as a command line that could be typed into a shell, with the folder and the changes to the environment
/// in front of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// The program, as an absolute path.
    pub program: PathBuf,
    /// Its arguments; for a script, the interpreter's options and the script come first.
    pub args: Vec<OsString>,
    /// The folder it would run in.
    pub current_dir: PathBuf,
    /// Whether the environment starts empty instead of with the host's.
    pub env_cleared: bool,
    /// The variables that would be set, or removed (`None`), in order of their names.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// How it would stand back behind others.
    pub priority: Priority,
    /// How much of the machine it may have.
    pub quota: Quota,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cd {} && ", bgt_sys::quote(self.current_dir.as_os_str()))?;
        if self.env_cleared || !self.env.is_empty() {
            f.write_str("env ")?;
        }
        if self.env_cleared {
            f.write_str("-i ")?;
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => {
                    write!(f, "{}={} ", bgt_sys::quote(name), bgt_sys::quote(value))?;
                }
                None => write!(f, "-u {} ", bgt_sys::quote(name))?,
            }
        }
        f.write_str(match self.priority {
            Priority::Low => "nice -n 10 ",
            Priority::Idle => "nice -n 19 ",
            _ => "",
        })?;
        f.write_str(&bgt_sys::quote(self.program.as_os_str()))?;
        for arg in &self.args {
            write!(f, " {}", bgt_sys::quote(arg))?;
        }
        if !self.quota.is_empty() {
            write!(f, " # within {}", self.quota)?;
        }
        Ok(())
    }
}
