//! How long a host holds what it holds: on the clock that nobody sets.

use std::time::{Duration, SystemTime};

use bgt_core::{Progress, Status};

use super::Backend;
use super::support::{LEASE, MILLISECOND, Must, Setup, refused};
use crate::{Adopt, Beat, Clock, HostId, HostRecord, NewHost, NewRun, Outcome, SlotClaim, StoreError};

const DAY: Duration = Duration::from_secs(86_400);

async fn known(setup: &Setup, host: HostId) -> HostRecord {
    let hosts = setup.hosts().await.must("list hosts");
    let found = hosts.into_iter().find(|known| known.id == host);
    found.unwrap_or_else(|| panic!("host {host} registered and must be in the list"))
}

async fn can_adopt(setup: &Setup, host: HostId) -> usize {
    setup.adopt(Adopt::new(host, 1000)).await.must("let a host look for what it can adopt").len()
}

pub(super) async fn a_host_is_what_it_registered_as(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let registered = setup.clock.now().stored();
    let mut ids = Vec::new();
    for name in ["same name", "same name", "third"] {
        ids.push(setup.host(name).await);
        // Ids are made of the time, and so may be the order.
        let made = SystemTime::now();
        while made.elapsed().is_ok_and(|since| since < 2 * MILLISECOND) {
            std::hint::spin_loop();
        }
        setup.clock.advance(MILLISECOND);
    }
    let hosts = setup.hosts().await.must("list hosts");
    let listed: Vec<_> = hosts.iter().map(|host| host.id).collect();
    ids.reverse();
    assert_eq!(listed, ids, "each start is a host of its own, the latest start first");
    let first = &hosts[2];
    let process = Some(std::process::id());
    assert_eq!((first.name.as_str(), first.pid), ("same name", process), "what it registered as");
    assert_eq!((first.started_at, first.heard_at, first.ended_at), (registered, registered, None));
    assert!(first.is_alive, "a host that has just registered is alive");

    setup.heartbeat(first.id, Vec::new()).await.must("take a heartbeat");
    let heard = known(&setup, first.id).await;
    let now = setup.clock.now().stored();
    assert_eq!((heard.started_at, heard.heard_at), (registered, now), "when it was heard of last");
    setup.retire(first.id).await.must("let a host retire");
    let retired = known(&setup, first.id).await;
    assert!(!retired.is_alive && retired.ended_at == Some(now), "a host that retired: {retired:?}");
    let mut nameless = NewHost::new("nameless");
    nameless.pid = None;
    let nameless = setup.register(nameless).await.must("register a host that names no process");
    assert_eq!(known(&setup, nameless).await.pid, None);
}

pub(super) async fn an_expired_lease_alone_takes_nothing(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("late").await;
    let held = setup.running(host, NewRun::new("kept", "")).await;
    let other = setup.running(host, NewRun::new("kept too", "")).await;
    setup.clock.advance(DAY);
    assert!(!known(&setup, host).await.is_alive, "a host whose lease is over is not alive");
    let kept = setup.held(host).await.must("say what a host holds");
    assert_eq!(
        kept,
        [held.clone(), other.clone()],
        "nothing is taken from a host as long as nobody wants it"
    );
    let finished = setup.finish(held.lease, Outcome::succeeded()).await;
    finished.must("let a host finish whose lease is over, as long as nobody has taken over");
    setup
        .heartbeat(host, Vec::new())
        .await
        .must("take the late heartbeat of a host nobody has taken over from");
    assert!(known(&setup, host).await.is_alive, "a late heartbeat is as good as one in time");
    assert_eq!(can_adopt(&setup, setup.host("other").await).await, 0, "what it holds is its own again");
    setup.finish(other.lease, Outcome::succeeded()).await.must("let its owner finish a run");
}

