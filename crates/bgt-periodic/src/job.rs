//! What a schedule fires: a task, or what makes one of a tick.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bgt_core::{ErrorKind, Report, Task, TaskError, task_fn};
use bgt_simple::Panicked;

use crate::Tick;
use crate::firing::Firing;
use crate::statistics::End;

/// What a schedule fires: every [`Task`], or [`with_tick`] for one that wants to know which time it is for.
pub trait Job: sealed::Launch {}

impl<J: sealed::Launch> Job for J {}

/// Makes a task of each firing.
///
/// A function that panics is a failed run, with the panic's message.
///
/// # Examples
///
/// ```
/// use bgt_periodic::{ManualClock, Schedule, Scheduler, task_fn, with_tick};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_periodic::ScheduleError> {
/// let clock = ManualClock::new();
/// let scheduler = Scheduler::builder().engine(clock.clone()).build();
/// let (sender, mut reports) = tokio::sync::mpsc::unbounded_channel();
/// let report = with_tick(move |tick| {
///     let sender = sender.clone();
///     task_fn("report", move |_cx| {
///         let _ = sender.send(tick.scheduled_at);
///         async { Ok(()) }
///     })
/// });
/// let hourly = scheduler.add("report", Schedule::cron("@hourly"), report).await?;
/// let due = hourly.next(1)[0];
/// clock.advance(Duration::from_secs(3601));
/// assert_eq!(reports.recv().await, Some(due));
/// # Ok(()) }
/// ```
pub fn with_tick<F, T>(make: F) -> WithTick<F>
where
    F: Fn(Tick) -> T + Send + Sync + 'static,
    T: Task + 'static,
{
    WithTick(make)
}

/// What [`with_tick`] makes.
#[derive(Clone, Copy, Debug)]
pub struct WithTick<F>(F);

pub(crate) mod sealed {
    use std::sync::Arc;

    use crate::firing::Firing;

    /// The one future of a firing and of those that wait for it: it is made where the task's type is known.
    pub trait Launch: Send + Sync + 'static {
        /// Runs it, and then those whose turn it is.
        fn launch(self: Arc<Self>, firing: Firing);
    }
}

impl<T: Task + 'static> sealed::Launch for T {
    fn launch(self: Arc<Self>, firing: Firing) {
        let runtime = firing.runtime();
        drop(runtime.spawn(async move {
            let mut next = Some(firing);
            while let Some(mut firing) = next {
                firing.starts();
                let report = firing.options(bgt_simple::run(&*self)).report().await;
                next = firing.ended(end(report)).await;
            }
        }));
    }
}

impl<F, T> sealed::Launch for WithTick<F>
where
    F: Fn(Tick) -> T + Send + Sync + 'static,
    T: Task + 'static,
{
    fn launch(self: Arc<Self>, firing: Firing) {
        let runtime = firing.runtime();
        drop(runtime.spawn(async move {
            let mut next = Some(firing);
            while let Some(mut firing) = next {
                let tick = firing.starts().clone();
                let name = tick.schedule.clone();
                let end = match contain(|| (self.0)(tick)) {
                    Ok(task) => {
                        let end = end(firing.options(bgt_simple::run(&task)).report().await);
                        let _ = contain(|| drop(task));
                        end
                    }
                    Err(panicked) => {
                        let failed = task_fn(name.to_string(), move |_cx| {
                            let failed = TaskError::new(panicked.clone()).with_kind(ErrorKind::Panicked);
                            async move { Err::<(), _>(failed) }
                        });
                        end(firing.options(bgt_simple::run(failed)).report().await)
                    }
                };
                next = firing.ended(end).await;
            }
        }));
    }
}

/// What was fired and is not any more: a user's code, which may block or panic when it is dropped.
pub(crate) struct Discarded(pub(crate) Vec<Arc<dyn Job>>);

impl Drop for Discarded {
    fn drop(&mut self) {
        for job in self.0.drain(..) {
            if contain(|| drop(job)).is_err() {
                tracing::error!("a task panicked when it was dropped");
            }
        }
    }
}

/// What is kept of a report. What the task answered is dropped here, which may be a user's code that panics.
fn end<T>(report: Report<T>) -> End {
    let (status, attempts, elapsed) = (report.status(), report.attempts, report.elapsed);
    let error = match report.result {
        Ok(output) => {
            let _ = contain(|| drop(output));
            None
        }
        Err(error) => {
            let words = contain(|| format!("{error:#}"));
            let _ = contain(|| drop(error));
            Some(words.unwrap_or_else(|_| "an error that panics when it is shown".to_owned()).into())
        }
    };
    End { status, attempts, elapsed, error }
}

/// Calls something of a user's.
fn contain<R>(call: impl FnOnce() -> R) -> Result<R, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(Panicked::caught)
}
