//! What may happen to a run, as arithmetic on its record: the same for every backend.
//!
//! Owns: which write is accepted, what it changes, and what the history says about it.
//! Never does: look at a clock, wait, or know how records are kept.
//!
//! Each rule takes the record as it is stored and changes it; the backend then writes down the record and the [`Step`],
//! in one transaction. Where a rule refuses, the record may have changed too: its history has a note of it.

use std::time::SystemTime;

use bgt_core::{Progress, Status};

use crate::clock::Moment;
use crate::error::Fenced;
use crate::{
    Attempt, HostId, Lease, NewRun, Outcome, Requeue, RunEvent, RunEventKind, RunRecord, StoreError, limits,
};

/// What a backend is to write down, besides the record itself. If there are no events, nothing has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// For the history.
    pub events: Vec<RunEvent>,
    /// How the latest attempt ended, if it did: at the time of the events.
    pub attempt_end: Option<AttemptEnd>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptEnd {
    /// With this status.
    pub status: Status,
    /// What went wrong.
    pub error: Option<String>,
}

/// Why nothing happens, and what the history has to say about that.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// For the caller.
    pub error: StoreError,
    /// For the history. The record counts it already, and is to be written with it.
    pub event: Option<Box<RunEvent>>,
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self { error, event: None }
    }
}

/// A run that was accepted.
pub fn accept(new: &NewRun, now: &Moment) -> (RunRecord, RunEvent) {
    let now = now.stored();
    let mut run = RunRecord {
        id: new.id,
        name: new.name.clone(),
        pattern: new.pattern,
        queue: new.queue.clone(),
        priority: new.priority,
        labels: new.labels.clone(),
        unique_key: new.unique_key.clone(),
        status: Status::Queued,
        attempt: 0,
        owner: None,
        token: 0,
        created_at: now,
        not_before: due(new.not_before, now),
        started_at: None,
        ended_at: None,
        cancel_requests: 0,
        progress: None,
        error: None,
        events: 0,
    };
    let event = run.event(RunEventKind::Queued, now);
    (run, event)
}

/// A host takes a queued run on.
///
/// # Errors
///
/// [`StoreError::Transition`] if it is not queued.
pub fn claim(
    run: &mut RunRecord,
    host: HostId,
    token: u64,
    now: &Moment,
) -> Result<(Lease, Attempt, RunEvent), StoreError> {
    run.advance(Status::Running)?;
    let now = now.stored();
    run.attempt += 1;
    (run.owner, run.token, run.started_at) = (Some(host), token, Some(now));
    run.progress = None;
    let attempt = Attempt {
        number: run.attempt,
        host,
        token,
        started_at: now,
        ended_at: None,
        status: None,
        error: None,
    };
    let event = RunEvent { host: Some(host), ..run.event(RunEventKind::Claimed, now) };
    Ok((run.lease(host), attempt, event))
}

/// A host takes a running run over from one whose lease is over. Backends look at that lease.
pub fn adopt(run: &mut RunRecord, host: HostId, token: u64, now: &Moment) -> (Lease, RunEvent) {
    let from = run.owner.replace(host);
    run.token = token;
    let event = run.event(RunEventKind::Adopted, now.stored());
    let text = from.map(|from| format!("from host {from}"));
    (run.lease(host), RunEvent { host: Some(host), text, ..event })
}

/// The owner says how it ended. Saying the same again is fine. `outcome` was checked.
///
/// # Errors
///
/// If the lease is not the latest of a running run, or the table has no such step.
pub fn finish(run: &mut RunRecord, lease: &Lease, outcome: &Outcome, now: &Moment) -> Result<Step, Refusal> {
    if run.token == lease.token && run.status == outcome.status {
        return Ok(Step::default());
    }
    run.prove(lease, outcome.status, outcome.error.as_deref(), now)?;
    run.advance(outcome.status)?;
    Ok(run.end(lease.host, outcome.status, outcome.error.as_deref(), now, true))
}

/// The owner says that the attempt ended and that there will be another, unless somebody asked to stop the run. Saying
/// the same again is fine. `requeue` was checked.
///
/// # Errors
///
/// If the lease is not the latest of a running run.
pub fn requeue(run: &mut RunRecord, lease: &Lease, requeue: &Requeue, now: &Moment) -> Result<Step, Refusal> {
    let stopped = run.status == Status::Cancelled && run.cancel_requests > 0;
    if run.token == lease.token && (run.status == Status::Queued || stopped) {
        return Ok(Step::default());
    }
    run.prove(lease, requeue.status, requeue.error.as_deref(), now)?;
    let error = requeue.error.as_deref().map(limits::text);
    let attempt_end = Some(AttemptEnd { status: requeue.status, error: error.clone() });
    if run.cancel_requests > 0 {
        run.advance(Status::Cancelled)?;
        let step = run.end(lease.host, Status::Cancelled, error.as_deref(), now, true);
        return Ok(Step { attempt_end, ..step });
    }
    run.advance(Status::Queued)?;
    let at = now.stored();
    run.owner = None;
    run.not_before = due(requeue.not_before, at);
    run.error.clone_from(&error);
    let event = run.event(RunEventKind::Requeued, at);
    let event = RunEvent { host: Some(lease.host), status: Some(requeue.status), text: error, ..event };
    Ok(Step { events: vec![event], attempt_end })
}

