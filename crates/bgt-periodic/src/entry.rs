//! One schedule of a scheduler: its plan, its past, and what runs of it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bgt_core::{Cancel, CancelReason, RunId};

use crate::job::Job;
use crate::plan::{Admission, Plan};
use crate::statistics::{End, Past};
use crate::{Cause, Now, Schedule, Skipped, Tick};

pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    pub(crate) schedule: Schedule,
    pub(crate) job: Arc<dyn Job>,
    /// Whether its slots are claimed in the scheduler's store.
    #[cfg(feature = "store")]
    pub(crate) is_stored: bool,
    /// Of its latest alarm: earlier ones are of no interest any more. Changed under the lock of the state.
    alarm: AtomicU64,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) plan: Plan<Pending>,
    pub(crate) past: Past,
    /// Made with the first firing, and anew when it has been used.
    cancel: Option<Cancel>,
    pub(crate) is_removed: bool,
    #[cfg(feature = "store")]
    finished: u64,
}

impl State {
    /// What firings are stopped by.
    fn cancel(&mut self) -> Cancel {
        self.cancel.get_or_insert_default().clone()
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

/// A firing that may start, and what it is stopped by. Both under one lock: who replaces it must not miss it.
pub(crate) type Admitted = (Pending, Cancel);

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
            job,
            #[cfg(feature = "store")]
            is_stored: false,
            alarm: AtomicU64::new(0),
            state: Mutex::new(State {
                plan,
                past: Past::default(),
                cancel: None,
                is_removed: false,
                #[cfg(feature = "store")]
                finished: 0,
            }),
        }
    }

    /// Whether its slots are claimed before they are fired.
    pub(crate) fn is_stored(&self) -> bool {
        #[cfg(feature = "store")]
        return self.is_stored;
        #[cfg(not(feature = "store"))]
        false
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

    /// The next alarm, which takes the place of the one before: its time, by the trigger's clock, and its number.
    pub(crate) fn arm(&self, state: &State) -> Option<(i64, u64)> {
        let alarm = self.alarm.fetch_add(1, Ordering::AcqRel) + 1;
        let at = state.plan.wakes_at().filter(|_| !state.is_removed)?;
        Some((at, alarm))
    }

    /// May it start? Those that may not are put down in the history.
    pub(crate) fn admit(&self, pending: Pending) -> (Option<Admitted>, Vec<Refused>) {
        let mut state = self.state();
        let state = &mut *state;
        if state.is_removed {
            return (None, self.refuse(state, [(pending, Skipped::Stopped)]));
        }
        let cause = pending.cause;
        match state.plan.admit(pending, cause) {
            Admission::Run(pending) => (Some((pending, state.cancel())), Vec::new()),
            Admission::Waits => (None, Vec::new()),
            Admission::Skip(pending, reason) => (None, self.refuse(state, [(pending, reason)])),
            Admission::Replaces(replaced) => {
                let replaced = replaced.into_iter().map(|pending| (pending, Skipped::Replaced));
                let refused = self.refuse(state, replaced);
                if let Some(cancel) = state.cancel.take() {
                    cancel.cancel();
                }
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

    pub(crate) fn ended(&self, tick: &Tick, end: End, now: Now) -> (Option<Admitted>, Option<(i64, u64)>) {
        let mut state = self.state();
        let state = &mut *state;
        let was_waiting_for_it = state.plan.wakes_at().is_none();
        state.past.ran(tick, end, self.schedule.history);
        let next = state.plan.ended(crate::nanos::of(now.steady));
        let next = next.map(|pending| (pending, state.cancel()));
        let is_planned = was_waiting_for_it && state.plan.wakes_at().is_some();
        (next, if is_planned { self.arm(state) } else { None })
    }

    /// Takes it out of use: nothing starts any more. Answers what was waiting.
    pub(crate) fn remove(&self) -> Vec<Refused> {
        let mut state = self.state();
        let state = &mut *state;
        state.is_removed = true;
        self.alarm.fetch_add(1, Ordering::AcqRel);
        let waiting: VecDeque<_> = state.plan.give_up_waiting();
        self.refuse(state, waiting.into_iter().map(|pending| (pending, Skipped::Stopped)))
    }

    /// Asks what runs to stop; again, it is not given any more time.
    pub(crate) fn stop_running(&self, reason: CancelReason) {
        let state = self.state();
        if state.plan.running() > 0 {
            if let Some(cancel) = &state.cancel {
                cancel.cancel_because(reason);
            }
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("name", &self.name).finish_non_exhaustive()
    }
}
