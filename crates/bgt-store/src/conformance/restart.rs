//! A store that is opened again is the same store.

use std::time::{Duration, SystemTime};

use bgt_core::{Progress, Status};

use super::Backend;
use super::support::{Must, Setup};
use crate::{
    Beat, Clock, Held, HostId, JournalEntry, NewRun, Outcome, Requeue, Retention, SlotClaim, SlotLease,
};

/// What a life before the restart leaves behind.
struct Former {
    host: HostId,
    held: Held,
    slot: SlotLease,
}

async fn lived(setup: &Setup) -> Former {
    let host = setup.host("former").await;
    let late = setup.clock.now().wall + Duration::from_secs(3600);
    setup.accept(NewRun::new("queued", "p").label("a", "b").unique_key("open").priority(7)).await;
    setup.accept(NewRun::new("delayed", "").not_before(late)).await;
    let failed = setup.running(host, NewRun::new("failed", "")).await;
    setup.requeue(failed.lease, Requeue::after(Status::TimedOut).error("slow")).await.must("requeue a run");
    let failed = setup.take(host, &failed.run.queue).await.remove(0);
    setup.finish(failed.lease, Outcome::failed("why").result("r")).await.must("finish a run that is held");
    let gone = setup.accept(NewRun::new("gone", "")).await;
    setup.request_cancel(gone).await.must("let anybody ask to stop a run");
    setup.prune(Retention::new().keep(1), 10).await.must("forget what is over");
    let held = setup.running(host, NewRun::new("running", vec![0, 255])).await;
    setup.note(held.run.id, "a note").await.must("take a note");
    setup.request_cancel(held.run.id).await.must("let anybody ask to stop a run");
    let beat = Beat { lease: held.lease, progress: Some(Progress::of(1, 2).message("half")) };
    setup.heartbeat(host, vec![beat]).await.must("take a heartbeat");
    let retired = setup.host("retired").await;
    setup.retire(retired).await.must("let a host retire");
    let mut leases = Vec::new();
    for minute in 0..4 {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minute);
        match setup.claim_slot(host, "nightly", at).await.must("claim a slot") {
            SlotClaim::Won(lease) => leases.push(lease),
            other => panic!("a slot that nobody has claimed is won by who claims it, not {other:?}"),
        }
        setup.clock.advance(Duration::from_millis(1));
    }
    let slot = leases.remove(3);
    for lease in leases {
        setup.finish_slot(lease, Outcome::succeeded()).await.must("finish a slot that is held");
    }
    setup.prune_slots("nightly", 1).await.must("forget slots");
    let entries = ["b", "a"].map(|key| JournalEntry::new(key, Status::Failed).value(key)).to_vec();
    setup.record("j", entries).await.must("write entries");
    Former { host, held, slot }
}

pub(super) async fn everything_is_still_there(backend: &dyn Backend) {
    if !backend.survives_restart() {
        return;
    }
    let setup = Setup::of(backend).await;
    let Former { host, .. } = lived(&setup).await;
    let (runs, hosts) = (setup.everything().await, setup.hosts().await.must("list hosts"));
    let slots = setup.slots("nightly", 10).await.must("read slots");
    let entries = setup.entries("j", None, 10).await.must("read a journal");
    let held = setup.held(host).await.must("say what a host holds");
    drop(setup);

    for _ in 0..2 {
        let setup = Setup::of(backend).await;
        assert_eq!(setup.everything().await, runs, "runs, with all that is of them, after a restart");
        let mut found = setup.hosts().await.must("list hosts");
        // What is claimed below counts as a heartbeat.
        found.iter_mut().zip(&hosts).for_each(|(found, before)| found.heard_at = before.heard_at);
        assert_eq!(found, hosts, "hosts after a restart");
        let found = setup.slots("nightly", 10).await.must("read slots");
        assert_eq!(found, slots, "slots after a restart");
        let found = setup.entries("j", None, 10).await.must("read a journal");
        assert_eq!(found, entries, "a journal after a restart");
        assert_eq!(
            setup.held(host).await.must("say what a host holds"),
            held,
            "what is held after a restart"
        );
        let past = setup.claim_slot(host, "nightly", SystemTime::UNIX_EPOCH).await.must("claim a slot");
        assert!(
            matches!(past, SlotClaim::Past { .. }),
            "what was forgotten counts as fired after a restart: {past:?}"
        );
    }
}

pub(super) async fn leases_are_still_valid_and_tokens_grow_on(backend: &dyn Backend) {
    if !backend.survives_restart() {
        return;
    }
    let setup = Setup::of(backend).await;
    let Former { host, held, slot } = lived(&setup).await;
    drop(setup);
    let setup = Setup::of(backend).await;
    let heard =
        setup.heartbeat(host, Vec::new()).await.must("take the heartbeat of a host of before the restart");
    assert_eq!(heard.cancel, [(held.run.id, 1)], "what was asked for before the restart is heard after it");
    setup
        .finish(held.lease, Outcome::succeeded())
        .await
        .must("take a result on a lease of before the restart");
    setup.finish_slot(slot.clone(), Outcome::succeeded()).await.must("finish a slot of before the restart");
    let again = setup.enqueue(vec![NewRun::new("again", "").unique_key("open")]).await.must("enqueue")[0];
    assert!(!again.is_new, "a unique key that was open before the restart is open after it");
    let claimed = setup.take(host, "default").await;
    let [queued] = &claimed[..] else { panic!("one run is due after the restart: {claimed:?}") };
    assert_eq!((queued.run.name.as_str(), &queued.payload[..]), ("queued", &b"p"[..]));
    let former = held.lease.token.max(slot.token);
    assert!(
        queued.lease.token > former,
        "tokens grow on after a restart: {} after {former}",
        queued.lease.token
    );
    setup.clock.advance(Duration::from_secs(3600));
    assert_eq!(setup.take(host, "default").await.len(), 1, "what was delayed is due in its time");
}
