//! Every operation on a run at every status, against the table of [`Status`].

use bgt_core::Status;

use super::Backend;
use super::support::{Must, Setup, Snapshot, refused};
use crate::{
    Adopt, Clock, Held, HostId, NewRun, Outcome, Requeue, RunEvent, RunEventKind as Kind, RunId, StoreError,
};

/// How an attempt that is followed by another can have ended.
const ATTEMPTS: [Status; 4] = [Status::Failed, Status::TimedOut, Status::Cancelled, Status::Lost];

fn finals() -> impl Iterator<Item = Status> {
    Status::ALL.into_iter().filter(|status| status.is_final())
}

/// A run that stands there after one attempt, and its latest lease.
async fn standing(setup: &Setup, status: Status) -> (Snapshot, Held) {
    let held = setup.running(setup.host("owner").await, NewRun::new("table", "payload")).await;
    let lease = held.lease;
    match status {
        Status::Running => {}
        Status::Queued | Status::Skipped => {
            let requeue = Requeue::after(Status::Failed).error("first attempt");
            setup.requeue(lease, requeue).await.must("requeue a run that is held");
            if status == Status::Skipped {
                let skipped = Outcome::new(status).error("no more");
                setup.end_queued(lease.run, skipped).await.must("close a queued run");
            }
        }
        _ => setup.finish(lease, ending(status)).await.must("finish a run that is held"),
    }
    let snapshot = setup.snapshot(lease.run).await;
    assert_eq!(snapshot.run.status, status, "the run was brought to {status}: {snapshot:#?}");
    setup.clock.advance(std::time::Duration::from_millis(5));
    (snapshot, held)
}

fn ending(status: Status) -> Outcome {
    let outcome = Outcome::new(status).result("answer");
    if status == Status::Succeeded { outcome } else { outcome.error(format!("it was {status}")) }
}

/// What an operation adds to a snapshot.
impl Snapshot {
    fn event(&mut self, setup: &Setup, kind: Kind, host: Option<HostId>, status: Option<Status>) {
        self.run.events += 1;
        let (seq, at, attempt) = (self.run.events, setup.clock.now().stored(), self.run.attempt);
        let event = RunEvent { seq, at, kind, attempt, host, status, text: None };
        self.events.push(event);
    }

    fn text(&mut self, text: Option<&str>) {
        let event = self.events.last_mut().expect("a history with an event");
        event.text = text.map(str::to_owned);
    }

    fn end(&mut self, setup: &Setup, host: Option<HostId>, status: Status, error: Option<&str>) {
        self.run.status = status;
        self.run.owner = None;
        self.run.ended_at = Some(setup.clock.now().stored());
        self.run.error = error.map(str::to_owned);
        self.event(setup, Kind::Ended, host, Some(status));
        self.text(error);
    }

    fn end_attempt(&mut self, setup: &Setup, status: Status, error: Option<&str>) {
        let attempt = self.attempts.last_mut().expect("a run with an attempt");
        attempt.ended_at = Some(setup.clock.now().stored());
        (attempt.status, attempt.error) = (Some(status), error.map(str::to_owned));
    }

    fn refuse(&mut self, setup: &Setup, host: HostId, status: Status, text: Option<&str>) {
        self.event(setup, Kind::Refused, Some(host), Some(status));
        self.text(text);
    }
}

async fn demand(setup: &Setup, wanted: &Snapshot, what: &str) {
    let found = setup.snapshot(wanted.run.id).await;
    assert_eq!(found, *wanted, "after {what} the run must be as on the right");
}

pub(super) async fn every_finish_follows_the_table(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    for from in Status::ALL {
        for to in finals() {
            let (mut wanted, Held { lease, .. }) = standing(&setup, from).await;
            let (outcome, what) = (ending(to), format!("finishing as {to} at {from}"));
            let error = outcome.error.clone();
            let answer = setup.finish(lease, outcome.clone()).await;
            if from == to {
                // Nobody could have brought it to `skipped` with a lease; that it stays is what matters.
                if to != Status::Skipped {
                    answer.must("let a host finish a run again");
                }
            } else if from != Status::Running {
                refused!(answer, StoreError::Fenced(_), "{what}");
                wanted.refuse(&setup, lease.host, to, error.as_deref());
            } else if from.can_become(to) {
                answer.must("let its owner finish a run");
                wanted.end_attempt(&setup, to, error.as_deref());
                wanted.end(&setup, Some(lease.host), to, error.as_deref());
                wanted.result = outcome.result;
            } else {
                refused!(answer, StoreError::Transition { run, step }
                    if run == lease.run && (step.from, step.to) == (from, to), "{what}");
            }
            demand(&setup, &wanted, &what).await;
        }
    }
}

