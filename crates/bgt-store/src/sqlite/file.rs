//! The file as one thread has it: open, given up, or opened again.
//!
//! Owns: what follows from a fault, and from a file that was taken away.
//! Never does: give up a connection that may be all that is left of the records.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use super::session::{Place, Session, Whereabouts, unavailable};
use super::threads::Lane;
use crate::{Fault, FaultKind, Result, StoreError};

pub(super) struct File {
    pub(super) place: Arc<Place>,
    session: Option<Session>,
    /// Who writes, if that is another thread.
    writer: Option<Lane>,
    /// Whether something has failed after which a new connection is needed.
    is_suspect: bool,
    /// Whether a write has failed in a way after which the log may have a hole.
    is_doubtful: bool,
}

impl File {
    /// Opens the file, or makes it.
    pub(super) fn open(place: Arc<Place>, writer: Option<Lane>) -> Result<Self, Fault> {
        let session = Session::open(&place, true)?;
        Ok(Self { place, session: Some(session), writer, is_suspect: false, is_doubtful: false })
    }

    /// The connection, to a file that is where it belongs.
    ///
    /// One that was taken away is kept open: what it holds may be all there is. None is given up before there is another.
    pub(super) fn session(&mut self) -> Result<&Session, Fault> {
        let has_to_change = match self.opened()?.whereabouts() {
            Whereabouts::Here => self.is_suspect,
            Whereabouts::WithoutLog => {
                // What was written last is in the log that the writer has: ours may be an earlier one.
                match &self.writer {
                    // If the writer cannot, what it holds can still be read.
                    Some(writer) => writer.settle().is_ok(),
                    None => {
                        self.opened()?.save_log()?;
                        true
                    }
                }
            }
            Whereabouts::Gone(fault) => return Err(fault),
            Whereabouts::Replaced => {
                self.opened()?.leave()?;
                true
            }
        };
        if has_to_change {
            let session = Session::open(&self.place, false)?;
            // Linux forgets what it could not write as soon as it has told somebody: a later fsync is no proof that the
            // log is whole (https://lwn.net/Articles/752063/). So nothing is built on it.
            if self.is_doubtful {
                session.empty_log()?;
                self.is_doubtful = false;
            }
            tracing::info!(path = %self.place.path.display(), "store opened again");
            self.session = Some(session);
            self.is_suspect = false;
        }
        self.opened()
    }

    /// The connection as it is. There always is one until the end.
    fn opened(&self) -> Result<&Session, Fault> {
        self.session.as_ref().ok_or_else(|| self.place.fault(FaultKind::Internal))
    }

    /// After a fault of a write: whether the log can still be trusted.
    pub(super) fn doubt(&mut self, kind: FaultKind) {
        self.is_doubtful |= kind == FaultKind::Io;
    }

    /// After a fault: whether the next call needs a new connection.
    pub(super) fn suspect(&mut self, kind: FaultKind) {
        self.is_suspect |= !matches!(kind, FaultKind::Locked { .. } | FaultKind::Removed | FaultKind::Full);
    }

    /// Whether not all of its files are where they belong.
    pub(super) fn was_taken_away(&self) -> bool {
        self.opened().is_ok_and(|session| !matches!(session.whereabouts(), Whereabouts::Here))
    }

    /// From the file that is in use or, where that was taken away, from whatever is held of it.
    pub(super) fn backup(&mut self, to: &Path) -> Result<()> {
        let to = super::absolute(to)?;
        let Some(name) = to.to_str() else {
            return Err(StoreError::invalid("the path of a backup", format!("{to:?}"), "UTF-8"));
        };
        let is_in_use = self.session().is_ok();
        tracing::debug!(to = %to.display(), is_in_use, "backup");
        let session = self.opened()?;
        bgt_sys::create_private(&to).map_err(|error| {
            if error.kind() == std::io::ErrorKind::AlreadyExists {
                let expected = "a file that does not exist yet";
                return StoreError::invalid("the path of a backup", format!("{to:?}"), expected);
            }
            Fault::because(unavailable(&error), &to, error).into()
        })?;
        let written = session.connection.execute("VACUUM INTO ?1", [name]);
        written.map_err(|error| {
            // Nothing that looks like a backup is left behind.
            let _ = std::fs::remove_file(&to);
            let kind = self.place.kind_of(&error);
            StoreError::from(Fault::because(kind, &to, error))
        })?;
        // SQLite has waited for the file, not for its name. Windows does not open folders, and needs no such thing.
        if let Some(Ok(folder)) = to.parent().map(std::fs::File::open) {
            folder.sync_all().map_err(|error| Fault::because(FaultKind::Io, &to, error))?;
        }
        Ok(())
    }
}

impl Drop for File {
    /// One thread after the other: SQLite finishes the log when the last connection is closed, and of two that are
    /// closed at once neither is the last.
    fn drop(&mut self) {
        let place = self.place.clone();
        let _closing = place.closing.lock().unwrap_or_else(PoisonError::into_inner);
        self.session = None;
    }
}
