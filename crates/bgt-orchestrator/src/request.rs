//! What is asked of the one door.

mod make;
#[cfg(feature = "process")]
pub(crate) mod same;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bgt_core::{Cancel, Needs, Pattern, Retry};

use crate::selection::{Asked, Wishes};

/// Something to be run, and how: the pattern is selected from what is asked for.
///
/// In this order: a [schedule](Self::schedule) makes it periodic, [streaming](Self::streaming) streaming, many tasks
/// ([`for_each`](Self::for_each), [`all`](Self::all)) concurrent, [not to wait](Self::wait) detached,
/// [a pool](Self::ask) pooled; anything else is simple. [`pattern`](Self::pattern) names one instead. What cannot be
/// together is refused before anything runs.
///
/// Plain data; nothing happens until it is [executed](crate::Orchestrator::execute). Every [`Task`](bgt_core::Task)
/// converts, a `Command` too.
///
/// # Examples
///
/// ```
/// use bgt_orchestrator::{Orchestrator, Pattern, Request, Retry, task_fn};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_orchestrator::ExecuteError> {
/// let bgt = Orchestrator::new();
/// let answer = task_fn("answer", |_cx| async { Ok(6 * 7) });
/// let request = Request::task(answer).deadline(Duration::from_secs(5)).retry(Retry::attempts(3));
/// let execution = bgt.execute(request).await?;
/// assert_eq!(execution.pattern(), Pattern::Simple);
/// println!("{}", execution.selection); // simple, because nothing else was asked for
/// assert_eq!(execution.output().await?, 42);
/// # Ok(()) }
/// ```
#[must_use = "a request does nothing until it is executed"]
pub struct Request<T> {
    pub(crate) work: Work<T>,
    pub(crate) pattern: Option<Pattern>,
    #[cfg(feature = "periodic")]
    pub(crate) schedule: Option<bgt_periodic::Schedule>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) streaming: bool,
    pub(crate) max_concurrent: Option<usize>,
    pub(crate) wait: Option<bool>,
    pub(crate) pool: bool,
    pub(crate) pool_within: bool,
    pub(crate) terms: Terms,
}

/// What is to be run.
#[cfg_attr(not(feature = "concurrent"), allow(dead_code, reason = "many are refused without that pattern"))]
pub(crate) enum Work<T> {
    One(T),
    Many(Box<dyn Iterator<Item = (T, Option<Arc<str>>)> + Send>),
}

/// What goes for every run of it.
#[derive(Clone, Default)]
pub(crate) struct Terms {
    pub(crate) deadline: Option<Duration>,
    pub(crate) attempt_deadline: Option<Duration>,
    pub(crate) retry: Option<Retry>,
    pub(crate) needs: Needs,
    pub(crate) cancel: Vec<Cancel>,
}

impl<T: 'static> Request<T> {
    /// Names the pattern; what contradicts it is refused.
    pub fn pattern(mut self, pattern: Pattern) -> Self {
        self.pattern = Some(pattern);
        self
    }

    /// Runs it at times.
    #[cfg(feature = "periodic")]
    #[cfg_attr(docsrs, doc(cfg(feature = "periodic")))]
    pub fn schedule(mut self, schedule: bgt_periodic::Schedule) -> Self {
        self.schedule = Some(schedule);
        self
    }

    /// Sets the name of the schedule, or of the run that is detached on disk; that of the task without this. Other runs have the
    /// names of their tasks.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets whether its output and progress are watched while it runs.
    pub fn streaming(mut self, watched: bool) -> Self {
        self.streaming = watched;
        self
    }

    /// Sets how many of many tasks may run at once; as many as there are processors without this.
    pub fn max_concurrent(mut self, tasks: usize) -> Self {
        self.max_concurrent = Some(tasks);
        self
    }

    /// Sets whether the result is waited for. Not to wait detaches a run: on disk if it is a command, in this process alone if
    /// it is a function. Of many tasks the handle is answered then, as soon as they have begun; they end with it, as a run does
    /// that is streamed: what must outlive its handle is detached.
    #[doc(alias = "fire_and_forget")]
    pub fn wait(mut self, wait: bool) -> Self {
        self.wait = Some(wait);
        self
    }

    /// Sets how long the whole may take, attempts and the waits between them together: of many tasks each, of a schedule each
    /// firing.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.terms.deadline = Some(deadline);
        self
    }

    /// Sets how long one attempt may take.
    pub fn attempt_deadline(mut self, deadline: Duration) -> Self {
        self.terms.attempt_deadline = Some(deadline);
        self
    }

    /// Sets when a failed attempt is tried again; never without this.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.terms.retry = Some(retry);
        self
    }

    /// Sets what it takes of the [limits](crate::OrchestratorBuilder::limits) while it runs: of many tasks each.
    pub fn needs(mut self, needs: Needs) -> Self {
        self.terms.needs = needs;
        self
    }

    /// Lets it be stopped from elsewhere, if it is simple, streamed, pooled, or a batch; the others have handles. Each call adds a
    /// switch.
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.terms.cancel.push(cancel.clone());
        self
    }

    pub(crate) fn wishes(&self) -> Wishes {
        Wishes {
            pattern: self.pattern,
            #[cfg(feature = "periodic")]
            schedule: self.schedule.is_some(),
            #[cfg(not(feature = "periodic"))]
            schedule: false,
            streaming: self.streaming,
            many: matches!(self.work, Work::Many(_)),
            max_concurrent: self.max_concurrent,
            wait: self.wait,
            pool: self.pool,
            pool_within: self.pool_within,
            needs: !self.terms.needs.is_empty(),
            #[cfg(feature = "process")]
            durable: same::is_command::<T>(),
            #[cfg(not(feature = "process"))]
            durable: false,
            name: self.name.is_some(),
        }
    }

    /// The same for another kind of task.
    pub(crate) fn map<U: 'static>(self, map: impl Fn(T) -> U + Send + 'static) -> Request<U> {
        let work = match self.work {
            Work::One(task) => Work::One(map(task)),
            Work::Many(tasks) => Work::Many(Box::new(tasks.map(move |(task, key)| (map(task), key)))),
        };
        Request {
            work,
            pattern: self.pattern,
            #[cfg(feature = "periodic")]
            schedule: self.schedule,
            name: self.name,
            streaming: self.streaming,
            max_concurrent: self.max_concurrent,
            wait: self.wait,
            pool: self.pool,
            pool_within: self.pool_within,
            terms: self.terms,
        }
    }
}

impl<T: 'static> fmt::Debug for Request<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("pattern", &self.pattern.map(Asked::Pattern))
            .field("wishes", &self.wishes())
            .field("deadline", &self.terms.deadline)
            .finish_non_exhaustive()
    }
}
