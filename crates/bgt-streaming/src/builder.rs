//! What a streamed run is asked to be.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bgt_core::{Cancel, Observer, Pattern, Retry, RunId, Sink, Task};
use bgt_log::{Keep, Log};
use bgt_simple::Run;
use tokio::sync::oneshot;

use crate::handle::{Handle, Watch};
use crate::hub::{Driver, Hub, LogIsOver, Tap, contain};
use crate::{Pace, ProgressFrom};

/// Starts a task and lets it be watched. The same as [`stream`] with nothing changed.
///
/// # Panics
///
/// Outside a tokio runtime.
///
/// # Examples
///
/// ```
/// # #[cfg(all(unix, feature = "process"))] {
/// use bgt_streaming::{Command, From, StreamEvent, start};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_streaming::Error> {
/// let run = start(Command::new("printf").arg("one\ntwo\n"));
/// let mut events = run.subscribe(From::Start);
/// let mut lines = Vec::new();
/// while let Some(event) = events.next().await {
///     if let StreamEvent::Line(line) = event {
///         lines.push(line.text().into_owned());
///     }
/// }
/// assert_eq!(lines, ["one", "two"]);
/// assert!(run.await?.exit.success());
/// # Ok(()) } main().unwrap();
/// # }
/// ```
pub fn start<T: Task + 'static>(task: T) -> Handle<T::Output> {
    stream(task).start()
}

/// A run that is about to be started, and watched.
pub fn stream<T: Task + 'static>(task: T) -> Stream<T> {
    Stream { task, options: Options::default() }
}

/// A run that is about to be: [`start`](Self::start) starts it.
#[must_use = "a run does nothing until it is started"]
pub struct Stream<T> {
    task: T,
    options: Options,
}

#[derive(Default)]
struct Options {
    id: Option<RunId>,
    keep: Keep,
    log: Option<Log>,
    progress: Option<ProgressFrom>,
    progress_may_fall: bool,
    deadline: Option<Duration>,
    attempt_deadline: Option<Duration>,
    retry: Retry,
    cancel: Vec<Cancel>,
    closed: Option<Cancel>,
    observers: Vec<Arc<dyn Observer>>,
}

impl<T: Task + 'static> Stream<T> {
    /// Sets how much output is held in memory for those who come late; 8 MiB without this.
    pub fn keep(mut self, keep: Keep) -> Self {
        self.options.keep = keep;
        self
    }

    /// Sets the log that the output goes to, in place of one in memory of the run's own: with `Log::with_files` (feature
    /// `files`) all of it is in files, and watchers go on from any line that these hold. What is [kept](Self::keep) in memory
    /// is then for that log to say.
    ///
    /// A log is for one run: its end is the log's, and with a log that is over a run is refused before it starts. Where the
    /// files of an earlier run are gone on with, watchers that begin at the start see its lines first.
    pub fn log(mut self, log: Log) -> Self {
        self.options.log = Some(log);
        self
    }

    /// Sets how progress is read from lines of output, for programs that print it; a task of your own says it through
    /// its `Context`.
    pub fn progress(mut self, from: ProgressFrom) -> Self {
        self.options.progress = Some(from);
        self
    }

    /// Believes the task when it says that it has fallen back; without this a lower position is ignored, except in a
    /// new attempt.
    pub fn progress_may_fall(mut self) -> Self {
        self.options.progress_may_fall = true;
        self
    }

    /// Sets how long the whole run may take, attempts and the waits between them together.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = Some(deadline);
        self
    }

    /// Sets how long one attempt may take.
    pub fn attempt_deadline(mut self, deadline: Duration) -> Self {
        self.options.attempt_deadline = Some(deadline);
        self
    }

    /// Sets when a failed attempt is tried again; never without this. All attempts write to the same log.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.options.retry = retry;
        self
    }

    /// Lets the run be stopped from elsewhere too; each call adds a switch.
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.options.cancel.push(cancel.clone());
        self
    }

    /// Lets the run not start any more once this switch was used; one that has started goes on.
    pub fn drain_on(mut self, drain: &Cancel) -> Self {
        self.options.closed = Some(drain.clone());
        self
    }

    /// Adds somebody who is told what happens to the run: a registry such as [`Runs`](crate::Runs), metrics.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.options.observers.push(observer);
        self
    }

    /// Sets the run's id; a new one without this.
    pub fn id(mut self, id: RunId) -> Self {
        self.options.id = Some(id);
        self
    }

    /// Starts the run, on the tokio runtime that this is called on.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn start(self) -> Handle<T::Output> {
        let Self { task, options } = self;
        let id = options.id.unwrap_or_else(RunId::new);
        let log = options.log.unwrap_or_else(|| Log::keeping(options.keep));
        let is_over = log.extent().is_over;
        let cancel = Cancel::new();
        let pace = if options.progress_may_fall { Pace::new().may_fall() } else { Pace::new() };
        // Even a name may be the work of code that panics.
        let name = contain(|| task.name().into()).unwrap_or_else(|| "unnamed".into());
        let hub = Arc::new(Hub::new(id, name, log, (cancel.clone(), options.cancel.clone()), pace));
        let tap = Arc::new(Tap::new(hub.clone(), options.progress));
        // Before the spawn: a runtime that is shut down may never come to the first step of it.
        let driver = Driver(tap.clone());
        let mut run = bgt_simple::run(task)
            .id(id)
            .pattern(Pattern::Streaming)
            .retry(options.retry)
            .sink(tap.clone() as Arc<dyn Sink>)
            .observer(tap)
            .cancel(&cancel);
        if let Some(deadline) = options.deadline {
            run = run.deadline(deadline);
        }
        if let Some(deadline) = options.attempt_deadline {
            run = run.attempt_deadline(deadline);
        }
        run = options.cancel.iter().fold(run, Run::cancel);
        run = options.closed.iter().fold(run, Run::drain_on);
        run = options.observers.into_iter().fold(run, Run::observer);
        let (sender, report) = oneshot::channel();
        let watch = Watch { hub };
        tokio::spawn(async move {
            let report = if is_over { driver.refuse(LogIsOver.into()) } else { run.report().await };
            driver.end(&report);
            // Whoever started it may not want to know.
            let _ = sender.send(report);
        });
        Handle::new(watch, report)
    }
}

impl<T: fmt::Debug> fmt::Debug for Stream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("task", &self.task)
            .field("keep", &self.options.keep)
            .field("deadline", &self.options.deadline)
            .finish_non_exhaustive()
    }
}
