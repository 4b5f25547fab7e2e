//! Grandchildren are real, recorded before the next verb, and found by the checks; and the checks can fail.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bgt_testkit::{Scratch, Sentinel, alive, assert_gone, bad, read_pids, wait_for_pids, wait_until};

const SOON: Duration = Duration::from_secs(20);

fn spawn(verbs: &[&str]) -> Child {
    let (program, args) = bad(verbs.iter().copied());
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bad-child runs")
}

/// Runs a child that leaves a grandchild behind, and answers the grandchild, which ends on its own soon.
fn grandchild_of(verb: &str, seconds: &str) -> (Scratch, Child, u32) {
    let scratch = Scratch::new();
    let pids = scratch.text("pids");
    let mut child = spawn(&["pids-to", &pids, "then", verb, seconds, "then", "exit", "3"]);
    assert_eq!(child.wait().expect("its end").code(), Some(3), "{verb}");
    let pids = read_pids(&pids);
    assert_eq!(pids.len(), 2, "{verb} was not recorded before its parent ended: {pids:?}");
    assert_eq!(pids[0], child.id());
    assert!(!alive(pids[0]) && alive(pids[1]), "{verb}");
    (scratch, child, pids[1])
}

#[test]
fn quiet_and_stubborn_grandchildren_hold_the_pipe() {
    for verb in ["quiet-grandchild", "stubborn-grandchild", "own-group-grandchild"] {
        let (_scratch, mut child, grandchild) = grandchild_of(verb, "1");
        let mut got = String::new();
        child.stdout.take().expect("a pipe").read_to_string(&mut got).expect("its end");
        assert_eq!(got, "", "{verb}");
        assert_gone(&[grandchild], Duration::from_millis(800));
    }
}

#[test]
fn a_chatty_grandchild_talks_after_its_parent_ended() {
    let (_scratch, mut child, grandchild) = grandchild_of("chatty-grandchild", "1");
    let mut got = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut got).expect("its end");
    assert!(got.starts_with("chatter\nchatter\n"), "{got:?}");
    assert_gone(&[grandchild], SOON);
}

#[test]
fn closed_grandchildren_and_daemons_let_the_pipe_go() {
    for verb in ["closed-grandchild", "daemon"] {
        let (_scratch, mut child, grandchild) = grandchild_of(verb, "1.5");
        let mut got = String::new();
        child.stdout.take().expect("a pipe").read_to_string(&mut got).expect("its end");
        assert!(alive(grandchild), "{verb} held the pipe until its end");
        assert_gone(&[grandchild], SOON);
    }
}

#[test]
fn a_grandchild_starts_from_a_child_without_streams() {
    let scratch = Scratch::new();
    let pids = scratch.text("pids");
    let close = ["close-stdin", "then", "close-stdout", "then", "close-stderr", "then"];
    let start = ["pids-to", &pids, "then", "closed-grandchild", "0.1", "then", "quiet-grandchild", "0.1"];
    let mut child = spawn(&[&close[..], &start[..]].concat());
    assert!(child.wait().expect("its end").success());
    assert_eq!(read_pids(&pids).len(), 3);
    assert_gone(&read_pids(&pids), SOON);
}

#[test]
fn a_fork_storm_goes_through_all_generations() {
    let scratch = Scratch::new();
    let pids: PathBuf = scratch.path("pids");
    let generations = if cfg!(windows) { 5 } else { 200 };
    let mut child =
        spawn(&["pids-to", &scratch.text("pids"), "then", "fork-storm", &generations.to_string()]);
    assert!(child.wait().expect("its end").success());
    let all = wait_for_pids(&pids, 1 + generations, SOON);
    let (last, earlier) = all.split_last().expect("pids");
    assert_gone(earlier, SOON);
    assert!(alive(*last), "the last generation does not hang");
    kill(*last);
    assert_gone(&all, SOON);
    assert_eq!(spawn(&["fork-storm", "2001"]).wait().expect("its end").code(), Some(64));
}

/// By its own id, which it recorded itself; it is alive, so the id is still its own.
fn kill(pid: u32) {
    let mut command = if cfg!(windows) { Command::new("taskkill") } else { Command::new("kill") };
    if cfg!(windows) {
        command.args(["/F", "/PID", &pid.to_string()]);
    } else {
        command.args(["-9", &pid.to_string()]);
    }
    assert!(command.stdout(Stdio::null()).status().expect("a way to kill").success());
}

#[test]
fn assert_gone_fails_and_names_the_survivor() {
    let sentinel = Sentinel::start();
    let mut ended = spawn(&["exit", "0"]);
    ended.wait().expect("its end");
    let pids = [ended.id(), sentinel.pid()];
    let panic = catch_unwind(|| assert_gone(&pids, Duration::from_millis(20))).expect_err("it must fail");
    let message = panic.downcast_ref::<String>().expect("a message");
    assert!(
        message.contains("1 of 2 survived") && message.contains(&sentinel.pid().to_string()),
        "{message}"
    );
    assert!(catch_unwind(|| assert_gone(&[], SOON)).is_err(), "a check of nobody must fail");
}

#[test]
fn a_dead_sentinel_is_noticed() {
    let mut sentinel = Sentinel::start();
    sentinel.assert_alive();
    let pid = sentinel.pid();
    kill(pid);
    let noticed = || catch_unwind(AssertUnwindSafe(|| sentinel.assert_alive())).is_err();
    assert!(wait_until(SOON, noticed), "nobody noticed");
    drop(sentinel);
    assert_gone(&[pid], SOON);
}

#[cfg(target_os = "linux")]
#[test]
fn a_zombie_is_not_alive() {
    let mut child = spawn(&["exit", "0"]);
    assert!(wait_until(SOON, || !alive(child.id())), "{} is not reaped, but dead", child.id());
    child.wait().expect("its end");
}

#[cfg(unix)]
#[test]
fn only_the_ties_that_the_verb_names_are_cut() {
    let group = |pid: u32| {
        // SAFETY: no memory arguments; it only asks.
        unsafe { libc::getpgid(pid as libc::pid_t) as u32 }
    };
    let own = group(std::process::id());
    for (verb, stays) in [
        ("quiet-grandchild", true),
        ("chatty-grandchild", true),
        ("closed-grandchild", true),
        ("stubborn-grandchild", true),
        ("own-group-grandchild", false),
        ("daemon", false),
    ] {
        let (_scratch, _child, grandchild) = grandchild_of(verb, "1");
        assert_eq!(group(grandchild) == own, stays, "{verb}");
    }
}

#[cfg(unix)]
#[test]
fn only_a_stubborn_grandchild_survives_a_polite_signal() {
    for (verb, survives) in [("quiet-grandchild", false), ("stubborn-grandchild", true)] {
        let (_scratch, _child, grandchild) = grandchild_of(verb, "1");
        // SAFETY: no memory arguments; the grandchild was alive a moment ago, and it is this test's own.
        assert_eq!(unsafe { libc::kill(grandchild as libc::pid_t, libc::SIGTERM) }, 0);
        assert_eq!(!wait_until(Duration::from_millis(300), || !alive(grandchild)), survives, "{verb}");
    }
}
