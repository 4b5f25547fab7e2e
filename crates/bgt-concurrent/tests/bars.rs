//! A bar is for people: where stderr is no terminal, nothing is written.
#![cfg(feature = "progress")]

use std::process::Stdio;

use bgt_concurrent::{batch, task_fn};
use bgt_testkit::{Other, role};

#[test]
fn where_stderr_is_no_terminal_nothing_is_written_to_it() {
    let output =
        Other::command("with_a_bar", "bar").stderr(Stdio::piped()).stdout(Stdio::null()).output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[tokio::test]
#[ignore = "started by the other test"]
async fn with_a_bar() {
    if role().is_none() {
        return;
    }
    let tasks = (0..100).map(|_| {
        task_fn("yield", |_cx| async {
            tokio::task::yield_now().await;
            Ok(())
        })
    });
    assert!(batch(tasks).progress().await.unwrap().is_success());
}
