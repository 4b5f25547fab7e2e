//! The one door: a request goes to the pattern that it asks for.

use std::time::Duration;

use bgt_core::{Pattern, Task};
use bgt_simple::Run;

#[cfg(all(feature = "process", any(feature = "pooled", feature = "detached")))]
use crate::request::same::same;
use crate::request::{Request, Terms, Work};
use crate::selection::{Selection, select};
use crate::{ExecuteError, Execution, Limited, Orchestrator, Outcome};

impl Orchestrator {
    /// Runs a request by the pattern that it asks for, and says which that is and why. What is waited for has ended when this has
    /// answered; whether it succeeded is in the answer.
    ///
    /// # Errors
    ///
    /// What is refused before anything runs: things that contradict each other, values that make no sense, a pattern that is not
    /// compiled in, and what the pattern itself refuses. A program that is not there is an error of its run, but for one that is
    /// to be detached, which is looked for first.
    /// Of no tasks at all the report is empty, and a success.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends at once what is waited for; what is not is executed as a whole or not at all.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(all(unix, feature = "process", feature = "concurrent"))] {
    /// use bgt_orchestrator::{ExecuteError, Orchestrator, Outcome, Pattern, Request};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ExecuteError> {
    /// let bgt = Orchestrator::new();
    /// let request = Request::program("wc").arg("-c").for_each(["/etc/passwd", "/etc/group"]).max_concurrent(2);
    /// let execution = bgt.execute(request).await?;
    /// assert_eq!(execution.selection.to_string(), "concurrent, because of many tasks");
    /// if let Outcome::Batch(report) = execution.outcome {
    ///     assert_eq!(report.counts.succeeded, 2);
    /// }
    ///
    /// let nonsense = Request::program("true").pattern(Pattern::Simple).wait(false);
    /// let error = bgt.execute(nonsense).await.unwrap_err();
    /// assert!(error.to_string().starts_with("the pattern simple and wait(false) contradict each other"));
    /// # Ok(()) } main().unwrap();
    /// # }
    /// ```
    pub async fn execute<T: Task + 'static>(
        &self,
        request: impl Into<Request<T>>,
    ) -> Result<Execution<T::Output>, ExecuteError> {
        let request = request.into();
        let selection = select(&request.wishes())?;
        self.check(&request)?;
        #[cfg(all(feature = "pooled", feature = "process"))]
        if request.pool && !request.pool_within && selection.pattern != Pattern::Detached {
            let scripts = self.scripts().clone();
            let warm = request.map(move |task| warm(&scripts, task));
            let outcome = self.limited(warm, &selection).await?;
            return Ok(Execution { selection, outcome });
        }
        let outcome = self.limited(request, &selection).await?;
        Ok(Execution { selection, outcome })
    }

    /// With a share of the limits, if it needs one; a batch sees to that by itself.
    async fn limited<T: Task + 'static>(
        &self,
        request: Request<T>,
        selection: &Selection,
    ) -> Result<Outcome<T::Output>, ExecuteError> {
        if request.terms.needs.is_empty() || matches!(request.work, Work::Many(_)) {
            return self.dispatch(request, selection).await;
        }
        let (limits, needs) = (self.limits(), request.terms.needs.clone());
        let limited = request.map(move |task| Limited::new(task, limits.clone(), needs.clone()));
        self.dispatch(limited, selection).await
    }

    /// Refuses values that make no sense.
    fn check<T>(&self, request: &Request<T>) -> Result<(), ExecuteError> {
        let terms = &request.terms;
        let invalid = |what, found: &str, expected| {
            Err(ExecuteError::Invalid { what, found: found.to_owned(), expected })
        };
        for (what, deadline) in
            [("the deadline", terms.deadline), ("the deadline of an attempt", terms.attempt_deadline)]
        {
            if deadline == Some(Duration::ZERO) {
                return invalid(what, "0", "more than no time");
            }
        }
        if request.max_concurrent == Some(0) {
            return invalid("the most concurrent tasks", "0", "at least 1");
        }
        if let Some(retry) = &terms.retry {
            retry.validate()?;
        }
        if !terms.needs.is_empty() {
            self.limits().check(&terms.needs)?;
        }
        Ok(())
    }

    async fn dispatch<T: Task + 'static>(
        &self,
        request: Request<T>,
        selection: &Selection,
    ) -> Result<Outcome<T::Output>, ExecuteError> {
        match selection.pattern {
            Pattern::Simple => {
                let Request { work: Work::One(task), terms, .. } = request else { return off(selection) };
                Ok(Outcome::Ended(terms.of(self.simple(task)).report().await))
            }
            #[cfg(feature = "streaming")]
            Pattern::Streaming => {
                let Request { work: Work::One(task), terms, .. } = request else { return off(selection) };
                Ok(Outcome::Streaming(terms.of_stream(self.streaming(task)).start()))
            }
            #[cfg(feature = "concurrent")]
            Pattern::Concurrent => self.execute_many(request).await,
            #[cfg(feature = "detached")]
            Pattern::Detached => self.execute_detached(request, selection).await,
            #[cfg(feature = "periodic")]
            Pattern::Periodic => self.execute_periodic(request).await,
            #[cfg(feature = "pooled")]
            Pattern::Pooled => self.execute_pooled(request, selection).await,
            #[cfg(not(all(
                feature = "streaming",
                feature = "concurrent",
                feature = "detached",
                feature = "periodic",
                feature = "pooled"
            )))]
            _ => off(selection),
        }
    }

    #[cfg(feature = "concurrent")]
    async fn execute_many<T: Task + 'static>(
        &self,
        request: Request<T>,
    ) -> Result<Outcome<T::Output>, ExecuteError> {
        use bgt_concurrent::{Item, batch};
        let Request { work, terms, max_concurrent, wait, .. } = request;
        let tasks = match work {
            Work::One(task) => Box::new(std::iter::once((task, None))),
            Work::Many(tasks) => tasks,
        };
        let items = tasks.map(|(task, key)| match key {
            Some(key) => Item::new(task).key(key),
            None => Item::new(task),
        });
        let mut batch = self.concurrent(batch(items)).needs(terms.needs);
        if let Some(tasks) = max_concurrent {
            batch = batch.max_concurrent(tasks);
        }
        if let Some(deadline) = terms.deadline {
            batch = batch.task_deadline(deadline);
        }
        if let Some(deadline) = terms.attempt_deadline {
            batch = batch.attempt_deadline(deadline);
        }
        if let Some(retry) = terms.retry {
            batch = batch.retry(retry);
        }
        batch = terms.cancel.iter().fold(batch, bgt_concurrent::Batch::cancel);
        if wait == Some(false) {
            return Ok(Outcome::Batching(batch.start().await?));
        }
        Ok(Outcome::Batch(Box::new(batch.await?)))
    }

    #[cfg(feature = "detached")]
    async fn execute_detached<T: Task + 'static>(
        &self,
        request: Request<T>,
        selection: &Selection,
    ) -> Result<Outcome<T::Output>, ExecuteError> {
        use bgt_core::RunId;
        let Request {
            work: Work::One(task),
            terms,
            #[cfg(feature = "process")]
            name,
            ..
        } = request
        else {
            return off(selection);
        };
        #[cfg(feature = "process")]
        let task = match same::<T, bgt_simple::Command>(task) {
            Ok(command) => return self.execute_on_disk(command, terms, name).await,
            Err(task) => task,
        };
        let id = RunId::new();
        // Before the look: a shutdown that begins now finds it in the list, or is found.
        let local = self.shared.locals.add(id, &self.shared.watcher);
        let run = if self.shared.switches.closing.reason().is_some() {
            self.run_as(Pattern::Detached, task)
        } else {
            self.accepted_as(Pattern::Detached, task)
        };
        let run = terms.of(run.id(id)).report();
        tokio::spawn(async move {
            // Nobody will hear of its output.
            drop(run.await);
            drop(local);
        });
        Ok(Outcome::Local(id))
    }

    #[cfg(all(feature = "detached", feature = "process"))]
    async fn execute_on_disk<O>(
        &self,
        command: bgt_simple::Command,
        terms: Terms,
        name: Option<std::sync::Arc<str>>,
    ) -> Result<Outcome<O>, ExecuteError> {
        let mut job = bgt_detached::Job::program(command);
        if let Some(name) = name {
            job = job.name(&*name);
        }
        if let Some(deadline) = terms.deadline {
            job = job.deadline(deadline);
        }
        if let Some(deadline) = terms.attempt_deadline {
            job = job.attempt_deadline(deadline);
        }
        if let Some(retry) = terms.retry {
            job = job.retry(retry);
        }
        Ok(Outcome::Detached(self.detached(job).await?))
    }

    #[cfg(feature = "periodic")]
    async fn execute_periodic<T: Task + 'static>(
        &self,
        request: Request<T>,
    ) -> Result<Outcome<T::Output>, ExecuteError> {
        let Request { work: Work::One(task), terms, schedule: Some(mut schedule), name, .. } = request else {
            return Err(ExecuteError::Missing {
                pattern: Pattern::Periodic,
                missing: "a schedule",
                instead: "say when it is to run, with Request::schedule",
            });
        };
        if let Some(deadline) = terms.deadline {
            schedule = schedule.deadline(deadline);
        }
        if let Some(deadline) = terms.attempt_deadline {
            schedule = schedule.attempt_deadline(deadline);
        }
        if let Some(retry) = terms.retry {
            schedule = schedule.retry(retry);
        }
        let name = name.unwrap_or_else(|| task.name().into());
        Ok(Outcome::Scheduled(self.periodic(name, schedule, task).await?))
    }

    #[cfg(feature = "pooled")]
    async fn execute_pooled<T: Task + 'static>(
        &self,
        request: Request<T>,
        selection: &Selection,
    ) -> Result<Outcome<T::Output>, ExecuteError> {
        let Request { work: Work::One(task), terms, pool: true, .. } = request else {
            return Err(ExecuteError::Missing {
                pattern: selection.pattern,
                missing: "a pool that can run it",
                instead: "ask workers, with Request::ask, or let a script be pooled",
            });
        };
        Ok(Outcome::Ended(terms.of(self.run_as(Pattern::Pooled, task)).report().await))
    }
}

