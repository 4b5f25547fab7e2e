//! One schedule of a scheduler: its plan, its past, and what runs of it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bgt_core::{Cancel, CancelReason, RunId};

use crate::job::Job;
#[cfg(feature = "store")]
use crate::overdue::Overdue;
use crate::plan::{Admission, Plan};
use crate::statistics::{End, Past};
use crate::{Cause, Now, Schedule, Skipped, Tick, nanos};

pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    pub(crate) schedule: Schedule,
    /// Whether its slots are claimed in the scheduler's store.
    #[cfg(feature = "store")]
    pub(crate) is_stored: bool,
    /// Of its latest alarm: earlier ones are of no interest any more. Changed under the lock of the state.
    alarm: AtomicU64,
    state: Mutex<State>,
}

pub(crate) struct State {
    /// What is fired; nothing any more once the schedule is over, so that no handle and no alarm keeps what it holds.
    job: Option<Arc<dyn Job>>,
    pub(crate) plan: Plan<Pending>,
    pub(crate) past: Past,
    /// What firings are stopped by that start now: made with the first, and anew when it has been used.
    switch: Option<Arc<Cancel>>,
    /// Those that have been used, while there are firings that they belong to.
    used: Vec<Arc<Cancel>>,
    pub(crate) is_removed: bool,
    /// Those that wait to be claimed, while somebody claims them.
    #[cfg(feature = "store")]
    pub(crate) claiming: Option<Overdue>,
    #[cfg(feature = "store")]
    finished: u64,
}

impl State {
    /// What a firing is stopped by that starts now.
    fn switch(&mut self) -> Arc<Cancel> {
        self.switch.get_or_insert_default().clone()
    }

    fn is_claiming(&self) -> bool {
        #[cfg(feature = "store")]
        return self.claiming.is_some();
        #[cfg(not(feature = "store"))]
        false
    }

    /// Asks what runs to stop, if it has not been asked.
    fn ask(&mut self, reason: CancelReason) {
        // Whoever has it is a firing.
        if let Some(switch) = self.switch.take_if(|switch| Arc::strong_count(switch) > 1) {
            switch.cancel_because(reason);
            self.used.push(switch);
        }
    }

    /// Asks what runs to stop; what has been asked before is not given any more time.
    fn stop(&mut self, reason: CancelReason) {
        self.used.retain(|switch| Arc::strong_count(switch) > 1);
        for switch in &self.used {
            switch.cancel_because(reason);
        }
        self.ask(reason);
    }
}

/// A firing that has not started.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) run: RunId,
    pub(crate) scheduled_at: SystemTime,
    pub(crate) cause: Cause,
    pub(crate) missed: u64,
    #[cfg(feature = "store")]
    pub(crate) lease: Option<bgt_store::SlotLease>,
}

/// A firing whose turn it is, and what it is stopped by. Both under one lock: who replaces it must not miss it.
pub(crate) type Turn = (Pending, Arc<Cancel>);

/// The same, and what is fired.
pub(crate) type Admitted = (Turn, Arc<dyn Job>);

/// A firing that is not to start, and why.
pub(crate) type Refused = (Pending, Skipped);

impl Pending {
    pub(crate) fn new(scheduled_at: SystemTime, cause: Cause, missed: u64) -> Self {
        Self {
            run: RunId::new(),
            scheduled_at,
            cause,
            missed,
            #[cfg(feature = "store")]
            lease: None,
        }
    }
}

impl Entry {
    pub(crate) fn new(name: Arc<str>, schedule: Schedule, job: Arc<dyn Job>, plan: Plan<Pending>) -> Self {
        Self {
            name,
            schedule,
            #[cfg(feature = "store")]
            is_stored: false,
            alarm: AtomicU64::new(0),
            state: Mutex::new(State {
                job: Some(job),
                plan,
                past: Past::default(),
                switch: None,
                used: Vec::new(),
                is_removed: false,
                #[cfg(feature = "store")]
                claiming: None,
                #[cfg(feature = "store")]
                finished: 0,
            }),
        }
    }

    // Nothing of a user's runs under the lock.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is its latest alarm.
    pub(crate) fn is_armed(&self, alarm: u64) -> bool {
        self.alarm.load(Ordering::Acquire) == alarm
    }

    /// Counts the slots that the store knows to be finished.
    #[cfg(feature = "store")]
    pub(crate) fn finished(&self) -> u64 {
        let mut state = self.state();
        state.finished += 1;
        state.finished
    }

