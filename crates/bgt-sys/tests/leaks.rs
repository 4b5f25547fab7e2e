//! Nothing is left of many children. Alone in its binary, for it counts what the process holds.

mod support;

use bgt_sys::{Input, SpawnOptions};
use bgt_testkit::Resources;
use support::{SOON, end, read_to_end, start, start_with, write_all};

/// The system's thread pool on Windows comes and goes as it likes, with a few handles. One for each child would show.
const SLACK: usize = if cfg!(windows) { 30 } else { 0 };

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

async fn dropped() {
    let mut spawned = start(&["hang"]);
    tokio::select! {
        biased;
        _ = spawned.child.ended() => panic!("it runs"),
        () = tokio::task::yield_now() => {}
    }
}

async fn not_started() {
    let mut command = std::process::Command::new(std::env::temp_dir().join("bgt-no-such-program"));
    bgt_sys::spawn(&mut command, &SpawnOptions::default()).expect_err("there is no such program");
}

#[test]
fn five_hundred_children_leave_nothing() {
    // Wine needs more than a minute for so many.
    let children = if bgt_testkit::under_wine() { 100 } else { 500 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // What is made once and kept: the signal handler's pipe, the thread pool, …
    runtime.block_on(async {
        once().await;
        dropped().await;
    });
    let before = Resources::now();
    runtime.block_on(async {
        for child in 0..children {
            match child % 5 {
                0 => dropped().await,
                1 => not_started().await,
                _ => once().await,
            }
        }
    });
    Resources::assert_back_to(&before, SLACK + 3, SOON);
    drop(runtime);
    Resources::assert_back_to(&before, SLACK, SOON);
}
