//! The files are removed, renamed or replaced while they are in use.
#![cfg(feature = "sqlite")]

mod support;

use std::fs;

use bgt_store::{FaultKind, Page, RunFilter, RunStore};
use bgt_testkit::Scratch;
use support::{assert_fault, assert_whole, beside, open, put};

#[cfg(unix)]
mod unix {
    use std::path::Path;

    use bgt_store::{NewRun, SqliteStore, StoreError};

    use super::*;
    use crate::support::{cause, ids, kind};

    const PUT_BACK: &str = "put it back";

    /// Nobody who writes or reads is told anything else.
    async fn assert_removed(store: &SqliteStore, path: &Path) {
        for _ in 0..2 {
            let errors = [
                put(store, "x").await.map(drop).unwrap_err(),
                store.list(RunFilter::new(), Page::first(10)).await.map(drop).unwrap_err(),
                store.count(RunFilter::new()).await.map(drop).unwrap_err(),
            ];
            for error in errors {
                assert_fault(&error, FaultKind::Removed, path, PUT_BACK);
                assert!(error.to_string().contains("SqliteStore::backup"), "{error}");
            }
        }
    }

    #[tokio::test]
    async fn a_removed_store_is_written_back_from_what_is_held() {
        // With and without what SQLite keeps beside it.
        for left in [vec!["-wal", "-shm"], vec!["-wal"], vec!["-shm"], vec![]] {
            let scratch = Scratch::new();
            let path = scratch.path("runs.db");
            let store = open(&path).await;
            let mut acknowledged = Vec::new();
            for n in 0..50 {
                acknowledged.push(put(&store, &n.to_string()).await.unwrap());
            }
            for suffix in ["", "-wal", "-shm"] {
                if !left.contains(&suffix) {
                    fs::remove_file(beside(&path, suffix)).unwrap();
                }
            }
            assert_removed(&store, &path).await;
            let error = put(&store, "x").await.unwrap_err();
            assert!(cause(&error).contains("No such file"), "{error:?}");
            assert!(!path.exists(), "an empty store was made in its place");

            store.backup(&path).await.unwrap();
            for n in 50..100 {
                acknowledged.push(put(&store, &n.to_string()).await.unwrap());
            }
            assert_whole(&store, &acknowledged).await;
            assert_eq!(ids(&store).await.len(), 100, "with {left:?} left");
            store.close().await;
            let store = open(&path).await;
            assert_whole(&store, &acknowledged).await;
            store.close().await;
        }
    }

    #[tokio::test]
    async fn a_store_that_is_renamed_back_goes_on() {
        for together in [false, true] {
            let scratch = Scratch::new();
            let path = scratch.path("runs.db");
            let store = open(&path).await;
            let first = put(&store, "first").await.unwrap();
            let suffixes: &[&str] = if together { &["", "-wal", "-shm"] } else { &[""] };
            let rename = |from: &Path, to: &Path| {
                for suffix in suffixes {
                    fs::rename(beside(from, suffix), beside(to, suffix)).unwrap();
                }
            };
            rename(&path, &scratch.path("elsewhere"));
            assert_removed(&store, &path).await;
            rename(&scratch.path("elsewhere"), &path);
            let second = put(&store, "second").await.unwrap();
            assert_whole(&store, &[first, second]).await;
            store.close().await;
        }
    }

    #[tokio::test]
    async fn a_store_in_the_place_of_another_is_used_and_the_other_keeps_everything() {
        let scratch = Scratch::new();
        let (path, other) = (scratch.path("runs.db"), scratch.path("other.db"));
        let store = open(&path).await;
        let mut mine = Vec::new();
        for n in 0..50 {
            mine.push(put(&store, &format!("mine {n}")).await.unwrap());
        }
        let second = open(&other).await;
        let theirs = put(&second, "theirs").await.unwrap();
        second.close().await;

        // The log of the first stays behind, under the name that the second one's will have.
        let away = scratch.path("away.db");
        fs::rename(&path, &away).unwrap();
        fs::rename(&other, &path).unwrap();
        // Whoever comes first, reads and writes are of the new one.
        let (read, written) = tokio::join!(store.run(theirs), put(&store, "new"));
        assert!(read.unwrap().is_some());
        let mut found = vec![theirs, written.unwrap()];
        for n in 0..50 {
            found.push(put(&store, &format!("new {n}")).await.unwrap());
        }
        assert_whole(&store, &found).await;
        assert_eq!(ids(&store).await.len(), found.len(), "something of the first came along");
        store.close().await;

        for (path, runs) in [(&path, &found), (&away, &mine)] {
            let store = open(path).await;
            assert_whole(&store, runs).await;
            assert_eq!(ids(&store).await.len(), runs.len());
            store.close().await;
        }
    }

    #[tokio::test]
    async fn an_empty_file_in_its_place_is_no_store() {
        let scratch = Scratch::new();
        let path = scratch.path("runs.db");
        let store = open(&path).await;
        let first = put(&store, "first").await.unwrap();
        fs::rename(&path, scratch.path("away.db")).unwrap();
        fs::write(&path, "").unwrap();
        assert_removed(&store, &path).await;
        assert_eq!(path.metadata().unwrap().len(), 0, "a store was made of it");

        fs::remove_file(&path).unwrap();
        store.backup(&path).await.unwrap();
        let second = put(&store, "second").await.unwrap();
        assert_whole(&store, &[first, second]).await;

        // Once more, and the old one comes back.
        fs::rename(&path, scratch.path("again.db")).unwrap();
        fs::write(&path, "").unwrap();
        assert_removed(&store, &path).await;
        fs::rename(scratch.path("again.db"), &path).unwrap();
        let third = put(&store, "third").await.unwrap();
        assert_whole(&store, &[first, second, third]).await;
        store.close().await;
    }

