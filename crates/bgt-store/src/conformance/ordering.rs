//! Which run is next.

use std::time::Duration;

use bgt_core::Status;

use super::Backend;
use super::support::{MILLISECOND, Must, Setup, refused};
use crate::{Claim, Clock, HostId, NewRun, Outcome, Requeue, StoreError};

const MINUTE: Duration = Duration::from_secs(60);

/// The names of up to `limit` runs of the default queue, in the order in which they are given.
async fn next(setup: &Setup, host: HostId, limit: usize) -> Vec<String> {
    let claimed = setup.claim(Claim::new(host, "default", limit)).await.must("let a host claim");
    claimed.runs.into_iter().map(|held| held.run.name).collect()
}

pub(super) async fn the_highest_priority_first_then_the_order_of_acceptance(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let runs = [("a", 0), ("b", 5), ("c", -1), ("d", 5), ("e", i32::MAX), ("f", i32::MIN), ("g", 0)];
    for pair in runs.chunks(2) {
        let pair = pair.iter().map(|(name, priority)| NewRun::new(*name, "").priority(*priority)).collect();
        setup.enqueue(pair).await.must("accept runs");
    }
    assert_eq!(next(&setup, host, 3).await, ["e", "b", "d"], "the first three by priority");
    setup.accept(NewRun::new("h", "").priority(1)).await;
    assert_eq!(next(&setup, host, 1000).await, ["h", "a", "g", "c", "f"], "the others by priority");
    assert_eq!(next(&setup, host, 1).await, [""; 0], "nothing is left");
    let held: Vec<_> = setup.held(host).await.must("say what a host holds");
    let held: Vec<_> = held.into_iter().map(|held| held.run.name).collect();
    assert_eq!(held, ["a", "b", "c", "d", "e", "f", "g", "h"], "what is held, in the order of acceptance");
}

pub(super) async fn nothing_is_claimed_before_its_time(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let now = setup.clock.now().stored();
    for (name, delay) in [("later", 2), ("soon", 1)] {
        setup.accept(NewRun::new(name, "").not_before(now + delay * MINUTE)).await;
    }
    setup.accept(NewRun::new("elsewhere", "").queue("elsewhere").not_before(now + MINUTE / 2)).await;
    setup.accept(NewRun::new("long ago", "").not_before(now - MINUTE)).await;
    let claim = || async { setup.claim(Claim::new(host, "default", 10)).await.must("let a host claim") };
    let mut steps = vec![
        (Duration::ZERO, vec!["long ago"], Some(now + MINUTE)),
        (MINUTE - MILLISECOND, vec![], Some(now + MINUTE)),
        (MILLISECOND, vec!["soon"], Some(now + 2 * MINUTE)),
        (MINUTE, vec!["later"], None),
    ];
    for (pass, names, due) in steps.drain(..) {
        setup.clock.advance(pass);
        let claimed = claim().await;
        let found: Vec<_> = claimed.runs.iter().map(|held| held.run.name.as_str()).collect();
        let since = setup.clock.now().stored().duration_since(now).unwrap_or_default();
        assert_eq!(found, names, "what is due after {since:?}");
        assert_eq!(
            claimed.next_due, due,
            "when the next delayed run of the queue is due, seen after {since:?}"
        );
    }
}

pub(super) async fn when_something_waits_is_told_without_taking_it(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let now = setup.clock.now().stored();
    let due = || async { setup.next_due("default").await.must("say when something is due") };
    setup.accept(NewRun::new("elsewhere", "").queue("elsewhere")).await;
    assert_eq!(due().await, None, "nothing waits in this queue");
    setup.accept(NewRun::new("later", "").not_before(now + 2 * MINUTE)).await;
    setup.accept(NewRun::new("soon", "").not_before(now + MINUTE)).await;
    assert_eq!(due().await, Some(now + MINUTE), "the first of those that are delayed");
    setup.clock.advance(MINUTE);
    assert_eq!(due().await, Some(now + MINUTE), "what is due may start now");
    assert_eq!(due().await, Some(now + MINUTE), "a look takes nothing");
    assert_eq!(next(&setup, host, 10).await, ["soon"], "what is due is claimed");
    assert_eq!(due().await, Some(now + 2 * MINUTE), "what is claimed does not wait any more");
    setup.accept(NewRun::new("at once", "")).await;
    assert_eq!(due().await, Some(now + MINUTE), "what has no delay may start now");
    refused!(setup.next_due("").await, StoreError::Invalid { .. }, "to look at a queue without a name");
}

