//! From a run that was taken on to what becomes of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use bgt_core::{CancelReason, ErrorKind, EventKind, Status};
use bgt_store::{Attempt, Bytes, Held, Outcome, Requeue, StoreError};

use super::persist::persist;
use super::{Closing, Host, Working, function};
use crate::payload::{Payload, What};
use crate::policy::{self, Next, Past};

/// After how long a run is offered again whose function nobody here has.
const ELSEWHERE: Duration = Duration::from_secs(2);
/// How often that time doubles.
const DOUBLINGS: u32 = 5;

/// How a run came to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Nobody has begun this attempt.
    Claimed,
    /// Somebody may have.
    Adopted,
}

/// How an attempt ended.
pub(super) struct Settled {
    pub(super) failure: Option<ErrorKind>,
    pub(super) reason: Option<CancelReason>,
    pub(super) error: Option<String>,
    pub(super) result: Option<Bytes>,
    /// It had not begun, so nothing is done twice if it is done again.
    pub(super) never_began: bool,
}

impl Settled {
    pub(super) fn succeeded() -> Self {
        Self { failure: None, reason: None, error: None, result: None, never_began: false }
    }

    pub(super) fn failed(kind: ErrorKind, error: impl Into<String>) -> Self {
        Self { failure: Some(kind), error: Some(error.into()), ..Self::succeeded() }
    }
}

/// Works on a run, in the background.
pub(super) fn begin(host: &Arc<Host>, held: Held, how: How) {
    let working = Arc::new(Working::new(held.lease, held.run.queue.clone()));
    if held.run.cancel_requests > 0 {
        working.ask(held.run.cancel_requests);
    }
    host.working().insert(held.run.id, working.clone());
    // After that: who closes first and looks then, or finds it in the table.
    match host.closing() {
        Closing::No | Closing::Full => {}
        Closing::Draining => {
            working.cancel.cancel_because(CancelReason::Shutdown);
            working.hand_over();
        }
        Closing::Now => working.end(),
    }
    let host = host.clone();
    tokio::spawn(async move {
        let done = Done { host: &host, working: &working };
        work(&host, held, &working, how).await;
        drop(done);
    });
}

/// Whatever happens to the work, its place is free afterwards.
struct Done<'a> {
    host: &'a Host,
    working: &'a Arc<Working>,
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        let run = self.working.lease.run;
        let mut all = self.host.working();
        // It may have come back to us under another lease.
        if all.get(&run).is_some_and(|working| Arc::ptr_eq(working, self.working)) {
            all.remove(&run);
        }
        drop(all);
        if std::thread::panicking() {
            // The record still says that it is ours: whoever looks next takes it up again.
            self.host.is_suspect.store(true, Ordering::Relaxed);
        }
        self.host.changes.tell(run);
        self.host.wake();
        self.host.idle.notify_waiters();
    }
}

async fn work(host: &Arc<Host>, held: Held, working: &Arc<Working>, how: How) {
    if working.orders().borrow().is_over {
        return;
    }
    host.changes.tell(held.run.id);
    host.notify(held.run.id, &held.run.name, EventKind::Started);
    host.notify(held.run.id, &held.run.name, EventKind::AttemptStarted { attempt: held.lease.attempt });
    let payload = match serde_json::from_slice::<Payload>(&held.payload) {
        Ok(payload) => payload,
        Err(error) => {
            // Damaged text is no text of any version.
            let is_of_version = error.is_data();
            let error = if is_of_version {
                format!("what it is to do cannot be read here, it was kept by another version: {error}")
            } else {
                format!("what it is to do is damaged: {error}")
            };
            if !is_of_version {
                return finish(host, &held, Outcome::failed(error)).await;
            }
            if how == How::Claimed {
                return put_back(host, &held, error).await;
            }
            // Perhaps it runs: whoever can read it finds it when this host has gone.
            tracing::warn!(run = %held.run.id, "{error}");
            return working.let_go().await;
        }
    };
    let settled = match &payload.what {
        #[cfg(feature = "process")]
        What::Program { command } => super::program::run(host, &held, working, &payload, command, how).await,
        What::Call { .. } if how == How::Adopted => Some(function::lost()),
        What::Call { function, args } => match host.settings.functions.get(function) {
            Some(function) => {
                let call = (function.clone(), args.get().to_owned());
                function::run(host, &held, working, &payload, call).await
            }
            None if payload
                .remaining(held.run.created_at, SystemTime::now())
                .is_some_and(|left| left.is_zero()) =>
            {
                let error =
                    format!("its deadline has passed, and no host with a function {function:?} came for it");
                Some(Settled { never_began: true, ..Settled::failed(ErrorKind::TimedOut, error) })
            }
            None => {
                let known = host.settings.functions.known();
                let name = &host.settings.name;
                let error = format!("no function {function:?} is registered on host {name:?}, only {known}");
                return put_back(host, &held, error).await;
            }
        },
    };
    if let Some(settled) = settled {
        settle(host, &held, &payload, settled).await;
    }
}

