//! P1, P2, P5, P6: whatever the program does and however the run ends, it ends, and nothing of the tree is left.

mod support;

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bgt_core::{Cancel, ErrorKind};
use bgt_process::{Background, Output};
use bgt_simple::run;
use bgt_testkit::{Scratch, Sentinel, alive, assert_gone, read_pids, wait_for_pids};
use support::{HANG, bad, bad_with_pids, quick};
use tokio::time::timeout;

/// Bad habits that go on for ever unless somebody ends them, and how many processes each writes down at least.
const HABITS: &[(&[&str], usize)] = &[
    (&["hang"], 1),
    (&["ignore-term", "then", "hang"], 1),
    (&["quiet-grandchild", "60", "then", "hang"], 2),
    (&["chatty-grandchild", "60", "then", "hang"], 2),
    (&["closed-grandchild", "60", "then", "hang"], 2),
    (&["stubborn-grandchild", "60", "then", "ignore-term", "then", "hang"], 2),
    (&["own-group-grandchild", "60", "then", "hang"], 2),
    (&["daemon", "60", "then", "hang"], 2),
    (&["daemon", "60", "then", "stubborn-grandchild", "60", "then", "ignore-term", "then", "hang"], 3),
    (&["fork-storm", "5", "then", "hang"], 1),
    (&["endless"], 1),
    (&["ignore-term", "then", "ignore-pipe", "then", "endless"], 1),
    (&["close-stdout", "then", "close-stderr", "then", "hang"], 1),
    (&["flood", "64M", "then", "eflood", "64M", "then", "hang"], 1),
    (&["no-newline", "abc", "then", "hang"], 1),
    (&["invalid-utf8", "then", "hang"], 1),
    (&["line", "10M", "then", "hang"], 1),
];

/// Leaving the group is enough to escape where there is nothing to find strays by.
fn escapes(habit: &[&str]) -> bool {
    cfg!(target_vendor = "apple")
        && habit.iter().any(|verb| ["own-group-grandchild", "daemon"].contains(verb))
}

/// Bad habits of programs that end by themselves and leave somebody behind.
const LEAVERS: &[&[&str]] = &[
    &["quiet-grandchild", "60", "then", "exit", "0"],
    &["chatty-grandchild", "60", "then", "exit", "0"],
    &["closed-grandchild", "60", "then", "exit", "0"],
    &["stubborn-grandchild", "60", "then", "exit", "0"],
];

/// Those who had the time to write themselves down have gone.
fn gone(pids: &Path, within: Duration) {
    let pids = read_pids(pids);
    if !pids.is_empty() {
        assert_gone(&pids, within);
    }
}

