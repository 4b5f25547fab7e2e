//! The whole tree, and nobody else: killed, dropped or let go.

mod support;

use std::process::{Command, Stdio};

use bgt_sys::Spawned;
use bgt_testkit::{Scratch, Sentinel, alive, assert_gone, read_pids};
use support::{SOON, end, exit_code, read_to_end, ready, soon, start, text};

const GRANDCHILDREN: [&str; 4] =
    ["quiet-grandchild", "chatty-grandchild", "stubborn-grandchild", "closed-grandchild"];

/// A child that hangs after it has started such a grandchild, and the pids of both.
async fn family(scratch: &Scratch, grandchild: &str) -> (Spawned, Vec<u32>) {
    let pids = scratch.text(grandchild);
    let spawned = start(&[
        "ignore-term",
        "then",
        "pids-to",
        &pids,
        "then",
        grandchild,
        "300",
        "then",
        "ready",
        "then",
        "hang",
    ]);
    ready(spawned.stdout.as_ref().expect("a pipe")).await;
    let pids = read_pids(&pids);
    assert_eq!((pids.len(), pids[0]), (2, spawned.child.id()));
    (spawned, pids)
}

/// A program that has ended and left such a grandchild behind, and its pid.
async fn orphan(scratch: &Scratch, grandchild: &str) -> (Spawned, u32) {
    let pids = scratch.text(grandchild);
    let mut spawned = start(&["pids-to", &pids, "then", grandchild, "300", "then", "exit", "3"]);
    soon(spawned.child.ended()).await.expect("the end is seen");
    let pids = read_pids(&pids);
    assert!(alive(pids[1]), "{grandchild} does not run");
    (spawned, pids[1])
}

#[tokio::test]
async fn kill_ends_the_tree() {
    let mut sentinel = Sentinel::start();
    let scratch = Scratch::new();
    for grandchild in GRANDCHILDREN {
        let (mut spawned, pids) = family(&scratch, grandchild).await;
        spawned.child.kill().expect("it can be killed");
        end(&mut spawned.child).await;
        assert!(spawned.child.had_descendants(), "{grandchild}");
        assert!(spawned.child.tree_ended(SOON).await, "{grandchild}");
        assert_gone(&pids, SOON);
        // Nobody holds the pipe any more.
        read_to_end(spawned.stdout.as_ref().expect("a pipe")).await;
    }
    sentinel.assert_alive();
}

#[tokio::test]
async fn what_a_program_left_behind_is_killed_after_its_end() {
    let mut sentinel = Sentinel::start();
    let scratch = Scratch::new();
    for grandchild in GRANDCHILDREN {
        let (mut spawned, pid) = orphan(&scratch, grandchild).await;
        spawned.child.kill().expect("it can be killed");
        assert_eq!(exit_code(&mut spawned.child).await, 3);
        assert!(spawned.child.had_descendants(), "{grandchild}");
        assert!(spawned.child.tree_ended(SOON).await, "{grandchild}");
        assert_gone(&[pid], SOON);
        read_to_end(spawned.stdout.as_ref().expect("a pipe")).await;
    }
    sentinel.assert_alive();
}

#[tokio::test]
async fn a_program_alone_had_no_descendants() {
    for _ in 0..20 {
        let mut spawned = start(&["print", "x"]);
        text(spawned.stdout.as_ref().expect("a pipe")).await;
        soon(spawned.child.ended()).await.expect("the end is seen");
        spawned.child.kill().expect("a look");
        end(&mut spawned.child).await;
        assert!(!spawned.child.had_descendants());
        assert!(spawned.child.tree_ended(SOON).await);
    }
}

#[tokio::test]
async fn a_program_killed_alone_had_no_descendants() {
    let mut spawned = start(&["ready", "then", "hang"]);
    ready(spawned.stdout.as_ref().expect("a pipe")).await;
    spawned.child.kill().expect("it can be killed");
    end(&mut spawned.child).await;
    assert!(!spawned.child.had_descendants());
    assert!(spawned.child.tree_ended(SOON).await);
}

