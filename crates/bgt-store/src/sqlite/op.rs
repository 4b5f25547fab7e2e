//! One thing that somebody wants from the file.

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::clock::Moment;
use crate::{Fault, Result, StoreError};

/// Why an operation did not do what it was to do.
#[derive(Debug)]
pub(super) enum Stop {
    /// It was not to be done. What it has written by then stands.
    Refused(StoreError),
    /// SQLite failed, and nothing that was written in the transaction stands.
    Sql(rusqlite::Error),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// An operation whose caller waits. It may have to run again, when another one of its group has failed.
pub(super) trait Op: Send {
    /// Runs it, and keeps what it answers.
    fn run(&mut self, connection: &Connection, now: &Moment) -> Result<(), rusqlite::Error>;
    /// Tells the caller: what it answered, or the fault for which that does not count.
    fn answer(self: Box<Self>, fault: Option<Fault>);
}

struct Typed<T, F> {
    op: F,
    outcome: Option<Result<T>>,
    caller: oneshot::Sender<Result<T>>,
}

/// The operation, and where its answer will arrive.
pub(super) fn op<T: Send + 'static>(
    op: impl FnMut(&Connection, &Moment) -> Result<T, Stop> + Send + 'static,
) -> (Box<dyn Op>, oneshot::Receiver<Result<T>>) {
    let (caller, answer) = oneshot::channel();
    (Box::new(Typed { op, outcome: None, caller }), answer)
}

impl<T: Send, F: FnMut(&Connection, &Moment) -> Result<T, Stop> + Send> Op for Typed<T, F> {
    fn run(&mut self, connection: &Connection, now: &Moment) -> Result<(), rusqlite::Error> {
        self.outcome = Some(match (self.op)(connection, now) {
            Ok(value) => Ok(value),
            Err(Stop::Refused(error)) => Err(error),
            Err(Stop::Sql(error)) => return Err(error),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, fault: Option<Fault>) {
        let outcome = match (fault, self.outcome) {
            (Some(fault), _) => Err(fault.into()),
            (None, Some(outcome)) => outcome,
            (None, None) => return,
        };
        // The caller may have stopped waiting.
        let _ = self.caller.send(outcome);
    }
}
