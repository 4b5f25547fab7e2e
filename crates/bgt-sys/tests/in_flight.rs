//! Many children at once cost no thread each. Alone in its binary, for it counts threads.

mod support;

use bgt_testkit::{Resources, assert_gone};
use support::{SOON, read_to_end, ready, soon, start};
use tokio::task::JoinSet;

const CHILDREN: usize = 200;

#[tokio::test]
async fn two_hundred_children_need_no_thread_each() {
    drop(start(&["exit", "0"]));
    let before = Resources::now();
    let mut waiting = JoinSet::new();
    let (waits, mut all_wait) = tokio::sync::mpsc::unbounded_channel();
    let (stop, _) = tokio::sync::watch::channel(());
    for _ in 0..CHILDREN {
        let (waits, mut stop) = (waits.clone(), stop.subscribe());
        let mut spawned = start(&["ready", "then", "hang"]);
        waiting.spawn(async move {
            let (stdout, stderr) = (spawned.stdout.unwrap(), spawned.stderr.unwrap());
            ready(&stdout).await;
            let _ = waits.send(());
            // Three pending waits: the end of two pipes and of the program.
            let stopped = async {
                tokio::select! {
                    ended = spawned.child.ended() => panic!("it ended early: {ended:?}"),
                    _ = stop.changed() => spawned.child.kill().unwrap(),
                }
                spawned.child.ended().await.unwrap();
                spawned.child.reap().unwrap().unwrap();
            };
            tokio::join!(read_to_end(&stdout), read_to_end(&stderr), stopped);
            spawned.child.id()
        });
    }
    for _ in 0..CHILDREN {
        soon(all_wait.recv()).await.expect("a child that waits");
    }
    let now = Resources::now();
    match (before.threads, now.threads) {
        (Some(before), Some(now)) => assert!(now <= before + 2, "{before} threads before, {now} now"),
        _ => bgt_testkit::skip!("two_hundred_children_need_no_thread_each", "no count of threads here"),
    }
    stop.send(()).expect("children that wait");
    let mut pids = Vec::new();
    while let Some(pid) = soon(waiting.join_next()).await {
        pids.push(pid.expect("no panic"));
    }
    assert_eq!(pids.len(), CHILDREN);
    assert_gone(&pids, SOON);
}
