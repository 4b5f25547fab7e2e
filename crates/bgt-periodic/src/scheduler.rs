//! Many schedules, by name.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bgt_core::{CancelReason, Observer};
use tokio::time::Instant;

use crate::engine::{Engine, Native};
use crate::entry::Entry;
use crate::handle::ScheduleHandle;
use crate::job::Job;
use crate::plan::Plan;
use crate::schedule::{Kind, Schedule};
use crate::shared::Shared;
use crate::trigger::Clock;
use crate::{Running, ScheduleError};

/// Schedules by name, and the one task that waits for all of them.
///
/// It starts with the first schedule, on the tokio runtime that this is added on, and stays there. Clones are the same scheduler.
///
/// **Dropping it** does nothing as long as there are clones, or handles of its schedules. With the last of them it stops:
/// nothing is fired any more, and what runs is asked to stop, in the background. [`stop`](Self::stop) waits for that.
///
/// # Examples
///
/// ```
/// use bgt_periodic::{Running, Schedule, Scheduler, task_fn};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_periodic::ScheduleError> {
/// let scheduler = Scheduler::new();
/// let (beat, mut beats) = tokio::sync::mpsc::unbounded_channel();
/// let check = task_fn("check", move |_cx| {
///     let _ = beat.send(());
///     async { Ok(()) }
/// });
/// scheduler.add("health", Schedule::every(Duration::from_millis(5)), check).await?;
/// beats.recv().await;
/// beats.recv().await;
/// let stopped = scheduler.stop(Running::Finish, Duration::from_secs(5)).await;
/// assert_eq!(stopped.left, 0);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Scheduler {
    pub(crate) owner: Arc<Owner>,
}

/// Stops everything when the last of those who hold it is gone.
pub(crate) struct Owner {
    pub(crate) shared: Arc<Shared>,
}

/// What became of a scheduler that was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// Firings that had not come to their end when the time was over, though they were ended by force, and ends that the
    /// store has not heard of. As long as this process lives it goes on telling the store.
    pub left: u64,
}

/// What a scheduler is made of.
#[must_use]
pub struct SchedulerBuilder {
    engine: Arc<dyn Engine>,
    observers: Vec<Arc<dyn Observer>>,
    #[cfg(feature = "store")]
    claims: Option<crate::claims::Claims>,
}

impl Default for Scheduler {
    fn default() -> Self {
        Self::new()
    }
}

impl Scheduler {
    /// A scheduler by the system's clocks, that keeps everything in memory.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A scheduler that is made otherwise.
    pub fn builder() -> SchedulerBuilder {
        SchedulerBuilder {
            engine: Arc::new(Native::new()),
            observers: Vec::new(),
            #[cfg(feature = "store")]
            claims: None,
        }
    }

