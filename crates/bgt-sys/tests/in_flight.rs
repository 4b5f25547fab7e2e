//! Many children at once cost no thread each. Alone in its binary, for it counts threads.

mod support;

use bgt_testkit::{assert_gone, thread_count};
use support::{SOON, read_to_end, ready, soon, start};
use tokio::task::JoinSet;

/// Windows waits for this many programs with each thread of the system's pool.
const OF_A_THREAD: usize = if cfg!(windows) { 63 } else { usize::MAX };

/// `BGT_CHILDREN=1000` for more.
fn children() -> usize {
    std::env::var("BGT_CHILDREN").ok().and_then(|children| children.parse().ok()).unwrap_or(200)
}

#[tokio::test]
async fn hundreds_of_children_need_no_thread_each() {
    let children = children();
    drop(start(&["exit", "0"]));
    let before = thread_count();
    let mut waiting = JoinSet::new();
    let (waits, mut all_wait) = tokio::sync::mpsc::unbounded_channel();
    let (stop, _) = tokio::sync::watch::channel(());
    for _ in 0..children {
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
    for _ in 0..children {
        soon(all_wait.recv()).await.expect("a child that waits");
    }
    match (before, thread_count()) {
        (Some(before), Some(now)) => {
            let most = before + 2 + children.div_ceil(OF_A_THREAD);
            assert!(now <= most, "{before} threads before, {now} now");
            println!("{children} children: {before} threads before, {now} now");
        }
        _ => bgt_testkit::skip!("hundreds_of_children_need_no_thread_each", "no count of threads here"),
    }
    stop.send(()).expect("children that wait");
    let mut pids = Vec::new();
    while let Some(pid) = soon(waiting.join_next()).await {
        pids.push(pid.expect("no panic"));
    }
    assert_eq!(pids.len(), children);
    assert_gone(&pids, SOON);
}
