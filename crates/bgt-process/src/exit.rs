//! How a program ended.

use std::fmt;

use bgt_sys::Outcome;

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Exit {
    /// By itself, with this code. On Windows the 32 bits as a signed number.
    Code(i32),
    /// By a signal (Unix).
    Signal {
        /// Its number on this system.
        number: i32,
        /// Whether a core file was written.
        core_dumped: bool,
    },
    /// Nobody can know: another part of the host process took the exit status, or the host ignores SIGCHLD.
    Unknown,
}

impl Exit {
    /// Whether the program ended by itself with code 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }

    /// The exit code, if the program ended by itself.
    #[must_use]
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            _ => None,
        }
    }

    /// The number of the signal that ended the program, if one did.
    #[must_use]
    pub fn signal(self) -> Option<i32> {
        match self {
            Self::Signal { number, .. } => Some(number),
            _ => None,
        }
    }
}

impl From<Outcome> for Exit {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Code(code) => Self::Code(code),
            Outcome::Signal { number, core_dumped } => Self::Signal { number, core_dumped },
            Outcome::Unknown => Self::Unknown,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => match windows_status(*code) {
                Some(name) => write!(f, "exit code {:#010X} ({name})", *code as u32),
                None => write!(f, "exit code {code}"),
            },
            Self::Signal { number, core_dumped } => {
                match bgt_sys::signal_name(*number) {
                    Some(name) => write!(f, "ended by {name}")?,
                    None => write!(f, "ended by signal {number}")?,
                }
                f.write_str(if *core_dumped { " (core dumped)" } else { "" })
            }
            Self::Unknown => f.write_str("exit status unknown: something else in this process took it"),
        }
    }
}

/// The statuses that a crashed program leaves on Windows. No Unix exit code is negative.
fn windows_status(code: i32) -> Option<&'static str> {
    // ntstatus.h, https://learn.microsoft.com/openspecs/windows_protocols/ms-erref/596a1078-e883-4972-9bbc-49e60bebca55
    Some(match code as u32 {
        0xC000_0005 => "access violation",
        0xC000_00FD => "stack overflow",
        0xC000_013A => "ended by Ctrl-C or Ctrl-Break",
        0xC000_0135 => "a DLL was not found",
        0xC000_0142 => "a DLL could not be initialised",
        0xC000_0409 => "aborted (fast fail)",
        0xC000_0374 => "heap corruption",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_in_words() {
        assert_eq!(Exit::Code(3).to_string(), "exit code 3");
        assert_eq!(Exit::Code(0xC000_0005_u32 as i32).to_string(), "exit code 0xC0000005 (access violation)");
        assert!(Exit::Signal { number: 9, core_dumped: true }.to_string().ends_with("(core dumped)"));
    }
}