    /// Adds a schedule under a name that no other has, and starts it: from now on it fires.
    ///
    /// With a store it goes on where the latest slot was that any host of that store has claimed; what was missed since is a
    /// matter of the misfire policy. Its name is what it is known by there.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`], which names the value and the way out.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, and on one without the drivers for I/O and time.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the schedule is not added.
    pub async fn add(
        &self,
        name: impl Into<Arc<str>>,
        schedule: Schedule,
        job: impl Job,
    ) -> Result<ScheduleHandle, ScheduleError> {
        let shared = &self.owner.shared;
        let name = name.into();
        if name.is_empty() || name.len() > 512 || name.contains('\0') {
            let name = name.chars().take(64).collect();
            return Err(ScheduleError::Name { name });
        }
        schedule.check()?;
        shared.engine.check(&schedule)?;
        self.vacant(&name)?;
        #[cfg(feature = "store")]
        let is_stored = shared.claims.is_some() && !schedule.is_in_memory;
        #[cfg(not(feature = "store"))]
        let is_stored = false;
        if is_stored {
            check_stored(&schedule)?;
        }
        shared.start();
        let now = shared.engine.now();
        let trigger = schedule.trigger(Clock::Steady.read(now), schedule.is_aligned || is_stored)?;
        schedule.check_future(&trigger, now)?;
        let rules = schedule.rules(&name, shared.engine.resolution());
        let done = match &schedule.kind {
            Kind::At(_) => i64::MIN,
            _ => trigger.clock().read(now),
        };
        #[cfg(feature = "store")]
        if let Some(claims) = shared.claims.as_ref().filter(|_| is_stored) {
            let past = claims.past(&name).await?;
            let done = past.latest().map_or(done, |latest| crate::nanos::of_wall(latest).min(done));
            let mut entry = Entry::new(name, schedule, Arc::new(job), Plan::new(trigger, rules, done));
            entry.is_stored = true;
            let entry = Arc::new(entry);
            self.insert(&entry)?;
            crate::claims::recover(shared, &entry, past);
            return Ok(ScheduleHandle::new(entry, self.owner.clone()));
        }
        let entry = Arc::new(Entry::new(name, schedule, Arc::new(job), Plan::new(trigger, rules, done)));
        self.insert(&entry)?;
        Ok(ScheduleHandle::new(entry, self.owner.clone()))
    }

    fn vacant(&self, name: &str) -> Result<(), ScheduleError> {
        let board = self.owner.shared.board();
        if board.is_stopped {
            return Err(ScheduleError::Stopped);
        }
        if self.owner.shared.is_gone() {
            return Err(ScheduleError::RuntimeGone);
        }
        match board.entries.contains_key(name) {
            true => Err(ScheduleError::Taken { name: name.to_owned() }),
            false => Ok(()),
        }
    }

    fn insert(&self, entry: &Arc<Entry>) -> Result<(), ScheduleError> {
        let shared = &self.owner.shared;
        let (clock, alarm) = {
            let mut state = entry.state();
            (state.plan.clock(), entry.arm(&mut state))
        };
        let mut board = shared.board();
        if board.is_stopped {
            return Err(ScheduleError::Stopped);
        }
        if board.entries.contains_key(&entry.name) {
            return Err(ScheduleError::Taken { name: entry.name.to_string() });
        }
        board.entries.insert(entry.name.clone(), entry.clone());
        let entries = board.entries.len();
        let is_first = alarm.is_some_and(|alarm| board.heap(clock).push(entry.clone(), alarm, entries));
        drop(board);
        if is_first {
            shared.changed.notify_one();
        }
        Ok(())
    }

    /// The schedule of this name. One of a single time that is over is not there any more.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<ScheduleHandle> {
        let entry = self.owner.shared.board().entries.get(name).cloned()?;
        Some(ScheduleHandle::new(entry, self.owner.clone()))
    }

    /// All schedules, in the order of their names.
    #[must_use]
    pub fn schedules(&self) -> Vec<ScheduleHandle> {
        let mut entries: Vec<_> = self.owner.shared.board().entries.values().cloned().collect();
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        entries.into_iter().map(|entry| ScheduleHandle::new(entry, self.owner.clone())).collect()
    }

    /// Stops: nothing is fired any more from this call on, whether the future is awaited or not. What waits is skipped, what
    /// runs is dealt with as said, and in the last tenth of the time ended by force. It answers when everything has come to
    /// its end, or after that time. A second call says anew what is to become of what runs, and how long it has.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops waiting; who has not been asked to stop is not.
    pub fn stop(&self, running: Running, within: Duration) -> impl Future<Output = Stopped> + Send + 'static {
        let owner = self.owner.clone();
        let entries = owner.close(running == Running::Cancel);
        async move {
            let began = Instant::now();
            let left = || within.saturating_sub(began.elapsed());
            let shared = &owner.shared;
            let is_idle = || shared.in_flight() == 0;
            let politely = within.mul_f32(0.9);
            if tokio::time::timeout(politely, shared.once(is_idle)).await.is_err() {
                for entry in &entries {
                    entry.stop_running(CancelReason::Shutdown);
                    if running == Running::Finish {
                        // The first asks, the second gives no more time.
                        entry.stop_running(CancelReason::Shutdown);
                    }
                }
                let _ = tokio::time::timeout(left(), shared.once(is_idle)).await;
            }
            #[cfg(feature = "store")]
            if let Some(claims) = shared.claims.as_ref().filter(|_| shared.in_flight() == 0) {
                claims.retire(left()).await;
            }
            Stopped { left: shared.in_flight() }
        }
    }
}

