//! A program that is warm and starts others by forking itself: the interface.
//!
//! What it has to do for its part:
//!
//! - Its stdin is a socket of whole messages (`SOCK_SEQPACKET`). At its end it ends, after it has killed what it started.
//! - Each message to it brings four descriptors: stdin, stdout and stderr of what is to be started, and a stream for it alone.
//!   It forks with `CLONE_PARENT`, so that what it starts is a child of ours, and writes `F` and the process id to that stream,
//!   four bytes, the lowest first. Where it cannot, it writes `E` and the number of the error.
//! - The child heads a process group of its own, reads its order from the stream, and takes the `BGT_TREE` that is in it for its
//!   own. When it is where it is to run it writes `R` and its process id; where it cannot get there `F` and its process id, `E`
//!   and the number of the error. At an end of the stream before that it ends.

#[cfg(target_os = "linux")]
pub use crate::unix::Zygote;
#[cfg(not(target_os = "linux"))]
pub use elsewhere::Zygote;

use crate::{Child, PipeReader};

/// Whether this system has them.
pub const ZYGOTES: bool = cfg!(target_os = "linux");

/// A zygote that was started.
#[derive(Debug)]
pub struct ZygoteParts {
    /// The door through which it is asked. Closing it is its end.
    pub zygote: Zygote,
    /// Its process. What it starts is not of its tree.
    pub child: Child,
    /// What it says of itself.
    pub stderr: PipeReader,
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::ffi::{OsStr, OsString};
    use std::io;
    use std::process::Command;

    use super::ZygoteParts;
    use crate::{SpawnOptions, Spawned};

    /// There are none on this system.
    #[derive(Debug)]
    pub struct Zygote(std::convert::Infallible);

    impl Zygote {
        /// Answers [`Unsupported`](io::ErrorKind::Unsupported).
        ///
        /// # Errors
        ///
        /// Always.
        pub fn start(_: &mut Command, _: Option<Vec<(OsString, OsString)>>) -> io::Result<ZygoteParts> {
            Err(io::ErrorKind::Unsupported.into())
        }

        /// Never called.
        ///
        /// # Errors
        ///
        /// None.
        pub async fn hear(&self) -> io::Result<Vec<u8>> {
            match self.0 {}
        }

        /// Never called.
        ///
        /// # Errors
        ///
        /// None.
        pub async fn birth(
            &self,
            _: &[u8],
            _: impl FnOnce(&OsStr) -> Vec<u8>,
            _: &SpawnOptions,
        ) -> io::Result<Spawned> {
            match self.0 {}
        }
    }
}
