//! One valid lease for each run: what a former owner brings is refused, and said so in the history.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use bgt_core::{Progress, Status};

use super::Backend;
use super::support::{LEASE, Must, Setup, refusal, refused};
use crate::{
    Adopt, Beat, Claim, Held, HostId, NewRun, Outcome, Requeue, Retention, RunEventKind, SlotClaim,
    StoreError,
};

/// A run that `first` held until `second` adopted it: what each of them has of it.
async fn taken_over(setup: &Setup, first: HostId, second: HostId) -> (Held, Held) {
    let old = setup.running(first, NewRun::new("fenced", "payload")).await;
    setup.clock.advance(LEASE / 2);
    setup.heartbeat(second, Vec::new()).await.must("keep a host that sends heartbeats");
    setup.clock.advance(LEASE / 2);
    let mut adopted =
        setup.adopt(Adopt::new(second, 10)).await.must("let a host adopt from one whose lease is over");
    let new = adopted.pop().unwrap_or_else(|| panic!("the run of a host whose lease is over can be adopted"));
    assert_eq!(new.run.id, old.run.id, "the run that was adopted");
    (old, new)
}

pub(super) async fn a_late_write_is_refused_and_names_the_owner(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let (first, second) = (setup.host("first").await, setup.host("second").await);
    let (old, new) = taken_over(&setup, first, second).await;
    let before = setup.known(old.run.id).await;
    for status in Status::ALL.into_iter().filter(|status| status.is_final() && *status != Status::Skipped) {
        let finish = setup.finish(old.lease, Outcome::new(status)).await.map(|()| Status::Running);
        let mut writes = vec![(finish, "finish")];
        if status != Status::Succeeded {
            writes.push((setup.requeue(old.lease, Requeue::after(status)).await, "requeue"));
        }
        for (answer, what) in writes {
            let what = format!("a {what} as {status} with the lease of a host that was taken over");
            match refusal(answer, &what) {
                StoreError::Fenced(fenced) => {
                    assert_eq!(fenced.lease, old.lease, "`Fenced` names the lease that was brought");
                    assert_eq!(fenced.owner, Some(second), "`Fenced` names who holds the run now");
                    assert_eq!(fenced.token, new.lease.token, "`Fenced` names the latest token");
                    assert_eq!(fenced.status, Status::Running, "`Fenced` says where the run stands");
                }
                other => panic!("the store must refuse {what} with `Fenced`, but answered {other:?}"),
            }
        }
    }
    let mut after = setup.known(old.run.id).await;
    assert!(after.events > before.events, "what was refused is in the history");
    after.events = before.events;
    assert_eq!(after, before, "what was refused changes nothing but the history");
    setup.finish(new.lease, Outcome::succeeded()).await.must("let the new owner finish the run");
    assert_eq!(setup.status(old.run.id).await, Status::Succeeded);
}

pub(super) async fn a_late_result_is_a_note_in_the_history(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let (first, second) = (setup.host("first").await, setup.host("second").await);
    let (old, new) = taken_over(&setup, first, second).await;
    setup.finish(new.lease, Outcome::new(Status::Lost).error("nobody knows")).await.must("finish as lost");
    let before = setup.snapshot(old.run.id).await;
    let late = Outcome::failed("too late").result("answer");
    match refusal(setup.finish(old.lease, late).await, "a result that arrives after the run was lost") {
        StoreError::Fenced(fenced) => {
            assert_eq!(
                (fenced.status, fenced.owner),
                (Status::Lost, None),
                "`Fenced` says how the run ended"
            );
        }
        other => panic!("a result that arrives after the run was lost is `Fenced`, not {other:?}"),
    }
    let mut after = setup.snapshot(old.run.id).await;
    let event = after.events.pop().expect("a history with an event");
    assert_eq!(event.kind, RunEventKind::Refused, "the late result is an event: {event:?}");
    assert_eq!(
        (event.host, event.status),
        (Some(first), Some(Status::Failed)),
        "who brought what: {event:?}"
    );
    assert_eq!(event.text.as_deref(), Some("too late"), "what was brought: {event:?}");
    after.run.events -= 1;
    assert_eq!(after, before, "a late result changes nothing but the history");
}

