//! What is to be done, and how. Plain data.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bgt_core::Retry;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::payload::{Payload, What};
use crate::{DetachedError, Result};

/// Something to be done later and by whomever: a program, or a function that hosts have registered by its name.
///
/// Plain data; nothing happens until it is [detached](crate::Detached::detach). A `Command` converts.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "process")] {
/// use bgt_detached::{Command, Job, Retry};
/// use std::time::Duration;
///
/// let encode = Job::program(Command::new("ffmpeg").args(["-i", "in.mov", "out.mp4"]))
///     .queue("encode")
///     .deadline(Duration::from_secs(4 * 3600))
///     .unique_key("encode/in.mov");
/// let mail = Job::call("mail", &("a@example.org", "hello")).retry(Retry::attempts(5)).delay(Duration::from_secs(60));
/// # let _ = (encode, mail);
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a job does nothing until it is detached"]
pub struct Job {
    pub(crate) task: Task,
    pub(crate) name: Option<String>,
    pub(crate) queue: String,
    pub(crate) priority: i32,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) unique_key: Option<String>,
    pub(crate) start: Start,
    pub(crate) retry: Retry,
    pub(crate) deadline: Option<Duration>,
    pub(crate) attempt_deadline: Option<Duration>,
    pub(crate) rerun_lost: bool,
}

#[derive(Debug)]
pub(crate) enum Task {
    #[cfg(feature = "process")]
    Program(Box<bgt_simple::Command>),
    Call {
        function: String,
        args: std::result::Result<Box<RawValue>, serde_json::Error>,
    },
}

/// When it may start.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    Now,
    After(Duration),
    At(SystemTime),
}

impl Job {
    /// A program. Everything that it depends on is kept with it: its absolute path, its folder and its environment, as they
    /// are when it is detached.
    #[cfg(feature = "process")]
    #[cfg_attr(docsrs, doc(cfg(feature = "process")))]
    pub fn program(command: bgt_simple::Command) -> Self {
        Self::new(Task::Program(Box::new(command)))
    }

    /// A call of a function that was [registered](crate::Builder::function) under this name. What it is given is kept as
    /// JSON.
    pub fn call(function: impl Into<String>, args: &(impl Serialize + ?Sized)) -> Self {
        Self::new(Task::Call { function: function.into(), args: serde_json::value::to_raw_value(args) })
    }

    fn new(task: Task) -> Self {
        Self {
            task,
            name: None,
            queue: crate::DEFAULT_QUEUE.to_owned(),
            priority: 0,
            labels: BTreeMap::new(),
            unique_key: None,
            start: Start::Now,
            retry: Retry::never(),
            deadline: None,
            attempt_deadline: None,
            rerun_lost: false,
        }
    }

    /// Sets the name under which the run is listed; that of the program or function without this.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the queue that it waits in; `default` without this.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = queue.into();
        self
    }

    /// Sets its priority, 0 without this: of the runs of a queue that may start the highest goes first, of equals the one that
    /// was accepted first.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// Adds a label to find it by; at most 64.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// Among runs that are not over at most one has this key: while there is one, detaching another answers with that one.
    pub fn unique_key(mut self, key: impl Into<String>) -> Self {
        self.unique_key = Some(key.into());
        self
    }

    /// Sets how long it waits at least.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.start = Start::After(delay);
        self
    }

    /// Sets when it may start, by the wall clock.
    pub fn not_before(mut self, time: SystemTime) -> Self {
        self.start = Start::At(time);
        self
    }

    /// Sets when a failed attempt is tried again; never without this. Between attempts the run is queued, so the wait
    /// outlives the host.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Sets by when the whole run has to be over, counted from when it was accepted, by the wall clock: waits in the queue and
    /// between attempts count. A run whose deadline has passed in the queue is over when it is its turn.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets how long one attempt may take.
    pub fn attempt_deadline(mut self, deadline: Duration) -> Self {
        self.attempt_deadline = Some(deadline);
        self
    }

    /// Says that a program may be started again if nobody can know how it ended: because the machine went down, or the shim
    /// was killed. Without this such a run is [`Lost`](bgt_core::Status::Lost). Functions are always called again.
    pub fn rerun_lost(mut self) -> Self {
        self.rerun_lost = true;
        self
    }

    /// What is kept of it, and its name.
    pub(crate) async fn payload(self) -> Result<(String, Payload)> {
        self.retry.validate()?;
        let (name, what) = match self.task {
            #[cfg(feature = "process")]
            Task::Program(command) => {
                let command = command.stored().await.map_err(DetachedError::Command)?;
                (command.name().to_owned(), What::Program { command: Box::new(command) })
            }
            Task::Call { function, args } => {
                let args = args.map_err(|source| DetachedError::Json {
                    what: "the arguments",
                    function: function.clone(),
                    source,
                })?;
                (function.clone(), What::Call { function, args })
            }
        };
        let payload = Payload {
            what,
            retry: self.retry,
            deadline: self.deadline,
            attempt_deadline: self.attempt_deadline,
            rerun_lost: self.rerun_lost,
        };
        Ok((self.name.unwrap_or(name), payload))
    }
}

#[cfg(feature = "process")]
impl From<bgt_simple::Command> for Job {
    fn from(command: bgt_simple::Command) -> Self {
        Self::program(command)
    }
}
