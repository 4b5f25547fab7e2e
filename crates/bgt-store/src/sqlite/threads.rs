//! The two threads behind a store, and how calls reach them.
//!
//! Owns: the channels, and the end.
//! Never does: know what an operation is about.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

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
    /// There is nothing to be done: look whether the store was closed.
    Look,
}

/// The way to one thread.
#[derive(Clone)]
pub(super) struct Lane {
    place: Arc<Place>,
    messages: mpsc::UnboundedSender<(Message, Option<OwnedSemaphorePermit>)>,
    /// Closed when the store is. What looks after the store needs no room: it must get through when there is none.
    room: Arc<Semaphore>,
    /// Has no sender any more when the thread has closed the file.
    end: watch::Receiver<()>,
}

/// What a thread receives.
pub(super) struct Inbox {
    messages: mpsc::UnboundedReceiver<(Message, Option<OwnedSemaphorePermit>)>,
    room: Arc<Semaphore>,
    _end: watch::Sender<()>,
}

impl Lane {
    /// Starts a thread, and waits until it has opened the file.
    pub(super) async fn start(
        name: &str,
        place: &Arc<Place>,
        clock: &Arc<dyn Clock>,
        body: fn(File, &dyn Clock, Inbox) -> Inbox,
        writer: Option<Self>,
    ) -> Result<Self> {
        let (messages, receiver) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(WAITING));
        let (opened, answer) = oneshot::channel();
        let (end_sender, end) = watch::channel(());
        let mut inbox = Inbox { messages: receiver, room: room.clone(), _end: end_sender };
        let (at, clock) = (place.clone(), clock.clone());
        let thread =
            std::thread::Builder::new().name(name.into()).spawn(move || match File::open(at, writer) {
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
        Ok(Self { place: place.clone(), messages, room, end })
    }

    pub(super) async fn call<T: Send + 'static>(
        &self,
        body: impl FnMut(&Connection, &Moment) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T> {
        let (op, answer) = op(body);
        self.send(Message::Op(op), answer).await
    }

    /// Lets the thread that writes look after the file, and waits for that.
    pub(super) fn settle(&self) -> Result<(), Fault> {
        let (op, answer) = op(|_, _| Ok(()));
        let closed = || self.place.fault(FaultKind::Closed);
        self.messages.send((Message::Op(op), None)).map_err(|_| closed())?;
        match answer.blocking_recv() {
            Ok(Err(StoreError::Fault(fault))) => Err(fault),
            Ok(_) => Ok(()),
            Err(_) => Err(closed()),
        }
    }

    pub(super) async fn backup(&self, to: PathBuf) -> Result<()> {
        let (caller, answer) = oneshot::channel();
        self.send(Message::Backup(to, caller), answer).await
    }

    /// Takes no more calls, and lets the thread end when it has done what was asked before.
    pub(super) fn close(&self) {
        self.room.close();
        let _ = self.messages.send((Message::Look, None));
    }

    /// Waits until the thread has closed the file.
    pub(super) async fn ended(&self) {
        // Nothing is ever sent: this is an error, when there is no sender any more.
        let _ = self.end.clone().changed().await;
    }

    async fn send<T>(&self, message: Message, answer: oneshot::Receiver<Result<T>>) -> Result<T> {
        let closed = || StoreError::from(self.place.fault(FaultKind::Closed));
        let room = self.room.clone().acquire_owned().await.map_err(|_| closed())?;
        self.messages.send((message, Some(room))).map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }
}

/// The thread that writes.
pub(super) fn write(mut file: File, clock: &dyn Clock, mut inbox: Inbox) -> Inbox {
    while let Some(message) = inbox.wait() {
        match message {
            Message::Op(op) => Group::new(op).commit(&mut file, clock, &mut inbox),
            Message::Backup(to, caller) => drop(caller.send(file.backup(&to))),
            Message::Look => {}
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
            Message::Look => {}
        }
    }
    inbox
}

fn answer(mut op: Box<dyn Op>, file: &mut File, clock: &dyn Clock) {
    let mut read = attempt(&mut op, file, clock);
    if read.is_err() && file.was_taken_away() {
        // In the middle, perhaps; perhaps the other thread has put that right by now.
        read = attempt(&mut op, file, clock);
    }
    if let Err(fault) = &read {
        file.suspect(fault.kind());
    }
    op.answer(read.err());
}

/// All that an operation reads is of one state.
fn attempt(op: &mut Box<dyn Op>, file: &mut File, clock: &dyn Clock) -> Result<(), Fault> {
    let session = file.session()?;
    session.execute("BEGIN").map_err(|error| session.fault_of(error))?;
    let read = match catch_unwind(AssertUnwindSafe(|| op.run(&session.connection, &clock.now()))) {
        Ok(outcome) => outcome.map_err(|error| session.fault_of(error)),
        Err(_) => Err(session.fault(FaultKind::Internal)),
    };
    session.rollback()?;
    read
}

impl Inbox {
    fn wait(&mut self) -> Option<Message> {
        if self.room.is_closed() {
            return self.messages.try_recv().ok().map(|(message, _)| message);
        }
        self.messages.blocking_recv().map(|(message, _)| message)
    }

    /// The next operation, if one is there.
    pub(super) fn next(&mut self) -> Option<Box<dyn Op>> {
        loop {
            match self.messages.try_recv().ok()?.0 {
                Message::Op(op) => return Some(op),
                Message::Backup(_, caller) => drop(caller),
                Message::Look => {}
            }
        }
    }
}
