//! What is known of one run, and who waits for news of it.
//!
//! Owns: the log, the state, the wakers. Never does: keep the run alive.

use std::collections::HashMap;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use bgt_core::{
    Cancel, Chunk, Error, ErrorKind, ErrorParts, Event, EventKind, Observer, Pattern, Progress, Report,
    RunId, Sink, SinkClosed, Status, TaskError,
};
use bgt_log::{Entry, Extent, Follower, From, Log};
use futures_core::Stream;

use crate::rates::Rates;
use crate::{Pace, ProgressFrom, ProgressInfo, Snapshot, Summary};

pub(crate) struct Hub {
    pub(crate) id: RunId,
    pub(crate) name: Arc<str>,
    pub(crate) log: Log,
    /// What was in the log before this run.
    before: Extent,
    pub(crate) cancel: Cancel,
    /// The caller's own switches, which stop the run too.
    others: Vec<Cancel>,
    /// Grows with every change of the state.
    version: AtomicU64,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) status: Status,
    pub(crate) attempt: u32,
    pid: Option<u32>,
    pace: Pace,
    pub(crate) progress: Option<ProgressInfo>,
    rates: Rates,
    /// Whether the latest attempt was asked to stop.
    is_stopping: bool,
    started_at: SystemTime,
    started: Instant,
    pub(crate) summary: Option<Arc<Summary>>,
    waiting: HashMap<u64, Waker>,
    subscribers: u64,
}

impl Hub {
    pub(crate) fn new(
        id: RunId,
        name: Arc<str>,
        log: Log,
        cancels: (Cancel, Vec<Cancel>),
        pace: Pace,
    ) -> Self {
        let now = Instant::now();
        let state = State {
            status: Status::Queued,
            attempt: 0,
            pid: None,
            pace,
            progress: None,
            rates: Rates::new(now),
            is_stopping: false,
            started_at: SystemTime::now(),
            started: now,
            summary: None,
            waiting: HashMap::new(),
            subscribers: 0,
        };
        let (cancel, others) = cancels;
        let before = log.extent();
        Self { id, name, log, before, cancel, others, version: AtomicU64::new(1), state: Mutex::new(state) }
    }

