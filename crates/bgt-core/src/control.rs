//! The runner's end of a [`Context`]: how it is made, and how its task is asked to stop.
//!
//! Owns: the two ends and the bits that go from this one to the other. Never does: decide when to cancel, or wait
//! for a task.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::context::{ENDED, FORCED, Inner, WATCHES_ASK, WATCHES_FORCE, decode, encode};
use crate::{CancelReason, Context, Observer, Pattern, RunId, Sink};

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

    /// Says that the attempt is over: from now on nothing that still holds the context reaches the observer. What
    /// another thread is sending at this very moment may still arrive. Cancellation and the sink stay as they are.
    pub fn end(&self) {
        self.context.inner.signals.fetch_or(ENDED, Ordering::AcqRel);
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
    use std::future::Future;
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;
    use crate::{Cancelled, Chunk, Event, EventKind, Progress, SinkClosed, Source, Status};

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

    #[derive(Default)]
    struct Notes {
        events: Mutex<Vec<EventKind>>,
        chunks: Mutex<Vec<Chunk>>,
    }

    impl Observer for Notes {
        fn event(&self, event: &Event) {
            self.events.lock().unwrap().push(event.kind.clone());
        }
    }

    #[crate::async_trait]
    impl Sink for Notes {
        async fn write(&self, chunk: Chunk) -> Result<(), SinkClosed> {
            self.chunks.lock().unwrap().push(chunk);
            Ok(())
        }
    }

    #[test]
    fn a_task_tells_only_what_happens_inside_its_attempt() {
        let notes = Arc::new(Notes::default());
        let builder = ContextBuilder::new(RunId::new(), "t".into()).observer(Some(notes.clone()));
        let (cx, _control) = builder.build();
        let kind = crate::ErrorKind::Failed;
        cx.notify(EventKind::Started);
        cx.notify(EventKind::AttemptStarted { attempt: 2 });
        cx.notify(EventKind::Retrying { attempt: 1, kind, after: Duration::ZERO });
        cx.notify(EventKind::Ended { status: Status::Succeeded });
        let inside = [
            EventKind::Spawned { pid: 7 },
            EventKind::Progress(Progress::count(1)),
            EventKind::Stopping { reason: CancelReason::Caller },
        ];
        inside.iter().for_each(|kind| cx.notify(kind.clone()));
        assert_eq!(*notes.events.lock().unwrap(), inside);
    }

    #[tokio::test]
    async fn after_the_end_events_are_muted_and_output_is_not() {
        let notes = Arc::new(Notes::default());
        let builder = ContextBuilder::new(RunId::new(), "t".into());
        let (cx, control) = builder.observer(Some(notes.clone())).sink(Some(notes.clone())).build();
        control.end();
        cx.progress(Progress::count(1));
        cx.notify(EventKind::Spawned { pid: 7 });
        cx.emit(Source::Stdout, "late").await.unwrap();
        assert!(notes.events.lock().unwrap().is_empty());
        assert_eq!(&notes.chunks.lock().unwrap()[0].bytes[..], b"late");
        assert!(cx.check().is_ok());
        control.ask(CancelReason::Shutdown);
        assert_eq!(cx.cancel_reason(), Some(CancelReason::Shutdown));
    }
}
