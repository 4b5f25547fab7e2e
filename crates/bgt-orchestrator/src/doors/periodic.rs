//! The door to schedules.

use std::sync::Arc;

use bgt_periodic::{Job, Schedule, ScheduleError, ScheduleHandle, Scheduler, SchedulerBuilder};

use crate::Orchestrator;

impl Orchestrator {
    /// Runs a task on a schedule, under a name that no other schedule has. [`with_tick`](bgt_periodic::with_tick) makes a task
    /// of each time, for those who want to know which one it is.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`](bgt_periodic::ScheduleError), which names the value and the way out.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the schedule is not added.
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_orchestrator::periodic::{Running, Schedule, ScheduleError};
    /// use bgt_orchestrator::{Orchestrator, task_fn};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ScheduleError> {
    /// let bgt = Orchestrator::new();
    /// let clean_up = task_fn("clean up", |_cx| async { Ok(()) });
    /// let nightly = Schedule::cron("30 2 * * *").zone("America/New_York");
    /// let cleaning = bgt.periodic("nightly", nightly, clean_up).await?;
    /// assert_eq!(cleaning.describe(), "every day at 02:30 (America/New_York)");
    /// cleaning.run_now().expect("nothing of it is running");
    /// cleaning.idle().await;
    /// assert_eq!(bgt.runs().recent()[0].name.as_ref(), "clean up");
    /// bgt.scheduler().stop(Running::Finish, Duration::from_secs(5)).await;
    /// # Ok(()) }
    /// ```
    #[doc(alias = "cron")]
    pub async fn periodic(
        &self,
        name: impl Into<Arc<str>>,
        schedule: Schedule,
        job: impl Job,
    ) -> Result<ScheduleHandle, ScheduleError> {
        self.scheduler.add(name, schedule, job).await
    }

    /// All its schedules: to find one by name, to list them, to stop them.
    #[must_use]
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// Sets what its schedules are kept by: a store, another clock. Those that were added before stay with the scheduler that
    /// they are of, and stop with the last of their handles.
    #[must_use]
    pub fn scheduled_by(mut self, builder: SchedulerBuilder) -> Self {
        self.scheduler = builder.observer(self.shared.observer.clone()).build();
        self
    }
}
