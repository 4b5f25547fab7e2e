//! What an acknowledged write has waited for: counted in the system's own calls, in a process of its own.
#![cfg(all(feature = "sqlite", target_os = "linux"))]

mod support;

use bgt_store::{Durability, SqliteStore};
use bgt_testkit::{Scratch, skip};
use support::{Other, hear, put, role, say, succeeds};

const WRITES: usize = 50;

/// Writes one run after the other, in a store that is open already.
#[ignore = "plays another process"]
#[tokio::test]
async fn plays_the_writer() {
    let Some(role) = role() else { return };
    let durability = if role == "full" { Durability::Full } else { Durability::Process };
    let scratch = Scratch::new();
    let store = SqliteStore::builder(scratch.path("runs.db")).durability(durability).open().await.unwrap();
    put(&store, "first").await.unwrap();
    say("begin");
    hear();
    for n in 0..WRITES {
        put(&store, &n.to_string()).await.unwrap();
    }
    say("end");
    hear();
    // What closing waits for is not counted: the test has seen enough.
}

/// How often a writer waits for the disk in fifty writes.
fn waits(role: &str) -> Option<usize> {
    let scratch = Scratch::new();
    let log = scratch.text("strace.log");
    let strace = ["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", &log];
    let count = || scratch.read("strace.log").lines().filter(|line| line.contains("sync(")).count();
    if !succeeds(strace[0], &[&strace[1..], &["true"]].concat()) {
        return None;
    }
    let mut writer = Other::of(Other::command_through(&strace, "plays_the_writer", role)).unwrap();
    assert_eq!(writer.hear(), "begin");
    let before = count();
    writer.say("go");
    assert_eq!(writer.hear(), "end");
    let after = count();
    writer.say("enough");
    writer.end();
    Some(after - before)
}

#[test]
fn a_full_commit_waits_for_the_disk_and_one_for_the_process_does_not() {
    let (Some(full), Some(process)) = (waits("full"), waits("process")) else {
        skip!(
            "a_full_commit_waits_for_the_disk_and_one_for_the_process_does_not",
            "system calls cannot be counted here: there is no strace, or it may not look"
        );
        return;
    };
    assert!(full >= WRITES, "{full} waits in {WRITES} writes");
    assert!(process <= WRITES / 10, "{process} waits in {WRITES} writes");
}