/// The same command, run in an interpreter that is warm.
#[cfg(all(feature = "pooled", feature = "process"))]
fn warm<T: Task + 'static>(scripts: &bgt_pool::ScriptPool, task: T) -> Box<dyn Task<Output = T::Output>> {
    let warm = same(task).map(|command| Box::new(scripts.task(command)) as Box<dyn Task<Output = _>>);
    match warm.map(same::<Box<dyn Task<Output = bgt_simple::Output>>, _>) {
        Ok(Ok(warm)) => warm,
        Ok(Err(_)) => unreachable!("the output of a command is the same however it runs"),
        // Nothing but commands can be asked to be pooled.
        Err(task) => Box::new(task),
    }
}

/// What was selected cannot be done with what is compiled in.
fn off<O>(selection: &Selection) -> Result<Outcome<O>, ExecuteError> {
    Err(ExecuteError::FeatureOff { selection: selection.clone() })
}

impl Terms {
    fn of<'a, T: Task + 'a>(&self, mut run: Run<'a, T>) -> Run<'a, T> {
        if let Some(deadline) = self.deadline {
            run = run.deadline(deadline);
        }
        if let Some(deadline) = self.attempt_deadline {
            run = run.attempt_deadline(deadline);
        }
        if let Some(retry) = &self.retry {
            run = run.retry(retry.clone());
        }
        self.cancel.iter().fold(run, Run::cancel)
    }

    #[cfg(feature = "streaming")]
    fn of_stream<T: Task + 'static>(&self, mut run: bgt_streaming::Stream<T>) -> bgt_streaming::Stream<T> {
        if let Some(deadline) = self.deadline {
            run = run.deadline(deadline);
        }
        if let Some(deadline) = self.attempt_deadline {
            run = run.attempt_deadline(deadline);
        }
        if let Some(retry) = &self.retry {
            run = run.retry(retry.clone());
        }
        self.cancel.iter().fold(run, bgt_streaming::Stream::cancel)
    }
}
