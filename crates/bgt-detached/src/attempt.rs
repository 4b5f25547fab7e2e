//! One attempt at a program, as files that outlive everybody who looks after it.
//!
//! ```text
//! <runs>/<run id>/<attempt>/order     what is to be done
//!                           lock      held while somebody does it
//!                           started   made exclusively: the one decision that the program is started, or never will be
//!                           program   which process the program is
//!                           asked     how often somebody asked to stop it
//!                           exit      how it ended: written beside, synced, renamed
//!                           log/      its output
//! ```

pub(crate) mod folder;
#[cfg(feature = "process")]
pub(crate) mod program;
#[cfg(feature = "process")]
pub(crate) mod shim;

use std::time::{Duration, SystemTime};

use bgt_core::{CancelReason, ErrorKind};
use serde::{Deserialize, Serialize};

/// Who does it, in the started file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Started {
    /// Which run of the machine this is.
    pub(crate) boot: Option<String>,
    pub(crate) by: By,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// A shim, which outlives the host.
    Shim(Known),
    /// The host itself.
    Host(Known),
    /// Nobody, and nobody ever will.
    Refused,
}

/// A process that is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) pid: u32,
    /// When it was started; absent where the system does not tell.
    pub(crate) started: Option<u64>,
}

impl Known {
    pub(crate) fn of(pid: u32) -> Self {
        Self { pid, started: bgt_sys::Identity::of(pid).map(|identity| identity.started) }
    }

    pub(crate) fn identity(self) -> Option<bgt_sys::Identity> {
        self.started.map(|started| bgt_sys::Identity { pid: self.pid, started })
    }
}

/// How a program ended, in the exit file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct End {
    /// Absent if it succeeded.
    pub(crate) kind: Option<ErrorKind>,
    pub(crate) reason: Option<CancelReason>,
    pub(crate) error: Option<String>,
    pub(crate) program: ProgramEnd,
}

/// What remains of a program: the result of its run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProgramEnd {
    /// How it ended; `None` if it was never started.
    #[cfg(feature = "process")]
    #[cfg_attr(docsrs, doc(cfg(feature = "process")))]
    pub exit: Option<bgt_simple::Exit>,
    /// Its process id, which belongs to somebody else by now, or may at any time.
    pub pid: Option<u32>,
    /// When the attempt began, by the wall clock.
    pub started_at: SystemTime,
    /// How long the attempt took.
    pub elapsed: Duration,
    /// CPU time in user mode, where the system tells.
    pub user_time: Option<Duration>,
    /// CPU time in the kernel, where the system tells.
    pub system_time: Option<Duration>,
    /// Whether descendants were still alive when it ended by itself.
    pub leaked: bool,
}

#[cfg(feature = "process")]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) run: bgt_core::RunId,
    pub(crate) attempt: u32,
    pub(crate) command: bgt_simple::StoredCommand,
    pub(crate) deadline: Option<Duration>,
    pub(crate) log_quota: u64,
}