    #[tokio::test]
    async fn garbage_in_its_place_is_corrupt_until_the_store_is_back() {
        let scratch = Scratch::new();
        let path = scratch.path("runs.db");
        let store = open(&path).await;
        let first = put(&store, "first").await.unwrap();
        let away = scratch.path("away.db");
        fs::rename(&path, &away).unwrap();
        fs::write(&path, "something else").unwrap();
        for _ in 0..2 {
            let error = put(&store, "x").await.unwrap_err();
            assert_fault(&error, FaultKind::Corrupt, &path, "restore a backup");
            let error = store.run(first).await.unwrap_err();
            assert_fault(&error, FaultKind::Corrupt, &path, "restore a backup");
        }
        assert_eq!(scratch.read("runs.db"), "something else");
        fs::rename(&away, &path).unwrap();
        let second = put(&store, "second").await.unwrap();
        assert_whole(&store, &[first, second]).await;
        store.close().await;
    }

    #[tokio::test]
    async fn without_its_log_it_goes_on_and_nothing_is_lost() {
        for (gone, reads_first) in [
            (vec!["-wal"], true),
            (vec!["-wal"], false),
            (vec!["-wal", "-shm"], true),
            (vec!["-wal", "-shm"], false),
        ] {
            let scratch = Scratch::new();
            let path = scratch.path("runs.db");
            let store = open(&path).await;
            let mut acknowledged = Vec::new();
            for n in 0..40 {
                acknowledged.push(put(&store, &n.to_string()).await.unwrap());
                if n % 10 == 9 {
                    for suffix in &gone {
                        // The index stays as long as anybody here uses it.
                        let _ = fs::remove_file(beside(&path, suffix));
                    }
                    if reads_first {
                        assert!(store.run(acknowledged[n]).await.unwrap().is_some());
                    }
                }
            }
            assert_whole(&store, &acknowledged).await;
            store.close().await;
            let store = open(&path).await;
            assert_whole(&store, &acknowledged).await;
            store.close().await;
        }
    }

    /// A call that the removal meets in the middle may hear of a fault. Said again, it is done.
    async fn again<T, F: Future<Output = Result<T, StoreError>>>(mut call: impl FnMut() -> F) -> T {
        for _ in 0..1000 {
            match call().await {
                Ok(answer) => return answer,
                Err(error) => drop(kind(&error)),
            }
        }
        panic!("never done: {:?}", call().await.err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_log_that_vanishes_again_and_again_under_load_loses_nothing() {
        let scratch = Scratch::new();
        let path = scratch.path("runs.db");
        let store = open(&path).await;
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..8 {
            let store = store.clone();
            callers.spawn(async move {
                let mut acknowledged = Vec::new();
                for n in 0..100 {
                    let run = NewRun::new("x", "x").label("name", format!("{caller} {n}"));
                    let id = run.id;
                    again(|| store.enqueue(vec![run.clone()])).await;
                    let found = again(|| store.run(id)).await;
                    assert!(found.is_some(), "{id} was acknowledged, and is not there");
                    acknowledged.push(id);
                }
                acknowledged
            });
        }
        let mut acknowledged = Vec::new();
        while !callers.is_empty() {
            let _ = fs::remove_file(beside(&path, "-wal"));
            // A word with the store between two removals, so that the others get on.
            again(|| put(&store, "between")).await;
            while let Some(done) = callers.try_join_next() {
                acknowledged.extend(done.unwrap());
            }
        }
        assert_eq!(acknowledged.len(), 800);
        assert_whole(&store, &acknowledged).await;
        store.close().await;
        let store = open(&path).await;
        assert_whole(&store, &acknowledged).await;
        store.close().await;
    }

    #[tokio::test]
    async fn a_folder_in_the_place_of_the_log_is_a_fault_until_it_is_gone() {
        let scratch = Scratch::new();
        let path = scratch.path("runs.db");
        let store = open(&path).await;
        let first = put(&store, "first").await.unwrap();
        fs::remove_file(beside(&path, "-wal")).unwrap();
        fs::create_dir(beside(&path, "-wal")).unwrap();
        for _ in 0..2 {
            let error: StoreError = put(&store, "x").await.unwrap_err();
            assert_fault(&error, FaultKind::Unavailable, &path, "check that");
            cause(&error);
        }
        fs::remove_dir(beside(&path, "-wal")).unwrap();
        let second = put(&store, "second").await.unwrap();
        assert_whole(&store, &[first, second]).await;
        store.close().await;
    }
}

#[cfg(windows)]
#[tokio::test]
async fn the_system_keeps_the_files_of_a_store_in_use() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let store = open(&path).await;
    let first = put(&store, "first").await.unwrap();
    for suffix in ["", "-wal"] {
        let file = beside(&path, suffix);
        assert!(fs::remove_file(&file).is_err(), "{} was removed", file.display());
        assert!(fs::rename(&file, scratch.path("away")).is_err(), "{} was renamed", file.display());
    }
    let second = put(&store, "second").await.unwrap();
    assert_whole(&store, &[first, second]).await;
    store.close().await;
    fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn a_store_removed_after_it_was_closed_is_closed() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let store = open(&path).await;
    put(&store, "first").await.unwrap();
    store.close().await;
    fs::remove_file(&path).unwrap();
    assert_fault(&put(&store, "x").await.unwrap_err(), FaultKind::Closed, &path, "open it again");
    let error = store.list(RunFilter::new(), Page::first(1)).await.unwrap_err();
    assert_fault(&error, FaultKind::Closed, &path, "open it again");
    assert_fault(&store.backup(&path).await.unwrap_err(), FaultKind::Closed, &path, "open it again");
    assert!(!path.exists());
}
