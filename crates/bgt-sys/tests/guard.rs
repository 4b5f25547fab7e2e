//! What a host leaves behind when it is killed: nothing, where it has a guard. P1b.
#![cfg(unix)]

mod support;

use std::path::Path;

use bgt_sys::SpawnOptions;
use bgt_testkit::{
    Other, Scratch, alive, assert_gone, hear, read_pids, role, say, wait_for_pids, wait_until,
};
use support::{SOON, end, start, start_with};

/// Starts what it is told to, each with its pids in a file of its own, and lives until it is killed or told to end.
#[tokio::test]
#[ignore = "plays another process"]
async fn plays_the_host() {
    let Some(role) = role() else { return };
    let mut running = Vec::new();
    for task in role.split('|') {
        if !task.starts_with("before") {
            bgt_sys::guard_orphans().unwrap();
        }
        let words: Vec<&str> = task.split(' ').collect();
        match words[..] {
            ["run", ref verbs @ ..] => running.push(start(verbs)),
            // It ends, and what it leaves may live on.
            ["keep" | "before", ref verbs @ ..] => {
                let may_live_on = !task.starts_with("before");
                let mut left = start_with(verbs, SpawnOptions { may_live_on, ..SpawnOptions::default() });
                left.child.ended().await.unwrap();
                left.child.release();
                left.child.reap().unwrap();
            }
            // Known by its group alone.
            ["nameless", pid] => {
                let mut nameless = std::process::Command::new("/usr/bin/env");
                nameless.args(["-i", "/bin/sleep", "300"]);
                running.push(bgt_sys::spawn(&mut nameless, &SpawnOptions::default()).unwrap());
                std::fs::write(pid, format!("{}\n", running.last().unwrap().child.id())).unwrap();
            }
            ["without-guard"] => {
                let guard = guarded(std::process::id())[0];
                kill(guard);
                while !guards(std::process::id()).is_empty() {
                    tokio::task::yield_now().await;
                }
                // It is noticed by whatever is started next.
                end(&mut start(&["exit", "0"]).child).await;
            }
            _ => panic!("{task}"),
        }
    }
    say("up");
    let _ = hear();
    drop(running);
}

fn kill(pid: u32) {
    let kill = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(kill.unwrap().success());
}

/// The guards of a host that have not ended.
fn guards(host: u32) -> Vec<u32> {
    let pids =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let is_guard = |pid: &u32| {
        let read = |file| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        read("status").contains(&format!("\nPPid:\t{host}\n")) && read("cmdline").contains("bgt-orphan-guard")
    };
    pids.filter_map(|pid| pid.parse().ok()).filter(is_guard).collect()
}

/// The same, when there is one: its command line is not there from the first moment on.
fn guarded(host: u32) -> Vec<u32> {
    assert!(wait_until(SOON, || !guards(host).is_empty()));
    guards(host)
}

fn host(tasks: &[String]) -> Other {
    let mut host = Other::start("plays_the_host", tasks.join("|"));
    assert_eq!(host.hear(), "up");
    host
}

/// A tree that does not end by itself: a program, and a descendant of this kind.
fn tree(pids: &Path, descendant: &str) -> String {
    format!("run ignore-term then pids-to {} then {descendant} 300 then hang", pids.display())
}

const IN_ITS_GROUP: [&str; 2] = ["quiet-grandchild", "stubborn-grandchild"];
const OUT_OF_IT: [&str; 2] = ["own-group-grandchild", "daemon"];

#[test]
fn nothing_survives_a_host_that_is_killed() {
    let scratch = Scratch::new();
    let outside = OUT_OF_IT.iter().filter(|_| cfg!(target_os = "linux"));
    let descendants: Vec<_> = IN_ITS_GROUP.iter().chain(outside).collect();
    let file = |descendant: &str| scratch.path(descendant);
    let tasks: Vec<_> = descendants.iter().map(|descendant| tree(&file(descendant), descendant)).collect();
    let nameless = format!("nameless {}", file("nameless").display());
    let host = host(&[tasks, vec![nameless]].concat());
    let mut trees: Vec<_> =
        descendants.iter().map(|descendant| wait_for_pids(file(descendant), 2, SOON)).collect();
    trees.push(read_pids(file("nameless")));
    let _ = host.kill();
    trees.iter().for_each(|tree| assert_gone(tree, SOON));
}

#[test]
fn what_may_live_on_does_and_what_is_over_is_nobodys() {
    let scratch = Scratch::new();
    let kept = |name: &str| scratch.path(name);
    let keep = |name: &str, descendant: &str| {
        format!("keep pids-to {} then {descendant} 300 then exit 0", kept(name).display())
    };
    let before = format!("before pids-to {} then daemon 300 then exit 0", kept("before").display());
    let mut tasks = vec![before, keep("group", "closed-grandchild"), keep("daemon", "daemon")];
    tasks.push(tree(&kept("tree"), "quiet-grandchild"));
    let host = host(&tasks);
    let tree = wait_for_pids(kept("tree"), 2, SOON);
    let _ = host.kill();
    assert_gone(&tree, SOON);
    for name in ["before", "group", "daemon"] {
        let pids = read_pids(kept(name));
        assert!(alive(pids[1]), "{name}");
        kill(pids[1]);
    }
}

#[test]
fn there_is_one_guard_which_is_replaced_and_leaves_no_trace() {
    if !cfg!(target_os = "linux") {
        bgt_testkit::skip!(
            "there_is_one_guard_which_is_replaced_and_leaves_no_trace",
            "nobody shows the children of a process"
        );
        return;
    }
    let scratch = Scratch::new();
    let pids = scratch.path("pids");
    // Started before its guard is lost: the next one is told of it.
    let nameless = format!("nameless {}", pids.display());
    let mut first = host(&[nameless, "without-guard".to_owned()]);
    let guard = guarded(first.id());
    assert_eq!(guard.len(), 1);
    let pids = read_pids(pids);
    let _ = first.kill();
    assert_gone(&pids, SOON);
    assert_gone(&guard, SOON);

    first = host(&["without-guard".to_owned()]);
    let guard = guarded(first.id());
    first.say("end");
    assert_gone(&guard, SOON);
}
