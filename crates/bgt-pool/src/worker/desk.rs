//! Where a caller and the minder of a worker meet. At most one waits here: a worker has one request at a time.
//!
//! Owns: who waits for which answer, and whether the worker is over. Never does: read, write, or judge.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::error::CallError;

/// What a worker is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// That it is ready.
    Ready,
    /// The answer to this request.
    Answer(u32),
}

/// What came.
#[derive(Debug)]
pub(crate) enum Heard {
    Ready {
        protocol: u32,
    },
    /// `last` when the worker said more than that, and is asked nothing any more.
    Answer {
        exit_code: i32,
        output: Bytes,
        cancelled: bool,
        last: bool,
    },
}

/// The end of a worker: what ended it, and the last lines that it printed.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) error: CallError,
    pub(crate) tail: String,
}

pub(crate) type Listener = oneshot::Receiver<Result<Heard, End>>;

#[derive(Debug, Default)]
pub(crate) struct Desk {
    state: Mutex<State>,
    over: AtomicBool,
    gone: Notify,
    heavy: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    waiting: Option<(Awaited, oneshot::Sender<Result<Heard, End>>)>,
    closed: bool,
    /// What a worker that ended by itself ended of, for those who come later.
    end: Option<(String, String)>,
}

impl Desk {
    /// Waits here for something of the worker; `None` when it is over.
    pub(crate) fn wait_for(&self, awaited: Awaited) -> Option<Listener> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        let (tell, told) = oneshot::channel();
        state.waiting = Some((awaited, tell));
        Some(told)
    }

    /// What is waited for, if anything.
    pub(crate) fn awaited(&self) -> Option<Awaited> {
        self.state().waiting.as_ref().map(|(awaited, _)| *awaited)
    }

    /// Tells who waits. One that has gone hears nothing.
    pub(crate) fn tell(&self, heard: Heard) {
        let waiting = self.state().waiting.take();
        if let Some((_, tell)) = waiting {
            let _ = tell.send(Ok(heard));
        }
    }

    /// From now on nobody begins to wait.
    pub(crate) fn close(&self) {
        self.state().closed = true;
    }

    /// The worker is gone: tells who waits, and keeps it for those who ask.
    pub(crate) fn end(&self, end: End) {
        let waiting = {
            let mut state = self.state();
            state.end = Some((end.error.to_string(), end.tail.clone()));
            state.waiting.take()
        };
        self.over.store(true, Ordering::Release);
        self.gone.notify_waiters();
        if let Some((_, tell)) = waiting {
            let _ = tell.send(Err(end));
        }
    }

    /// Whether the worker is gone.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Waits until the worker is gone. Cancel-safe.
    pub(crate) async fn gone(&self) {
        let gone = self.gone.notified();
        if !self.is_over() {
            gone.await;
        }
    }

    /// What it ended of, and the last lines that it printed.
    pub(crate) fn last_words(&self) -> (String, String) {
        self.state().end.clone().unwrap_or_default()
    }

    /// The worker has more in memory than it may.
    pub(crate) fn set_heavy(&self) {
        self.heavy.store(true, Ordering::Release);
    }

    pub(crate) fn is_heavy(&self) -> bool {
        self.heavy.load(Ordering::Acquire)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
