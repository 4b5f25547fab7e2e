//! The two threads behind a store, and how calls reach them.
//!
//! Owns: the channels, what is done when the file is not there or comes back, and the end.
//! Never does: know what an operation is about.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::group::{Group, LARGEST};
use super::op::{Op, Stop, op};
use super::session::{Place, Session, Whereabouts, unavailable};
use crate::clock::Moment;
use crate::{Clock, Fault, FaultKind, Result, StoreError};

/// How many calls may wait to be taken up; more wait to be sent.
const WAITING: usize = 1024;

enum Message {
    Op(Box<dyn Op>),
    Backup(PathBuf, oneshot::Sender<Result<()>>),
    Close(oneshot::Sender<()>),
}

/// The way to one thread.
#[derive(Clone)]
pub(super) struct Lane {
    place: Arc<Place>,
    messages: mpsc::Sender<Message>,
}

/// What a thread works with.
pub(super) struct Work {
    pub(super) place: Arc<Place>,
    pub(super) clock: Arc<dyn Clock>,
    messages: mpsc::Receiver<Message>,
    session: Option<Session>,
    /// Whether a write has failed in a way after which the log may have a hole.
    is_doubtful: bool,
    /// Who wants the file closed: dropped, and thereby answered, when it is.
    closing: Vec<oneshot::Sender<()>>,
}

impl Lane {
    /// Starts a thread, and waits until it has opened the file.
    pub(super) async fn start(
        name: &str,
        place: &Arc<Place>,
        clock: &Arc<dyn Clock>,
        body: fn(Work),
    ) -> Result<Self> {
        let (messages, receiver) = mpsc::channel(WAITING);
        let (opened, answer) = oneshot::channel();
        let mut work = Work {
            place: place.clone(),
            clock: clock.clone(),
            messages: receiver,
            session: None,
            is_doubtful: false,
            closing: Vec::new(),
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            match Session::open(&work.place, true) {
                Ok(session) => {
                    work.session = Some(session);
                    if opened.send(Ok(())).is_ok() {
                        body(work);
                    }
                }
                Err(fault) => drop(opened.send(Err(fault))),
            }
        });
        thread.map_err(|error| Fault::because(FaultKind::Unavailable, &place.path, error))?;
        answer.await.unwrap_or_else(|_| Err(place.fault(FaultKind::Internal)))?;
        Ok(Self { place: place.clone(), messages })
    }

    pub(super) async fn call<T: Send + 'static>(
        &self,
        body: impl FnMut(&Connection, &Moment) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T> {
        let (op, answer) = op(body);
        self.send(Message::Op(op), answer).await
    }

    pub(super) async fn backup(&self, to: PathBuf) -> Result<()> {
        let (caller, answer) = oneshot::channel();
        self.send(Message::Backup(to, caller), answer).await
    }

    pub(super) async fn close(&self) {
        let (caller, answer) = oneshot::channel();
        if self.messages.send(Message::Close(caller)).await.is_ok() {
            // An error means that the thread has ended, which is what was wanted.
            let _ = answer.await;
        }
    }

    async fn send<T>(&self, message: Message, answer: oneshot::Receiver<Result<T>>) -> Result<T> {
        let closed = || StoreError::from(self.place.fault(FaultKind::Closed));
        self.messages.send(message).await.map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }
}

/// The thread that writes.
pub(super) fn write(mut work: Work) {
    while let Some(message) = work.messages.blocking_recv() {
        if let Some(op) = work.take(message) {
            Group { ops: vec![op] }.commit(&mut work);
        }
    }
}

/// The thread that reads.
pub(super) fn read(mut work: Work) {
    while let Some(message) = work.messages.blocking_recv() {
        if let Some(op) = work.take(message) {
            work.read(op);
        }
    }
}

impl Work {
    /// Does what is no operation.
    fn take(&mut self, message: Message) -> Option<Box<dyn Op>> {
        match message {
            Message::Op(op) => return Some(op),
            Message::Backup(to, caller) => drop(caller.send(self.backup(&to))),
            Message::Close(caller) => {
                // What was sent before is still received.
                self.messages.close();
                self.closing.push(caller);
            }
        }
        None
    }

    /// Everything else that waits.
    pub(super) fn gather(&mut self, group: &mut Group) {
        while group.ops.len() < LARGEST {
            let Ok(message) = self.messages.try_recv() else { return };
            group.ops.extend(self.take(message));
        }
    }

    /// The connection, to a file that is where it belongs.
    ///
    /// One that was taken away is kept open: what it holds may be all there is. It is given up when another store has
    /// been put in its place.
    pub(super) fn session(&mut self) -> Result<&mut Session, Fault> {
        if let Some(session) = &self.session {
            match session.whereabouts() {
                Whereabouts::Here => {}
                Whereabouts::WithoutLog => {
                    session.empty_log()?;
                    self.session = None;
                }
                Whereabouts::Gone => return Err(self.place.fault(FaultKind::Removed)),
                Whereabouts::Replaced => {
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
        self.opened()
    }

    /// The connection as it is.
    pub(super) fn opened(&mut self) -> Result<&mut Session, Fault> {
        self.session.as_mut().ok_or_else(|| self.place.fault(FaultKind::Internal))
    }

    /// After a fault: whether the next call needs a new connection.
    pub(super) fn suspect(&mut self, kind: FaultKind) {
        self.is_doubtful |= kind == FaultKind::Io;
        if !matches!(kind, FaultKind::Locked { .. } | FaultKind::Removed) {
            self.session = None;
        }
    }

    fn read(&mut self, mut op: Box<dyn Op>) {
        let now = self.clock.now();
        let read = self.session().and_then(|session| {
            match catch_unwind(AssertUnwindSafe(|| op.run(&session.connection, &now))) {
                Ok(outcome) => outcome.map_err(|error| session.fault_of(error)),
                Err(_) => Err(session.fault(FaultKind::Internal)),
            }
        });
        if let Err(fault) = &read {
            self.suspect(fault.kind());
        }
        op.answer(read.err());
    }

    /// From whatever is held, whether or not its file still has a name.
    fn backup(&mut self, to: &Path) -> Result<()> {
        let to = super::absolute(to)?;
        let Some(name) = to.to_str() else {
            return Err(StoreError::invalid("the path of a backup", format!("{to:?}"), "UTF-8"));
        };
        if self.session.is_none() {
            self.session()?;
        }
        let session = self.opened()?;
        bgt_sys::create_private(&to).map_err(|error| Fault::because(unavailable(&error), &to, error))?;
        let written = session.connection.execute("VACUUM INTO ?1", [name]);
        written.map_err(|error| {
            // Nothing that looks like a backup is left behind.
            let _ = std::fs::remove_file(&to);
            let fault = session.fault_of(error);
            StoreError::from(Fault::because(fault.kind(), &to, fault))
        })?;
        Ok(())
    }
}
