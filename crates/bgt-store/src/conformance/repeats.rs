//! What is said twice happens once: an answer that was lost can be asked for again.

use std::pin::pin;
use std::task::{Context, Waker};

use bgt_core::Status;

use super::Backend;
use super::support::{MILLISECOND, Must, Setup};
use crate::{NewRun, Outcome, Requeue, RunFilter, RunId};

pub(super) async fn enqueueing_again_changes_nothing(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let run = NewRun::new("once", "payload").label("a", "b").priority(3);
    setup.accept(run.clone()).await;
    let before = setup.everything().await;
    setup.clock.advance(MILLISECOND);
    let new = NewRun::new("new", "");
    let twice = vec![run.clone(), new.clone(), run.clone(), new.clone()];
    let answer = setup.enqueue(twice).await.must("take known ids among new ones");
    let answer: Vec<_> = answer.iter().map(|enqueued| (enqueued.id, enqueued.is_new)).collect();
    let wanted = [(run.id, false), (new.id, true), (run.id, false), (new.id, false)];
    assert_eq!(answer, wanted, "the answers are in the order of the runs, and say which were new");
    let after = setup.everything().await;
    assert_eq!(after[1..], before[..], "what was known already stays as it is");
    assert_eq!(after[0].run.id, new.id, "what was new is accepted");
    assert_eq!(setup.enqueue(Vec::new()).await.must("accept no runs at all"), []);
}

pub(super) async fn a_unique_key_is_open_once(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let unique = || NewRun::new("unique", "").unique_key("report/17").queue("unique");
    let first = setup.accept(unique()).await;
    let before = setup.everything().await;
    let again = |stage: &'static str| {
        let setup = &setup;
        async move {
            let answer = setup.enqueue(vec![unique(), unique()]).await.must("take an open unique key");
            let answer: Vec<_> = answer.iter().map(|enqueued| (enqueued.id, enqueued.is_new)).collect();
            assert_eq!(answer, [(first, false); 2], "while a run with the key is {stage} there is no second");
        }
    };
    again("queued").await;
    assert_eq!(setup.everything().await, before, "the run that has the key stays as it is");
    let held = setup.take(host, "unique").await.remove(0);
    again("running").await;
    setup.requeue(held.lease, Requeue::after(Status::Failed)).await.must("requeue a run that is held");
    again("queued again").await;
    setup.request_cancel(first).await.must("let anybody ask to stop a run");

    let others = vec![unique(), unique(), unique().unique_key("report/18")];
    let ids: Vec<RunId> = others.iter().map(|run| run.id).collect();
    let answer = setup.enqueue(others).await.must("accept a unique key whose run is over");
    let answer: Vec<_> = answer.iter().map(|enqueued| (enqueued.id, enqueued.is_new)).collect();
    let wanted = [(ids[0], true), (ids[0], false), (ids[2], true)];
    assert_eq!(answer, wanted, "a key is open once within one call too, and other keys are others");
}

pub(super) async fn a_known_id_counts_before_a_unique_key(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let known = setup.accept(NewRun::new("known", "")).await;
    setup.accept(NewRun::new("open", "").unique_key("key")).await;
    let again = NewRun::new("again", "").id(known).unique_key("key");
    let answer = setup.enqueue(vec![again]).await.must("answer for an id that is known");
    assert!(answer[0].id == known && !answer[0].is_new, "the run of that id: {answer:?}");
}

pub(super) async fn finishing_again_changes_nothing(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    for outcome in
        [Outcome::succeeded().result("answer"), Outcome::failed("because"), Outcome::new(Status::Lost)]
    {
        let held = setup.running(host, NewRun::new("once", "")).await;
        setup.finish(held.lease, outcome.clone()).await.must("finish a run that is held");
        let before = setup.snapshot(held.run.id).await;
        setup.clock.advance(MILLISECOND);
        setup.finish(held.lease, outcome).await.must("let a host finish a run again");
        assert_eq!(setup.snapshot(held.run.id).await, before, "finishing again changes nothing");
    }
}

pub(super) async fn requeueing_again_changes_nothing(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    for cancelled in [false, true] {
        let held = setup.running(host, NewRun::new("once", "")).await;
        let wanted = if cancelled { Status::Cancelled } else { Status::Queued };
        if cancelled {
            setup.request_cancel(held.run.id).await.must("let anybody ask to stop a run");
        }
        let requeue = Requeue::after(Status::Failed).error("because");
        let status = setup.requeue(held.lease, requeue.clone()).await.must("requeue a run that is held");
        assert_eq!(status, wanted, "a requeue answers where the run stands");
        let before = setup.snapshot(held.run.id).await;
        setup.clock.advance(MILLISECOND);
        let status = setup.requeue(held.lease, requeue).await.must("let a host requeue again");
        assert_eq!(status, wanted, "a requeue that is repeated answers where the run stands");
        assert_eq!(setup.snapshot(held.run.id).await, before, "requeueing again changes nothing");
    }
}

pub(super) async fn closing_and_retiring_again_change_nothing(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let id = setup.accept(NewRun::new("closed", "")).await;
    let outcome = Outcome::new(Status::Skipped).error("by policy").result("r");
    let closed = setup.end_queued(id, outcome.clone()).await.must("close a queued run");
    let before = setup.snapshot(id).await;
    let host = setup.host("h").await;
    setup.retire(host).await.must("let a host retire");
    let hosts = setup.hosts().await.must("list hosts");
    setup.clock.advance(MILLISECOND);
    assert_eq!(setup.end_queued(id, outcome).await.must("let anybody close a run again"), closed);
    assert_eq!(setup.snapshot(id).await, before, "closing again changes nothing");
    setup.retire(host).await.must("let a host retire again");
    assert_eq!(setup.hosts().await.must("list hosts"), hosts, "retiring again changes nothing");
}

pub(super) async fn a_dropped_call_has_happened_as_a_whole_or_not_at_all(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    for round in 0..16 {
        let runs: Vec<_> = (0..5).map(|n| NewRun::new(format!("run {n} of {round}"), "")).collect();
        {
            let mut call = pin!(setup.enqueue(runs.clone()));
            // Once, and then nobody waits for it any more.
            let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        let mut known = 0;
        for run in &runs {
            known += usize::from(setup.run(run.id).await.must("read a run").is_some());
        }
        // It may still be under way while the runs are read; what was read first is what counts less.
        let ids: Vec<_> = runs.iter().map(|run| run.id).collect();
        let listed = setup.all(RunFilter::new(), 1000).await;
        let listed = listed.iter().filter(|run| ids.contains(&run.id)).count();
        assert!(listed == 0 || listed == 5, "{listed} of 5 runs are there after a call that was dropped");
        assert!(known <= listed, "a run that was there is gone");
        let answers = setup.enqueue(runs).await.must("take runs again whose call was dropped");
        assert_eq!(answers.iter().map(|enqueued| enqueued.id).collect::<Vec<_>>(), ids);
    }
    assert_eq!(setup.all(RunFilter::new(), 1000).await.len(), 16 * 5, "every run once");
}