#[tokio::test]
async fn a_grandchild_that_ended_first_is_no_descendant() {
    let scratch = Scratch::new();
    let pids = scratch.text("pids");
    let mut spawned = start(&[
        "pids-to",
        &pids,
        "then",
        "quiet-grandchild",
        "0.05",
        "then",
        "read-stdin",
        "then",
        "ready",
        "then",
        "hang",
    ]);
    ready(spawned.stdout.as_ref().expect("a pipe")).await;
    assert_gone(&read_pids(&pids)[1..], SOON);
    spawned.child.kill().expect("it can be killed");
    end(&mut spawned.child).await;
    assert!(spawned.child.tree_ended(SOON).await);
    #[cfg(windows)] // Elsewhere its zombie may wait for a parent that is killed too.
    assert!(!spawned.child.had_descendants());
}

#[tokio::test]
async fn what_was_let_go_lives() {
    let scratch = Scratch::new();
    let (mut spawned, pid) = orphan(&scratch, "closed-grandchild").await;
    spawned.child.release();
    assert_eq!(exit_code(&mut spawned.child).await, 3);
    assert!(spawned.child.had_descendants());
    assert!(!spawned.child.tree_ended(std::time::Duration::from_millis(20)).await);
    if bgt_testkit::under_wine() {
        let name = "what_was_let_go_lives, and holds no pipe";
        bgt_testkit::skip!(name, "the console host of Wine 8 inherits the program's streams");
    } else {
        read_to_end(spawned.stdout.as_ref().expect("a pipe")).await;
    }
    drop(spawned);
    // A second one, started and dropped meanwhile, shows that the drop above had its time.
    drop(start(&["hang"]));
    assert!(alive(pid), "it was killed by the drop");
    kill(pid);
    assert_gone(&[pid], SOON);
}

#[tokio::test]
async fn drop_kills_the_tree() {
    let mut sentinel = Sentinel::start();
    let scratch = Scratch::new();
    for grandchild in GRANDCHILDREN {
        let (spawned, pids) = family(&scratch, grandchild).await;
        drop(spawned);
        assert_gone(&pids, SOON);
        assert_reaped(pids[0]);
    }
    sentinel.assert_alive();
}

#[tokio::test]
async fn drop_after_the_end_kills_what_was_left_behind() {
    let scratch = Scratch::new();
    for grandchild in GRANDCHILDREN {
        let (spawned, pid) = orphan(&scratch, grandchild).await;
        let program = spawned.child.id();
        drop(spawned);
        assert_gone(&[pid], SOON);
        assert_reaped(program);
    }
}

#[tokio::test]
async fn drop_needs_no_pipes_and_no_wait() {
    let pids: Vec<u32> = (0..20).map(|_| start(&["hang"]).child.id()).collect();
    assert_gone(&pids, SOON);
    pids.into_iter().for_each(assert_reaped);
}

#[test]
fn a_child_that_outlives_the_runtime_is_killed_when_dropped() {
    let scratch = Scratch::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (mut spawned, pids) = runtime.block_on(async {
        let (mut spawned, pids) = family(&scratch, "stubborn-grandchild").await;
        // The watch is set, and waits.
        tokio::select! {
            biased;
            _ = spawned.child.ended() => panic!("it runs"),
            () = tokio::task::yield_now() => {}
        }
        (spawned, pids)
    });
    drop(runtime);
    assert_eq!(spawned.child.reap().expect("a look"), None);
    drop(spawned);
    assert_gone(&pids, SOON);
    assert_reaped(pids[0]);
}

#[test]
fn a_runtime_that_is_dropped_takes_the_children_of_its_tasks_along() {
    let scratch = Scratch::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (mut spawned, pids) = runtime.block_on(family(&scratch, "chatty-grandchild"));
    runtime.spawn(async move { spawned.child.ended().await });
    drop(runtime);
    assert_gone(&pids, SOON);
    assert_reaped(pids[0]);
}

