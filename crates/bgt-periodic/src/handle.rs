//! The hold on one schedule.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bgt_core::{CancelReason, RunId};

use crate::entry::{Entry, Pending};
use crate::scheduler::Owner;
use crate::trigger::Clock;
use crate::{Cause, NotRun, Record, Schedule, Skipped, Statistics, nanos};

/// What is to become of a firing that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// It may come to its end.
    Finish,
    /// It is asked to stop, with its grace period.
    Cancel,
}

/// The hold on one schedule. Clones are the same schedule.
///
/// **Dropping it** does nothing: the schedule goes on as long as its [`Scheduler`](crate::Scheduler) or any handle of it is there.
#[derive(Clone)]
pub struct ScheduleHandle {
    entry: Arc<Entry>,
    owner: Arc<Owner>,
}

impl ScheduleHandle {
    pub(crate) fn new(entry: Arc<Entry>, owner: Arc<Owner>) -> Self {
        Self { entry, owner }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// When it fires, and what holds for its firings.
    #[must_use = "the schedule is only looked at"]
    pub fn schedule(&self) -> &Schedule {
        &self.entry.schedule
    }

    /// When it fires, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        let paused = if self.is_paused() { ", paused" } else { "" };
        format!("{}{paused}", self.entry.schedule.describe())
    }

    /// When it fires next, by the wall clock and with its jitter: up to `n` times. Of one after completion only the first is
    /// known, and none while it runs. A paused schedule answers the times that it would have if it went on now.
    #[must_use]
    pub fn next(&self, n: usize) -> Vec<SystemTime> {
        let now = self.owner.shared.engine.now();
        let state = self.entry.state();
        if state.is_removed {
            return Vec::new();
        }
        let by_clock = state.plan.clock().read(now);
        let offset = Clock::Wall.read(now) - by_clock;
        let preview = state.plan.preview(by_clock);
        drop(state);
        preview.slots().take(n).map(|slot| nanos::to_wall(slot.saturating_add(offset))).collect()
    }

    /// Fires no more until it is resumed. What runs or waits for its turn is not stopped.
    pub fn pause(&self) {
        self.entry.state().plan.pause();
    }

    /// Whether it is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.entry.state().plan.is_paused()
    }

    /// Goes on with the next time; those since the pause are as if they had never been.
    pub fn resume(&self) {
        self.go_on(false);
    }

    /// Goes on; those since the pause were missed, and the misfire policy says what becomes of them.
    pub fn resume_and_catch_up(&self) {
        self.go_on(true);
    }

    fn go_on(&self, catches_up: bool) {
        let now = self.owner.shared.engine.now();
        let mut state = self.entry.state();
        let now = state.plan.clock().read(now);
        state.plan.resume(now, catches_up);
        let alarm = self.entry.arm(&mut state);
        drop(state);
        match alarm {
            Some(alarm) => self.owner.shared.wake_at(&self.entry, alarm),
            None => self.owner.shared.forget_if_over(&self.entry),
        }
    }

    /// Fires once, now, beside its times; also while it is paused. The overlap holds for it as for others. It is not a slot: no
    /// store is asked.
    ///
    /// # Errors
    ///
    /// [`NotRun`] if the overlap, or the end of the schedule, does not let it.
    pub fn run_now(&self) -> Result<RunId, NotRun> {
        let shared = &self.owner.shared;
        if shared.is_gone() {
            return Err(NotRun { reason: Skipped::Stopped });
        }
        let pending = Pending::new(shared.engine.now().wall, Cause::Manual, 0);
        let run = pending.run;
        let (admitted, refused) = self.entry.admit(pending);
        let refusal = refused.iter().find(|(pending, _)| pending.run == run).map(|(_, reason)| *reason);
        shared.settle(&self.entry, refused);
        if let Some(admitted) = admitted {
            shared.launch(&self.entry, admitted);
        }
        refusal.map_or(Ok(run), |reason| Err(NotRun { reason }))
    }

    /// Asks what runs to stop, with its grace period; again, without. The schedule goes on.
    pub fn cancel_running(&self) {
        self.entry.stop_running(CancelReason::Caller);
    }

    /// Counts since it was added.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let state = self.entry.state();
        let mut statistics = state.past.counts.clone();
        statistics.running = state.plan.running();
        statistics.waiting = state.plan.waiting() as u64;
        statistics
    }

    /// The latest firings, and times that were skipped, the latest first: as many as
    /// [`Schedule::history`](crate::Schedule::history) says.
    #[must_use]
    pub fn history(&self) -> Vec<Record> {
        self.entry.state().past.history()
    }

    /// Waits until nothing runs or waits for its turn. The next firing may begin right after.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    pub async fn idle(&self) {
        let entry = &self.entry;
        self.owner.shared.once(|| entry.state().plan.running() == 0).await;
    }

    /// Takes the schedule out of its scheduler: nothing of it is fired any more from this call on, whether the future is awaited or
    /// not; what waits is skipped, what runs is dealt with as said. The future waits for its end. The name is free at once. A store
    /// keeps what it knows of it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops waiting, no more.
    pub fn remove(&self, running: Running) -> impl Future<Output = ()> + Send + 'static {
        let discarding = self.owner.shared.remove(&self.entry);
        if running == Running::Cancel {
            self.entry.stop_running(CancelReason::Halted);
        }
        let this = self.clone();
        async move {
            this.idle().await;
            if let Some(discarding) = discarding {
                let _ = discarding.await;
            }
        }
    }
}

impl fmt::Debug for ScheduleHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScheduleHandle")
            .field("name", &self.entry.name)
            .field("schedule", &self.describe())
            .finish_non_exhaustive()
    }
}