/// Another host may be able to do it: a newer one, while this is about to be replaced. It is offered again less and less often.
async fn put_back(host: &Arc<Host>, held: &Held, error: String) {
    tracing::warn!(run = %held.run.id, "{error}");
    let doubled = 1 << held.lease.attempt.saturating_sub(1).min(DOUBLINGS);
    // Not counted as a failure, nor as a loss.
    let requeue = Requeue::after(Status::Cancelled).error(error).not_before(later(ELSEWHERE * doubled));
    again(host, held, requeue).await;
}

/// This time from now, or the last that the records have.
fn later(after: Duration) -> SystemTime {
    let last = || SystemTime::UNIX_EPOCH + Duration::from_nanos(i64::MAX.unsigned_abs());
    SystemTime::now().checked_add(after).unwrap_or_else(last)
}

async fn settle(host: &Arc<Host>, held: &Held, payload: &Payload, settled: Settled) {
    let run = &held.run;
    let ended = policy::Ended { failure: settled.failure, reason: settled.reason };
    let attempts = match (settled.failure, held.lease.attempt) {
        (Some(_), 2..) => match persist(host, || host.store.attempts(run.id)).await {
            Some(attempts) => attempts,
            None => return,
        },
        _ => Vec::new(),
    };
    let count = |statuses: &[Status]| {
        let before = attempts.iter().filter(|attempt| attempt.number < held.lease.attempt);
        let of = |attempt: &&Attempt| attempt.status.is_some_and(|status| statuses.contains(&status));
        u32::try_from(before.filter(of).count()).unwrap_or(u32::MAX)
    };
    let past = Past {
        retry: &payload.retry,
        failed: count(&[Status::Failed, Status::TimedOut]),
        lost: count(&[Status::Lost]),
        may_be_repeated: payload.may_be_repeated() || settled.never_began,
        remaining: payload.remaining(run.created_at, SystemTime::now()),
        random: fastrand::f64(),
    };
    match policy::after(ended, &past) {
        Next::Over(status) => {
            let mut outcome = Outcome::new(status);
            (outcome.error, outcome.result) = (settled.error, settled.result);
            finish(host, held, outcome).await;
        }
        Next::Again(status, after) => {
            let mut requeue = Requeue::after(status);
            requeue.error = settled.error;
            if !after.is_zero() {
                requeue = requeue.not_before(later(after));
            }
            if let Some(kind) = settled.failure {
                host.notify(
                    run.id,
                    &run.name,
                    EventKind::Retrying { attempt: held.lease.attempt, kind, after },
                );
            }
            again(host, held, requeue).await;
        }
    }
}

async fn again(host: &Arc<Host>, held: &Held, requeue: Requeue) {
    let status = persist(host, || host.store.requeue(held.lease, requeue.clone())).await;
    if let Some(status) = status.filter(|status| status.is_final()) {
        host.notify(held.run.id, &held.run.name, EventKind::Ended { status });
    }
}

async fn finish(host: &Arc<Host>, held: &Held, outcome: Outcome) {
    let mut outcome = outcome;
    // Too large an answer is no reason to be forgotten.
    if let Err(error @ StoreError::Invalid { .. }) = outcome.check() {
        outcome = Outcome::failed(format!("what it answered cannot be kept: {error}"));
    }
    let written = persist(host, || host.store.finish(held.lease, outcome.clone())).await;
    if written.is_some() {
        host.notify(held.run.id, &held.run.name, EventKind::Ended { status: outcome.status });
    } else if host.closing() == Closing::Now {
        // Here it is over; what becomes of it is for the next host to say.
        host.notify(held.run.id, &held.run.name, EventKind::Ended { status: Status::Lost });
    }
}