impl Owner {
    /// Takes everything out of use.
    fn close(&self, cancels: bool) -> Vec<Arc<Entry>> {
        let mut board = self.shared.board();
        let entries = board.close();
        let alarms = (std::mem::take(&mut board.wall), std::mem::take(&mut board.steady));
        drop(board);
        drop(alarms);
        self.shared.changed.notify_one();
        self.shared.over();
        let mut jobs = Vec::new();
        for entry in &entries {
            let (refused, job) = entry.remove();
            self.shared.settle(entry, refused);
            jobs.extend(job);
            if cancels {
                entry.stop_running(CancelReason::Shutdown);
            }
        }
        drop(self.shared.discard(jobs));
        entries
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.close(true);
    }
}

/// What hosts cannot agree upon.
fn check_stored(schedule: &Schedule) -> Result<(), ScheduleError> {
    let unsupported = |what: &str| {
        let what = format!("{} {what}", schedule.describe());
        let instead = "use an interval of whole milliseconds, or Schedule::in_memory";
        Err(ScheduleError::Unsupported { by: "a store", what, instead })
    };
    match schedule.kind {
        Kind::AfterCompletion(_) => unsupported("has no times that are the same for every host"),
        Kind::Every(every) if every.subsec_nanos() % 1_000_000 != 0 => {
            unsupported("has times that a store, which keeps milliseconds, cannot tell apart")
        }
        _ => Ok(()),
    }
}

impl SchedulerBuilder {
    /// Sets what tells the time; without this, the system's clocks.
    pub fn engine(mut self, engine: impl Engine) -> Self {
        self.engine = Arc::new(engine);
        self
    }

    /// Adds somebody who is told what happens to the runs: a registry such as [`Runs`](crate::Runs), metrics.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Claims every slot in this store before it is fired, with a lease of 15 s: after a restart the schedules go on where they
    /// were, and of several hosts on one store one fires each slot.
    #[cfg(feature = "store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "store")))]
    pub fn store(self, store: Arc<dyn bgt_store::Store>) -> Self {
        self.store_as(store, bgt_store::NewHost::new("periodic"))
    }

    /// The same under a name and with a lease of your choice.
    #[cfg(feature = "store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "store")))]
    pub fn store_as(mut self, store: Arc<dyn bgt_store::Store>, host: bgt_store::NewHost) -> Self {
        self.claims = Some(crate::claims::Claims::new(store, host));
        self
    }

    /// The scheduler. Nothing runs before the first schedule is added.
    #[must_use]
    pub fn build(mut self) -> Scheduler {
        let observer: Option<Arc<dyn Observer>> = match self.observers.len() {
            0 | 1 => self.observers.pop(),
            _ => Some(Arc::new(self.observers)),
        };
        let shared = Shared::new(
            self.engine,
            observer,
            #[cfg(feature = "store")]
            self.claims,
        );
        Scheduler { owner: Arc::new(Owner { shared: Arc::new(shared) }) }
    }
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schedules = self.owner.shared.board().entries.len();
        f.debug_struct("Scheduler").field("schedules", &schedules).finish_non_exhaustive()
    }
}

impl fmt::Debug for SchedulerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchedulerBuilder").field("observers", &self.observers.len()).finish_non_exhaustive()
    }
}
