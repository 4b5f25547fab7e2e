//! Asking to stop: who hears of it, and how often.

use bgt_core::Status;

use super::Backend;
use super::support::{Must, Setup};
use crate::{Adopt, NewRun, Outcome, Requeue, RunEventKind as Kind};

pub(super) async fn what_is_queued_is_cancelled_at_once(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let later = crate::Clock::now(&setup.clock).wall + std::time::Duration::from_secs(60);
    for run in [NewRun::new("due", ""), NewRun::new("delayed", "").not_before(later)] {
        let id = setup.accept(run).await;
        let run = setup.request_cancel(id).await.must("let anybody ask to stop a run");
        assert_eq!(
            (run.status, run.cancel_requests),
            (Status::Cancelled, 1),
            "what is queued is over at once"
        );
        assert!(run.ended_at.is_some(), "what is cancelled has an end");
        let found = setup.snapshot(id).await;
        assert_eq!(found.kinds(), [Kind::Queued, Kind::CancelRequested, Kind::Ended]);
        let run = setup.request_cancel(id).await.must("let anybody ask again");
        assert_eq!(run, found.run, "what is over stays as it is");
    }
    setup.clock.advance(std::time::Duration::from_secs(120));
    assert!(setup.take(host, "default").await.is_empty(), "what is cancelled is not started");
}

pub(super) async fn the_owner_hears_of_it_and_how_often(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let (host, other) = (setup.host("h").await, setup.host("other").await);
    let held = setup.running(host, NewRun::new("to stop", "")).await;
    let spared = setup.running(host, NewRun::new("spared", "")).await;
    setup.running(other, NewRun::new("elsewhere", "")).await;
    let heard = setup.heartbeat(host, Vec::new()).await.must("take a heartbeat");
    assert!(heard.cancel.is_empty() && heard.fenced.is_empty(), "nobody has asked for anything: {heard:?}");
    for times in 1..=3 {
        let run = setup.request_cancel(held.run.id).await.must("let anybody ask to stop a run");
        assert_eq!(
            (run.status, run.cancel_requests),
            (Status::Running, times),
            "what runs is for its owner to end"
        );
        // Once would be too few: an answer can be lost.
        for _ in 0..2 {
            let heard = setup.heartbeat(host, Vec::new()).await.must("take a heartbeat");
            assert_eq!(heard.cancel, [(held.run.id, times)], "the owner hears who is to stop, and how often");
        }
        let heard = setup.heartbeat(other, Vec::new()).await.must("take a heartbeat");
        assert_eq!(heard.cancel, [], "others do not hear of it");
    }
    setup.finish(held.lease, Outcome::new(Status::Cancelled)).await.must("finish a run that is held");
    let heard = setup.heartbeat(host, Vec::new()).await.must("take a heartbeat");
    assert_eq!(heard.cancel, [], "what is over need not be stopped");
    assert_eq!(setup.status(spared.run.id).await, Status::Running, "others go on");
}

pub(super) async fn who_adopts_hears_of_it_too(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let (host, other) = (setup.host("h").await, setup.host("other").await);
    let held = setup.running(host, NewRun::new("to stop", "")).await;
    setup.request_cancel(held.run.id).await.must("let anybody ask to stop a run");
    setup.retire(host).await.must("let a host retire");
    let adopted = setup.adopt(Adopt::new(other, 1)).await.must("let a host adopt").remove(0);
    assert_eq!(adopted.run.cancel_requests, 1, "who adopts sees that somebody asked to stop it");
    let heard = setup.heartbeat(other, Vec::new()).await.must("take a heartbeat");
    assert_eq!(heard.cancel, [(held.run.id, 1)], "and hears of it");
}

pub(super) async fn a_cancelled_run_is_not_started_again(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let held = setup.running(host, NewRun::new("to stop", "")).await;
    setup.request_cancel(held.run.id).await.must("let anybody ask to stop a run");
    let requeue = Requeue::after(Status::Failed).error("stopped half way");
    let status = setup.requeue(held.lease, requeue).await.must("take a requeue of a run that is to stop");
    assert_eq!(status, Status::Cancelled, "a requeue of a run that somebody asked to stop ends it");
    let found = setup.snapshot(held.run.id).await;
    assert_eq!(found.run.status, Status::Cancelled);
    let attempt = &found.attempts[0];
    let ended = (attempt.status, attempt.error.as_deref());
    assert_eq!(
        ended,
        (Some(Status::Failed), Some("stopped half way")),
        "the attempt ended as its owner says"
    );
    assert_eq!(found.kinds(), [Kind::Queued, Kind::Claimed, Kind::CancelRequested, Kind::Ended]);
    assert!(setup.take(host, &held.run.queue).await.is_empty(), "nothing starts it again");
}

pub(super) async fn a_result_in_spite_of_it_counts(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let held = setup.running(host, NewRun::new("too quick", "")).await;
    setup.request_cancel(held.run.id).await.must("let anybody ask to stop a run");
    let outcome = Outcome::succeeded().result("answer");
    setup.finish(held.lease, outcome).await.must("take the result of a run that was to stop");
    let found = setup.snapshot(held.run.id).await;
    assert_eq!((found.run.status, found.run.cancel_requests), (Status::Succeeded, 1), "it was done in time");
    assert_eq!(found.result.as_deref(), Some(&b"answer"[..]), "its result is kept");
}