pub(super) async fn every_requeue_follows_the_table(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    for from in Status::ALL {
        for ended in ATTEMPTS {
            let (mut wanted, Held { lease, .. }) = standing(&setup, from).await;
            let what = format!("requeueing after an attempt that was {ended} at {from}");
            let answer = setup.requeue(lease, Requeue::after(ended).error("once more")).await;
            match from {
                Status::Queued => {
                    assert_eq!(answer.must("let a host requeue again"), Status::Queued, "{what}");
                }
                Status::Running => {
                    assert_eq!(answer.must("let its owner requeue a run"), Status::Queued, "{what}");
                    wanted.end_attempt(&setup, ended, Some("once more"));
                    wanted.event(&setup, Kind::Requeued, Some(lease.host), Some(ended));
                    wanted.text(Some("once more"));
                    (wanted.run.status, wanted.run.owner) = (Status::Queued, None);
                    wanted.run.not_before = setup.clock.now().stored();
                    wanted.run.error = Some("once more".into());
                }
                _ => {
                    refused!(answer, StoreError::Fenced(_), "{what}");
                    wanted.refuse(&setup, lease.host, ended, Some("once more"));
                }
            }
            demand(&setup, &wanted, &what).await;
        }
    }
}

pub(super) async fn every_close_follows_the_table(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    for from in Status::ALL {
        for to in finals() {
            let (mut wanted, Held { lease, .. }) = standing(&setup, from).await;
            let (outcome, what) = (ending(to), format!("closing as {to} at {from}"));
            let answer = setup.end_queued(lease.run, outcome.clone()).await;
            if from == Status::Running {
                refused!(answer, StoreError::Held { run, host } if (run, host) == (lease.run, lease.host), "{what}");
            } else if from != to && !from.can_become(to) {
                refused!(answer, StoreError::Transition { run, step }
                    if run == lease.run && (step.from, step.to) == (from, to), "{what}");
            } else {
                if from != to {
                    wanted.end(&setup, None, to, outcome.error.as_deref());
                    wanted.result = outcome.result;
                }
                let run = answer.must("let anybody close a queued run, and again");
                assert_eq!(run, wanted.run, "the answer to {what} is the run as it stands then");
            }
            demand(&setup, &wanted, &what).await;
        }
    }
}

pub(super) async fn a_request_to_cancel_follows_the_table(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    for from in Status::ALL {
        let (mut wanted, Held { lease, .. }) = standing(&setup, from).await;
        let run =
            setup.request_cancel(lease.run).await.must("let anybody ask to stop a run, wherever it stands");
        if !from.is_final() {
            wanted.run.cancel_requests = 1;
            wanted.event(&setup, Kind::CancelRequested, None, None);
        }
        if from == Status::Queued {
            // What went wrong with the latest attempt is still what went wrong.
            let error = wanted.run.error.clone();
            wanted.end(&setup, None, Status::Cancelled, error.as_deref());
        }
        assert_eq!(
            run, wanted.run,
            "the answer to a request to cancel at {from} is the run as it stands then"
        );
        demand(&setup, &wanted, &format!("a request to cancel at {from}")).await;
    }
}

