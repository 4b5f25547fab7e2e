//! One firing, from its start to what is kept of it.

use std::sync::Arc;
use std::time::Duration;

use bgt_core::{Cancel, Pattern, Status, Task};
use bgt_simple::Run;

use crate::Tick;
use crate::entry::{Entry, Turn};
use crate::shared::Shared;
use crate::statistics::End;

/// A firing that runs. Dropping it before its end says that it was cancelled: its runtime is gone.
pub struct Firing {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
    tick: Tick,
    cancel: Arc<Cancel>,
    #[cfg(feature = "store")]
    lease: Option<bgt_store::SlotLease>,
    is_over: bool,
}

impl Firing {
    pub(crate) fn new(shared: Arc<Shared>, entry: Arc<Entry>, (pending, cancel): Turn) -> Self {
        let tick = Tick {
            schedule: entry.name.clone(),
            run: pending.run,
            scheduled_at: pending.scheduled_at,
            // Not before it has started.
            fired_at: pending.scheduled_at,
            missed: pending.missed,
            cause: pending.cause,
        };
        shared.begins();
        Self {
            shared,
            entry,
            tick,
            cancel,
            #[cfg(feature = "store")]
            lease: pending.lease,
            is_over: false,
        }
    }

    /// It starts now.
    pub(crate) fn starts(&mut self) -> &Tick {
        self.tick.fired_at = self.shared.engine.now().wall;
        &self.tick
    }

    pub(crate) fn runtime(&self) -> tokio::runtime::Handle {
        self.shared.runtime()
    }

    /// What holds for all firings of the schedule.
    pub(crate) fn options<'a, T: Task + 'a>(&self, run: Run<'a, T>) -> Run<'a, T> {
        let schedule = &self.entry.schedule;
        let mut run = run.id(self.tick.run).pattern(Pattern::Periodic).cancel(&self.cancel);
        if schedule.retry.max_attempts() > 1 {
            run = run.retry(schedule.retry.clone());
        }
        if let Some(deadline) = schedule.deadline {
            run = run.deadline(deadline);
        }
        if let Some(deadline) = schedule.attempt_deadline {
            run = run.attempt_deadline(deadline);
        }
        match &self.shared.observer {
            Some(observer) => run.observer(observer.clone()),
            None => run,
        }
    }

    /// It has ended: puts that down, and answers the one whose turn it is.
    pub(crate) async fn ended(mut self, end: End) -> Option<Self> {
        #[cfg(feature = "store")]
        let claimed = self.lease.take().map(|lease| (lease, outcome(&end)));
        let next = self.put_down(end);
        #[cfg(feature = "store")]
        if let (Some((lease, outcome)), Some(claims)) = (claimed, &self.shared.claims) {
            // It is over, and the store may take its time.
            self.shared.over();
            claims.finish(&self.entry, lease, outcome).await;
        }
        let next = next.map(|next| Self::new(self.shared.clone(), self.entry.clone(), next));
        // Only now: who waits for the end of everything must not see a moment between two.
        self.shared.ends();
        next
    }

    fn put_down(&mut self, end: End) -> Option<Turn> {
        self.is_over = true;
        if let Some(error) = &end.error {
            tracing::warn!(schedule = %self.entry.name, run = %self.tick.run, "{error}");
        }
        let (next, alarm) = self.entry.ended(&self.tick, end, || self.shared.engine.now());
        if let Some(alarm) = alarm {
            self.shared.wake_at(&self.entry, alarm);
        }
        self.shared.forget_if_over(&self.entry);
        next
    }
}

impl Drop for Firing {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let (status, error) = match std::thread::panicking() {
            true => (Status::Failed, "something of the task panicked where it is not expected"),
            false => (Status::Cancelled, "the runtime that it was on was shut down"),
        };
        let end = End { status, attempts: 0, elapsed: Duration::ZERO, error: Some(error.into()) };
        if let Some(turn) = self.put_down(end) {
            self.shared.hand_on(&self.entry, turn, status == Status::Failed);
        }
        self.shared.ends();
    }
}

/// The end as a store keeps it.
#[cfg(feature = "store")]
fn outcome(end: &End) -> bgt_store::Outcome {
    let outcome = bgt_store::Outcome::new(end.status);
    match &end.error {
        Some(error) => outcome.error(&**error),
        None => outcome,
    }
}
