//! One file, several handles, processes and tools.
#![cfg(feature = "sqlite")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use bgt_store::{Claim, LeaseStore, NewHost, NewRun, Outcome, RunId, RunStore, SqliteStore, Status};
use bgt_testkit::{Ledger, Scratch, python, skip};
use support::{HANG, Other, assert_whole, hear, ids, open, put, role, say, succeeds};

async fn patient(path: &Path) -> SqliteStore {
    SqliteStore::builder(path).patience(HANG).open().await.expect("a store that opens")
}

/// Writes, claims and finishes until there is nothing left, and answers what it had.
async fn work(store: &SqliteStore, name: &str, runs: usize) -> (Vec<RunId>, Vec<RunId>) {
    let host = store.register(NewHost::new(name)).await.unwrap();
    let (mut written, mut claimed) = (Vec::new(), Vec::new());
    for n in 0..runs {
        written.push(put(store, &format!("{name} {n}")).await.unwrap());
        for held in store.claim(Claim::new(host, "default", 2)).await.unwrap().runs {
            claimed.push(held.run.id);
            store.finish(held.lease, Outcome::succeeded().result("done")).await.unwrap();
        }
    }
    (written, claimed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_handles_in_one_process_lose_nothing_and_claim_nothing_twice() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let (one, two) = tokio::join!(patient(&path), patient(&path));
    let works = [(&one, "one"), (&two, "two")].map(|(store, name)| {
        let store = store.clone();
        tokio::spawn(async move { work(&store, name, 200).await })
    });
    let (mut written, mut claimed) = (Vec::new(), Vec::new());
    for work in works {
        let (more_written, more_claimed) = work.await.unwrap();
        written.extend(more_written);
        claimed.extend(more_claimed);
    }
    let once: BTreeSet<_> = claimed.iter().copied().collect();
    assert_eq!(once.len(), claimed.len(), "a run was claimed twice");
    assert_eq!(once, written.iter().copied().collect(), "a run was not claimed");
    assert_eq!(one.count(Default::default()).await.unwrap(), [(Status::Succeeded, 400)].into());
    assert_whole(&two, &written).await;
    one.close().await;
    // What the other one wrote last is seen, though the first has closed the file.
    let last = put(&two, "last").await.unwrap();
    assert!(ids(&two).await.contains(&last));
    two.close().await;
}

/// Opens the store when told so, works, and writes down what it had.
#[ignore = "plays another process"]
#[tokio::test]
async fn plays_another_host() {
    let Some(role) = role() else { return };
    let (name, path) = role.split_once(' ').unwrap();
    say("ready");
    hear();
    let store = patient(Path::new(path)).await;
    let (written, claimed) = work(&store, name, 150).await;
    // One each: Wine's appending is not atomic between processes.
    let ledger = Ledger::at(format!("{path}.{name}"));
    for id in written {
        ledger.append(&format!("wrote {id}"));
    }
    for id in claimed {
        ledger.append(&format!("claimed {id}"));
    }
    store.close().await;
}

#[tokio::test]
async fn processes_that_open_and_write_at_once_lose_nothing_and_claim_nothing_twice() {
    let scratch = Scratch::new();
    let path = scratch.text("runs.db");
    let mut hosts: Vec<_> =
        (0..3).map(|n| Other::start("plays_another_host", format!("host{n} {path}"))).collect();
    hosts.iter_mut().for_each(|host| assert_eq!(host.hear(), "ready"));
    // There is no file yet: all of them make it.
    hosts.iter_mut().for_each(|host| host.say("go"));
    hosts.into_iter().for_each(Other::end);

    let lines: Vec<_> = (0..3).flat_map(|n| Ledger::at(format!("{path}.host{n}")).lines()).collect();
    let those = |word: &str| -> Vec<RunId> {
        lines.iter().filter_map(|line| line.strip_prefix(word)?.trim().parse().ok()).collect()
    };
    let (written, claimed) = (those("wrote"), those("claimed"));
    assert_eq!(written.len(), 450);
    let once: BTreeSet<_> = claimed.iter().copied().collect();
    assert_eq!(once.len(), claimed.len(), "a run was claimed twice");
    let store = open(Path::new(&path)).await;
    assert_whole(&store, &written).await;
    assert_eq!(store.count(Default::default()).await.unwrap(), [(Status::Succeeded, 450)].into());
    assert_eq!(once.len(), 450);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handles_that_make_the_same_file_at_once_all_get_it() {
    for _ in 0..20 {
        let scratch = Scratch::new();
        let path = scratch.path("runs.db");
        let opening = (0..8).map(|n| {
            let path = path.clone();
            tokio::spawn(async move {
                let store = patient(&path).await;
                (put(&store, &n.to_string()).await.unwrap(), store)
            })
        });
        let mut stores = Vec::new();
        let mut acknowledged = Vec::new();
        for opened in opening.collect::<Vec<_>>() {
            let (id, store) = opened.await.unwrap();
            acknowledged.push(id);
            stores.push(store);
        }
        for store in &stores {
            assert_eq!(ids(store).await.len(), 8);
        }
        assert_whole(&stores[0], &acknowledged).await;
        for store in stores {
            store.close().await;
        }
    }
}

/// Asks a tool in another process, while the store is in use and afterwards.
async fn asked_by_a_tool(tool: impl Fn(&Path, &str) -> Command) {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let answer = |sql: &str| {
        let output = tool(&path, sql).output().expect("a tool that starts");
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let store = open(&path).await;
    let host = store.register(NewHost::new("worker")).await.unwrap();
    let run = NewRun::new("resize", "a.png").label("customer", "17").queue("images");
    let id = store.enqueue(vec![run]).await.unwrap()[0].id;
    let held = store.claim(Claim::new(host, "images", 1)).await.unwrap().runs.remove(0);
    for _ in 0..2 {
        let row =
            answer("SELECT id || ' ' || name || ' ' || queue || ' ' || status || ' ' || labels FROM runs");
        assert_eq!(row, format!(r#"{id} resize images running {{"customer":"17"}}"#));
        assert_eq!(answer("SELECT name FROM hosts"), "worker");
        assert_eq!(
            answer(&format!(
                "SELECT group_concat(kind) FROM (SELECT kind FROM history WHERE run = '{id}' ORDER BY seq)"
            )),
            "queued,claimed"
        );
        assert_eq!(answer("PRAGMA integrity_check"), "ok");
        put(&store, "next").await.unwrap();
        answer("DELETE FROM runs WHERE name = 'next'");
    }
    store.finish(held.lease, Outcome::failed("no such file")).await.unwrap();
    assert_eq!(answer("SELECT status || ' ' || error FROM runs"), "failed no such file");
    store.close().await;
    assert_eq!(answer("SELECT status || ' ' || error FROM runs"), "failed no such file");
}

#[tokio::test]
async fn sqlite3_reads_legible_rows_while_it_is_in_use() {
    if !succeeds("sqlite3", &["--version"]) {
        skip!("sqlite3_reads_legible_rows_while_it_is_in_use", "there is no sqlite3 here");
        return;
    }
    asked_by_a_tool(|path, sql| {
        let mut sqlite3 = Command::new("sqlite3");
        sqlite3.arg(path).arg(sql);
        sqlite3
    })
    .await;
}

#[tokio::test]
async fn python_reads_legible_rows_while_it_is_in_use() {
    let name = "python_reads_legible_rows_while_it_is_in_use";
    let Some(python) = python() else {
        skip!(name, "there is no Python here");
        return;
    };
    if !succeeds(python.to_str().unwrap(), &["-c", "import sqlite3"]) {
        skip!(name, "this Python has no sqlite3");
        return;
    }
    let program = "import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    for row in db.execute(sys.argv[2]): print(row[0])";
    asked_by_a_tool(|path, sql| {
        let mut command = Command::new(&python);
        command.args(["-c", program]).arg(path).arg(sql);
        command
    })
    .await;
}