/// Anybody asks to stop it: what has not started is over at once, what runs is for its owner to end.
///
/// # Errors
///
/// None today: the table has the step from queued to cancelled.
pub fn request_cancel(run: &mut RunRecord, now: &Moment) -> Result<Step, StoreError> {
    if run.status.is_final() {
        return Ok(Step::default());
    }
    run.cancel_requests = run.cancel_requests.saturating_add(1);
    let mut events = vec![run.event(RunEventKind::CancelRequested, now.stored())];
    if run.status == Status::Queued {
        run.advance(Status::Cancelled)?;
        events.extend(run.end(None, Status::Cancelled, None, now, false).events);
    }
    Ok(Step { events, attempt_end: None })
}

/// Anybody ends what nobody holds. Saying the same again is fine. `outcome` was checked.
///
/// # Errors
///
/// If somebody holds it, or the table has no such step.
pub fn end_queued(run: &mut RunRecord, outcome: &Outcome, now: &Moment) -> Result<Step, StoreError> {
    if let (Status::Running, Some(host)) = (run.status, run.owner) {
        return Err(StoreError::Held { run: run.id, host });
    }
    if run.status == outcome.status {
        return Ok(Step::default());
    }
    run.advance(outcome.status)?;
    Ok(run.end(None, outcome.status, outcome.error.as_deref(), now, false))
}

/// Something that somebody wants to be known.
pub fn note(run: &mut RunRecord, text: &str, now: &Moment) -> RunEvent {
    let event = run.event(RunEventKind::Note, now.stored());
    RunEvent { text: Some(limits::text(text)), ..event }
}

/// How far a run says that it has come. A number that makes no sense counts as unknown: it must not cost the record.
pub fn progress(told: &Progress) -> Progress {
    let mut kept = told.clone();
    let makes_sense = |number: &f64| number.is_finite() && *number >= 0.0;
    kept.position = Some(kept.position).filter(makes_sense).unwrap_or_default();
    kept.total = kept.total.filter(makes_sense);
    kept.message = kept.message.as_deref().map(limits::text);
    kept
}

fn due(not_before: Option<SystemTime>, now: SystemTime) -> SystemTime {
    not_before.map_or(now, |time| crate::clock::from_millis(crate::clock::millis(time)).max(now))
}

impl RunRecord {
    /// The lease of its latest owner, if that is this host.
    pub(crate) fn lease(&self, host: HostId) -> Lease {
        Lease { run: self.id, attempt: self.attempt, host, token: self.token }
    }

    fn advance(&mut self, to: Status) -> Result<(), StoreError> {
        let step = self.status.advance(to);
        self.status = step.map_err(|step| StoreError::Transition { run: self.id, step })?;
        Ok(())
    }

    /// The next event of the history.
    fn event(&mut self, kind: RunEventKind, at: SystemTime) -> RunEvent {
        self.events += 1;
        let attempt = self.attempt;
        RunEvent { seq: self.events, at, kind, attempt, host: None, status: None, text: None }
    }

    /// Only who has the latest lease of a running run may write; what others bring is noted, and refused.
    fn prove(
        &mut self,
        lease: &Lease,
        status: Status,
        text: Option<&str>,
        now: &Moment,
    ) -> Result<(), Refusal> {
        if self.token == lease.token && self.status == Status::Running {
            return Ok(());
        }
        let (owner, token) = (self.owner, self.token);
        let fenced = Fenced { lease: *lease, status: self.status, owner, token };
        let (host, status, text) = (Some(lease.host), Some(status), text.map(limits::text));
        let event = RunEvent { host, status, text, ..self.event(RunEventKind::Refused, now.stored()) };
        Err(Refusal { error: StoreError::Fenced(Box::new(fenced)), event: Some(Box::new(event)) })
    }

    fn end(
        &mut self,
        host: impl Into<Option<HostId>>,
        status: Status,
        error: Option<&str>,
        now: &Moment,
        with_attempt: bool,
    ) -> Step {
        let at = now.stored();
        (self.owner, self.ended_at) = (None, Some(at));
        if error.is_some() || status == Status::Succeeded {
            self.error = error.map(limits::text);
        }
        let event = self.event(RunEventKind::Ended, at);
        let event = RunEvent { host: host.into(), status: Some(status), text: self.error.clone(), ..event };
        let error = error.map(limits::text);
        let attempt_end = with_attempt.then_some(AttemptEnd { status, error });
        Step { events: vec![event], attempt_end }
    }
}

#[cfg(test)]
mod tests;