pub(super) async fn a_lease_ends_with_its_time_and_a_heartbeat_prolongs_it(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("beating").await;
    let held = setup.running(host, NewRun::new("prolonged", "")).await;
    let other = setup.register(NewHost::new("patient").lease(DAY)).await.must("register with a long lease");
    for _ in 0..3 {
        setup.clock.advance(LEASE - MILLISECOND);
        assert!(known(&setup, host).await.is_alive, "a lease is valid until its time is over");
        assert_eq!(can_adopt(&setup, other).await, 0, "a lease is valid until its time is over");
        setup.heartbeat(host, Vec::new()).await.must("take a heartbeat");
    }
    setup.clock.advance(LEASE);
    assert!(!known(&setup, host).await.is_alive, "a lease is over when its time is over");
    let adopted = setup.adopt(Adopt::new(other, 1)).await.must("let a host adopt");
    assert_eq!(adopted.len(), 1, "what is held on a lease that is over can be adopted");
    assert_eq!(adopted[0].run.id, held.run.id);
    let ended = known(&setup, host).await;
    assert_eq!(ended.ended_at, Some(setup.clock.now().stored()), "who lost what it held has ended");
}

pub(super) async fn a_host_that_was_taken_over_is_told_so(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("paused").await;
    setup.running(host, NewRun::new("taken", "")).await;
    setup.clock.advance(LEASE);
    assert_eq!(can_adopt(&setup, setup.host("other").await).await, 1, "the run can be adopted");
    let what = "what a host asks for that was taken over";
    refused!(setup.heartbeat(host, Vec::new()).await, StoreError::HostEnded(id) if id == host, "{what}");
    let claim = crate::Claim::new(host, "default", 1);
    refused!(setup.claim(claim).await, StoreError::HostEnded(id) if id == host, "{what}");
    refused!(setup.adopt(Adopt::new(host, 1)).await, StoreError::HostEnded(id) if id == host, "{what}");
    let slot = SystemTime::UNIX_EPOCH;
    refused!(setup.claim_slot(host, "s", slot).await, StoreError::HostEnded(id) if id == host, "{what}");
    refused!(setup.adopt_slot(host, "s", slot).await, StoreError::HostEnded(id) if id == host, "{what}");
    assert_eq!(setup.held(host).await.must("say that it holds nothing"), []);
    setup.retire(host).await.must("let it retire all the same");
}

pub(super) async fn a_set_wall_clock_ends_no_lease(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let (host, other) = (setup.host("steady").await, setup.host("other").await);
    let held = setup.running(host, NewRun::new("steady", "")).await;
    let SlotClaim::Won(_) = setup.claim_slot(host, "s", SystemTime::UNIX_EPOCH).await.must("claim a slot")
    else {
        panic!("a slot that nobody has claimed is won by who claims it")
    };
    let now = setup.clock.now().wall;
    for wall in [now + 3650 * DAY, now - 3650 * DAY] {
        setup.clock.set_wall(wall);
        assert!(known(&setup, host).await.is_alive, "setting the wall clock ends no lease");
        assert_eq!(can_adopt(&setup, other).await, 0, "setting the wall clock ends no lease");
        let slots = setup.slots("s", 1).await.must("read slots");
        assert!(!slots[0].is_abandoned, "setting the wall clock ends no lease on a slot");
    }
    setup.heartbeat(other, Vec::new()).await.must("take a heartbeat");
    setup.clock.advance(LEASE - MILLISECOND);
    setup.clock.set_wall(now);
    assert_eq!(can_adopt(&setup, other).await, 0, "setting the wall clock ends no lease");
    setup.clock.advance(MILLISECOND);
    setup.clock.set_wall(now);
    let adopted = setup.adopt(Adopt::new(other, 1)).await.must("let a host adopt");
    assert_eq!(adopted.len(), 1, "setting the wall clock prolongs no lease");
    assert_eq!(adopted[0].run.id, held.run.id);
}

