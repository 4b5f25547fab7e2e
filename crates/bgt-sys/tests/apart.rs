//! Programs that outlive whoever started them: known again by their identity, watched to their end, never mistaken.

use std::process::Command;
use std::time::Duration;

use bgt_sys::{Apart, FileLock, Identity, start_apart};
use bgt_testkit::{Scratch, Sentinel, bad, wait_until};

fn start(verbs: &[&str]) -> Apart {
    let (program, args) = bad(verbs.iter().copied());
    start_apart(Command::new(program).args(args)).expect("a program that starts")
}

#[tokio::test]
async fn the_end_of_a_program_of_ours_is_seen_and_its_number_given_back() {
    let mut program = start(&["exit", "3"]);
    program.ended().await.unwrap();
    program.ended().await.unwrap();
    assert_eq!(Identity::of(program.id()), None);
}

#[tokio::test]
async fn a_stranger_is_found_by_its_identity_and_its_end_is_seen() {
    let sentinel = Sentinel::start();
    let identity = Identity::of(sentinel.pid()).expect("a system that tells");
    let mut found = Apart::find(identity).unwrap().expect("it runs");
    assert_eq!(found.id(), sentinel.pid());
    let dropped = tokio::task::spawn_blocking(move || drop(sentinel));
    found.ended().await.unwrap();
    dropped.await.unwrap();
    assert!(Apart::find(identity).unwrap().is_none());
}

#[tokio::test]
async fn another_process_of_the_same_number_is_neither_found_nor_killed() {
    let mut sentinel = Sentinel::start();
    let identity = Identity::of(sentinel.pid()).unwrap();
    let other = Identity { started: identity.started + 1, ..identity };
    assert!(Apart::find(other).unwrap().is_none());
    assert!(!other.kill().unwrap());
    sentinel.assert_alive();
    assert!(identity.is_alive() && identity.kill().unwrap());
    assert!(wait_until(Duration::from_secs(10), || !identity.is_alive()));
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_that_is_asked_hears_it() {
    let scratch = Scratch::new();
    let ledger = bgt_testkit::Ledger::at(scratch.path("ledger"));
    let mut program =
        start(&["on-term-exit", "0", "then", "append", &scratch.text("ledger"), "up", "then", "hang"]);
    let _ = ledger.wait_for_lines(1, Duration::from_secs(60));
    program.ask().unwrap();
    program.ended().await.unwrap();
    program.ask().unwrap();
}

#[test]
fn a_lock_is_free_when_its_holder_was_killed() {
    let scratch = Scratch::new();
    let mut other = bgt_testkit::Other::start("holder", scratch.path("lock"));
    assert_eq!(other.hear(), "held");
    assert!(FileLock::try_new(&scratch.path("lock")).unwrap().is_none());
    let _ = other.kill();
    assert!(wait_until(Duration::from_secs(10), || FileLock::try_new(&scratch.path("lock"))
        .unwrap()
        .is_some()));
}

#[test]
#[ignore = "started by the other test"]
fn holder() {
    let Some(path) = bgt_testkit::role() else { return };
    let _lock = FileLock::try_new(path.as_ref()).unwrap().expect("nobody has it");
    bgt_testkit::say("held");
    while bgt_testkit::hear().is_some() {}
}
