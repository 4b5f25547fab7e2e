//! What a run is asked to be.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bgt_core::{Cancel, Error, Observer, Pattern, Report, Retry, RunId, Sink, Task};

use crate::cancels::Cancels;
use crate::runner;

/// Runs a task once, to its end. Nothing happens until the answer is awaited.
///
/// A task can also be run by reference, which leaves it for the next time: `run(&task)`.
///
/// # Examples
///
/// ```
/// use bgt_simple::{Cancel, ErrorKind, run, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let endless = task_fn("endless", |_cx| std::future::pending::<Result<(), bgt_simple::TaskError>>());
/// let cancel = Cancel::new();
/// cancel.cancel();
/// let error = run(&endless).cancel(&cancel).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Cancelled);
/// # }
/// ```
pub fn run<'a, T: Task + 'a>(task: T) -> Run<'a, T> {
    Run { task, options: Options::default(), lifetime: PhantomData }
}

/// A run that is about to be: awaiting it gives the task's output or an [`Error`], awaiting
/// [`report`](Run::report) gives the whole [`Report`].
///
/// # Errors
///
/// Awaiting it answers an [`Error`] whose [`kind`](Error::kind) says what happened: refused, failed, timed out,
/// cancelled, panicked.
///
/// To spawn it, make a future of it: `tokio::spawn(run(task).into_future())`.
///
/// # Panics
///
/// Outside a tokio runtime. A panic of the task is an error, not a panic; so is a runtime without its I/O driver, which
/// programs need.
///
/// # Cancel safety
///
/// Dropping the future before it is done ends the task at once, without a grace period; of a program, the whole
/// process tree is killed. To stop it politely use [`cancel`](Run::cancel).
#[must_use = "a run does nothing until it is awaited"]
pub struct Run<'a, T> {
    task: T,
    options: Options,
    lifetime: PhantomData<&'a ()>,
}

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) id: Option<RunId>,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) earlier_attempts: u32,
    pub(crate) deadline: Option<Duration>,
    pub(crate) attempt_deadline: Option<Duration>,
    pub(crate) retry: Retry,
    pub(crate) cancel: Cancels,
    /// Looked at when it is about to start, and not again.
    pub(crate) closed: Option<Cancel>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) sink: Option<Arc<dyn Sink>>,
}

impl<'a, T: Task + 'a> Run<'a, T> {
    /// Sets how long the whole run may take, attempts and the waits between them together.
    ///
    /// When it is over the task is asked to stop and given its [`stop_budget`](Task::stop_budget). A deadline of
    /// zero is over before anything starts.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = Some(deadline);
        self
    }

    /// Sets how long one attempt may take.
    pub fn attempt_deadline(mut self, deadline: Duration) -> Self {
        self.options.attempt_deadline = Some(deadline);
        self
    }

    /// Sets when a failed attempt is tried again; never without this.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.options.retry = retry;
        self
    }

    /// Lets the run be stopped from elsewhere; each call adds a switch, and the first that is used decides. A
    /// `tokio_util` `CancellationToken` converts to a [`Cancel`].
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.options.cancel.push(cancel.clone());
        self
    }

    /// Lets the run not start any more once this switch was used; one that has started goes on. [`cancel`](Self::cancel)
    /// stops what runs, too.
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_simple::{Cancel, ErrorKind, run, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let closing = Cancel::new();
    /// let late = run(task_fn("late", |_cx| async { Ok(()) })).drain_on(&closing);
    /// closing.cancel();
    /// assert_eq!(late.await.unwrap_err().kind(), ErrorKind::Cancelled);
    /// # }
    /// ```
    pub fn drain_on(mut self, drain: &Cancel) -> Self {
        self.options.closed = Some(drain.clone());
        self
    }

    /// Adds somebody who is told what happens to the run: a registry such as [`Runs`](crate::Runs), metrics, a log.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.options.observer = Some(match self.options.observer.take() {
            Some(earlier) => Arc::new(vec![earlier, observer]),
            None => observer,
        });
        self
    }

    /// Sets where output goes while the task runs, in addition to being captured.
    pub fn sink(mut self, sink: Arc<dyn Sink>) -> Self {
        self.options.sink = Some(sink);
        self
    }

    /// Sets the run's id; a new one without this.
    pub fn id(mut self, id: RunId) -> Self {
        self.options.id = Some(id);
        self
    }

    /// Sets the pattern that the run is listed under: for those who write a pattern.
    pub fn pattern(mut self, pattern: Pattern) -> Self {
        self.options.pattern = Some(pattern);
        self
    }

    /// Sets how many attempts there were before this run, so that the next is counted on from there: for those who write a
    /// pattern whose attempts are runs of their own.
    pub fn earlier_attempts(mut self, attempts: u32) -> Self {
        self.options.earlier_attempts = attempts;
        self
    }

    /// Runs the task and answers the whole story, whatever came of it.
    ///
    /// # Cancel safety
    ///
    /// As for the run itself: dropping it ends the task at once.
    // Not `async fn`: its future would hold the whole of `self` beside what it becomes.
    pub fn report(self) -> impl Future<Output = Report<T::Output>> {
        runner::execute(self.task, self.options)
    }

    /// Runs nothing: makes the checks of a run, all but opening the files of redirections, and answers what it would do,
    /// which is also logged with `tracing`. Redirections and stdin are not shown. For a program that is the exact command line with folder and environment; for its parts there is
    /// `Command::plan`.
    ///
    /// # Errors
    ///
    /// What a run would be refused for.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(all(unix, feature = "process"))] {
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_simple::Error> {
    /// let remove = bgt_simple::Command::new("/bin/rm").args(["-r", "old files"]).current_dir("/");
    /// assert_eq!(bgt_simple::run(remove).dry_run().await?, "cd / && /bin/rm -r 'old files'");
    /// # Ok(()) } main().unwrap();
    /// # }
    /// ```
    pub async fn dry_run(self) -> Result<String, Error> {
        runner::dry_run(self.task, self.options).await
    }
}

impl<'a, T: Task + 'a> IntoFuture for Run<'a, T> {
    type Output = Result<T::Output, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.report().await.result })
    }
}

impl<T: fmt::Debug> fmt::Debug for Run<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("task", &self.task)
            .field("deadline", &self.options.deadline)
            .field("attempt_deadline", &self.options.attempt_deadline)
            .field("retry", &self.options.retry)
            .finish_non_exhaustive()
    }
}
