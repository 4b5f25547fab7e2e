//! What a batch was asked to be, and whether that makes sense.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use bgt_core::{Cancel, CancelReason, Limits, Needs, Observer, Retry};
use tokio::time::{Instant, sleep_until};

use crate::tasks::Tasks;
use crate::{BatchError, Halt};

pub(crate) struct Options {
    pub(crate) max_concurrent: Option<usize>,
    pub(crate) lookahead: usize,
    pub(crate) buffer: Option<usize>,
    pub(crate) in_order: bool,
    pub(crate) deadline: Option<Duration>,
    pub(crate) task_deadline: Option<Duration>,
    pub(crate) attempt_deadline: Option<Duration>,
    pub(crate) retry: Retry,
    pub(crate) cancel: Vec<Cancel>,
    pub(crate) drain: Vec<Cancel>,
    pub(crate) observers: Vec<Arc<dyn Observer>>,
    pub(crate) limits: Option<Limits>,
    pub(crate) needs: Needs,
    pub(crate) per_group: Option<usize>,
    pub(crate) start_rate: Option<(u32, Duration)>,
    pub(crate) halt: Halt,
    pub(crate) keep_failures: usize,
    pub(crate) total: Option<u64>,
    #[cfg(feature = "gates")]
    pub(crate) gates: Vec<crate::Gate>,
    #[cfg(feature = "gates")]
    pub(crate) readings: Option<crate::gate::Readings>,
    #[cfg(feature = "journal")]
    pub(crate) journal: Option<crate::journal::Journal>,
    #[cfg(feature = "progress")]
    pub(crate) progress: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_concurrent: None,
            lookahead: 1024,
            buffer: None,
            in_order: false,
            deadline: None,
            task_deadline: None,
            attempt_deadline: None,
            retry: Retry::never(),
            cancel: Vec::new(),
            drain: Vec::new(),
            observers: Vec::new(),
            limits: None,
            needs: Needs::new(),
            per_group: None,
            start_rate: None,
            halt: Halt::never(),
            keep_failures: 100,
            total: None,
            #[cfg(feature = "gates")]
            gates: Vec::new(),
            #[cfg(feature = "gates")]
            readings: None,
            #[cfg(feature = "journal")]
            journal: None,
            #[cfg(feature = "progress")]
            progress: false,
        }
    }
}

impl Options {
    pub(crate) fn slots(&self) -> usize {
        self.max_concurrent.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZero::get))
    }

    /// Whether items may wait for something else than a slot.
    pub(crate) fn waits_ahead(&self) -> bool {
        #[cfg(feature = "journal")]
        if self.journal.is_some() {
            return true;
        }
        self.limits.is_some() || self.per_group.is_some()
    }

    /// Refuses what makes no sense.
    pub(crate) fn check(&self) -> Result<(), BatchError> {
        let invalid = |what, found: String, expected| BatchError::Invalid { what, found, expected };
        let zero = |what| invalid(what, "0".to_owned(), "at least 1");
        if self.max_concurrent == Some(0) {
            return Err(zero("the most concurrent tasks"));
        }
        for (what, deadline) in [
            ("the deadline", self.deadline),
            ("the deadline of a task", self.task_deadline),
            ("the deadline of an attempt", self.attempt_deadline),
        ] {
            if deadline.is_some_and(|deadline| deadline.is_zero()) {
                return Err(invalid(what, "0".to_owned(), "more than no time"));
            }
        }
        if self.per_group == Some(0) {
            return Err(zero("the most tasks of one group"));
        }
        if let Some((starts, per)) = self.start_rate {
            if per.checked_div(starts).is_none_or(|gap| gap.is_zero()) {
                let found = format!("{starts} in {per:?}");
                let expected = "at least 1, in a time that leaves a nanosecond for each";
                return Err(invalid("the start rate", found, expected));
            }
        }
        if let Err((found, expected)) = self.halt.check() {
            return Err(invalid("the halt policy", found, expected));
        }
        self.retry.validate()?;
        match &self.limits {
            Some(limits) => limits.check(&self.needs)?,
            None if self.needs.is_empty() => {}
            None => {
                let expected = "none, or limits given with Batch::limits";
                return Err(invalid("what each task needs", self.needs.to_string(), expected));
            }
        }
        #[cfg(feature = "gates")]
        if self.readings.is_some() && self.gates.is_empty() {
            return Err(invalid("the number of gates", "0".to_owned(), "one that looks at the readings"));
        }
        #[cfg(feature = "gates")]
        for gate in &self.gates {
            gate.check().map_err(|(found, expected)| invalid("a gate", found, expected))?;
        }
        Ok(())
    }

    #[cfg(feature = "gates")]
    pub(crate) fn gates(&self) -> Result<Option<crate::gate::Gates>, BatchError> {
        if self.gates.is_empty() {
            return Ok(None);
        }
        let readings = match &self.readings {
            Some(readings) => readings.clone(),
            None => crate::machine::readings().map_err(BatchError::Machine)?,
        };
        Ok(Some(crate::gate::Gates::new(self.gates.clone(), readings)))
    }

    /// The one switch by which all of it is stopped: by those that were given, and by the deadline.
    pub(crate) fn switch(&self, deadline: Option<Instant>, tasks: &Tasks) -> Cancel {
        let mut switches = self.cancel.iter();
        let cancel = switches.next().map_or_else(Cancel::new, Cancel::child);
        for other in switches {
            if let Some(reason) = other.reason() {
                cancel.cancel_because(reason);
            }
            tasks.spawn(follow(other.clone(), cancel.clone()));
        }
        if let Some(deadline) = deadline {
            tasks.spawn(end_at(deadline, cancel.clone()));
        }
        cancel
    }
}

/// Does with one switch what is done with another.
async fn follow(leader: Cancel, cancel: Cancel) {
    let reason = leader.requested().await;
    if cancel.reason().is_none() {
        cancel.cancel_because(reason);
    }
    leader.forced().await;
    cancel.force();
}

/// Ends everything when the whole may take no longer.
async fn end_at(deadline: Instant, cancel: Cancel) {
    sleep_until(deadline).await;
    if cancel.reason().is_none() {
        cancel.cancel_because(CancelReason::Deadline);
    }
}
