//! How a store ends, and calls that nobody waits for.
#![cfg(feature = "sqlite")]

mod support;

use std::future::Future;
use std::task::{Context, Poll, Waker};

use bgt_store::{
    Claim, FaultKind, JournalEntry, JournalStore, LeaseStore, NewHost, NewRun, Outcome, Page, RunFilter,
    RunStore, SlotStore, Status,
};
use bgt_testkit::Scratch;
use support::{HANG, assert_fault, assert_whole, ids, open, poll_and_drop, put};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn after_close_everybody_hears_so_and_what_was_asked_before_is_done() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    runtime().block_on(async {
        let store = open(&path).await;
        let other = store.clone();
        let mut before: Vec<_> = (0..50)
            .map(|n| {
                let store = store.clone();
                Box::pin(async move { put(&store, &n.to_string()).await })
            })
            .collect();
        // Now each of them has asked.
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(before.iter_mut().all(|asked| asked.as_mut().poll(&mut nobody).is_pending()));
        tokio::join!(store.close(), other.close(), store.close());
        let mut acknowledged = Vec::new();
        for asked in before {
            acknowledged.push(asked.await.unwrap());
        }
        for store in [&store, &other] {
            let answers = [
                put(store, "late").await.map(drop),
                store.list(RunFilter::new(), Page::first(1)).await.map(drop),
                store.register(NewHost::new("late")).await.map(drop),
                store.entries("x", None, 1).await.map(drop),
                store.backup(scratch.path("backup.db")).await,
            ];
            for answer in answers {
                assert_fault(&answer.unwrap_err(), FaultKind::Closed, &path, "open it again");
            }
        }
        store.close().await;
        let store = open(&path).await;
        assert_whole(&store, &acknowledged).await;
        assert_eq!(ids(&store).await.len(), 50);
        store.close().await;
    });
}

#[test]
fn calls_that_are_dropped_happen_as_a_whole_or_not_at_all() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let runtime = runtime();
    let store = runtime.block_on(open(&path));
    let host = runtime.block_on(store.register(NewHost::new("worker"))).unwrap();
    for polls in (0..3).cycle().take(120) {
        let run = || NewRun::new("x", "x").label("name", "x");
        let _ = poll_and_drop(store.enqueue(vec![run(), run()]), polls);
        let _ = poll_and_drop(store.claim(Claim::new(host, "default", 1)), polls);
        let _ = poll_and_drop(store.list(RunFilter::new(), Page::first(10)), polls);
        let _ = poll_and_drop(store.record("j", vec![JournalEntry::new("k", Status::Running)]), polls);
        let _ = poll_and_drop(store.claim_slot(host, "s", std::time::SystemTime::now()), polls);
        let _ = poll_and_drop(store.backup(scratch.path("backup.db")), polls);
        let _ = std::fs::remove_file(scratch.path("backup.db"));
    }
    runtime.block_on(async {
        let acknowledged = put(&store, "after").await.unwrap();
        // Each call enqueued two, or none.
        assert_eq!(ids(&store).await.len() % 2, 1);
        // What was claimed by a call that nobody listened to is held.
        for held in store.held(host).await.unwrap() {
            store.finish(held.lease, Outcome::succeeded()).await.unwrap();
        }
        assert_whole(&store, &[acknowledged]).await;
        store.close().await;
    });
}

#[test]
fn a_store_outlives_its_runtime_and_serves_two() {
    let scratch = Scratch::new();
    let store = runtime().block_on(open(&scratch.path("runs.db")));
    let callers: Vec<_> = (0..2)
        .map(|n| {
            let store = store.clone();
            std::thread::spawn(move || {
                runtime().block_on(async {
                    let mut acknowledged = Vec::new();
                    for k in 0..50 {
                        acknowledged.push(put(&store, &format!("{n} {k}")).await.unwrap());
                    }
                    acknowledged
                })
            })
        })
        .collect();
    let acknowledged: Vec<_> = callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect();
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    many.block_on(async {
        assert_whole(&store, &acknowledged).await;
        store.close().await;
    });
}

/// As happens to a future that a `select!` has left behind, pinned and forgotten.
#[test]
fn calls_that_are_begun_and_kept_do_not_hold_up_the_end() {
    let scratch = Scratch::new();
    runtime().block_on(async {
        let store = open(&scratch.path("runs.db")).await;
        // More than may be sent at once, by the channel and by what tokio lets one task do.
        let mut kept: Vec<_> = (0..3000)
            .map(|n| {
                let store = store.clone();
                Box::pin(async move { put(&store, &n.to_string()).await })
            })
            .collect();
        let mut nobody = Context::from_waker(Waker::noop());
        // On a busy machine some are answered at once.
        let mut acknowledged = Vec::new();
        kept.retain_mut(|call| match call.as_mut().poll(&mut nobody) {
            Poll::Ready(answer) => {
                acknowledged.push(answer.unwrap());
                false
            }
            Poll::Pending => true,
        });
        tokio::time::timeout(HANG, store.close()).await.expect("the end");
        for call in kept {
            match call.await {
                Ok(id) => acknowledged.push(id),
                Err(error) => assert_fault(&error, FaultKind::Closed, store.path(), "open it again"),
            }
        }
        assert!(!acknowledged.is_empty());
        let store = open(store.path()).await;
        assert_whole(&store, &acknowledged).await;
        assert_eq!(ids(&store).await.len(), acknowledged.len());
        store.close().await;
    });
}
