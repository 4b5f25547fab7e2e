//! One item from its turn to its end: what it waits for, its run, and who is told.

use std::sync::Arc;

use bgt_core::{
    CancelReason, Error, ErrorKind, ErrorParts, Event, EventKind, Pattern, Report, RunId, Status, Task,
    TaskError,
};

use crate::engine::{Engine, Shared, Slot};
use crate::lane::Lane;
use crate::report::{Failure, Finished};
use crate::source::{Places, Pulled, drop_quietly};
use crate::{Halted, Item, NeverRan};

/// Answers the slot, if it came with one and needs it no more.
pub(crate) async fn process<T: Task + 'static>(
    lane: Arc<Lane<T>>,
    pulled: Pulled<T>,
    mut slot: Option<Slot<T::Output>>,
) -> Option<Slot<T::Output>> {
    let report = lane.turn(&pulled.item, &mut slot).await;
    lane.settle(pulled, report);
    slot
}

impl<T: Task + 'static> Lane<T> {
    /// Says of an item that it never ran.
    pub(crate) fn skip(&self, pulled: Pulled<T>) {
        let report = self.skipped(&pulled.item);
        self.settle(pulled, Some(report));
    }

    /// Waits until it may run, runs it, and remembers what came of it; `None` where the journal has it as done.
    async fn turn(&self, item: &Item<T>, slot: &mut Option<Slot<T::Output>>) -> Option<Report<T::Output>> {
        let stopper = &self.engine.shared.stopper;
        if stopper.is_stopped() {
            return Some(self.skipped(item));
        }
        if let Err(refusal) = self.engine.check(item) {
            return Some(self.report_without_run(item, refusal));
        }
        #[cfg(feature = "journal")]
        let claim = match &self.engine.journal {
            None => None,
            Some(journal) => {
                let Some(claim) = stopper.unless_stopped(journal.claim(item.key.as_ref())).await else {
                    return Some(self.skipped(item));
                };
                match claim {
                    Ok(Some(claim)) => Some(claim),
                    Ok(None) => return None,
                    Err(fault) => {
                        stopper.halt(fault);
                        return Some(self.skipped(item));
                    }
                }
            }
        };
        let Some(report) = self.run(item, slot).await else { return Some(self.skipped(item)) };
        #[cfg(feature = "journal")]
        if let (Some(journal), Some(claim)) =
            (&self.engine.journal, claim.filter(|_| report.status() != Status::Skipped))
        {
            // Writing it down is no work of the machine's that others would have to wait for.
            *slot = None;
            // Also when the batch is being stopped: what was done is to be remembered.
            let entry = claim.entry(&report);
            if let Err(fault) = journal.record(claim, entry).await {
                stopper.halt(fault);
            }
        }
        Some(report)
    }

    /// Takes what it needs, in this order everywhere, and runs; `None` if the batch stops before that. A place to be at work
    /// that it came with stays with it.
    async fn run(&self, item: &Item<T>, slot: &mut Option<Slot<T::Output>>) -> Option<Report<T::Output>> {
        let Engine { shared, terms, .. } = &*self.engine;
        let stopper = &shared.stopper;
        let _group = match (&self.engine.groups, &item.group) {
            (Some(groups), Some(group)) => Some(stopper.unless_stopped(groups.acquire(group)).await?),
            _ => None,
        };
        let _needs = match &terms.limits {
            Some(limits) => {
                let needs = item.needs.as_ref().unwrap_or(&terms.needs);
                // Checked before, and capacities only grow.
                stopper.unless_stopped(limits.acquire(needs)).await?.ok()
            }
            None => None,
        };
        let mut own = None;
        let slot = match slot {
            Some(slot) => slot,
            None => own.insert(self.engine.slot().await?),
        };
        #[cfg(feature = "gates")]
        let _pass = match &self.engine.gates {
            Some(gates) => {
                slot.rest();
                match stopper.unless_stopped(gates.pass(&shared.tally)).await? {
                    Ok(pass) => Some(pass),
                    Err(closed) => {
                        stopper.halt(Halted::Gate(closed));
                        return None;
                    }
                }
            }
            None => None,
        };
        if let Some(pace) = &self.engine.pace {
            slot.rest();
            stopper.unless_stopped(pace.turn()).await?;
        }
        if stopper.is_stopped() {
            return None;
        }
        slot.begin(shared);
        let mut run = bgt_simple::run(&item.task).pattern(Pattern::Concurrent).cancel(&self.cancel);
        if let Some(deadline) = item.deadline.or(terms.task_deadline) {
            run = run.deadline(deadline);
        }
        if let Some(deadline) = terms.attempt_deadline {
            run = run.attempt_deadline(deadline);
        }
        if let Some(observer) = &terms.observer {
            run = run.observer(observer.clone());
        }
        let mut report = run.retry(item.retry.as_ref().unwrap_or(&terms.retry).clone()).report().await;
        shared.tally.lane(self.number).ran(report.elapsed, report.attempts);
        let is_stopped = matches!(report.status(), Status::Cancelled | Status::TimedOut);
        if report.attempts == 0 && is_stopped && self.cancel.reason().is_some() {
            // The batch was stopped, or its deadline passed, in the moment before the first attempt: it never ran.
            stopper.notice();
            report.result = Err(without_attempt(report.id, report.name.clone(), self.stopped()));
        }
        Some(report)
    }

    /// Counts it, hears what the halt policy says, and hands the result on.
    fn settle(&self, pulled: Pulled<T>, report: Option<Report<T::Output>>) {
        let Engine { shared, terms, .. } = &*self.engine;
        let Shared { tally, stopper, outbox, .. } = &**shared;
        let counters = tally.lane(self.number);
        let Pulled { index, item, places: Places { ahead: _ahead, room } } = pulled;
        let key = item.key.clone();
        drop_quietly(item);
        let Some(report) = report else {
            counters.already_done();
            return outbox.put(index, None, room);
        };
        let status = report.status();
        if let Some(error) = report.result.as_ref().err() {
            if matches!(status, Status::Failed | Status::TimedOut | Status::Lost) {
                tally
                    .failed(|| Failure::new(index, key.clone(), report.name.clone(), report.attempts, error));
            }
        }
        counters.end(status);
        match status {
            Status::Failed | Status::TimedOut | Status::Lost => {
                let (ended, failed) = tally.verdicts();
                if !stopper.notice() && terms.halt.decide(ended, failed) {
                    stopper.halt(Halted::Failures { failed, ended });
                    if terms.halt.cancels() && stopper.cancel.reason().is_none() {
                        stopper.cancel.cancel_because(CancelReason::Halted);
                    }
                }
            }
            Status::Cancelled => {
                stopper.notice();
            }
            _ => {}
        }
        outbox.put(index, Some(Finished { index, key, report }), room);
    }

    fn skipped(&self, item: &Item<T>) -> Report<T::Output> {
        self.report_without_run(item, self.stopped())
    }

    fn stopped(&self) -> TaskError {
        let halted = self.engine.shared.stopper.why().unwrap_or(Halted::RuntimeGone);
        TaskError::new(NeverRan { halted }).with_kind(ErrorKind::Skipped)
    }

    /// The report of an item that no runner ever saw. Those who watch hear of it all the same.
    fn report_without_run(&self, item: &Item<T>, cause: TaskError) -> Report<T::Output> {
        let id = RunId::new();
        let name = crate::source::name_of(&item.task);
        let error = without_attempt(id, name.clone(), cause);
        if let Some(observer) = &self.engine.terms.observer {
            let tell = |kind| observer.notify(&Event::new(id, name.clone(), Pattern::Concurrent, kind));
            tell(EventKind::Started);
            tell(EventKind::Ended { status: error.status() });
        }
        Report::new(id, name, std::time::SystemTime::now(), Err(error))
    }
}