#[cfg(windows)]
#[tokio::test]
async fn nobody_leaves_the_tree() {
    let scratch = Scratch::new();
    for grandchild in ["own-group-grandchild", "daemon"] {
        let (mut spawned, pids) = family(&scratch, grandchild).await;
        spawned.child.kill().expect("it can be killed");
        end(&mut spawned.child).await;
        assert!(spawned.child.tree_ended(SOON).await);
        assert_gone(&pids, SOON);
    }
}

/// A program that is a host itself, and starts a tree of its own within ours: on Windows a job within a job.
#[cfg(any(windows, target_os = "linux"))]
#[tokio::test]
async fn the_tree_of_a_host_that_we_have_started_ends_with_it() {
    let scratch = Scratch::new();
    let (inner, outer) = (scratch.text("inner"), std::env::current_exe().unwrap());
    let mut host = Command::new(outer);
    host.args(["plays_a_host_within_a_tree", "--exact", "--ignored", "--nocapture"]);
    let ours = [(bgt_testkit::ROLE.into(), (&*inner).into())];
    let environment = Some(std::env::vars_os().chain(ours).collect());
    let options = bgt_sys::SpawnOptions { environment, ..bgt_sys::SpawnOptions::default() };
    let mut spawned = bgt_sys::spawn(&mut host, &options).expect("this very program");
    ready(spawned.stdout.as_ref().expect("a pipe")).await;
    let tree = bgt_testkit::wait_for_pids(&inner, 2, SOON);
    spawned.child.find_strays().await;
    spawned.child.kill().expect("it can be killed");
    let found = spawned.child.kill_strays().await;
    assert_eq!(found, cfg!(target_os = "linux"), "on Windows nobody is outside of the job");
    end(&mut spawned.child).await;
    assert!(spawned.child.tree_ended(SOON).await);
    assert_gone(&tree, SOON);
}

#[cfg(any(windows, target_os = "linux"))]
#[tokio::test]
#[ignore = "plays another process"]
async fn plays_a_host_within_a_tree() {
    let Some(pids) = bgt_testkit::role() else { return };
    let verbs =
        ["ignore-term", "then", "pids-to", &pids, "then", "stubborn-grandchild", "300", "then", "hang"];
    let mut spawned = start(&verbs);
    drop(bgt_testkit::wait_for_pids(&pids, 2, SOON));
    println!("\nready");
    end(&mut spawned.child).await;
}

#[tokio::test]
async fn a_fork_storm_is_ended() {
    let scratch = Scratch::new();
    let (pids, generations) = (scratch.text("pids"), if cfg!(windows) { 5 } else { 100 });
    let storm = generations.to_string();
    let spawned = start(&["pids-to", &pids, "then", "fork-storm", &storm, "then", "ready", "then", "hang"]);
    ready(spawned.stdout.as_ref().expect("a pipe")).await;
    // In the middle of it, wherever that is.
    drop(spawned);
    let before = bgt_testkit::wait_for_pids(&pids, 2, SOON);
    assert_gone(&before, SOON);
    assert_gone(&read_pids(&pids), SOON);
}

/// By its own id, which it recorded itself; it is alive, so the id is still its own.
fn kill(pid: u32) {
    let pid = pid.to_string();
    let mut command = Command::new(if cfg!(windows) { "taskkill" } else { "kill" });
    command.args(if cfg!(windows) { ["/F", "/PID"].as_slice() } else { &["-9"] }).arg(pid);
    assert!(command.stdout(Stdio::null()).status().expect("a way to kill").success());
}

/// Waits until not even a zombie is left.
fn assert_reaped(pid: u32) {
    if cfg!(target_os = "linux") {
        let entry = std::path::PathBuf::from(format!("/proc/{pid}"));
        assert!(bgt_testkit::wait_until(SOON, || !entry.exists()), "{pid} was not reaped");
    }
}
