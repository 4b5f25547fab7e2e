//! The times at which a schedule is due: each is fired once.

use std::time::{Duration, SystemTime};

use bgt_core::Status;

use super::Backend;
use super::support::{LEASE, MILLISECOND, Must, Setup, refused};
use crate::{Clock, HostId, Outcome, SlotClaim, SlotLease, SlotRecord, StoreError};

fn at(minute: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minute)
}

async fn won(setup: &Setup, host: HostId, schedule: &str, minute: u64) -> SlotLease {
    match setup.claim_slot(host, schedule, at(minute)).await.must("claim a slot") {
        SlotClaim::Won(lease) => lease,
        other => panic!("a slot that nobody has claimed is won by who claims it, not {other:?}"),
    }
}

/// A slot that was claimed and finished.
async fn fired(setup: &Setup, host: HostId, schedule: &str, minute: u64) {
    let lease = won(setup, host, schedule, minute).await;
    setup.finish_slot(lease, Outcome::succeeded()).await.must("finish a slot that is held");
}

fn taken(claim: SlotClaim) -> SlotRecord {
    match claim {
        SlotClaim::Taken(slot) => slot,
        other => panic!("a slot that was claimed before is taken, not {other:?}"),
    }
}

async fn minutes(setup: &Setup, schedule: &str) -> Vec<u64> {
    let slots = setup.slots(schedule, 1000).await.must("read slots");
    slots.iter().map(|slot| slot.at.duration_since(at(0)).map_or(0, |since| since.as_secs() / 60)).collect()
}

pub(super) async fn a_slot_is_claimed_finished_and_remembered(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let (host, other) = (setup.host("h").await, setup.host("other").await);
    let claimed_at = setup.clock.now().stored();
    let lease = won(&setup, host, "nightly", 1).await;
    assert_eq!(
        (lease.schedule.as_str(), lease.at, lease.host),
        ("nightly", at(1), host),
        "the lease names its slot"
    );
    for again in [host, other] {
        let slot = taken(setup.claim_slot(again, "nightly", at(1)).await.must("claim a slot again"));
        assert_eq!((slot.host, slot.token, slot.status), (host, lease.token, None), "who has it: {slot:?}");
        assert!(!slot.is_abandoned, "its host is alive: {slot:?}");
        let slot = taken(setup.adopt_slot(again, "nightly", at(1)).await.must("adopt a slot"));
        assert_eq!(slot.token, lease.token, "nothing can be adopted from a host that is alive: {slot:?}");
    }
    setup.clock.advance(MILLISECOND);
    let outcome = Outcome::failed("no such command").result("not kept");
    setup.finish_slot(lease.clone(), outcome).await.must("finish a slot that is held");
    let slot = setup.slots("nightly", 10).await.must("read slots").remove(0);
    let ended = Some(setup.clock.now().stored());
    assert_eq!((slot.schedule.as_str(), slot.at, slot.host), ("nightly", at(1), host));
    assert_eq!((slot.token, slot.claimed_at, slot.ended_at), (lease.token, claimed_at, ended), "{slot:?}");
    assert_eq!(
        (slot.status, slot.error.as_deref()),
        (Some(Status::Failed), Some("no such command")),
        "{slot:?}"
    );
    for minute in [3, 2] {
        won(&setup, other, "nightly", minute).await;
    }
    assert_eq!(minutes(&setup, "nightly").await, [3, 2, 1], "slots are listed, the latest first");
    let two = setup.slots("nightly", 2).await.must("read slots");
    assert_eq!((two.len(), two[0].at), (2, at(3)), "up to as many as are wanted, from the latest on");
    let slot = taken(setup.claim_slot(other, "nightly", at(1)).await.must("claim a finished slot"));
    assert_eq!(slot.status, Some(Status::Failed), "a finished slot is taken for good");
}

pub(super) async fn an_abandoned_slot_is_adopted_and_its_owner_fenced(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let (host, other) = (setup.host("h").await, setup.host("other").await);
    let old = won(&setup, host, "nightly", 1).await;
    fired(&setup, host, "nightly", 0).await;
    setup.clock.advance(LEASE);
    setup.heartbeat(other, Vec::new()).await.must("take a heartbeat");
    let slots = setup.slots("nightly", 10).await.must("read slots");
    let abandoned: Vec<_> = slots.iter().map(|slot| slot.is_abandoned).collect();
    assert_eq!(abandoned, [true, false], "what is not finished and whose host's lease is over");
    let slot = taken(setup.claim_slot(other, "nightly", at(1)).await.must("claim an abandoned slot"));
    assert!(slot.is_abandoned, "claiming takes nothing over, and says that it can be: {slot:?}");
    let new = match setup.adopt_slot(other, "nightly", at(1)).await.must("adopt an abandoned slot") {
        SlotClaim::Won(lease) => lease,
        claim => panic!("an abandoned slot is won by who adopts it, not {claim:?}"),
    };
    assert!(
        new.token > old.token && new.host == other,
        "who adopts gets a larger token: {new:?} after {old:?}"
    );
    taken(setup.adopt_slot(other, "nightly", at(0)).await.must("adopt a finished slot"));
    let late = setup.finish_slot(old.clone(), Outcome::succeeded()).await;
    refused!(late, StoreError::SlotFenced { schedule, at: 60_000, token } if schedule == "nightly" && token == old.token,
        "the lease of who was taken over");
    setup.finish_slot(new.clone(), Outcome::succeeded()).await.must("finish a slot that was adopted");
    let late = setup.finish_slot(old, Outcome::succeeded()).await;
    refused!(late, StoreError::SlotFenced { .. }, "the lease of who was taken over, after the end");
    let slot = setup.slots("nightly", 1).await.must("read slots").remove(0);
    assert_eq!((slot.host, slot.token, slot.status), (other, new.token, Some(Status::Succeeded)));

    // Who retires leaves what it has at once, and what nobody has claimed can be adopted too.
    let left = won(&setup, other, "nightly", 5).await;
    setup.retire(other).await.must("let a host retire");
    let third = setup.host("third").await;
    let adopted = setup.adopt_slot(third, "nightly", at(5)).await.must("adopt from who retired");
    assert!(matches!(&adopted, SlotClaim::Won(lease) if lease.token > left.token), "{adopted:?}");
    let new = setup.adopt_slot(third, "nightly", at(6)).await.must("adopt what nobody has claimed");
    assert!(
        matches!(&new, SlotClaim::Won(_)),
        "a slot that nobody has claimed is won by who adopts it: {new:?}"
    );
}

