//! What makes no sense is refused by its value, before anything is written.

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use bgt_core::Status;

use super::Backend;
use super::support::{Must, Setup, refusal, refused};
use crate::{
    Adopt, Claim, HostId, JournalEntry, Lease, NewHost, NewRun, Outcome, Page, Requeue, Result, Retention,
    RunFilter, RunId, SlotLease, StoreError,
};

/// The value must be named in the error as it reads there.
#[track_caller]
fn invalid<T: Debug>(answer: Result<T>, named: &str, what: &str) {
    match refusal(answer, what) {
        error @ StoreError::Invalid { .. } => {
            let text = error.to_string();
            assert!(text.contains(named), "the error about {what} must name {named}: {text}");
        }
        other => panic!("the store must refuse {what} with `Invalid`, but answered {other:?}"),
    }
}

/// Texts that are no names, and how an error names them.
fn bad_names() -> [(String, &'static str); 4] {
    [
        (String::new(), r#""""#),
        ("a\0b".into(), r#""a\0b""#),
        ("x".repeat(513), "513"),
        ("ä".repeat(257), "514"),
    ]
}

const BAD_LIMITS: [(usize, &str); 3] = [(0, " 0"), (1001, "1001"), (usize::MAX, " 18446744073709551615")];

fn bad_limits() -> impl Iterator<Item = (usize, &'static str)> {
    // The last of them is another number where pointers are smaller.
    BAD_LIMITS.into_iter().filter(|(_, named)| named.len() < 6 || usize::BITS == 64)
}

pub(super) async fn bad_runs_are_refused_and_nothing_is_written(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let good = || NewRun::new("good", "").unique_key("key");
    let mut bad = Vec::new();
    for (name, named) in bad_names() {
        bad.push((NewRun::new(name.clone(), ""), named));
        bad.push((good().queue(name.clone()), named));
        bad.push((good().unique_key(name.clone()), named));
        bad.push((good().label(name.clone(), "value"), named));
        bad.push((good().label("key", name), named));
    }
    bad.push(((0..65).fold(good(), |run, n| run.label(n.to_string(), "x")), "65"));
    bad.push((NewRun::new("large", vec![0; (16 << 20) + 1]), "16777217"));
    for (run, named) in bad {
        let what = format!("a run with a value of which the error says {named}");
        invalid(setup.enqueue(vec![good(), run, good()]).await, named, &what);
    }
    assert_eq!(
        setup.all(RunFilter::new(), 1000).await,
        [],
        "one bad run, and none of the others is accepted"
    );
    let answer = setup.enqueue(vec![good()]).await.must("accept a run");
    assert!(answer[0].is_new, "a refused run has no unique key: {answer:?}");
    let id = answer[0].id;
    for (limit, named) in bad_limits() {
        invalid(setup.list(RunFilter::new(), Page::first(limit)).await, named, "a page of that size");
        invalid(setup.events(id, 0, limit).await, named, "a page of that size");
        invalid(setup.prune(Retention::new().keep(0), limit).await, named, "a page of that size");
    }
}

pub(super) async fn bad_hosts_and_claims_are_refused(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    for (name, named) in bad_names() {
        invalid(setup.register(NewHost::new(name)).await, named, "a host of that name");
    }
    let leases = [
        (Duration::ZERO, "0ns"),
        (Duration::from_millis(99), "99ms"),
        (Duration::from_secs(86_401), "86401s"),
    ];
    for (lease, named) in leases {
        invalid(setup.register(NewHost::new("h").lease(lease)).await, named, "a host with that lease");
    }
    assert_eq!(setup.hosts().await.must("list hosts"), [], "a host that was refused is not known");
    for lease in [Duration::from_millis(100), Duration::from_secs(86_400)] {
        setup
            .register(NewHost::new("h").lease(lease))
            .await
            .must("register a host with a lease of 100 ms or 24 h");
    }
    let host = setup.host("h").await;
    let id = setup.accept(NewRun::new("untouched", "")).await;
    let before = setup.snapshot(id).await;
    for (name, named) in bad_names() {
        invalid(setup.claim(Claim::new(host, name, 1)).await, named, "a claim on a queue of that name");
    }
    for (limit, named) in bad_limits() {
        invalid(setup.claim(Claim::new(host, "default", limit)).await, named, "a claim on so many");
        invalid(setup.adopt(Adopt::new(host, limit)).await, named, "the wish to adopt so many");
    }
    assert_eq!(setup.snapshot(id).await, before, "what was refused took nothing");
}

pub(super) async fn bad_outcomes_are_refused(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let held = setup.running(host, NewRun::new("running", "")).await;
    let queued = setup.accept(NewRun::new("queued", "")).await;
    let before = setup.everything().await;
    let large = Outcome::succeeded().result(vec![0; (16 << 20) + 1]);
    for outcome in [Outcome::new(Status::Queued), Outcome::new(Status::Running), large] {
        let named = if outcome.status.is_final() { "16777217" } else { outcome.status.as_str() };
        invalid(setup.finish(held.lease, outcome.clone()).await, named, "that outcome of a run that is held");
        invalid(setup.end_queued(queued, outcome).await, named, "that outcome of a queued run");
    }
    for status in [Status::Queued, Status::Running, Status::Succeeded, Status::Skipped] {
        let answer = setup.requeue(held.lease, Requeue::after(status)).await;
        invalid(answer, status.as_str(), "another attempt after one that ended so");
    }
    assert_eq!(
        setup.everything().await,
        before,
        "what was refused changed nothing, and is not in the history"
    );
}

pub(super) async fn bad_slots_and_journals_are_refused(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let (host, at) = (setup.host("h").await, SystemTime::UNIX_EPOCH);
    for (name, named) in bad_names() {
        invalid(setup.claim_slot(host, &name, at).await, named, "a schedule of that name");
        invalid(setup.adopt_slot(host, &name, at).await, named, "a schedule of that name");
        invalid(setup.slots(&name, 1).await, named, "a schedule of that name");
        invalid(setup.prune_slots(&name, 1).await, named, "a schedule of that name");
        let entry = JournalEntry::new("k", Status::Succeeded);
        invalid(setup.record(&name, vec![entry]).await, named, "a journal of that name");
        let entry = JournalEntry::new(name, Status::Succeeded);
        invalid(setup.record("j", vec![entry]).await, named, "a key like that");
    }
    let large = JournalEntry::new("k", Status::Succeeded).value(vec![0; (16 << 20) + 1]);
    invalid(setup.record("j", vec![large]).await, "16777217", "so large a value");
    for (limit, named) in bad_limits() {
        invalid(setup.slots("s", limit).await, named, "a page of that size");
        invalid(setup.entries("j", None, limit).await, named, "a page of that size");
    }
    let lease = SlotLease { schedule: "s".into(), at, host, token: 1 };
    invalid(setup.finish_slot(lease, Outcome::new(Status::Running)).await, "running", "an end that is none");
    assert_eq!(setup.slots("s", 1).await.must("read slots"), [], "what was refused claimed nothing");
    assert_eq!(setup.entries("j", None, 1).await.must("read a journal"), [], "nor wrote anything");
}

pub(super) async fn unknown_runs_are_named(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let id = RunId::new();
    let lease = Lease { run: id, attempt: 1, host, token: 1 };
    assert_eq!(setup.run(id).await.must("say that it knows nothing of a run"), None);
    let what = "a run that was never accepted";
    refused!(setup.payload(id).await, StoreError::UnknownRun(run) if run == id, "{what}");
    refused!(setup.result(id).await, StoreError::UnknownRun(run) if run == id, "{what}");
    refused!(setup.attempts(id).await, StoreError::UnknownRun(run) if run == id, "{what}");
    refused!(setup.events(id, 0, 1).await, StoreError::UnknownRun(run) if run == id, "{what}");
    refused!(setup.request_cancel(id).await, StoreError::UnknownRun(run) if run == id, "{what}");
    refused!(setup.end_queued(id, Outcome::failed("")).await, StoreError::UnknownRun(run) if run == id, "{what}");
    refused!(setup.note(id, "n").await, StoreError::UnknownRun(run) if run == id, "{what}");
    refused!(setup.finish(lease, Outcome::succeeded()).await, StoreError::UnknownRun(run) if run == id, "{what}");
    let requeue = Requeue::after(Status::Lost);
    refused!(setup.requeue(lease, requeue).await, StoreError::UnknownRun(run) if run == id, "{what}");
}

pub(super) async fn unknown_and_retired_hosts_are_named(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let at = SystemTime::UNIX_EPOCH;
    let (unknown, retired) = (HostId::new(), setup.host("retired").await);
    setup.accept(NewRun::new("untouched", "")).await;
    setup.retire(retired).await.must("let a host retire");
    let what = "a host that never registered";
    refused!(setup.heartbeat(unknown, Vec::new()).await, StoreError::UnknownHost(host) if host == unknown, "{what}");
    refused!(setup.retire(unknown).await, StoreError::UnknownHost(host) if host == unknown, "{what}");
    refused!(setup.held(unknown).await, StoreError::UnknownHost(host) if host == unknown, "{what}");
    let claim = |host| setup.claim(Claim::new(host, "default", 1));
    refused!(claim(unknown).await, StoreError::UnknownHost(host) if host == unknown, "{what}");
    refused!(setup.adopt(Adopt::new(unknown, 1)).await, StoreError::UnknownHost(host) if host == unknown, "{what}");
    let slot = setup.claim_slot(unknown, "s", at).await;
    refused!(slot, StoreError::UnknownHost(host) if host == unknown, "{what}");
    let slot = setup.adopt_slot(unknown, "s", at).await;
    refused!(slot, StoreError::UnknownHost(host) if host == unknown, "{what}");

    let what = "a host that retired";
    refused!(setup.heartbeat(retired, Vec::new()).await, StoreError::HostEnded(host) if host == retired, "{what}");
    refused!(claim(retired).await, StoreError::HostEnded(host) if host == retired, "{what}");
    refused!(setup.adopt(Adopt::new(retired, 1)).await, StoreError::HostEnded(host) if host == retired, "{what}");
    let slot = setup.claim_slot(retired, "s", at).await;
    refused!(slot, StoreError::HostEnded(host) if host == retired, "{what}");
    let slot = setup.adopt_slot(retired, "s", at).await;
    refused!(slot, StoreError::HostEnded(host) if host == retired, "{what}");
    assert_eq!(setup.held(retired).await.must("say what a retired host holds"), []);
    let count = setup.count(RunFilter::new().status(Status::Queued)).await.must("count runs");
    assert_eq!(count.get(&Status::Queued), Some(&1), "who was refused took nothing");
}