pub(super) async fn only_queued_runs_are_claimed_and_only_running_ones_adopted(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    for from in Status::ALL {
        let (before, Held { lease, .. }) = standing(&setup, from).await;
        let other = setup.host("other").await;
        let adopted =
            setup.adopt(Adopt::new(other, 1000)).await.must("let a host look for what it can adopt");
        assert!(adopted.is_empty(), "nothing can be adopted from a host that is alive: {adopted:?}");
        demand(&setup, &before, "an attempt to adopt it from a host that is alive").await;

        setup.retire(lease.host).await.must("let a host retire");
        let mut wanted = before.clone();
        if from == Status::Running {
            let adopted = setup.adopt(Adopt::new(other, 1000)).await.must("let a host adopt");
            let [held] = &adopted[..] else { panic!("one run can be adopted, and it must be: {adopted:?}") };
            assert!(
                held.lease.token > lease.token,
                "who adopts gets a larger token: {held:?} after {lease:?}"
            );
            wanted.event(&setup, Kind::Adopted, Some(other), None);
            (wanted.run.owner, wanted.run.token) = (Some(other), held.lease.token);
            let attempt = wanted.attempts.last_mut().expect("a run with an attempt");
            (attempt.host, attempt.token) = (other, held.lease.token);
        } else {
            let adopted =
                setup.adopt(Adopt::new(other, 1000)).await.must("let a host look for what it can adopt");
            assert!(adopted.is_empty(), "a run that is {from} is nobody's to adopt: {adopted:?}");
        }
        let mut found = setup.snapshot(lease.run).await;
        // What it says beyond who took over is the backend's choice.
        found
            .events
            .last_mut()
            .into_iter()
            .filter(|event| event.kind == Kind::Adopted)
            .for_each(|e| e.text = None);
        assert_eq!(found, wanted, "after adoption at {from} the run must be as on the right");

        let claimed = setup.take(other, &before.run.queue).await;
        let ids: Vec<RunId> = claimed.iter().map(|held| held.run.id).collect();
        let due: &[RunId] = if from == Status::Queued { &[lease.run] } else { &[] };
        assert_eq!(ids, due, "what is claimed from a queue whose only run is {from}");
    }
}

pub(super) async fn a_known_id_is_left_as_it_is_wherever_it_stands(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    for from in Status::ALL {
        let (before, Held { lease, .. }) = standing(&setup, from).await;
        let again = NewRun::new("another", "other payload").id(lease.run).priority(9).label("a", "b");
        let answer = setup.enqueue(vec![again]).await.must("take a known id without an error");
        assert!(
            answer.len() == 1 && answer[0].id == lease.run && !answer[0].is_new,
            "enqueueing the id of a run that is {from} must answer that it is not new: {answer:?}"
        );
        demand(&setup, &before, &format!("enqueueing its id again at {from}")).await;
    }
}

pub(super) async fn a_note_changes_nothing_else(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    for from in Status::ALL {
        let (mut wanted, Held { lease, .. }) = standing(&setup, from).await;
        setup.note(lease.run, "seen").await.must("add a note to a run, also when it is over");
        wanted.event(&setup, Kind::Note, None, None);
        wanted.text(Some("seen"));
        demand(&setup, &wanted, &format!("a note at {from}")).await;
    }
}

pub(super) async fn a_life_with_every_step_has_a_history_without_a_gap(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let (first, second) = (setup.host("first").await, setup.host("second").await);
    let held = setup.running(first, NewRun::new("life", "")).await;
    let id = held.run.id;
    setup.requeue(held.lease, Requeue::after(Status::Failed)).await.must("requeue a run that is held");
    let held = setup.take(first, &held.run.queue).await.remove(0);
    assert_eq!((held.lease.attempt, held.run.attempt), (2, 2), "a claim after a requeue is the next attempt");
    setup.note(id, "half way").await.must("take a note");
    setup.retire(first).await.must("let a host retire");
    let adopted = setup.adopt(Adopt::new(second, 10)).await.must("let a host adopt").remove(0);
    refused!(setup.finish(held.lease, Outcome::succeeded()).await, StoreError::Fenced(_), "an old lease");
    setup.request_cancel(id).await.must("let anybody ask to stop a run");
    setup.finish(adopted.lease, Outcome::new(Status::Cancelled)).await.must("let its owner finish a run");
    let found = setup.snapshot(id).await;
    let kinds = [
        Kind::Queued,
        Kind::Claimed,
        Kind::Requeued,
        Kind::Claimed,
        Kind::Note,
        Kind::Adopted,
        Kind::Refused,
        Kind::CancelRequested,
        Kind::Ended,
    ];
    assert_eq!(found.kinds(), kinds, "the history must have every step in its order");
    let attempts: Vec<u32> = found.events.iter().map(|event| event.attempt).collect();
    assert_eq!(
        attempts,
        [0, 1, 1, 2, 2, 2, 2, 2, 2],
        "every event names the attempt that was the latest then"
    );
    for (after, limit) in [(0, 1), (0, 4), (3, 2), (8, 10), (9, 10), (100, 10)] {
        let page = setup.events(id, after, limit).await.must("read a part of a history");
        let wanted: Vec<_> =
            found.events.iter().filter(|event| event.seq > after).take(limit).cloned().collect();
        assert_eq!(page, wanted, "up to {limit} events after number {after}");
    }
}