async fn started(pids: &Path, count: usize) -> Vec<u32> {
    let pids = pids.to_owned();
    tokio::task::spawn_blocking(move || wait_for_pids(pids, count, HANG)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_ends_every_bad_habit() {
    let mut sentinel = Sentinel::start();
    let mut runs = tokio::task::JoinSet::new();
    for (habit, _) in HABITS.iter().filter(|(habit, _)| !escapes(habit)) {
        runs.spawn(async move {
            let scratch = Scratch::new();
            let pids = scratch.path("pids");
            let command = bad_with_pids(&pids, habit).stop(quick());
            // The deadline passes when the tree stands, or in the middle of its making: both must do.
            let run = run(command).deadline(Duration::from_millis(500));
            let error = timeout(HANG, run).await.unwrap_or_else(|_| panic!("{habit:?} hangs")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{habit:?}: {error:?}");
            gone(&pids, Duration::ZERO);
        });
    }
    runs.join_all().await;
    sentinel.assert_alive();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_ends_every_bad_habit_and_a_hundred_at_once() {
    let mut sentinel = Sentinel::start();
    let scratch = Scratch::new();
    let cancel = Cancel::new();
    let mut runs = tokio::task::JoinSet::new();
    let mut trees = Vec::new();
    for (i, (habit, count)) in
        HABITS.iter().filter(|(habit, _)| !escapes(habit)).cycle().take(100).enumerate()
    {
        let pids = scratch.path(format!("pids-{i}"));
        let (command, cancel) = (bad_with_pids(&pids, habit).stop(quick()), cancel.clone());
        runs.spawn(async move { run(command).cancel(&cancel).await });
        trees.push((pids, *count));
    }
    for (pids, count) in &trees {
        started(pids, *count).await;
    }
    cancel.cancel();
    while let Some(result) = timeout(HANG, runs.join_next()).await.expect("a run hangs") {
        let error = result.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled, "{error:?}");
    }
    for (pids, _) in &trees {
        assert_gone(&read_pids(pids), Duration::ZERO);
    }
    sentinel.assert_alive();
}

#[tokio::test]
async fn a_normal_end_leaves_nobody_behind_and_says_that_somebody_was_there() {
    for habit in LEAVERS {
        let scratch = Scratch::new();
        let pids = scratch.path("pids");
        let output = timeout(HANG, run(bad_with_pids(&pids, habit).stop(quick()))).await.unwrap().unwrap();
        assert!(output.leaked, "{habit:?}");
        let pids = read_pids(&pids);
        assert_eq!(pids.len(), 2, "{habit:?}");
        assert_gone(&pids, Duration::ZERO);
    }
    let output = run(bad(&["print", "x", "then", "exit", "0"])).await.unwrap();
    assert!(!output.leaked);
}

#[tokio::test]
async fn a_leak_does_not_swallow_a_failure() {
    let command =
        bad(&["quiet-grandchild", "60", "then", "eprint", "why", "then", "exit", "7"]).stop(quick());
    let error = run(command).await.unwrap_err();
    let output = Output::from_error(&error).unwrap();
    assert_eq!((output.exit.code(), output.leaked), (Some(7), true));
    assert_eq!(error.tail(), Some("why"));
}

#[tokio::test]
async fn background_keep_lets_descendants_live() {
    let scratch = Scratch::new();
    let pids = scratch.path("pids");
    let command = bad_with_pids(&pids, &["closed-grandchild", "2", "then", "exit", "0"]);
    let output = run(command.background(Background::Keep)).await.unwrap();
    let grandchild = read_pids(&pids)[1];
    assert!(output.leaked && alive(grandchild));
    assert_gone(&[grandchild], HANG); // by itself
}

#[cfg(not(target_vendor = "apple"))] // There nobody is found who has left.
#[tokio::test]
async fn background_search_finds_those_who_have_left_after_a_normal_end_too() {
    let mut sentinel = Sentinel::start();
    let scratch = Scratch::new();
    for (n, leaver) in [&["daemon", "60"][..], &["own-group-grandchild", "60"]].into_iter().enumerate() {
        let pids = scratch.path(n.to_string());
        let verbs = [leaver, &["then", "exit", "3"]].concat();
        let command = bad_with_pids(&pids, &verbs).stop(quick()).ok_exits([3]);
        let output = timeout(HANG, run(command.background(Background::Search))).await.unwrap().unwrap();
        assert!(output.leaked, "{leaver:?}");
        let pids = read_pids(&pids);
        assert_eq!(pids.len(), 2, "{leaver:?}");
        assert_gone(&pids, HANG);
    }
    // Nobody is accused who was alone.
    let output = run(bad(&["exit", "0"]).background(Background::Search)).await.unwrap();
    assert!(!output.leaked);
    sentinel.assert_alive();
}

/// Polls a future so many times, each time it is woken, and drops it; `None` when it was done before.
async fn dropped_after_polls<F: Future>(future: F, polls: usize) -> Option<()> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(Some(()));
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending if left == 0 => Poll::Ready(Some(())),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn dropped_at_any_await_nothing_is_left() {
    let scratch = Scratch::new();
    for polls in 0.. {
        let pids = scratch.path(format!("pids-{polls}"));
        let command = bad_with_pids(
            &pids,
            &["quiet-grandchild", "60", "then", "print", "a", "then", "eprint", "b", "then", "exit", "0"],
        );
        let command = command.stdin("something to read").stop(quick());
        let dropped = timeout(HANG, dropped_after_polls(run(command).report(), polls)).await.expect("a hang");
        gone(&pids, HANG);
        if dropped.is_none() {
            assert!(polls > 3, "the run was over after {polls} polls: this test tests nothing");
            break;
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_stray_without_the_marker_is_found_by_its_parents() {
    let script = "env -i /usr/bin/setsid sleep 60 & echo $!; wait";
    let cancel = Cancel::new();
    let scratch = Scratch::new();
    let command = bgt_process::Command::new("sh").args(["-c", script]);
    let command = command.stdout(bgt_process::Redirect::file(scratch.path("pid")));
    let running = tokio::spawn({
        let cancel = cancel.clone();
        async move { run(command).cancel(&cancel).await }
    });
    // In a session of its own, so it has left the group.
    let stray = tokio::task::spawn_blocking(move || {
        let stray = || scratch.read("pid").trim().parse().ok();
        let has_left = |pid: u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.split(' ').nth(4) == Some(&pid.to_string())
        };
        assert!(
            bgt_testkit::wait_until(HANG, || scratch.path("pid").exists() && stray().is_some_and(has_left))
        );
        stray().unwrap()
    });
    let stray = stray.await.unwrap();
    cancel.cancel();
    timeout(HANG, running).await.unwrap().unwrap().unwrap_err();
    assert_gone(&[stray], Duration::ZERO);
}

#[test]
fn when_the_runtime_is_dropped_nothing_is_left() {
    let scratch = Scratch::new();
    let pids = scratch.path("pids");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let command = bad_with_pids(&pids, &["stubborn-grandchild", "60", "then", "ignore-term", "then", "hang"]);
    let _run = runtime.spawn(async move { run(command).await });
    let tree = wait_for_pids(&pids, 2, HANG);
    drop(runtime);
    assert_gone(&tree, HANG);
}

#[tokio::test]
async fn a_second_cancel_skips_the_grace_period() {
    let scratch = Scratch::new();
    let pids = scratch.path("pids");
    let command = bad_with_pids(&pids, &["stubborn-grandchild", "60", "then", "ignore-term", "then", "hang"]);
    let cancel = Cancel::new();
    let running = tokio::spawn({
        let (command, cancel) = (command.grace(HANG * 10), cancel.clone());
        async move { run(command).cancel(&cancel).await }
    });
    let tree = started(&pids, 2).await;
    cancel.cancel();
    cancel.cancel();
    let error = timeout(HANG, running).await.expect("the grace period was waited for").unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_gone(&tree, Duration::ZERO);
}
