//! What a task is given for one attempt, and the runner's other end of it.
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
    CancelReason, Chunk, Event, EventKind, Observer, Pattern, Progress, RunId, Sink, SinkClosed, Source,
};

/// What one attempt knows and may do: its run, its deadline, whether it should stop, and where progress and output
/// go. Clones are cheap and share everything.
///
/// A context may outlive its attempt (a subtask may hold a clone); it then stays cancelled or not, and its output
/// still reaches the sink.
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

struct Inner {
    run: RunId,
    name: Arc<str>,
    pattern: Pattern,
    attempt: u32,
    deadline: Option<Instant>,
    observer: Option<Arc<dyn Observer>>,
    sink: Option<Arc<dyn Sink>>,
    signals: AtomicU8,
    changed: Notify,
}

// `Inner::signals`, as bits: two for the reason, one each for the rest.
const REASON: u8 = 0b0000_0011;
const FORCED: u8 = 0b0000_0100;
const WATCHES_ASK: u8 = 0b0000_1000;
const WATCHES_FORCE: u8 = 0b0001_0000;

fn encode(reason: CancelReason) -> u8 {
    match reason {
        CancelReason::Caller => 1,
        CancelReason::Deadline => 2,
        CancelReason::Shutdown => 3,
    }
}

fn decode(signals: u8) -> Option<CancelReason> {
    match signals & REASON {
        1 => Some(CancelReason::Caller),
        2 => Some(CancelReason::Deadline),
        3 => Some(CancelReason::Shutdown),
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
        if self.inner.observer.is_some() {
            self.notify(EventKind::Progress(progress));
        }
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

    /// Tells the observer, if there is one.
    pub fn notify(&self, kind: EventKind) {
        if let Some(observer) = &self.inner.observer {
            observer.notify(&Event {
                run: self.inner.run,
                name: self.inner.name.clone(),
                pattern: self.inner.pattern,
                at: SystemTime::now(),
                kind,
            });
        }
    }

    fn signals(&self) -> u8 {
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

/// Makes a [`Context`] and its [`Control`]: for those who write a runner.
#[must_use]
pub struct ContextBuilder(Inner);

impl ContextBuilder {
    /// A context for the first attempt of a simple run.
    pub fn new(run: RunId, name: Arc<str>) -> Self {
        Self(Inner {
            run,
            name,
            pattern: Pattern::Simple,
            attempt: 1,
            deadline: None,
            observer: None,
            sink: None,
            signals: AtomicU8::new(0),
            changed: Notify::const_new(),
        })
    }

    /// The pattern that runs it.
    pub fn pattern(mut self, pattern: Pattern) -> Self {
        self.0.pattern = pattern;
        self
    }

    /// Which attempt, counted from 1.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.0.attempt = attempt;
        self
    }

    /// When the attempt will be asked to stop.
    pub fn deadline(mut self, deadline: Option<Instant>) -> Self {
        self.0.deadline = deadline;
        self
    }

    /// Who is told of events.
    pub fn observer(mut self, observer: Option<Arc<dyn Observer>>) -> Self {
        self.0.observer = observer;
        self
    }

    /// Where output goes.
    pub fn sink(mut self, sink: Option<Arc<dyn Sink>>) -> Self {
        self.0.sink = sink;
        self
    }

    /// The task's end and the runner's end.
    #[must_use]
    pub fn build(self) -> (Context, Control) {
        let context = Context { inner: Arc::new(self.0) };
        (context.clone(), Control { context })
    }
}

/// The runner's end of a [`Context`]. Dropping it leaves the context as it is.
#[derive(Debug)]
pub struct Control {
    context: Context,
}

impl Control {
    /// Asks the task to stop. The first reason stays.
    pub fn ask(&self, reason: CancelReason) {
        self.change(|signals| if decode(signals).is_some() { signals } else { signals | encode(reason) });
    }

    /// Tells the task to skip the grace period. Asks as well, if nobody has.
    pub fn force(&self, reason: CancelReason) {
        self.ask(reason);
        self.change(|signals| signals | FORCED);
    }

    /// Whether the task has ever looked at its cancellation.
    #[must_use]
    pub fn watches_cancel(&self) -> bool {
        self.context.signals() & WATCHES_ASK != 0
    }

    /// Whether the task wants to know when the grace period is to be skipped.
    #[must_use]
    pub fn watches_force(&self) -> bool {
        self.context.signals() & WATCHES_FORCE != 0
    }

    fn change(&self, next: impl Fn(u8) -> u8) {
        let _ = self
            .context
            .inner
            .signals
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |signals| Some(next(signals)));
        self.context.inner.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> (Context, Control) {
        ContextBuilder::new(RunId::new(), "t".into()).build()
    }

    #[tokio::test]
    async fn the_first_reason_stays_and_force_is_a_second_step() {
        let (cx, control) = context();
        assert!(cx.check().is_ok());
        control.ask(CancelReason::Deadline);
        control.ask(CancelReason::Caller);
        assert_eq!(cx.cancelled().await, CancelReason::Deadline);
        assert_eq!(cx.check(), Err(Cancelled { reason: CancelReason::Deadline }));
        assert!(tokio::time::timeout(Duration::ZERO, cx.forced()).await.is_err());
        control.force(CancelReason::Caller);
        cx.forced().await;
        assert_eq!(cx.cancel_reason(), Some(CancelReason::Deadline));
    }

    #[tokio::test]
    async fn a_waiter_on_another_task_is_woken() {
        let (cx, control) = context();
        let waiting = cx.cancelled();
        let mut waiting = std::pin::pin!(waiting);
        assert!(futures_poll_once(waiting.as_mut()).await.is_none());
        control.ask(CancelReason::Shutdown);
        assert_eq!(waiting.await, CancelReason::Shutdown);
    }

    async fn futures_poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
        std::future::poll_fn(|cx| match std::pin::Pin::new(&mut future).poll(cx) {
            std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }

    #[test]
    fn watching_is_noticed_at_the_call() {
        let (cx, control) = context();
        assert!(!control.watches_cancel());
        drop(cx.cancelled());
        assert!(control.watches_cancel() && !control.watches_force());
        drop(cx.forced());
        assert!(control.watches_force());
    }
}
