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
    /// Whether a write has failed in a way after which the log may have a hole.
    is_doubtful: bool,
}

impl File {
    /// Opens the file, or makes it.
    pub(super) fn open(place: Arc<Place>, writer: Option<Lane>) -> Result<Self, Fault> {
        let session = Session::open(&place, true)?;
        Ok(Self { place, session: Some(session), writer, is_doubtful: false })
    }

    /// The connection, to a file that is where it belongs.
    ///
    /// One that was taken away is kept open: what it holds may be all there is. It is given up when another store has
    /// been put in its place.
    pub(super) fn session(&mut self) -> Result<&Session, Fault> {
        if let Some(session) = &self.session {
            match session.whereabouts() {
                Whereabouts::Here => {}
                Whereabouts::WithoutLog => {
                    // What was written last is in the log that the writer has: ours may be an earlier one.
                    match &self.writer {
                        Some(writer) => writer.settle()?,
                        None => session.save_log()?,
                    }
                    self.session = None;
                }
                Whereabouts::Gone(fault) => return Err(fault),
                Whereabouts::Replaced => {
                    session.leave()?;
                    let replacement = Session::open(&self.place, false)?;
                    self.session = Some(replacement);
                }
            }
        }
        if self.session.is_none() {
            let session = Session::open(&self.place, false)?;
            // Linux forgets what it could not write as soon as it has told somebody: a later fsync is no proof that the
            // log is whole (https://lwn.net/Articles/752063/). So nothing is built on it.
            if self.is_doubtful {
                session.empty_log()?;
                self.is_doubtful = false;
            }
            tracing::info!(path = %self.place.path.display(), "store opened again");
            self.session = Some(session);
        }
        self.session.as_ref().ok_or_else(|| self.place.fault(FaultKind::Internal))
    }

    /// After a fault of a write: whether the log can still be trusted.
    pub(super) fn doubt(&mut self, kind: FaultKind) {
        self.is_doubtful |= kind == FaultKind::Io;
    }

    /// After a fault: whether the next call needs a new connection.
    pub(super) fn suspect(&mut self, kind: FaultKind) {
        let is_fine = matches!(kind, FaultKind::Locked { .. } | FaultKind::Removed);
        if !is_fine && !self.was_taken_away() {
            self.session = None;
        }
    }

    /// Whether there is a connection, and not all of its files are where they belong.
    pub(super) fn was_taken_away(&self) -> bool {
        let is_here = |session: &Session| matches!(session.whereabouts(), Whereabouts::Here);
        self.session.as_ref().is_some_and(|session| !is_here(session))
    }

    /// From whatever is held, whether or not its file still has a name.
    pub(super) fn backup(&mut self, to: &Path) -> Result<()> {
        let to = super::absolute(to)?;
        let Some(name) = to.to_str() else {
            return Err(StoreError::invalid("the path of a backup", format!("{to:?}"), "UTF-8"));
        };
        let session = match &self.session {
            Some(session) => session,
            None => self.session()?,
        };
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
