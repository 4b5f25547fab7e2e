//! Every rule at every status, and whatever comes in whatever order.

use bgt_core::Status::{self, *};
use proptest::prelude::*;

use super::*;
use crate::{Clock, ManualClock};

fn queued() -> (RunRecord, Moment) {
    let now = ManualClock::new().now();
    (accept(&NewRun::new("t", ""), &now).0, now)
}

/// A run that stands there, and the latest lease on it.
fn standing(status: Status) -> (RunRecord, Lease, Moment) {
    let (mut run, now) = queued();
    let host = HostId::new();
    let (lease, ..) = claim(&mut run, host, 7, &now).unwrap();
    match status {
        Running => {}
        Queued => drop(requeue(&mut run, &lease, &Requeue::after(Failed), &now).unwrap()),
        // Only what never started can be skipped.
        Skipped => {
            requeue(&mut run, &lease, &Requeue::after(Failed), &now).unwrap();
            end_queued(&mut run, &Outcome::new(Skipped), &now).unwrap();
        }
        over => drop(finish(&mut run, &lease, &Outcome::new(over), &now).unwrap()),
    }
    assert_eq!(run.status, status);
    (run, lease, now)
}

#[test]
fn only_a_queued_run_is_claimed() {
    for status in Status::ALL {
        let (mut run, _, now) = standing(status);
        assert_eq!(claim(&mut run, HostId::new(), 8, &now).is_ok(), status == Queued, "{status}");
    }
}

#[test]
fn the_owner_finishes_with_what_the_table_has_and_may_say_it_twice() {
    for outcome in Status::ALL.into_iter().filter(|status| status.is_final()) {
        let (mut run, lease, now) = standing(Running);
        let finished = finish(&mut run, &lease, &Outcome::new(outcome), &now);
        assert_eq!(finished.is_ok(), Running.can_become(outcome), "{outcome}");
        if finished.is_ok() {
            let before = run.clone();
            assert_eq!(finish(&mut run, &lease, &Outcome::new(outcome), &now).unwrap(), Step::default());
            assert_eq!(run, before);
        }
    }
}

#[test]
fn a_late_word_is_refused_and_noted_and_changes_nothing_else() {
    for status in Status::ALL.into_iter().filter(|status| *status != Running) {
        let (mut run, lease, now) = standing(status);
        // What is written down already may be said again.
        let late = if status == Failed { TimedOut } else { Failed };
        let before = run.clone();
        let refusal = finish(&mut run, &lease, &Outcome::new(late).error("late"), &now).unwrap_err();
        let event = refusal.event.unwrap();
        assert_eq!((event.kind, event.status), (RunEventKind::Refused, Some(late)), "{status}");
        assert_eq!(run, RunRecord { events: before.events + 1, ..before });
    }
}

#[test]
fn who_took_over_fences_who_was_before() {
    let (mut run, old, now) = standing(Running);
    let (new, event) = adopt(&mut run, HostId::new(), 8, &now);
    assert_eq!((new.attempt, event.text), (1, Some(format!("from host {}", old.host))));
    for refused in [
        finish(&mut run, &old, &Outcome::succeeded(), &now).unwrap_err(),
        requeue(&mut run, &old, &Requeue::after(Lost), &now).unwrap_err(),
    ] {
        let StoreError::Fenced(fenced) = refused.error else { panic!("{refused:?}") };
        assert_eq!((fenced.owner, fenced.token, fenced.status), (Some(new.host), 8, Running));
    }
    finish(&mut run, &new, &Outcome::succeeded(), &now).unwrap();
    assert_eq!(run.status, Succeeded);
}

