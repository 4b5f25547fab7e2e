//! Nothing is left of a store. A test program of its own, with one test, because it counts what the whole process holds.
#![cfg(feature = "sqlite")]

mod support;

use bgt_store::{FaultKind, SqliteStore};
use bgt_testkit::{Resources, Scratch, wait_until};
use support::{HANG, assert_fault, open, poll_and_drop, put};

#[test]
fn stores_leave_no_thread_and_no_descriptor_however_they_end() {
    a_hundred_stores_leave_no_thread_and_no_descriptor();
    stores_that_do_not_open_leave_nothing_either();
    a_close_that_is_dropped_closes();
    an_opening_that_is_dropped_leaves_nothing();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn a_hundred_stores_leave_no_thread_and_no_descriptor() {
    let scratch = Scratch::new();
    let opened = |n: usize| {
        runtime().block_on(async {
            let store = open(&scratch.path(format!("{n}.db"))).await;
            put(&store, "x").await.unwrap();
            if n % 2 == 0 {
                store.close().await;
            }
        });
    };
    opened(1000);
    opened(1002);
    let start = Resources::now();
    (0..100).for_each(opened);
    Resources::assert_back_to(&start, 0, HANG);
    // The last connection of each has finished its log and taken it along, also where nobody said close.
    let left = || std::fs::read_dir(scratch.dir()).unwrap().count();
    assert!(wait_until(HANG, || left() == 102), "{} files", left());
}

fn stores_that_do_not_open_leave_nothing_either() {
    let scratch = Scratch::new();
    std::fs::write(scratch.path("garbage.db"), "garbage").unwrap();
    let start = Resources::now();
    for _ in 0..20 {
        runtime().block_on(async {
            assert!(SqliteStore::open(scratch.path("garbage.db")).await.is_err());
            assert!(SqliteStore::open(scratch.path("no").join("folder.db")).await.is_err());
        });
    }
    Resources::assert_back_to(&start, 0, HANG);
}

fn a_close_that_is_dropped_closes() {
    let scratch = Scratch::new();
    let start = Resources::now();
    runtime().block_on(async {
        let store = open(&scratch.path("runs.db")).await;
        put(&store, "x").await.unwrap();
        let _ = poll_and_drop(store.close(), 1);
        assert_fault(
            &put(&store, "late").await.unwrap_err(),
            FaultKind::Closed,
            store.path(),
            "open it again",
        );
        // The handle lives, the threads do not.
        if start.threads.is_some() {
            Resources::assert_back_to(&Resources { open_fds: usize::MAX, ..start }, 0, HANG);
        }
    });
    Resources::assert_back_to(&start, 0, HANG);
}

fn an_opening_that_is_dropped_leaves_nothing() {
    let scratch = Scratch::new();
    let start = Resources::now();
    for polls in 1..40 {
        let path = scratch.path(format!("{polls}.db"));
        let opened = poll_and_drop(SqliteStore::open(&path), polls);
        drop(opened);
    }
    Resources::assert_back_to(&start, 0, HANG);
    runtime().block_on(async {
        let store = open(&scratch.path("1.db")).await;
        put(&store, "x").await.unwrap();
        store.close().await;
    });
    Resources::assert_back_to(&start, 1, HANG);
}