    /// Finds the next time and sets an alarm for it, which takes the place of the one before: its time, by the trigger's clock, and
    /// its number.
    pub(crate) fn arm(&self, state: &mut State) -> Option<(i64, u64)> {
        state.plan.forward();
        let alarm = self.alarm.fetch_add(1, Ordering::AcqRel) + 1;
        let at = state.plan.wakes_at().filter(|_| !state.is_removed)?;
        Some((at, alarm))
    }

    /// May it start?
    pub(crate) fn admit(&self, pending: Pending) -> (Option<Admitted>, Vec<Refused>) {
        self.admit_to(&mut self.state(), pending)
    }

    /// May it start? Those that may not are put down in the history.
    pub(crate) fn admit_to(&self, state: &mut State, pending: Pending) -> (Option<Admitted>, Vec<Refused>) {
        let Some(job) = state.job.clone().filter(|_| !state.is_removed) else {
            return (None, self.refuse(state, [(pending, Skipped::Stopped)]));
        };
        let cause = pending.cause;
        match state.plan.admit(pending, cause) {
            Admission::Run(pending) => (Some(((pending, state.switch()), job)), Vec::new()),
            Admission::Waits => (None, Vec::new()),
            Admission::Skip(pending, reason) => (None, self.refuse(state, [(pending, reason)])),
            Admission::Replaces(replaced) => {
                let replaced = replaced.into_iter().map(|pending| (pending, Skipped::Replaced));
                let refused = self.refuse(state, replaced);
                state.ask(CancelReason::Halted);
                (None, refused)
            }
        }
    }

    /// Puts firings down that do not start.
    pub(crate) fn refuse(
        &self,
        state: &mut State,
        refused: impl IntoIterator<Item = Refused>,
    ) -> Vec<Refused> {
        let refused: Vec<_> = refused.into_iter().collect();
        for (pending, reason) in &refused {
            tracing::debug!(schedule = %self.name, "not fired: {reason}");
            state.past.skipped(pending.scheduled_at, *reason, 1, self.schedule.history);
        }
        refused
    }

    /// Puts down how a firing has ended. Answers the one whose turn it is, and the next alarm if it was waiting for this.
    pub(crate) fn ended(
        &self,
        tick: &Tick,
        end: End,
        now: impl FnOnce() -> Now,
    ) -> (Option<Turn>, Option<(i64, u64)>) {
        let mut state = self.state();
        let state = &mut *state;
        let was_waiting_for_it = state.plan.wakes_at().is_none();
        let jitter = nanos::to_duration(state.plan.jitter());
        state.past.ran(tick, jitter, end, self.schedule.history);
        let next = state.plan.ended(|| nanos::of(now().steady));
        let next = next.map(|pending| (pending, state.switch()));
        let is_planned = was_waiting_for_it && state.plan.wakes_at().is_some();
        (next, if is_planned { self.arm(state) } else { None })
    }

    /// Takes it out of use: nothing starts any more. Answers what was waiting, and what was fired.
    pub(crate) fn remove(&self) -> (Vec<Refused>, Option<Arc<dyn Job>>) {
        let mut state = self.state();
        let state = &mut *state;
        state.is_removed = true;
        self.alarm.fetch_add(1, Ordering::AcqRel);
        (self.give_up(state, None), state.job.take())
    }

    /// Nobody is left to run this one, nor what waits.
    pub(crate) fn abandon(&self, turn: Pending) -> Vec<Refused> {
        let mut state = self.state();
        state.plan.withdraw();
        self.give_up(&mut state, Some(turn))
    }

    fn give_up(&self, state: &mut State, first: Option<Pending>) -> Vec<Refused> {
        let waiting: VecDeque<_> = state.plan.give_up_waiting();
        let all = first.into_iter().chain(waiting);
        self.refuse(state, all.map(|pending| (pending, Skipped::Stopped)))
    }

    /// What is fired.
    pub(crate) fn job(&self) -> Option<Arc<dyn Job>> {
        self.state().job.clone()
    }

    /// What was fired, if it was for a single time and that has come to its end.
    pub(crate) fn job_if_over(&self) -> Option<Arc<dyn Job>> {
        let mut state = self.state();
        if state.plan.is_over() && !state.is_claiming() { state.job.take() } else { None }
    }

    /// Asks what runs to stop; again, it is not given any more time.
    pub(crate) fn stop_running(&self, reason: CancelReason) {
        self.state().stop(reason);
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("name", &self.name).finish_non_exhaustive()
    }
}
