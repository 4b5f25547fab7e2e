//! From a task to its report: attempts, the waits between them, and what is told to whom.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bgt_core::{
    AttemptFailure, Cancel, CancelReason, ContextBuilder, Error, ErrorKind, ErrorParts, Event, EventKind,
    Observer, Pattern, Report, RunId, Status, Task, TaskError, Verdict,
};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::DeadlinePassed;
use crate::attempt::{Outcome, at, attempt};
use crate::builder::Options;
use crate::contain::{Contained, contain};

pub(crate) async fn execute<T: Task>(task: T, options: Options) -> Report<T::Output> {
    let mut record = Record::begin(&task, &options);
    let span = tracing::info_span!("run", id = %record.id, name = %record.name, pattern = %record.pattern);
    let (result, retried) = async {
        let mut retried = Vec::new();
        (all_attempts(&task, &options, &mut record, &mut retried).await, retried)
    }
    .instrument(span)
    .await;
    let result = result.map_err(|failure| record.error(failure));
    record.end(result.as_ref().map_or_else(Error::status, |_| Status::Succeeded));
    let mut report = Report::new(record.id, record.name.clone(), record.started_at, result);
    report.attempts = record.attempt;
    report.retried = retried;
    report.elapsed = record.started.elapsed();
    report
}

pub(crate) async fn dry_run<T: Task>(task: T, options: Options) -> Result<String, Error> {
    let record = Record::new(&task, &options, None);
    let described = match options.retry.validate() {
        Ok(()) => Contained::new(|| task.describe()).await,
        Err(error) => Err(TaskError::new(error).with_kind(ErrorKind::Invalid)),
    };
    let described = described.map_err(|error| record.error(Failure::new(error)))?;
    tracing::info!(name = %record.name, "dry run: {described}");
    Ok(described)
}

/// What ends a run other than success.
struct Failure {
    error: TaskError,
    reason: Option<CancelReason>,
}

impl Failure {
    fn new(error: TaskError) -> Self {
        Self { error, reason: None }
    }

    /// What a task may answer: that it never ran or was lost is not for it to say.
    fn answered(error: TaskError) -> Self {
        let kind = error.kind();
        let known = !matches!(kind, ErrorKind::Skipped | ErrorKind::Lost);
        Self::new(error.with_kind(if known { kind } else { ErrorKind::Failed }))
    }

    fn stopped(reason: CancelReason, error: TaskError) -> Self {
        let kind = if reason == CancelReason::Deadline { ErrorKind::TimedOut } else { ErrorKind::Cancelled };
        Self { error: error.with_kind(kind), reason: Some(reason) }
    }

    fn cancelled(reason: CancelReason) -> Self {
        Self::stopped(reason, bgt_core::Cancelled { reason }.into())
    }
}

async fn all_attempts<T: Task>(
    task: &T,
    options: &Options,
    record: &mut Record,
    retried: &mut Vec<AttemptFailure>,
) -> Result<T::Output, Failure> {
    if let Err(invalid) = options.retry.validate() {
        return Err(Failure::new(TaskError::new(invalid).with_kind(ErrorKind::Invalid)));
    }
    if let Some(reason) = options.closed.as_ref().and_then(Cancel::reason) {
        return Err(Failure::cancelled(reason));
    }
    let deadline = options.deadline.and_then(|limit| record.started.checked_add(limit));
    let cancel = &options.cancel;
    loop {
        if let Some(reason) = cancel.reason() {
            return Err(Failure::cancelled(reason));
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(timed_out(options, true, None));
        }
        let failure = match one_attempt(task, options, record, deadline).await {
            Ok(value) => return Ok(value),
            Err(failure) => failure,
        };
        // Cancelled while it was ending for another reason: no further attempt, and no word of one.
        if let Some(reason) = cancel.reason() {
            return Err(Failure { reason: failure.reason.or(Some(reason)), ..failure });
        }
        let kind = failure.error.kind();
        let remaining = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let after = match options.retry.decide(record.attempt, kind, remaining, fastrand::f64()) {
            Verdict::Again { after } => after,
            Verdict::GiveUp(_) => return Err(failure),
        };
        let message = in_words(&failure.error);
        tracing::warn!(attempt = record.attempt, ?after, "attempt failed, trying again: {message}");
        record.notify(EventKind::Retrying { attempt: record.attempt, kind, after });
        let elapsed = record.attempt_started.elapsed();
        retried.push(AttemptFailure::new(record.attempt, kind, message, elapsed, after));
        tokio::select! {
            biased;
            reason = cancel.requested() => {
                // The last failure says more than that it was stopped while waiting.
                return Err(Failure::stopped(reason, failure.error));
            }
            // Few runs wait, and each would be larger by it.
            () = Box::pin(at(Instant::now().checked_add(after))) => {}
        }
    }
}

