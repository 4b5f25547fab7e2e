//! Forgetting what is over.

use std::time::Duration;

use bgt_core::Status;

use super::Backend;
use super::support::{Must, Setup, refused};
use crate::{Clock, NewRun, Outcome, Retention, RunFilter, RunId, StoreError};

const MINUTE: Duration = Duration::from_secs(60);

/// So many runs that ended a minute apart, in the order of their ends, which is not that of their acceptance.
async fn ended(setup: &Setup, count: usize) -> Vec<RunId> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(
            setup.accept(NewRun::new(number.to_string(), "payload").label("n", number.to_string())).await,
        );
    }
    ids.reverse();
    for id in &ids {
        setup.clock.advance(MINUTE);
        setup.end_queued(*id, Outcome::failed("no")).await.must("close a queued run");
    }
    ids
}

async fn left(setup: &Setup) -> Vec<RunId> {
    setup.all(RunFilter::new(), 1000).await.iter().map(|run| run.id).collect()
}

pub(super) async fn only_what_is_over_goes_the_oldest_first(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let running = setup.running(host, NewRun::new("running", "")).await.run.id;
    let ids = ended(&setup, 5).await;
    let queued = setup.accept(NewRun::new("queued", "")).await;
    setup.clock.advance(MINUTE);
    let nothing = setup.prune(Retention::new(), 1000).await.must("forget nothing");
    assert_eq!(nothing, [], "nothing is forgotten unless something says what");
    let everything = Retention::new().ended_before(setup.clock.now().wall);
    let mut gone = Vec::new();
    for size in [2, 2, 1, 0] {
        let now = setup.prune(everything.clone(), 2).await.must("forget what is over");
        assert_eq!(now.len(), size, "up to 2 of what is left of 5");
        gone.extend(now);
    }
    assert_eq!(gone, ids, "what ended first is forgotten first");
    assert_eq!(left(&setup).await, [queued, running], "what is not over stays");
    assert_eq!(setup.status(running).await, Status::Running);
}

pub(super) async fn what_ended_before_a_time_goes(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let ids = ended(&setup, 4).await;
    let third = setup.known(ids[2]).await.ended_at.unwrap_or_else(|| panic!("what is over has an end"));
    let gone = setup.prune(Retention::new().ended_before(third), 1000).await.must("forget what is over");
    assert_eq!(gone, ids[..2], "what ended before that time, and not what ended at it");
    assert_eq!(left(&setup).await, [ids[2], ids[3]], "in the order of acceptance, the latest first");
}

pub(super) async fn all_but_the_latest_go(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let ids = ended(&setup, 6).await;
    setup.accept(NewRun::new("queued", "")).await;
    for (keep, gone) in [(u64::MAX, 0..0), (6, 0..0), (4, 0..2), (4, 0..0), (3, 2..3)] {
        let found = setup.prune(Retention::new().keep(keep), 1000).await.must("forget what is over");
        assert_eq!(found, ids[gone], "what ended before the latest {keep}");
    }
    let fifth = setup.known(ids[4]).await.ended_at.unwrap_or_else(|| panic!("what is over has an end"));
    let both = Retention::new().keep(1).ended_before(fifth);
    let found = setup.prune(both, 1000).await.must("forget what is over");
    assert_eq!(found, ids[3..5], "what either of the two says may go");
    let both = Retention::new().keep(100).ended_before(setup.clock.now().wall + MINUTE);
    let found = setup.prune(both, 1000).await.must("forget what is over");
    assert_eq!(found, ids[5..], "what either of the two says may go");
}

pub(super) async fn nothing_of_a_forgotten_run_is_left(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let labels =
        [("plain", "x"), ("quo\"te'd", "a\\b\"c"), ("ключ", "знач"), ("control\u{1}\n", "\u{1f}\u{7f}")];
    let labelled = |name: &str| {
        labels.into_iter().fold(NewRun::new(name, "p"), |run, (key, value)| run.label(key, value))
    };
    let held = setup.running(host, labelled("gone")).await;
    let id = held.run.id;
    setup.note(id, "a note").await.must("take a note");
    setup.finish(held.lease, Outcome::succeeded().result("r")).await.must("finish a run that is held");
    for (key, value) in labels {
        assert_eq!(
            setup.all(RunFilter::new().label(key, value), 10).await.len(),
            1,
            "found by the label {key:?}"
        );
    }
    let gone = setup.prune(Retention::new().keep(0), 1000).await.must("forget what is over");
    assert_eq!(gone, [id]);
    assert_eq!(
        setup.run(id).await.must("read a run that was forgotten"),
        None,
        "a forgotten run is not known"
    );
    let what = "what was of a forgotten run";
    refused!(setup.payload(id).await, StoreError::UnknownRun(run) if run == id, "{what}");
    refused!(setup.result(id).await, StoreError::UnknownRun(run) if run == id, "{what}");
    refused!(setup.attempts(id).await, StoreError::UnknownRun(run) if run == id, "{what}");
    refused!(setup.events(id, 0, 10).await, StoreError::UnknownRun(run) if run == id, "{what}");
    let late = setup.finish(held.lease, Outcome::succeeded()).await;
    refused!(late, StoreError::UnknownRun(run) if run == id, "{what}");
    assert!(
        setup.count(RunFilter::new()).await.must("count runs").is_empty(),
        "a forgotten run does not count"
    );

    let again = setup.accept(NewRun::new("the same id", "new payload").id(id)).await;
    let found = setup.snapshot(again).await;
    assert_eq!(
        (found.run.status, found.run.attempt, found.run.token),
        (Status::Queued, 0, 0),
        "it is a new run"
    );
    assert_eq!(
        (&found.payload[..], found.result),
        (&b"new payload"[..], None),
        "nothing of the old one comes back"
    );
    for (key, value) in labels {
        let found = setup.all(RunFilter::new().label(key, value), 10).await;
        assert_eq!(found, [], "a label {key:?} of a forgotten run finds nothing");
    }
}

pub(super) async fn a_unique_key_is_free_after_the_end(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let unique = |name: &str| NewRun::new(name, "").unique_key("key");
    for status in [Status::Skipped, Status::Lost, Status::Failed] {
        let id = setup.accept(unique("next")).await;
        setup.end_queued(id, Outcome::new(status)).await.must("close a queued run");
    }
    let open = setup.accept(unique("open")).await;
    assert_eq!(left(&setup).await.len(), 4, "those that are over keep their key, and stand in nobody's way");
    setup.prune(Retention::new().keep(0), 1000).await.must("forget what is over");
    let answer = setup.enqueue(vec![unique("second")]).await.must("take an open unique key")[0];
    assert_eq!(
        (answer.id, answer.is_new),
        (open, false),
        "forgetting those that are over frees no key that is open"
    );
}
