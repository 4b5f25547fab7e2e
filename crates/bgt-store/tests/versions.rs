//! Files of every version that was released are read with all that is in them. `data/v1.db` was made by `make_v1`, once;
//! it is never made again after version 1 is released.
#![cfg(feature = "sqlite")]

mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bgt_store::{
    Adopt, Beat, Claim, JournalEntry, JournalStore, LeaseStore, ManualClock, NewHost, NewRun, Outcome, Page,
    Pattern, Progress, Requeue, RunEventKind as Kind, RunFilter, RunId, RunRecord, RunStore, SlotClaim,
    SlotStore, SqliteStore, Status,
};
use bgt_testkit::Scratch;
use support::{HANG, integrity};

const LEASE: Duration = Duration::from_secs(60);

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("data").join(name)
}

/// 2026-01-01 and so many seconds.
fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600 + seconds)
}

fn id(n: u8) -> RunId {
    format!("01900000-0000-7000-8000-0000000000{n:02}").parse().unwrap()
}

async fn open(path: &Path, clock: &ManualClock) -> SqliteStore {
    SqliteStore::builder(path).clock(clock.clone()).patience(HANG).open().await.unwrap()
}

#[ignore = "makes data/v1.db anew, and only while version 1 is not released"]
#[tokio::test]
async fn make_v1() {
    let path = data("v1.db");
    if std::env::var_os("BGT_MAKE_V1").is_none() {
        eprintln!("set BGT_MAKE_V1 to make {} anew", path.display());
        return;
    }
    std::fs::create_dir_all(data("")).unwrap();
    let _ = std::fs::remove_file(&path);
    let clock = ManualClock::new();
    let store = open(&path, &clock).await;
    fill(&store, &clock).await;
    store.close().await;
    // SQLite says in the file whether it has a log: it is whole without one.
    assert!(!support::beside(&path, "-wal").exists());
}

/// Every table, every status, every kind of event.
async fn fill(store: &SqliteStore, clock: &ManualClock) {
    let host = store.register(NewHost::new("first host").lease(LEASE)).await.unwrap();
    let task = |n: u8, queue: &str| {
        NewRun::new(format!("task {n}"), format!("payload {n}"))
            .id(id(n))
            .queue(queue)
            .label("n", n.to_string())
    };
    let ends = [
        (Status::Succeeded, 1),
        (Status::Failed, 2),
        (Status::TimedOut, 3),
        (Status::Cancelled, 4),
        (Status::Lost, 5),
    ];
    for (status, n) in ends {
        store.enqueue(vec![task(n, "work").priority(i32::from(n) - 3)]).await.unwrap();
        clock.advance(Duration::from_secs(1));
        let held = store.claim(Claim::new(host, "work", 1)).await.unwrap().runs.remove(0);
        clock.advance(Duration::from_secs(1));
        let mut outcome = Outcome::new(status);
        outcome = if n == 1 { outcome.result("result 1") } else { outcome.error(format!("error {n}")) };
        store.finish(held.lease, outcome).await.unwrap();
    }
    // Waiting: delayed, with a key; and after an attempt.
    let delayed = task(6, "later").unique_key("key 6").not_before(at(1_000_000)).pattern(Pattern::Periodic);
    store.enqueue(vec![delayed, task(7, "again")]).await.unwrap();
    let held = store.claim(Claim::new(host, "again", 1)).await.unwrap().runs.remove(0);
    let again = Requeue::after(Status::Failed).error("error of attempt 1").not_before(at(2_000_000));
    store.requeue(held.lease, again).await.unwrap();
    // Over before it started.
    store
        .enqueue(vec![task(8, "later"), task(9, "later"), task(10, "taken"), task(11, "taken")])
        .await
        .unwrap();
    store.end_queued(id(8), Outcome::new(Status::Skipped).error("error 8")).await.unwrap();
    store.request_cancel(id(9)).await.unwrap();
    // Running: one taken over, which its former owner brings too late; one that says how far it is, and is to stop.
    let held = store.claim(Claim::new(host, "taken", 2)).await.unwrap().runs;
    for (slot, is_finished) in [(5, true), (10, true), (20, false)] {
        let SlotClaim::Won(lease) = store.claim_slot(host, "nightly", at(slot)).await.unwrap() else {
            panic!("somebody else has slot {slot}")
        };
        if is_finished {
            store.finish_slot(lease, Outcome::failed("error of the slot")).await.unwrap();
        }
    }
    assert_eq!(store.prune_slots("nightly", 1).await.unwrap(), 1);
    clock.advance(LEASE);
    let second = store.register(NewHost::new("second host").lease(LEASE)).await.unwrap();
    let adopted = store.adopt(Adopt::new(second, 10)).await.unwrap();
    assert_eq!(adopted.len(), 2);
    let late = store.finish(held[0].lease, Outcome::succeeded()).await.unwrap_err();
    assert!(late.is_fenced());
    let beat = Beat { lease: adopted[1].lease, progress: Some(Progress::of(3, 4).message("three of four")) };
    store.heartbeat(second, vec![beat]).await.unwrap();
    store.request_cancel(id(11)).await.unwrap();
    store.note(id(11), "a note").await.unwrap();
    let entries = [
        JournalEntry::new("done", Status::Succeeded).value("value"),
        JournalEntry::new("doing", Status::Running),
    ];
    store.record("batch", entries.to_vec()).await.unwrap();
    store.retire(second).await.unwrap();
}