#[test]
fn what_was_asked_to_stop_is_not_started_again() {
    let (mut run, lease, now) = standing(Running);
    request_cancel(&mut run, &now).unwrap();
    request_cancel(&mut run, &now).unwrap();
    assert_eq!((run.status, run.cancel_requests), (Running, 2));
    let step = requeue(&mut run, &lease, &Requeue::after(TimedOut).error("slow"), &now).unwrap();
    assert_eq!(run.status, Cancelled);
    assert_eq!(step.attempt_end, Some(AttemptEnd { status: TimedOut, error: Some("slow".into()) }));
    assert_eq!(requeue(&mut run, &lease, &Requeue::after(TimedOut), &now).unwrap(), Step::default());

    let (mut run, now) = queued();
    let step = request_cancel(&mut run, &now).unwrap();
    let kinds: Vec<_> = step.events.iter().map(|event| event.kind).collect();
    assert_eq!((run.status, kinds), (Cancelled, vec![RunEventKind::CancelRequested, RunEventKind::Ended]));
    assert_eq!(request_cancel(&mut run, &now).unwrap(), Step::default());
}

#[test]
fn only_what_nobody_holds_is_closed_without_an_attempt() {
    for status in Status::ALL {
        for outcome in Status::ALL.into_iter().filter(|status| status.is_final()) {
            let (mut run, _, now) = standing(status);
            let closed = end_queued(&mut run, &Outcome::new(outcome), &now);
            let expected = status == outcome || (status == Queued && Queued.can_become(outcome));
            assert_eq!(closed.is_ok(), expected, "{status} to {outcome}");
            if status == Running {
                assert!(matches!(closed, Err(StoreError::Held { .. })));
            }
        }
    }
}

#[test]
fn the_error_of_the_run_is_that_of_its_latest_attempt_and_none_after_a_success() {
    let (mut run, lease, now) = standing(Running);
    requeue(&mut run, &lease, &Requeue::after(Failed).error("first"), &now).unwrap();
    assert_eq!(run.error.as_deref(), Some("first"));
    let (lease, ..) = claim(&mut run, HostId::new(), 8, &now).unwrap();
    finish(&mut run, &lease, &Outcome::succeeded(), &now).unwrap();
    assert_eq!((run.error, run.attempt), (None, 2));
}

proptest! {
    #[test]
    fn whatever_comes_in_whatever_order(words in proptest::collection::vec((0..6_u8, 0..4_usize, 0..8_usize), 0..60)) {
        let (mut run, now) = queued();
        let mut events = 1;
        let mut token = 0;
        let mut leases = vec![Lease { run: run.id, attempt: 0, host: HostId::new(), token: 999 }];
        for (word, lease, status) in words {
            let lease = leases[lease % leases.len()];
            let status = Status::ALL[status];
            let before = run.clone();
            let added = match word {
                0 => claim(&mut run, HostId::new(), token + 1, &now).map_or(0, |(lease, ..)| {
                    token += 1;
                    leases.push(lease);
                    1
                }),
                1 if run.status == Running => {
                    token += 1;
                    leases.push(adopt(&mut run, HostId::new(), token, &now).0);
                    1
                }
                2 if status.is_final() => written(finish(&mut run, &lease, &Outcome::new(status), &now)),
                3 if Requeue::after(status).check().is_ok() =>
                    written(requeue(&mut run, &lease, &Requeue::after(status), &now)),
                4 => request_cancel(&mut run, &now).map_or(0, |step| step.events.len()),
                5 if status.is_final() => end_queued(&mut run, &Outcome::new(status), &now).map_or(0, |step| step.events.len()),
                _ => 0,
            };
            events += added;
            prop_assert_eq!(run.events as usize, events);
            prop_assert_eq!(run.owner.is_some(), run.status == Running);
            prop_assert_eq!(run.ended_at.is_some(), run.status.is_final());
            prop_assert_eq!(run.token, token);
            prop_assert!(run.status == before.status || before.status.can_become(run.status));
            if before.status.is_final() {
                prop_assert_eq!(&run, &RunRecord { events: run.events, ..before });
            }
        }
    }
}

fn written(outcome: Result<Step, Refusal>) -> usize {
    outcome.map_or_else(|refusal| usize::from(refusal.event.is_some()), |step| step.events.len())
}