async fn one_attempt<T: Task>(
    task: &T,
    options: &Options,
    record: &mut Record,
    deadline: Option<Instant>,
) -> Result<T::Output, Failure> {
    record.attempt += 1;
    let begins = EventKind::AttemptStarted { attempt: record.attempt };
    if record.attempt > options.earlier_attempts + 1 {
        record.attempt_started = Instant::now();
        record.notify(begins);
    } else {
        // The run has just begun.
        record.notify_at(record.started_at, begins);
    }
    let attempt_deadline =
        options.attempt_deadline.and_then(|limit| record.attempt_started.checked_add(limit));
    let whole = deadline.is_some_and(|whole| attempt_deadline.is_none_or(|attempt| whole <= attempt));
    let context = ContextBuilder::new(record.id, record.name.clone())
        .pattern(record.pattern)
        .attempt(record.attempt)
        .deadline(if whole { deadline } else { attempt_deadline })
        .observer(options.observer.clone())
        .sink(options.sink.clone());
    let span = tracing::info_span!(
        "attempt",
        n = record.attempt,
        pid = tracing::field::Empty,
        exit = tracing::field::Empty
    );
    match attempt(task, context.build(), &options.cancel).instrument(span).await {
        Outcome::Answered(Ok(value)) => Ok(value),
        Outcome::Answered(Err(error)) => Err(Failure::answered(error)),
        Outcome::Stopped { reason: CancelReason::Deadline, answer } => Err(timed_out(options, whole, answer)),
        Outcome::Stopped { reason, answer: Some(answer) } => Err(Failure::stopped(reason, answer)),
        Outcome::Stopped { reason, answer: None } => Err(Failure::cancelled(reason)),
    }
}

fn timed_out(options: &Options, whole: bool, answer: Option<TaskError>) -> Failure {
    let limit = if whole { options.deadline } else { options.attempt_deadline }.unwrap_or_default();
    let (source, tail) = match answer.map(TaskError::into_parts) {
        Some((source, _, tail)) => (Some(source), tail),
        None => (None, None),
    };
    let error = TaskError::new(DeadlinePassed { limit, whole, source }).with_tail(tail.unwrap_or_default());
    Failure::stopped(CancelReason::Deadline, error)
}

fn in_words(error: &TaskError) -> String {
    let mut words = error.to_string();
    let mut cause = error.source().source();
    while let Some(error) = cause {
        let _ = write!(words, ": {error}");
        cause = error.source();
    }
    words
}

/// What is known of the run so far, and who is to be told.
struct Record {
    id: RunId,
    name: Arc<str>,
    pattern: Pattern,
    attempt: u32,
    started_at: SystemTime,
    started: Instant,
    attempt_started: Instant,
    observer: Option<Arc<dyn Observer>>,
}

impl Record {
    fn new<T: Task>(task: &T, options: &Options, observer: Option<Arc<dyn Observer>>) -> Self {
        let (started, started_at) = (Instant::now(), SystemTime::now());
        Self {
            id: options.id.unwrap_or_else(|| RunId::dated(started_at)),
            // Even a name may be the work of code that panics.
            name: contain(|| Arc::from(&*task.name())).unwrap_or_else(|_| Arc::from("unnamed")),
            pattern: options.pattern.unwrap_or(Pattern::Simple),
            attempt: options.earlier_attempts,
            started_at,
            started,
            attempt_started: started,
            observer,
        }
    }

    fn begin<T: Task>(task: &T, options: &Options) -> Self {
        let record = Self::new(task, options, options.observer.clone());
        record.notify_at(record.started_at, EventKind::Started);
        record
    }

    fn notify(&self, kind: EventKind) {
        if self.observer.is_some() {
            self.notify_at(SystemTime::now(), kind);
        }
    }

    fn notify_at(&self, at: SystemTime, kind: EventKind) {
        if let Some(observer) = &self.observer {
            observer.notify(&Event::dated(at, self.id, self.name.clone(), self.pattern, kind));
        }
    }

    fn end(&mut self, status: Status) {
        self.notify(EventKind::Ended { status });
        self.observer = None;
    }

    fn error(&self, Failure { error, reason }: Failure) -> Error {
        let mut parts = ErrorParts::new(self.id, self.name.clone(), error);
        parts.pattern = self.pattern;
        parts.attempt = self.attempt;
        parts.reason = reason;
        parts.elapsed = self.elapsed();
        Error::new(parts)
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A run that is dropped before its end was cancelled, and those who watch it hear so.
impl Drop for Record {
    fn drop(&mut self) {
        self.notify(EventKind::Ended { status: Status::Cancelled });
    }
}