#[tokio::test]
async fn a_file_of_version_1_is_read_with_all_that_is_in_it() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    std::fs::copy(data("v1.db"), &path).unwrap();
    let store = open(&path, &ManualClock::new()).await;
    check(&store).await;
    store.close().await;
    assert_eq!(integrity(&path), "ok");
}

/// What is made today reads the same, so the file is not behind what is written.
#[tokio::test]
async fn a_file_of_today_is_read_in_the_same_way() {
    let scratch = Scratch::new();
    let clock = ManualClock::new();
    let store = open(&scratch.path("runs.db"), &clock).await;
    fill(&store, &clock).await;
    check(&store).await;
    store.close().await;
}

/// The tables of a migrated file are those of a new one.
#[tokio::test]
async fn a_migrated_file_has_the_tables_of_a_new_one() {
    let scratch = Scratch::new();
    let (old, new) = (scratch.path("old.db"), scratch.path("new.db"));
    std::fs::copy(data("v1.db"), &old).unwrap();
    let tables = async |path: &Path| {
        open(path, &ManualClock::new()).await.close().await;
        let connection = rusqlite::Connection::open(path).unwrap();
        let sql =
            "SELECT group_concat(sql, char(10)) FROM (SELECT sql FROM sqlite_schema ORDER BY type, name)";
        connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap()
    };
    assert_eq!(tables(&old).await, tables(&new).await);
}

