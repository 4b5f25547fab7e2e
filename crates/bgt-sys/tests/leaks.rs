//! Nothing is left of many children. Alone in its binary, for it counts what the process holds.

mod support;

use bgt_sys::{Input, SpawnOptions};
use bgt_testkit::Resources;
use support::{SOON, end, read_to_end, start, start_with, write_all};

const SPAWNS: usize = 500;

async fn once() {
    let options = SpawnOptions { stdin: Input::Pipe, ..SpawnOptions::default() };
    let mut spawned = start_with(&["count-stdin"], options);
    let stdin = spawned.stdin.take().expect("a pipe");
    write_all(&stdin, b"12345").await.expect("it reads");
    drop(stdin);
    assert_eq!(read_to_end(spawned.stdout.as_ref().expect("a pipe")).await, b"5\n");
    assert_eq!(read_to_end(spawned.stderr.as_ref().expect("a pipe")).await, b"");
    end(&mut spawned.child).await;
}

#[test]
fn five_hundred_children_leave_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // What is made once and kept: the signal handler's pipe, the thread pool, …
    runtime.block_on(async {
        once().await;
        drop(start(&["hang"]));
    });
    let start_of_all = Resources::now();
    runtime.block_on(async {
        for spawn in 0..SPAWNS {
            if spawn % 10 == 0 {
                drop(start(&["hang"]));
            } else {
                once().await;
            }
        }
    });
    Resources::assert_back_to(&start_of_all, 3, SOON);
    drop(runtime);
    Resources::assert_back_to(&start_of_all, 0, SOON);
}