pub(super) async fn an_adopted_run_goes_on_in_the_same_attempt(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let (first, second) = (setup.host("first").await, setup.host("second").await);
    let (old, new) = taken_over(&setup, first, second).await;
    assert_eq!((old.lease.attempt, new.lease.attempt), (1, 1), "adoption is no new attempt");
    assert_eq!((new.lease.host, new.run.owner), (second, Some(second)), "who adopts owns");
    assert_eq!((new.lease.run, new.lease.token), (new.run.id, new.run.token), "the lease is that of the run");
    assert_eq!(new.payload, old.payload, "who adopts gets the payload");
    assert_eq!(setup.held(second).await.must("say what a host holds"), std::slice::from_ref(&new));
    assert_eq!(setup.held(first).await.must("say that a host holds nothing"), [], "one host holds a run");
    let status =
        setup.requeue(new.lease, Requeue::after(Status::Lost)).await.must("requeue what was adopted");
    assert_eq!(status, Status::Queued);
    let again = setup.take(second, &new.run.queue).await.remove(0);
    assert_eq!(again.lease.attempt, 2, "a claim is the next attempt");
    let attempts = setup.snapshot(new.run.id).await.attempts;
    assert_eq!(
        (attempts[0].host, attempts[0].status),
        (second, Some(Status::Lost)),
        "who ended the first one"
    );
}

pub(super) async fn tokens_grow_across_runs_and_slots(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let mut tokens = Vec::new();
    let slot = |n: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(n);
    let mut host = setup.host("first").await;
    for round in 0..3 {
        for n in 0..3 {
            setup.accept(NewRun::new(format!("run {n}"), "").queue("grow")).await;
        }
        let held = setup.take(host, "grow").await;
        tokens.extend(held.iter().map(|held| held.lease.token));
        let SlotClaim::Won(lease) = setup.claim_slot(host, "grow", slot(round)).await.must("claim a slot")
        else {
            panic!("a slot that nobody has claimed is won by who claims it")
        };
        tokens.push(lease.token);
        setup.finish(held[0].lease, Outcome::succeeded()).await.must("finish a run that is held");
        setup.requeue(held[1].lease, Requeue::after(Status::Failed)).await.must("requeue a run that is held");
        let again = setup.claim(Claim::new(host, "grow", 1)).await.must("claim one run").runs;
        tokens.extend(again.iter().map(|held| held.lease.token));
        setup.retire(host).await.must("let a host retire");
        host = setup.host("next").await;
        let adopted = setup.adopt(Adopt::new(host, 1000)).await.must("let a host adopt");
        tokens.extend(adopted.iter().map(|held| held.lease.token).collect::<BTreeSet<_>>());
        let SlotClaim::Won(lease) = setup.adopt_slot(host, "grow", slot(round)).await.must("adopt a slot")
        else {
            panic!("a slot whose host has retired is won by who adopts it")
        };
        tokens.push(lease.token);
        // Forgetting runs makes no token come back.
        setup.prune(Retention::new().keep(0), 1000).await.must("forget what is over");
    }
    assert!(tokens[0] > 0, "0 is the token of who never had a lease");
    let grows = tokens.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(grows, "every token is larger than all before it, of runs and of slots: {tokens:?}");
}

pub(super) async fn a_beat_with_an_old_lease_is_told_so(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let (first, second) = (setup.host("first").await, setup.host("second").await);
    let kept = setup.running(second, NewRun::new("kept", "")).await;
    let ended = setup.running(second, NewRun::new("ended", "")).await;
    setup.finish(ended.lease, Outcome::succeeded()).await.must("finish a run that is held");
    let requeued = setup.running(second, NewRun::new("requeued", "")).await;
    setup.requeue(requeued.lease, Requeue::after(Status::Failed)).await.must("requeue a run that is held");
    let forgotten = crate::Lease { run: crate::RunId::new(), ..kept.lease };
    let (old, new) = taken_over(&setup, first, second).await;
    let before = setup.snapshot(ended.run.id).await;
    let beat = |lease, n| Beat { lease, progress: Some(Progress::of(n, 10)) };
    let beats = vec![
        beat(ended.lease, 1),
        beat(kept.lease, 2),
        beat(requeued.lease, 3),
        beat(old.lease, 4),
        beat(forgotten, 5),
        beat(new.lease, 6),
    ];
    let heard = setup.heartbeat(second, beats).await.must("take a heartbeat in which some leases are old");
    let what = "a lease is fenced if its run was given to somebody since, not if its work is done";
    assert_eq!(heard.fenced, [old.lease], "{what}");
    assert_eq!(
        setup.known(kept.run.id).await.progress,
        Some(Progress::of(2, 10)),
        "progress of what is held"
    );
    assert_eq!(setup.known(new.run.id).await.progress, Some(Progress::of(6, 10)), "progress of what is held");
    assert_eq!(setup.known(requeued.run.id).await.progress, None, "an old lease writes no progress");
    assert_eq!(setup.snapshot(ended.run.id).await, before, "an old lease writes no progress");
    refused!(setup.heartbeat(first, vec![beat(old.lease, 9)]).await, StoreError::HostEnded(host) if host == first,
        "the heartbeat of a host that was taken over");
    assert_eq!(setup.known(new.run.id).await.progress, Some(Progress::of(6, 10)), "nor does an ended host");
}
