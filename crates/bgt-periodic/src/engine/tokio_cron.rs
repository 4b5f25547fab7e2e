//! A `JobScheduler` of `tokio-cron-scheduler` as the alarm clock.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::{Mutex, Notify};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use uuid::Uuid;

use super::{Alarm, Engine, Now};
use crate::schedule::Kind;
use crate::{Schedule, ScheduleError};

/// The longest wait without a look at the clocks: somebody may have set them.
const LONGEST: Duration = Duration::from_secs(30);
/// So long after its time nobody believes in the job any more: the job scheduler drops some when it is busy, and may have been
/// shut down.
const PATIENCE: Duration = Duration::from_secs(2);

/// A `JobScheduler` that a program has already, as the alarm clock: one job of it, for the next time at which anything is due.
///
/// It says *now* and nothing else. Patterns, zones, overlap, misfires and history are this crate's, so they are the same as
/// with [`Native`](super::Native).
///
/// It looks at its jobs every 500 ms and knows whole seconds: firings are up to a second late, and schedules finer than a
/// second are refused. Should it drop a job, or be shut down, the schedules go on, up to 2 s late.
#[derive(Clone)]
pub struct TokioCron {
    jobs: JobScheduler,
    rung: Arc<Notify>,
    /// The job that is waited for, and its time.
    set: Arc<Mutex<Option<Set>>>,
}

struct Set {
    alarm: Alarm,
    job: Uuid,
}

impl TokioCron {
    /// Rings by this job scheduler, which has to be started.
    #[must_use]
    pub fn new(jobs: JobScheduler) -> Self {
        Self { jobs, rung: Arc::new(Notify::new()), set: Arc::default() }
    }

    async fn set(&self, alarm: Alarm, remaining: Duration) -> Result<(), JobSchedulerError> {
        let mut set = self.set.lock().await;
        if let Some(earlier) = set.take_if(|set| set.alarm != alarm) {
            self.jobs.remove(&earlier.job).await?;
        }
        if set.is_none() {
            let rung = self.rung.clone();
            let ring = move |_id, _jobs| rung.notify_one();
            let job = self.jobs.add(Job::new_one_shot(remaining, ring)?).await?;
            *set = Some(Set { alarm, job });
        }
        Ok(())
    }
}

#[async_trait]
impl Engine for TokioCron {
    fn now(&self) -> Now {
        Now { wall: SystemTime::now(), steady: bgt_sys::steady() }
    }

    async fn until(&self, alarm: Alarm) {
        let remaining = alarm.remaining(self.now()).unwrap_or(LONGEST);
        if remaining.is_zero() {
            return;
        }
        let mut longest = remaining.saturating_add(PATIENCE).min(LONGEST);
        if remaining < LONGEST {
            if let Err(error) = self.set(alarm, remaining).await {
                tracing::warn!("the job scheduler takes no job, tokio's timer is used: {error}");
                longest = remaining;
            }
        }
        tokio::select! {
            // Done with, whoever it was for.
            () = self.rung.notified() => *self.set.lock().await = None,
            () = tokio::time::sleep(longest) => {}
        }
    }

    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn check(&self, schedule: &Schedule) -> Result<(), ScheduleError> {
        let is_whole = |time: Duration| time.subsec_nanos() == 0;
        let is_fine = match &schedule.kind {
            Kind::Every(time) | Kind::AfterCompletion(time) => is_whole(*time),
            Kind::At(time) => time.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(is_whole),
            Kind::Cron(_) => true,
        };
        if is_fine {
            return Ok(());
        }
        Err(ScheduleError::Unsupported {
            by: "the engine tokio-cron-scheduler, which knows whole seconds,",
            what: schedule.describe(),
            instead: "use whole seconds, or the engine Native",
        })
    }
}

impl std::fmt::Debug for TokioCron {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokioCron").finish_non_exhaustive()
    }
}
