//! Where there are no cgroups: nobody is limited.

use std::io;

use rustix::process::Pid;

use crate::Quota;

/// Limits that are ready for a tree: never, on this system.
#[derive(Debug)]
#[must_use]
pub enum Limiter {}

impl Limiter {
    /// Makes limits ready.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported).
    pub fn new(_quota: &Quota) -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no quota for a tree of processes"))
    }

    pub(super) fn take(&self, _pid: Pid) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn is_empty(&self) -> bool {
        match *self {}
    }

    pub(super) fn remember_others(&self, _program: Pid) {
        match *self {}
    }

    pub(super) fn had_others(&self) -> bool {
        match *self {}
    }

    pub(super) fn kill(&self) {
        match *self {}
    }

    pub(super) fn was_out_of_memory(&self) -> bool {
        match *self {}
    }
}
