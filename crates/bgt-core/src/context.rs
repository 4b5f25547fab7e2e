//! What a task is given for one attempt. The runner's other end of it is in `control`.
//!
//! Owns: the hand-over of cancellation, deadline, progress and output between runner and task. Never does: decide
//! when to cancel, or wait for a task.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::{
    CancelReason, Chunk, ContextBuilder, Event, EventKind, Observer, Pattern, Progress, RunId, Sink,
    SinkClosed, Source,
};

/// What one attempt knows and may do: its run, its deadline, whether it should stop, and where progress and output
/// go. Clones are cheap and share everything.
///
/// A context may outlive its attempt (a subtask may hold a clone); it then stays cancelled or not, and its output
/// still reaches the sink, but those who watch hear no more of it.
#[derive(Clone)]
pub struct Context {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) run: RunId,
    pub(crate) name: Arc<str>,
    pub(crate) pattern: Pattern,
    pub(crate) attempt: u32,
    pub(crate) deadline: Option<Instant>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) sink: Option<Arc<dyn Sink>>,
    pub(crate) signals: AtomicU8,
    pub(crate) changed: Notify,
}

// `Inner::signals`, as bits: three for the reason, one each for the rest.
const REASON: u8 = 0b0000_0111;
pub(crate) const FORCED: u8 = 0b0000_1000;
pub(crate) const WATCHES_ASK: u8 = 0b0001_0000;
pub(crate) const WATCHES_FORCE: u8 = 0b0010_0000;
pub(crate) const ENDED: u8 = 0b0100_0000;

pub(crate) fn encode(reason: CancelReason) -> u8 {
    match reason {
        CancelReason::Caller => 1,
        CancelReason::Deadline => 2,
        CancelReason::Shutdown => 3,
        CancelReason::Halted => 4,
    }
}

pub(crate) fn decode(signals: u8) -> Option<CancelReason> {
    match signals & REASON {
        1 => Some(CancelReason::Caller),
        2 => Some(CancelReason::Deadline),
        3 => Some(CancelReason::Shutdown),
        4 => Some(CancelReason::Halted),
        _ => None,
    }
}

/// The task was asked to stop: the error of [`Context::check`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped: {reason}")]
pub struct Cancelled {
    /// Why.
    pub reason: CancelReason,
}

impl Context {
    /// A context without a runner, to try a task by hand: nothing cancels it, nothing watches it.
    #[must_use]
    pub fn standalone() -> Self {
        ContextBuilder::new(RunId::new(), Arc::from("standalone")).build().0
    }

    /// The run that this attempt belongs to.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        self.inner.run
    }

    /// The name under which the run is listed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Which attempt this is, counted from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.inner.attempt
    }

    /// When this attempt will be asked to stop, if there is a deadline.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.inner.deadline
    }

    /// How long is left until the deadline; zero when it has passed, `None` when there is none.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.inner.deadline.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Waits until the task should stop, and says why.
    ///
    /// A task that has called this (or [`cancel_reason`](Self::cancel_reason) or [`check`](Self::check)) gets its
    /// [`stop_budget`](crate::Task::stop_budget) to end by itself. A task that has never looked is dropped at once,
    /// because waiting for it would be waiting for nothing.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    // A named future rather than `async fn`: the watch begins with the call, not with the first poll.
    pub fn cancelled(&self) -> impl Future<Output = CancelReason> + Send + '_ {
        self.watch(WATCHES_ASK);
        self.until(decode)
    }

    /// Waits until the grace period is to be skipped. For tasks that hold something which must be ended by force,
    /// such as a process; others need only [`cancelled`](Self::cancelled).
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    pub fn forced(&self) -> impl Future<Output = ()> + Send + '_ {
        self.watch(WATCHES_FORCE);
        self.until(|signals| (signals & FORCED != 0).then_some(()))
    }

    /// Why the task should stop, or `None` while it may go on.
    #[must_use]
    pub fn cancel_reason(&self) -> Option<CancelReason> {
        self.watch(WATCHES_ASK);
        decode(self.signals())
    }

    /// `Ok` while the task may go on: `cx.check()?` in a loop is a polite stop.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] with the reason, once the task was asked to stop.
    pub fn check(&self) -> Result<(), Cancelled> {
        self.cancel_reason().map_or(Ok(()), |reason| Err(Cancelled { reason }))
    }

    /// Tells those who watch how far the task has come.
    pub fn progress(&self, progress: Progress) {
        self.notify(EventKind::Progress(progress));
    }

    /// Writes output of the task to the run's sink, if it has one. Waits while the sink is full.
    ///
    /// # Errors
    ///
    /// [`SinkClosed`] when the sink takes no more.
    ///
    /// # Cancel safety
    ///
    /// As the sink's: see [`Sink::write`].
    pub async fn emit(&self, source: Source, bytes: impl Into<Bytes> + Send) -> Result<(), SinkClosed> {
        match &self.inner.sink {
            Some(sink) => sink.write(Chunk { source, at: SystemTime::now(), bytes: bytes.into() }).await,
            None => Ok(()),
        }
    }

    /// The run's sink, if it has one.
    #[must_use]
    pub fn sink(&self) -> Option<&Arc<dyn Sink>> {
        self.inner.sink.as_ref()
    }

    /// Tells those who watch what happens inside the attempt: `Progress`, `Spawned` or `Stopping`.
    ///
    /// The other kinds are the runner's to tell and are ignored here, as is everything after the attempt is over.
    pub fn notify(&self, kind: EventKind) {
        use EventKind::{Progress, Spawned, Stopping};
        let Some(observer) = &self.inner.observer else { return };
        if matches!(kind, Progress(_) | Spawned { .. } | Stopping { .. }) && self.signals() & ENDED == 0 {
            let Inner { run, name, pattern, .. } = &*self.inner;
            observer.notify(&Event::new(*run, name.clone(), *pattern, kind));
        }
    }

    pub(crate) fn signals(&self) -> u8 {
        self.inner.signals.load(Ordering::Acquire)
    }

    fn watch(&self, bit: u8) {
        // Most calls find the bit set already, and a load is cheaper than a locked write.
        if self.signals() & bit == 0 {
            self.inner.signals.fetch_or(bit, Ordering::AcqRel);
        }
    }

    async fn until<T>(&self, ready: impl Fn(u8) -> Option<T> + Send) -> T {
        loop {
            // Created before the look: a change between the look and the wait wakes it.
            let changed = self.inner.changed.notified();
            if let Some(value) = ready(self.signals()) {
                return value;
            }
            changed.await;
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("run", &self.inner.run)
            .field("name", &self.inner.name)
            .field("attempt", &self.inner.attempt)
            .field("cancelled", &decode(self.signals()))
            .finish_non_exhaustive()
    }
}
