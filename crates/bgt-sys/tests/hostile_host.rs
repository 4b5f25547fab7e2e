//! Hosts that set up signals in ways of their own. A test program of its own: what it sets holds for all its threads.
#![cfg(unix)]

mod support;

use std::time::Duration;

use bgt_sys::{Input, Outcome, SpawnOptions};
use bgt_testkit::{Scratch, assert_gone, wait_for_pids};

const HANG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_host_that_neither_ignores_sigpipe_nor_lets_sigchld_be() {
    // Not ignored, as command line tools have it: a write to nobody would end us.
    // SAFETY: sets a default disposition; nothing else in this program depends on it.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let options = SpawnOptions { stdin: Input::Pipe, ..SpawnOptions::default() };
    let mut spawned =
        support::start_with(&["close-stdin", "then", "print", "closed", "then", "hang"], options);
    let stdout = spawned.stdout.take().unwrap();
    stdout.readable().await.unwrap();
    let stdin = spawned.stdin.take().unwrap();
    stdin.writable().await.unwrap();
    assert_eq!(stdin.try_write(b"anybody?").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    drop(spawned);

    // Ignored: the system reaps our children itself, and their exit status is gone.
    // SAFETY: as above.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    let scratch = Scratch::new();
    let pids = scratch.text("pids");
    let verbs = ["pids-to", &pids, "then", "stubborn-grandchild", "60", "then", "exit", "0"];
    let mut spawned = support::start_with(&verbs, SpawnOptions::default());
    let tree = wait_for_pids(&pids, 2, HANG);
    spawned.child.ended().await.unwrap();
    spawned.child.kill().unwrap();
    assert!(spawned.child.needs_search());
    spawned.child.kill_strays().await;
    assert_eq!(spawned.child.reap().unwrap().unwrap().outcome, Outcome::Unknown);
    if cfg!(target_os = "linux") {
        assert!(spawned.child.tree_ended(HANG).await);
        assert_gone(&tree, Duration::ZERO);
    }
}
