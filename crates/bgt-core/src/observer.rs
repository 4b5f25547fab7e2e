//! Watching runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::{ErrorKind, Pattern, Progress, RunId, Status};

/// Something that happened to a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The run.
    pub run: RunId,
    /// The task's name.
    pub name: Arc<str>,
    /// The pattern that runs it.
    pub pattern: Pattern,
    /// When, by the wall clock.
    pub at: SystemTime,
    /// What.
    pub kind: EventKind,
}

impl Event {
    /// An event of now, for those who write a runner.
    #[must_use]
    pub fn new(run: RunId, name: Arc<str>, pattern: Pattern, kind: EventKind) -> Self {
        Self::dated(SystemTime::now(), run, name, pattern, kind)
    }

    /// The same of a time that has just been read: a clock costs as much as the rest of an event.
    #[must_use]
    pub fn dated(at: SystemTime, run: RunId, name: Arc<str>, pattern: Pattern, kind: EventKind) -> Self {
        Self { run, name, pattern, at, kind }
    }
}

/// What happened. Every run sends `Started` first and `Ended` last, each exactly once.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// The run was taken up.
    Started,
    /// An attempt begins, counted from 1.
    AttemptStarted {
        /// Which.
        attempt: u32,
    },
    /// The attempt has started a program.
    Spawned {
        /// The program's process id.
        pid: u32,
    },
    /// The task says how far it has come.
    Progress(Progress),
    /// An attempt failed and another follows.
    Retrying {
        /// The attempt that failed, counted from 1.
        attempt: u32,
        /// What kind of failure.
        kind: ErrorKind,
        /// How long until the next attempt.
        after: Duration,
    },
    /// The task was asked to stop. Sent by programs; a function that wants it known says so with
    /// [`Context::notify`](crate::Context::notify).
    Stopping {
        /// Why.
        reason: crate::CancelReason,
    },
    /// The run is over.
    Ended {
        /// Its final status.
        status: Status,
    },
}

/// Is told of everything that happens to the runs it watches.
///
/// Called from the run itself, so it must never block and should be quick; a panic in it is contained and the event
/// is lost. To watch from elsewhere, send the event through a channel that does not wait.
pub trait Observer: Send + Sync {
    /// Takes note.
    fn event(&self, event: &Event);
}

impl dyn Observer {
    /// Tells the observer, and contains a panic in it: watching must not disturb what is watched.
    pub fn notify(&self, event: &Event) {
        let told = catch_unwind(AssertUnwindSafe(|| self.event(event)));
        // The panic hook has reported it; there is nobody else to tell. What was thrown may itself panic as it is
        // dropped, and so may what that throws: there it ends, at the price of a leak.
        if let Err(thrown) = told {
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(thrown)));
            std::mem::forget(dropped);
        }
    }
}

/// All of them are told, in turn.
impl Observer for Vec<Arc<dyn Observer>> {
    fn event(&self, event: &Event) {
        for observer in self {
            observer.notify(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::panic_any(Self);
        }
    }

    struct Thrower;

    impl Observer for Thrower {
        fn event(&self, _event: &Event) {
            std::panic::panic_any(Bomb);
        }
    }

    #[test]
    fn a_panic_that_panics_as_it_is_dropped_stays_inside() {
        let event = Event::new(RunId::new(), "t".into(), Pattern::Simple, EventKind::Started);
        let told = catch_unwind(AssertUnwindSafe(|| <dyn Observer>::notify(&Thrower, &event)))
            .map_err(std::mem::forget);
        assert!(told.is_ok());
    }
}
