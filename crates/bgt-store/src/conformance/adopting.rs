//! Who may take over what, and when.

use std::time::{Duration, SystemTime};

use bgt_core::Progress;

use super::Backend;
use super::support::{LEASE, Must, Setup, refused};
use crate::{Adopt, Beat, Claim, Clock, HostId, NewRun, Outcome, SlotClaim, StoreError};

async fn adopted(setup: &Setup, adopt: Adopt) -> Vec<String> {
    let held = setup.adopt(adopt).await.must("let a host adopt");
    held.into_iter().map(|held| held.run.name).collect()
}

/// Half the time of a lease, twice: in between somebody may be heard of.
async fn outlive(setup: &Setup, other: HostId) {
    setup.clock.advance(LEASE / 2);
    setup.heartbeat(other, Vec::new()).await.must("take a heartbeat");
    setup.clock.advance(LEASE / 2);
}

pub(super) async fn a_host_takes_over_only_what_it_asks_for(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let (gone, other) = (setup.host("gone").await, setup.host("other").await);
    let mut ids = Vec::new();
    for (name, queue) in [("a", "mail"), ("b", "video"), ("c", "mail"), ("d", "print")] {
        ids.push(setup.accept(NewRun::new(name, "").queue(queue)).await);
        setup.take(gone, queue).await;
    }
    outlive(&setup, other).await;
    assert_eq!(adopted(&setup, Adopt::new(other, 10).run(ids[2])).await, ["c"], "one run by its id");
    let two = Adopt::new(other, 10).queue("print").queue("mail");
    assert_eq!(adopted(&setup, two).await, ["a", "d"], "from two queues, in the order of acceptance");
    assert_eq!(
        adopted(&setup, Adopt::new(other, 10).queue("none")).await,
        [""; 0],
        "from a queue without runs"
    );
    assert_eq!(adopted(&setup, Adopt::new(other, 10)).await, ["b"], "from any queue");
}

pub(super) async fn to_claim_something_counts_as_a_heartbeat(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let (host, other) = (setup.host("host").await, setup.host("other").await);
    setup.running(host, NewRun::new("held", "")).await;
    let slot = |n: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(n);
    for n in 0..4 {
        setup.clock.advance(LEASE * 3 / 4);
        match n {
            0 => drop(setup.claim(Claim::new(host, "none", 1)).await.must("claim nothing")),
            1 => drop(setup.adopt(Adopt::new(host, 1)).await.must("adopt nothing")),
            2 => drop(setup.claim_slot(host, "s", slot(0)).await.must("claim a slot")),
            _ => drop(setup.adopt_slot(host, "s", slot(1)).await.must("claim a slot")),
        }
        setup.heartbeat(other, Vec::new()).await.must("take a heartbeat");
        assert_eq!(adopted(&setup, Adopt::new(other, 10)).await, [""; 0], "the host is there: {n}");
    }
}

pub(super) async fn who_wakes_first_leaves_the_others_their_time(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let (first, second) = (setup.host("first").await, setup.host("second").await);
    setup.running(second, NewRun::new("second's", "")).await;
    // The machine slept.
    setup.clock.advance(LEASE * 100);
    setup.heartbeat(first, Vec::new()).await.must("take a heartbeat after the lease was over");
    let what = "a host whose own lease was over leaves the others the time of its lease to be heard of";
    assert_eq!(adopted(&setup, Adopt::new(first, 10)).await, [""; 0], "{what}");
    setup.heartbeat(second, Vec::new()).await.must("take a heartbeat of a host that nobody has ended");
    outlive(&setup, second).await;
    setup.heartbeat(first, Vec::new()).await.must("take a heartbeat");
    assert_eq!(adopted(&setup, Adopt::new(first, 10)).await, [""; 0], "the second is there");
    outlive(&setup, first).await;
    assert_eq!(adopted(&setup, Adopt::new(first, 10)).await, ["second's"], "by now it is gone");
}

pub(super) async fn who_takes_over_a_slot_ends_its_host(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let (gone, other) = (setup.host("gone").await, setup.host("other").await);
    let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(12 * 3600);
    let SlotClaim::Won(lease) = setup.claim_slot(gone, "s", noon).await.must("claim a slot") else {
        panic!("a slot that nobody has claimed is won by who claims it")
    };
    let again = setup.claim_slot(gone, "s", noon).await.must("claim a slot twice");
    let SlotClaim::Taken(slot) = again else { panic!("a slot is won once: {again:?}") };
    assert_eq!(slot.lease(), lease, "who lost the answer to its claim finds its lease");
    outlive(&setup, other).await;
    let won = setup.adopt_slot(other, "s", noon).await.must("adopt a slot");
    assert!(matches!(won, SlotClaim::Won(_)), "a slot whose host is gone is adopted: {won:?}");
    let what = "a host whose slot was adopted";
    refused!(setup.heartbeat(gone, Vec::new()).await, StoreError::HostEnded(host) if host == gone, "{what}");
}

pub(super) async fn a_claim_says_whether_more_is_due(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("host").await;
    for n in 0..3 {
        setup.accept(NewRun::new(n.to_string(), "")).await;
    }
    for (limit, max, got, more) in [(1, 9, 1, true), (2, 2, 1, true), (9, 9, 1, false), (9, 9, 0, false)] {
        let claim = Claim::new(host, "default", limit).max_running(max);
        let claimed = setup.claim(claim).await.must("claim runs");
        let what = format!("limit {limit}, {max} at once");
        assert_eq!((claimed.runs.len(), claimed.has_more), (got, more), "{what}");
    }
}

pub(super) async fn a_beat_need_not_tell_of_progress(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("host").await;
    let held = setup.running(host, NewRun::new("run", "")).await;
    for (told, known) in [(None, None), (Some(1), Some(1)), (None, Some(1)), (Some(2), Some(2))] {
        let progress = |n: u64| Progress::of(n, 10);
        let beat = Beat { lease: held.lease, progress: told.map(progress) };
        setup.heartbeat(host, vec![beat]).await.must("take a heartbeat");
        assert_eq!(setup.known(held.run.id).await.progress, known.map(progress), "after {told:?}");
    }
}

pub(super) async fn a_schedule_that_was_erased_begins_anew(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("host").await;
    let now = setup.clock.now().wall;
    let at = |seconds: u64| now + Duration::from_secs(seconds);
    for seconds in [0, 3600] {
        let claim = setup.claim_slot(host, "s", at(seconds)).await.must("claim a slot");
        let SlotClaim::Won(lease) = claim else { panic!("nobody has claimed it: {claim:?}") };
        setup.finish_slot(lease, Outcome::succeeded()).await.must("finish a slot");
    }
    assert_eq!(setup.prune_slots("s", 0).await.must("forget slots"), 1, "not the one in the future");
    let claim = setup.claim_slot(host, "s", at(1)).await.must("claim a slot");
    assert!(matches!(claim, SlotClaim::Won(_)), "a slot in the future holds nothing up: {claim:?}");
    let past = setup.claim_slot(host, "s", at(0)).await.must("claim a slot");
    assert!(matches!(past, SlotClaim::Past { .. }), "it was forgotten: {past:?}");
    assert_eq!(setup.erase_slots("s").await.must("forget a schedule"), 2);
    let claim = setup.claim_slot(host, "s", at(0)).await.must("claim a slot");
    assert!(
        matches!(claim, SlotClaim::Won(_)),
        "of a schedule that is not known nothing was fired: {claim:?}"
    );
}
