//! kill −9 in the middle of a batch, again and again: what was journaled as done is not run again, and in the end
//! everything is done.
//!
//! A child of this very program runs the batch on a real store; each task adds a line to a file when it does its work. That
//! file is the ledger: it is compared with the journal, from outside. `BGT_CRASH_SEED` makes the same of it again.
#![cfg(feature = "sqlite")]

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bgt_concurrent::{Item, JournalStore, SqliteStore, Status, TaskError, batch, task_fn};
use bgt_testkit::{Ledger, Other, Scratch, hear, role, say, under_wine};
use tokio::sync::Semaphore;

const TASKS: u64 = 2000;
/// No child does more before it is killed, so that each is killed in the middle.
const QUOTA: u64 = 95;

#[tokio::test]
async fn killed_twenty_times_a_batch_does_each_task_and_none_that_was_journaled_again() {
    // Wine takes its time to start a program.
    let kills = if under_wine() { 3 } else { 20 };
    let seed =
        std::env::var("BGT_CRASH_SEED").map_or_else(|_| fastrand::u64(..), |text| text.parse().unwrap());
    println!("{kills} kills, seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let scratch = Scratch::new();
    let ledger = Ledger::at(scratch.path("ledger"));
    let mut done = HashSet::new();
    for round in 0..kills {
        let before = ledger.lines().len();
        let mut worker = start(&scratch, QUOTA);
        for _ in 0..1 + random.u64(..QUOTA - 1) {
            worker.hear();
        }
        std::thread::sleep(Duration::from_micros(random.u64(..3000)));
        drop(worker.kill());
        let journaled = journaled(&scratch).await;
        assert!(journaled.is_superset(&done), "round {round}: what was done is not done any more");
        let ran: HashSet<_> = ledger.lines()[before..].iter().cloned().collect();
        assert!(
            ran.is_disjoint(&done),
            "round {round} ran again: {:?}",
            ran.intersection(&done).collect::<Vec<_>>()
        );
        assert!(journaled.len() > done.len(), "round {round} was killed before anything was done");
        done = journaled;
    }
    let before = ledger.lines().len();
    let mut worker = start(&scratch, TASKS);
    let report = loop {
        let word = worker.hear();
        if let Some(report) = word.strip_prefix("report ") {
            break report.to_owned();
        }
    };
    worker.end();
    assert_eq!(report, format!("{} succeeded, {} done before", TASKS - done.len() as u64, done.len()));
    let lines = ledger.lines();
    let ran: Vec<_> = lines[before..].to_vec();
    assert!(ran.iter().all(|key| !done.contains(key)));
    assert_eq!(ran.len() as u64, TASKS - done.len() as u64);
    let all: HashSet<_> = (0..TASKS).map(|n| n.to_string()).collect();
    assert_eq!(journaled(&scratch).await, all);
    assert_eq!(lines.iter().cloned().collect::<HashSet<_>>(), all);
    println!("{} runs of {TASKS} tasks, {kills} kills", lines.len());
}

fn start(scratch: &Scratch, quota: u64) -> Other {
    let mut command = Other::command("worker", quota.to_string());
    command.env("BGT_CRASH_FOLDER", scratch.dir());
    Other::of(command).expect("this very program")
}

async fn journaled(scratch: &Scratch) -> HashSet<String> {
    let store =
        SqliteStore::open(scratch.path("journal.db")).await.expect("a store that opens after a crash");
    let mut done = HashSet::new();
    let mut after = None;
    loop {
        let page = store.entries("batch", after.as_deref(), 1000).await.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        done.extend(
            page.into_iter().filter(|entry| entry.status == Status::Succeeded).map(|entry| entry.key),
        );
    }
    store.close().await;
    done
}

/// The child: runs the batch until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the other test"]
async fn worker() {
    let Some(quota) = role().and_then(|quota| quota.parse::<usize>().ok()) else { return };
    let folder = std::path::PathBuf::from(std::env::var_os("BGT_CRASH_FOLDER").expect("a folder"));
    let store = SqliteStore::open(folder.join("journal.db")).await.expect("a store");
    let ledger = Arc::new(Mutex::new(Ledger::at(folder.join("ledger"))));
    let (some_fail, quota) = (quota < TASKS as usize, Arc::new(Semaphore::new(quota)));
    let items = (0..TASKS).map(move |n| {
        let (ledger, quota) = (ledger.clone(), quota.clone());
        let task = task_fn("work", move |_cx| {
            let (ledger, quota) = (ledger.clone(), quota.clone());
            async move {
                // What fails has done nothing.
                if some_fail && n % 97 == 0 {
                    return Err(TaskError::msg("not this time"));
                }
                quota.acquire().await?.forget();
                // One after the other: Wine does not append in one step.
                ledger.lock().unwrap().append(&n.to_string());
                Ok(())
            }
        });
        Item::new(task).key(n.to_string())
    });
    let mut results = batch(items).max_concurrent(16).journal(store.clone(), "batch").start().await.unwrap();
    while let Some(finished) = results.next().await {
        if finished.report.is_success() {
            say("done");
        }
    }
    let report = results.report().await;
    assert!(report.is_success(), "{report}");
    say(&format!("report {} succeeded, {} done before", report.counts.succeeded, report.counts.already_done));
    store.close().await;
    while hear().is_some() {}
}