impl<T: Task + 'static> Engine<T> {
    /// What can be said against an item before anything is waited for.
    fn check(&self, item: &Item<T>) -> Result<(), TaskError> {
        let invalid = |error: TaskError| error.with_kind(ErrorKind::Invalid);
        if let Some(limits) = &self.terms.limits {
            let needs = item.needs.as_ref().unwrap_or(&self.terms.needs);
            limits.check(needs).map_err(|error| invalid(error.into()))?;
        } else if item.needs.as_ref().is_some_and(|needs| !needs.is_empty()) {
            let needs = item.needs.as_ref().map(ToString::to_string).unwrap_or_default();
            let error =
                format!("it needs {needs}, and the batch has no limits: give it some with Batch::limits");
            return Err(invalid(TaskError::msg(error)));
        }
        if let (None, Some(group)) = (&self.groups, &item.group) {
            let error = format!(
                "it is of the group {group:?}, and the batch has no limit for groups: give it one with Batch::per_group"
            );
            return Err(invalid(TaskError::msg(error)));
        }
        #[cfg(feature = "journal")]
        if self.journal.is_some() {
            let Some(key) = &item.key else { return Err(invalid(crate::NoKey.into())) };
            crate::journal::check_key(key).map_err(|error| invalid(error.into()))?;
        }
        Ok(())
    }
}

fn without_attempt(id: RunId, name: Arc<str>, cause: TaskError) -> Error {
    let mut parts = ErrorParts::new(id, name, cause);
    (parts.pattern, parts.attempt) = (Pattern::Concurrent, 0);
    Error::new(parts)
}