    // Nothing of a caller's runs under the lock, and nothing in there is meant to panic.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(crate) fn subscriber(&self) -> u64 {
        let mut state = self.state();
        state.subscribers += 1;
        state.subscribers
    }

    /// Wakes this one with the next change; answers whether there was none since that version.
    pub(crate) fn wait(&self, subscriber: u64, version: u64, waker: &Waker) -> bool {
        let mut state = self.state();
        state.waiting.insert(subscriber, waker.clone());
        self.version() == version
    }

    pub(crate) fn forget(&self, subscriber: u64) {
        self.state().waiting.remove(&subscriber);
    }

    /// Waits for the end, without a look at the output.
    pub(crate) async fn ended(&self) -> Arc<Summary> {
        let waiter = Waiter { hub: self, number: self.subscriber() };
        poll_fn(|cx| {
            loop {
                let version = self.version();
                if let Some(summary) = self.state().summary.clone() {
                    return Poll::Ready(summary);
                }
                if self.wait(waiter.number, version, cx.waker()) {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// Changes the state if it is not the last one, and tells those who wait; of what is no news it is not told.
    fn change(&self, change: impl FnOnce(&mut State) -> bool) {
        let mut state = self.state();
        if state.summary.is_some() || !change(&mut state) {
            return;
        }
        self.version.fetch_add(1, Ordering::Release);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_values().for_each(Waker::wake);
    }

    /// Takes readings of the progress. All of them count, and of many at once the last is news.
    fn advance(&self, readings: impl IntoIterator<Item = Progress>) {
        self.change(|state| {
            let mut is_news = false;
            for progress in readings {
                is_news |= state.advance(progress);
            }
            is_news
        });
    }

    /// The run is over: what everybody is to hear last.
    pub(crate) fn end<T>(&self, report: &Report<T>) {
        let error = report.result.as_ref().err().map(|error| {
            // A cause may be a type of the caller's, with a `Display` that panics.
            contain(|| format!("{error:#}"))
                .unwrap_or_else(|| "an error that panics when it is shown".into())
                .into()
        });
        self.conclude(report.status(), report.attempts, (report.started_at, report.elapsed), error);
    }

    /// The run was dropped with its runtime.
    fn abandon(&self) {
        let state = self.state();
        let (attempts, times) = (state.attempt, (state.started_at, state.started.elapsed()));
        drop(state);
        self.conclude(Status::Cancelled, attempts, times, Some(RuntimeGone.to_string().into()));
    }

    fn conclude(
        &self,
        status: Status,
        attempts: u32,
        (started_at, elapsed): (SystemTime, Duration),
        error: Option<Arc<str>>,
    ) {
        // What has no newline yet is a line, and is counted.
        self.log.finish();
        let (lines, bytes) = self.written(&self.log.extent());
        let (id, name) = (self.id, self.name.clone());
        let summary = Summary { id, name, status, attempts, started_at, elapsed, error, lines, bytes };
        self.change(|state| {
            (state.status, state.attempt, state.started_at) = (status, attempts, started_at);
            state.summary = Some(Arc::new(summary));
            true
        });
    }

    /// How many lines and bytes this run has written.
    fn written(&self, extent: &Extent) -> (u64, u64) {
        (extent.last - self.before.last, extent.bytes - self.before.bytes)
    }

    /// Whether anybody asked the whole run to stop.
    fn is_cancelled(&self) -> bool {
        self.cancel.reason().is_some() || self.others.iter().any(|cancel| cancel.reason().is_some())
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.state();
        // After the state: of a run that is over, all lines are counted.
        let (extent, now) = (self.log.extent(), Instant::now());
        let (lines, bytes) = self.written(&extent);
        let (lines_per_second, bytes_per_second) = state.rates.at(now, lines, bytes);
        Snapshot {
            id: self.id,
            name: self.name.clone(),
            status: state.status,
            attempt: state.attempt,
            pid: state.pid,
            // Asked anew, as the time left counts down and is withdrawn.
            progress: state.pace.info(now, SystemTime::now()),
            lines,
            bytes,
            first_held: extent.first,
            lines_per_second,
            bytes_per_second,
            started_at: state.started_at,
            elapsed: state.summary.as_ref().map_or_else(|| now - state.started, |summary| summary.elapsed),
            is_stopping: state.summary.is_none() && (state.is_stopping || self.is_cancelled()),
        }
    }
}

/// One who waits, and is forgotten when it does not any more.
struct Waiter<'a> {
    hub: &'a Hub,
    number: u64,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.hub.forget(self.number);
    }
}

/// The runtime that the run was on was shut down, and the run ended with it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the tokio runtime that the run was on was shut down")]
pub(crate) struct RuntimeGone;

/// The log that the run was to write to has its end already.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the log is over: each run needs one of its own, or one opened again with Log::with_files")]
pub(crate) struct LogIsOver;

/// Sees to it that a run comes to an end for those who watch, whatever becomes of the task that drives it.
pub(crate) struct Driver(pub(crate) Arc<Tap>);

impl Driver {
    /// What is answered in place of a run that never starts.
    pub(crate) fn refuse<T>(&self, error: TaskError) -> Report<T> {
        let Hub { id, name, .. } = &*self.0.hub;
        let mut parts = ErrorParts::new(*id, name.clone(), error.with_kind(ErrorKind::Invalid));
        parts.pattern = Pattern::Streaming;
        let started_at = self.0.hub.state().started_at;
        Report::new(*id, name.clone(), started_at, Err(Error::new(parts)))
    }

    /// The run is over.
    pub(crate) fn end<T>(&self, report: &Report<T>) {
        let Tap { hub, .. } = &*self.0;
        // A bar that ends without a newline is a line only now.
        hub.log.finish();
        self.0.read_progress();
        hub.end(report);
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let hub = &self.0.hub;
        let is_over = hub.state().summary.is_some();
        if !is_over {
            hub.abandon();
        }
    }
}

impl State {
    /// Takes a reading, and says whether it is news.
    fn advance(&mut self, progress: Progress) -> bool {
        let now = Instant::now();
        let is_news = self.pace.read(progress, now);
        if is_news {
            self.progress = self.pace.info(now, SystemTime::now());
        }
        is_news
    }
}

impl Hub {
    /// The run tells of its steps. Its end is told by the report, which knows more.
    fn hear(&self, event: &Event) {
        match &event.kind {
            EventKind::AttemptStarted { attempt } => self.change(|state| {
                (state.status, state.attempt) = (Status::Running, *attempt);
                state.pace.restart();
                (state.progress, state.is_stopping) = (None, false);
                true
            }),
            // Nothing that a subscriber is told.
            EventKind::Spawned { pid } => self.state().pid = Some(*pid),
            EventKind::Stopping { .. } => self.state().is_stopping = true,
            EventKind::Progress(progress) => self.advance([progress.clone()]),
            EventKind::Retrying { .. } => self.change(|state| {
                state.status = Status::Queued;
                true
            }),
            _ => {}
        }
    }
}

/// Where the run's output goes: to the log, and past whoever reads progress from it.
pub(crate) struct Tap {
    pub(crate) hub: Arc<Hub>,
    progress: Option<(ProgressFrom, Mutex<Follower>)>,
}

#[async_trait]
impl Sink for Tap {
    async fn write(&self, chunk: Chunk) -> Result<(), SinkClosed> {
        self.hub.log.write(chunk).await?;
        let (lines, bytes) = self.hub.written(&self.hub.log.extent());
        self.hub.state().rates.note(Instant::now(), lines, bytes);
        self.read_progress();
        // The log is always ready: a function that does nothing but emit could not be stopped, nor let others have the
        // thread.
        tokio::task::consume_budget().await;
        Ok(())
    }
}

/// What an attempt left without a newline is a line of its own, and is seen before the next begins.
impl Observer for Tap {
    fn event(&self, event: &Event) {
        if let EventKind::AttemptStarted { .. } | EventKind::Retrying { .. } = event.kind {
            self.hub.log.end_lines();
            self.read_progress();
        }
        self.hub.hear(event);
    }
}

impl Tap {
    pub(crate) fn new(hub: Arc<Hub>, progress: Option<ProgressFrom>) -> Self {
        let progress = progress.map(|from| (from, Mutex::new(hub.log.subscribe(From::Now))));
        Self { hub, progress }
    }

    /// Reads progress from the lines that came since.
    fn read_progress(&self) {
        let Some((from, follower)) = &self.progress else { return };
        let mut follower = follower.lock().unwrap_or_else(PoisonError::into_inner);
        let mut readings = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(entry)) = Pin::new(&mut *follower).poll_next(&mut cx) {
            if let Entry::Line(line) = entry {
                // A function of the caller's: a line that it cannot take tells nothing, and nobody loses the output.
                readings.extend(contain(|| from.read(&line)).flatten());
            }
        }
        drop(follower);
        if !readings.is_empty() {
            self.hub.advance(readings);
        }
    }
}

/// Calls something of the caller's; `None` if it panics, which the panic hook has reported.
pub(crate) fn contain<T>(call: impl FnOnce() -> T) -> Option<T> {
    // What was thrown may panic when it is dropped.
    catch_unwind(AssertUnwindSafe(call)).map_err(std::mem::forget).ok()
}