pub(super) async fn a_reboot_ends_every_lease(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.register(NewHost::new("before").lease(DAY)).await.must("register with a long lease");
    let held = setup.running(host, NewRun::new("orphan", "")).await;
    setup.clock.reboot();
    assert!(!known(&setup, host).await.is_alive, "no lease outlives the machine's restart");
    // Time since the start was an hour when the lease began; it is more now, and less than a day more.
    setup.clock.advance(Duration::from_secs(4000));
    assert!(!known(&setup, host).await.is_alive, "time since another start says nothing about a lease");
    let other = setup.host("after").await;
    let adopted = setup.adopt(Adopt::new(other, 10)).await.must("let a host adopt");
    assert_eq!(adopted.len(), 1, "what was held before the machine's restart can be adopted");
    assert_eq!(adopted[0].run.id, held.run.id);
    assert!(known(&setup, other).await.is_alive, "a lease of after the restart is valid");
}

pub(super) async fn what_a_retired_host_held_is_adopted_at_once(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let (host, other) = (setup.host("leaving").await, setup.host("other").await);
    let ids = [
        setup.running(host, NewRun::new("1", "")).await.lease,
        setup.running(host, NewRun::new("2", "")).await.lease,
    ];
    setup.retire(host).await.must("let a host retire");
    let finished = setup.finish(ids[0], Outcome::succeeded()).await;
    finished.must("take what a retired host brings as long as nobody has adopted it");
    let adopted = setup.adopt(Adopt::new(other, 10)).await.must("let a host adopt");
    let found: Vec<_> = adopted.iter().map(|held| held.run.id).collect();
    assert_eq!(found, [ids[1].run], "what is still held can be adopted without waiting for the lease's end");
}

pub(super) async fn nobody_adopts_its_own_or_more_than_it_wants(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let (host, other) = (setup.host("own").await, setup.host("other").await);
    for n in 0..5 {
        setup.running(host, NewRun::new(n.to_string(), "")).await;
    }
    let own = can_adopt(&setup, host).await;
    assert_eq!(own, 0, "what a host holds it need not adopt");
    setup.clock.advance(LEASE / 2);
    setup.heartbeat(other, Vec::new()).await.must("take a heartbeat");
    setup.clock.advance(LEASE / 2);
    let mut adopted = Vec::new();
    for wanted in [2, 2, 1, 0] {
        let now = setup.adopt(Adopt::new(other, 2)).await.must("let a host adopt");
        assert_eq!(now.len(), wanted, "up to 2 of what is left of 5");
        adopted.extend(now);
    }
    let mut held = setup.held(other).await.must("say what a host holds");
    held.sort_by_key(|held| held.run.id);
    adopted.sort_by_key(|held| held.run.id);
    assert_eq!(held, adopted, "what was adopted is held");
}

pub(super) async fn progress_is_kept_and_nonsense_harms_nothing(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("busy").await;
    let held = setup.running(host, NewRun::new("far", "")).await;
    let id = held.run.id;
    let sensible =
        [Progress::count(17), Progress::of(3, 12), Progress::percent(40.5).message("épo\u{7}que \"2\"")];
    for progress in sensible {
        let beat = Beat { lease: held.lease, progress: Some(progress.clone()) };
        setup.heartbeat(host, vec![beat]).await.must("take a heartbeat with progress");
        assert_eq!(setup.known(id).await.progress, Some(progress), "progress is kept as it was told");
    }
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
        let mut progress = Progress::count(1).message("odd");
        (progress.position, progress.total) = (number, Some(number));
        let beat = Beat { lease: held.lease, progress: Some(progress) };
        setup.heartbeat(host, vec![beat]).await.must("take a heartbeat with a number that makes no sense");
        let run = setup.run(id).await.must("read a run that told a number that makes no sense");
        let kept =
            run.and_then(|run| run.progress).unwrap_or_else(|| panic!("progress was told, and is kept"));
        assert!(kept.position.is_finite() && kept.total.is_none(), "{number} counts as unknown: {kept:?}");
        assert_eq!(kept.message.as_deref(), Some("odd"), "the message makes sense");
    }
    setup.finish(held.lease, Outcome::succeeded()).await.must("finish a run that told numbers without sense");
    assert_eq!(setup.status(id).await, Status::Succeeded);
}