pub(super) async fn what_became_due_takes_its_place_in_the_order(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let now = setup.clock.now().wall;
    setup.accept(NewRun::new("1", "").not_before(now + 2 * MINUTE)).await;
    setup.accept(NewRun::new("2", "").not_before(now + MINUTE)).await;
    setup.accept(NewRun::new("3", "")).await;
    setup.accept(NewRun::new("urgent", "").priority(1).not_before(now + 2 * MINUTE)).await;
    setup.clock.advance(2 * MINUTE);
    let order = ["urgent", "1", "2", "3"];
    assert_eq!(next(&setup, host, 10).await, order, "by priority and acceptance, whenever they became due");
}

pub(super) async fn a_requeued_run_keeps_its_place(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    for name in ["1", "2", "3"] {
        setup.accept(NewRun::new(name, "")).await;
    }
    let held = setup.claim(Claim::new(host, "default", 2)).await.must("let a host claim").runs;
    setup.accept(NewRun::new("4", "")).await;
    setup.requeue(held[1].lease, Requeue::after(Status::Failed)).await.must("requeue a run that is held");
    let order = ["2", "3", "4"];
    assert_eq!(next(&setup, host, 10).await, order, "a requeued run goes before those accepted after it");
}

pub(super) async fn a_requeued_run_waits_for_its_time(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let held = setup.running(host, NewRun::new("backoff", "")).await;
    let due = setup.clock.now().stored() + MINUTE;
    let requeue = Requeue::after(Status::Failed).not_before(due);
    setup.requeue(held.lease, requeue).await.must("requeue a run that is held");
    assert_eq!(setup.known(held.run.id).await.not_before, due, "a requeued run says when it is due");
    let claim = || setup.claim(Claim::new(host, held.run.queue.clone(), 1));
    setup.clock.advance(MINUTE - MILLISECOND);
    let claimed = claim().await.must("let a host claim");
    assert!(claimed.runs.is_empty(), "a requeued run is not claimed before its time");
    assert_eq!(claimed.next_due, Some(due), "it is the next that is due");
    setup.clock.advance(MILLISECOND);
    assert_eq!(claim().await.must("let a host claim").runs.len(), 1, "a requeued run is claimed at its time");
}

pub(super) async fn queues_are_apart(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let queues = ["a", "A", "a ", "aa", "b", "ä", "a/b", "a%", "'"];
    for queue in queues {
        setup.accept(NewRun::new(queue, "").queue(queue)).await;
    }
    assert_eq!(next(&setup, host, 10).await, [""; 0], "nothing was accepted for this queue");
    for queue in queues {
        let claimed = setup.take(host, queue).await;
        let names: Vec<_> = claimed.iter().map(|held| held.run.name.as_str()).collect();
        assert_eq!(names, [queue], "what is claimed from the queue {queue:?}");
    }
}

pub(super) async fn a_wall_clock_that_is_set_back_holds_up_nothing_that_was_due(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let now = setup.clock.now().wall;
    let noted = setup.accept(NewRun::new("noted", "")).await;
    setup.accept(NewRun::new("requeued", "")).await;
    let held = setup.take(host, "default").await;
    for held in &held {
        setup.requeue(held.lease, Requeue::after(Status::Failed)).await.must("requeue a run that is held");
    }
    setup.clock.set_wall(now - 60 * MINUTE);
    setup.note(noted, "the clock was wrong").await.must("add a note to a queued run");
    let late = setup.finish(held[1].lease, Outcome::succeeded()).await;
    refused!(late, StoreError::Fenced(_), "a result of a run that was requeued");
    let order = ["noted", "requeued"];
    assert_eq!(next(&setup, host, 10).await, order, "what was due stays due, whatever happens to it");
}