async fn check(store: &SqliteStore) {
    let hosts = store.hosts().await.unwrap();
    let named = |name: &str| hosts.iter().find(|host| host.name == name).expect(name);
    let (first, second) = (named("first host"), named("second host"));
    assert_eq!(hosts.len(), 2);
    assert!(hosts.iter().all(|host| host.ended_at.is_some() && !host.is_alive && host.pid.is_some()));
    assert_eq!(first.started_at, at(0));

    let expected = [Status::Succeeded, Status::Failed, Status::TimedOut, Status::Cancelled, Status::Lost];
    for (n, status) in (1..).zip(expected) {
        let run = run(store, n).await;
        let begun = 2 * u64::from(n) - 1;
        assert_eq!((run.status, run.attempt, run.priority), (status, 1, i32::from(n) - 3));
        assert_eq!((run.queue.as_str(), run.owner, run.pattern), ("work", None, Pattern::Detached));
        assert_eq!((run.created_at, run.not_before), (at(begun - 1), at(begun - 1)));
        assert_eq!((run.started_at, run.ended_at), (Some(at(begun)), Some(at(begun + 1))));
        let error = (n > 1).then(|| format!("error {n}"));
        assert_eq!(run.error, error);
        let attempts = store.attempts(run.id).await.unwrap();
        assert_eq!(attempts.len(), 1);
        assert_eq!((attempts[0].number, attempts[0].host, attempts[0].token), (1, first.id, run.token));
        assert_eq!((attempts[0].status, &attempts[0].error), (Some(status), &error));
        assert_eq!((attempts[0].started_at, attempts[0].ended_at), (at(begun), Some(at(begun + 1))));
        let result = store.result(run.id).await.unwrap();
        assert_eq!(result.as_deref(), (n == 1).then_some("result 1".as_bytes()));
        assert_eq!(events(store, n).await, [Kind::Queued, Kind::Claimed, Kind::Ended]);
    }

    let delayed = run(store, 6).await;
    assert_eq!((delayed.status, delayed.attempt, delayed.not_before), (Status::Queued, 0, at(1_000_000)));
    assert_eq!((delayed.unique_key.as_deref(), delayed.pattern), (Some("key 6"), Pattern::Periodic));
    let again = run(store, 7).await;
    assert_eq!((again.status, again.attempt, again.not_before), (Status::Queued, 1, at(2_000_000)));
    assert_eq!(again.error.as_deref(), Some("error of attempt 1"));
    assert_eq!(store.attempts(id(7)).await.unwrap()[0].status, Some(Status::Failed));
    assert_eq!(events(store, 7).await, [Kind::Queued, Kind::Claimed, Kind::Requeued]);
    let skipped = run(store, 8).await;
    assert_eq!((skipped.status, skipped.error.as_deref()), (Status::Skipped, Some("error 8")));
    assert_eq!(run(store, 9).await.status, Status::Cancelled);
    assert_eq!(events(store, 9).await, [Kind::Queued, Kind::CancelRequested, Kind::Ended]);

    let held = store.held(second.id).await.unwrap();
    let (late, going) = (run(store, 10).await, run(store, 11).await);
    assert_eq!(held.iter().map(|held| held.run.clone()).collect::<Vec<_>>(), [late.clone(), going.clone()]);
    assert_eq!((late.status, late.owner, late.attempt), (Status::Running, Some(second.id), 1));
    assert_eq!(events(store, 10).await, [Kind::Queued, Kind::Claimed, Kind::Adopted, Kind::Refused]);
    assert_eq!(going.progress, Some(Progress::of(3, 4).message("three of four")));
    assert_eq!(going.cancel_requests, 1);
    let happened = store.events(id(11), 3, 10).await.unwrap();
    let kinds: Vec<_> = happened.iter().map(|event| (event.seq, event.kind)).collect();
    assert_eq!(kinds, [(4, Kind::CancelRequested), (5, Kind::Note)]);
    assert_eq!(happened[1].text.as_deref(), Some("a note"));

    let counts = store.count(RunFilter::new()).await.unwrap();
    assert_eq!(counts.values().sum::<u64>(), 11);
    assert_eq!((counts.len(), counts[&Status::Cancelled]), (8, 2), "a status is missing: {counts:?}");

    let slots = store.slots("nightly", 10).await.unwrap();
    assert_eq!(slots.iter().map(|slot| slot.at).collect::<Vec<_>>(), [at(20), at(10)]);
    assert!(slots[0].is_abandoned && slots[0].host == first.id && slots[0].ended_at.is_none());
    assert_eq!(
        (slots[1].status, slots[1].error.as_deref()),
        (Some(Status::Failed), Some("error of the slot"))
    );

    let entries = store.entries("batch", None, 10).await.unwrap();
    let entries: Vec<_> = entries.iter().map(|entry| (&*entry.key, entry.status, &entry.value[..])).collect();
    assert_eq!(entries, [("doing", Status::Running, &b""[..]), ("done", Status::Succeeded, b"value")]);

    // And it goes on: a token is larger than all before, what was fired is not fired again, what has a key is unique.
    let third = store.register(NewHost::new("third host")).await.unwrap();
    let adopted = store.adopt(Adopt::new(third, 10)).await.unwrap();
    assert_eq!(adopted.len(), 2);
    assert!(adopted.iter().all(|held| held.lease.token > late.token.max(going.token)));
    let fired = store.claim_slot(third, "nightly", at(5)).await.unwrap();
    assert_eq!(fired, SlotClaim::Past { forgotten: at(5) });
    let same = store.enqueue(vec![NewRun::new("same", "x").unique_key("key 6")]).await.unwrap();
    assert_eq!((same[0].id, same[0].is_new), (id(6), false));
    let new = store.enqueue(vec![NewRun::new("new", "x")]).await.unwrap()[0].id;
    let latest = store.list(RunFilter::new(), Page::first(1)).await.unwrap();
    assert_eq!(latest.runs[0].id, new);
}

/// A run, after a look at what all of them have.
async fn run(store: &SqliteStore, n: u8) -> RunRecord {
    let run = store.run(id(n)).await.unwrap().unwrap_or_else(|| panic!("run {n} is gone"));
    assert_eq!(run.name, format!("task {n}"));
    assert_eq!(store.payload(run.id).await.unwrap(), format!("payload {n}"));
    assert_eq!(run.labels, [("n".to_owned(), n.to_string())].into());
    let found = store.list(RunFilter::new().label("n", n.to_string()), Page::first(10)).await.unwrap();
    assert_eq!(found.runs.as_slice(), std::slice::from_ref(&run));
    run
}

async fn events(store: &SqliteStore, n: u8) -> Vec<Kind> {
    store.events(id(n), 0, 100).await.unwrap().iter().map(|event| event.kind).collect()
}
