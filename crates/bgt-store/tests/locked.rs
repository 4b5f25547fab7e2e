//! Another process holds the lock on the file.
//!
//! The other process is this program again, with a connection of its own that only SQLite knows of.
#![cfg(feature = "sqlite")]

mod support;

use std::time::{Duration, Instant};

use bgt_store::{FaultKind, NewRun, RunId, RunStore, SqliteStore};
use bgt_testkit::Scratch;
use support::{HANG, Other, assert_fault, assert_whole, cause, hear, ids, open, put, role, say, try_open};

const PATIENCE: FaultKind = FaultKind::Locked { patience: Duration::from_millis(200) };

/// Takes the lock when told so, and gives it back when told so.
#[ignore = "plays another process"]
#[test]
fn plays_the_holder_of_the_lock() {
    let Some(path) = role() else { return };
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.busy_timeout(HANG).unwrap();
    while let Some(sql) = hear() {
        connection.execute_batch(&sql).unwrap();
        say("done");
    }
}

struct Holder(Other);

impl Holder {
    fn of(store: &SqliteStore) -> Self {
        Self(Other::start("plays_the_holder_of_the_lock", store.path().to_str().unwrap()))
    }

    fn run(&mut self, sql: &str) {
        self.0.say(sql);
        assert_eq!(self.0.hear(), "done");
    }
}

#[tokio::test]
async fn a_lock_held_for_longer_than_patience_is_told_to_all_who_wait() {
    let scratch = Scratch::new();
    let store = open(&scratch.path("runs.db")).await;
    let mut acknowledged = vec![put(&store, "before").await.unwrap()];
    let mut holder = Holder::of(&store);
    holder.run("BEGIN IMMEDIATE");

    let began = Instant::now();
    let callers = (0..100).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { put(&store, &n.to_string()).await })
    });
    for caller in callers.collect::<Vec<_>>() {
        let error = caller.await.unwrap().unwrap_err();
        assert_fault(&error, PATIENCE, store.path(), "look for a long transaction");
        assert!(error.to_string().contains("200ms"), "{error}");
        assert!(error.fault().unwrap().is_transient());
        assert!(cause(&error).contains("locked"), "{}", cause(&error));
    }
    // One after the other they would have waited for 20 s.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // Who reads does not wait, nor does anybody who closes or opens.
    assert_eq!(ids(&store).await.len(), 1);
    let second = open(store.path()).await;
    assert_eq!(ids(&second).await.len(), 1);
    second.close().await;

    holder.run("ROLLBACK");
    acknowledged.push(put(&store, "after").await.unwrap());
    assert_whole(&store, &acknowledged).await;
    assert_eq!(ids(&store).await.len(), 2, "something was done that nobody was told of");
    holder.0.end();
    store.close().await;
}

#[tokio::test]
async fn a_lock_held_for_less_than_patience_delays() {
    let scratch = Scratch::new();
    let store = SqliteStore::builder(scratch.path("runs.db")).patience(HANG).open().await.unwrap();
    let mut holder = Holder::of(&store);
    holder.run("BEGIN IMMEDIATE");
    let callers = (0..100).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { put(&store, &n.to_string()).await })
    });
    let callers: Vec<_> = callers.collect();
    assert_eq!(ids(&store).await.len(), 0);
    assert!(!callers.iter().any(tokio::task::JoinHandle::is_finished), "answered while the lock was held");
    holder.run("COMMIT");
    let mut acknowledged = Vec::new();
    for caller in callers {
        acknowledged.push(caller.await.unwrap().unwrap());
    }
    assert_whole(&store, &acknowledged).await;
    holder.0.end();
    store.close().await;
}

#[tokio::test]
async fn a_file_that_another_keeps_for_itself_cannot_be_opened_until_it_does_not() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let store = open(&path).await;
    let id = put(&store, "before").await.unwrap();
    let mut holder = Holder::of(&store);
    store.close().await;
    holder.run("PRAGMA locking_mode = exclusive; BEGIN IMMEDIATE; COMMIT");
    let error = try_open(&path).await.expect_err("it is locked");
    assert_fault(&error, PATIENCE, &path, "raise the patience");
    cause(&error);
    holder.0.end();
    let store = open(&path).await;
    assert_whole(&store, &[id]).await;
    store.close().await;
}

#[tokio::test]
async fn a_holder_that_is_killed_holds_nothing() {
    let scratch = Scratch::new();
    let store = SqliteStore::builder(scratch.path("runs.db")).patience(HANG).open().await.unwrap();
    let first = put(&store, "before").await.unwrap();
    let mut holder = Holder::of(&store);
    holder.run("BEGIN IMMEDIATE; DELETE FROM runs");
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { put(&store, "waiting").await }
    });
    assert_eq!(ids(&store).await.len(), 1);
    drop(holder);
    let second = waiting.await.unwrap().unwrap();
    assert_whole(&store, &[first, second]).await;
    store.close().await;
}

/// A snapshot keeps the log from being emptied, nothing else.
#[tokio::test]
async fn who_reads_for_long_keeps_nobody_from_writing() {
    let scratch = Scratch::new();
    let store = open(&scratch.path("runs.db")).await;
    let mut acknowledged: Vec<RunId> = vec![put(&store, "before").await.unwrap()];
    let mut reader = Holder::of(&store);
    reader.run("BEGIN; SELECT count(*) FROM runs");
    // More than the thousand pages after which SQLite wants to empty the log.
    for n in 0..20 {
        let runs = (0..20).map(|k| NewRun::new("x", vec![b'x'; 16 << 10]).label("name", format!("{n} {k}")));
        acknowledged.extend(store.enqueue(runs.collect()).await.unwrap().iter().map(|run| run.id));
    }
    reader.run("COMMIT");
    assert_whole(&store, &acknowledged).await;
    reader.0.end();
    store.close().await;
}
