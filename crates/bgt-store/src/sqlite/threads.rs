//! The two threads behind a store, and how calls reach them.
//!
//! Owns: the channels, and the end.
//! Never does: know what an operation is about.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::file::File;
use super::group::Group;
use super::op::{Op, Stop, op};
use super::session::Place;
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

/// What a thread receives.
pub(super) struct Inbox {
    messages: mpsc::Receiver<Message>,
    /// Who wants the file closed: dropped, and thereby answered, when it is.
    closing: Vec<oneshot::Sender<()>>,
}

impl Lane {
    /// Starts a thread, and waits until it has opened the file.
    pub(super) async fn start(
        name: &str,
        place: &Arc<Place>,
        clock: &Arc<dyn Clock>,
        body: fn(File, &dyn Clock, Inbox) -> Inbox,
    ) -> Result<Self> {
        let (messages, receiver) = mpsc::channel(WAITING);
        let (opened, answer) = oneshot::channel();
        let mut inbox = Inbox { messages: receiver, closing: Vec::new() };
        let (at, clock) = (place.clone(), clock.clone());
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || match File::open(at) {
            Ok(file) => {
                if opened.send(Ok(())).is_ok() {
                    // The file is closed before those hear of it who wait for that.
                    inbox = body(file, &*clock, inbox);
                }
                drop(inbox);
            }
            Err(fault) => drop(opened.send(Err(fault))),
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
pub(super) fn write(mut file: File, clock: &dyn Clock, mut inbox: Inbox) -> Inbox {
    while let Some(message) = inbox.wait() {
        match message {
            Message::Op(op) => Group::new(op).commit(&mut file, clock, &mut inbox),
            Message::Backup(to, caller) => drop(caller.send(file.backup(&to))),
            Message::Close(caller) => inbox.close(caller),
        }
    }
    inbox
}

/// The thread that reads.
pub(super) fn read(mut file: File, clock: &dyn Clock, mut inbox: Inbox) -> Inbox {
    while let Some(message) = inbox.wait() {
        match message {
            Message::Op(op) => answer(op, &mut file, clock),
            Message::Backup(to, caller) => drop(caller.send(file.backup(&to))),
            Message::Close(caller) => inbox.close(caller),
        }
    }
    inbox
}

fn answer(mut op: Box<dyn Op>, file: &mut File, clock: &dyn Clock) {
    let now = clock.now();
    let read = file.session().and_then(|session| {
        match catch_unwind(AssertUnwindSafe(|| op.run(&session.connection, &now))) {
            Ok(outcome) => outcome.map_err(|error| session.fault_of(error)),
            Err(_) => Err(session.fault(FaultKind::Internal)),
        }
    });
    if let Err(fault) = &read {
        file.suspect(fault.kind());
    }
    op.answer(read.err());
}

impl Inbox {
    fn wait(&mut self) -> Option<Message> {
        self.messages.blocking_recv()
    }

    /// The next operation, if one is there.
    pub(super) fn next(&mut self) -> Option<Box<dyn Op>> {
        loop {
            match self.messages.try_recv().ok()? {
                Message::Op(op) => return Some(op),
                Message::Backup(_, caller) => drop(caller),
                Message::Close(caller) => self.close(caller),
            }
        }
    }

    /// Takes no more calls. Those that were sent before are still received.
    fn close(&mut self, caller: oneshot::Sender<()>) {
        self.messages.close();
        self.closing.push(caller);
    }
}