pub(super) async fn schedules_are_apart(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    for schedule in ["a", "A", "aa", "ä"] {
        for minute in 1..=3 {
            fired(&setup, host, schedule, minute).await;
        }
    }
    assert_eq!(setup.prune_slots("a", 1).await.must("forget slots"), 2, "how many slots were forgotten");
    for (schedule, left) in
        [("a", vec![3]), ("A", vec![3, 2, 1]), ("aa", vec![3, 2, 1]), ("ä", vec![3, 2, 1])]
    {
        assert_eq!(minutes(&setup, schedule).await, left, "the slots of {schedule:?}");
    }
    won(&setup, host, "A", 0).await;
    assert_eq!(minutes(&setup, "never claimed").await, [0; 0], "a schedule without slots has none");
    assert_eq!(setup.prune_slots("never claimed", 0).await.must("forget nothing"), 0);
}

pub(super) async fn forgotten_slots_count_as_fired(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    for minute in [10, 20, 30, 40] {
        fired(&setup, host, "hourly", minute).await;
    }
    let early = won(&setup, host, "hourly", 5).await;
    won(&setup, host, "hourly", 50).await;
    assert_eq!(setup.prune_slots("hourly", 4).await.must("forget nothing"), 0, "all are to be kept");
    assert_eq!(setup.prune_slots("hourly", u64::MAX).await.must("forget nothing"), 0, "all are to be kept");
    assert_eq!(setup.prune_slots("hourly", 2).await.must("forget slots"), 2, "all finished ones but 2");
    assert_eq!(minutes(&setup, "hourly").await, [50, 40, 30, 5], "what is not finished is not forgotten");
    for minute in [0, 10, 15, 20] {
        for claim in [
            setup.claim_slot(host, "hourly", at(minute)).await,
            setup.adopt_slot(host, "hourly", at(minute)).await,
        ] {
            let claim = claim.must("answer for a slot before what is remembered");
            assert_eq!(claim, SlotClaim::Past { forgotten: at(20) }, "minute {minute} counts as fired");
        }
    }
    taken(setup.claim_slot(host, "hourly", at(30)).await.must("claim a slot that is remembered"));
    taken(setup.claim_slot(host, "hourly", at(5)).await.must("claim a slot that is remembered"));
    fired(&setup, host, "hourly", 25).await;
    assert_eq!(setup.prune_slots("hourly", 0).await.must("forget slots"), 3, "all finished ones");
    assert_eq!(minutes(&setup, "hourly").await, [50, 5]);
    let claim = setup.claim_slot(host, "hourly", at(25)).await.must("answer for a slot that was forgotten");
    assert_eq!(claim, SlotClaim::Past { forgotten: at(40) }, "the latest that was forgotten");
    fired(&setup, host, "hourly", 41).await;

    setup.finish_slot(early, Outcome::succeeded()).await.must("finish a slot that is held");
    assert_eq!(setup.prune_slots("hourly", 1).await.must("forget slots"), 1, "the early one");
    for minute in [5, 30, 40] {
        let claim = setup.claim_slot(host, "hourly", at(minute)).await.must("answer for a forgotten slot");
        assert_eq!(
            claim,
            SlotClaim::Past { forgotten: at(40) },
            "an earlier one that goes later changes nothing"
        );
    }
}

pub(super) async fn finishing_a_slot_again_changes_nothing(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let lease = won(&setup, host, "nightly", 1).await;
    setup.finish_slot(lease.clone(), Outcome::failed("why")).await.must("finish a slot that is held");
    let before = setup.slots("nightly", 10).await.must("read slots");
    setup.clock.advance(MILLISECOND);
    setup.finish_slot(lease.clone(), Outcome::failed("why")).await.must("let a host finish a slot again");
    let other = setup.finish_slot(lease, Outcome::succeeded()).await;
    refused!(other, StoreError::SlotFenced { .. }, "another end of a slot that is finished");
    let after = setup.slots("nightly", 10).await.must("read slots");
    assert_eq!(after, before, "finishing a slot again changes nothing");
    let unknown = SlotLease { schedule: "nightly".into(), at: at(7), host, token: 1 };
    let answer = setup.finish_slot(unknown, Outcome::succeeded()).await;
    refused!(answer, StoreError::SlotFenced { .. }, "the end of a slot that nobody has claimed");
}
