//! P6: nothing is left in the host. A test program of its own, because it counts what the whole process holds.
//! `BGT_LEAK_RUNS=10000` for more.

mod support;

use std::time::Duration;

use bgt_process::{Background, Command};
use bgt_simple::run;
use bgt_testkit::Resources;
use support::{HANG, bad, quick};

#[tokio::test]
async fn runs_in_hundreds_leave_no_descriptor_no_zombie_no_thread() {
    async fn a_few_of_everything() {
        let mut runs = tokio::task::JoinSet::new();
        for i in 0..20 {
            runs.spawn(async move {
                let stop = quick().grace(Duration::from_millis(50)).drain(Duration::from_millis(50));
                let commands: [Command; 8] = [
                    bad(&["flood", "300K"]),
                    bad(&["chatty-grandchild", "60", "then", "exit", "0"]),
                    bad(&["daemon", "60", "then", "exit", "0"]).background(Background::Search),
                    bad(&["own-group-grandchild", "60", "then", "hang"]),
                    bad(&["print", "x", "then", "exit", "0"]).stdin("in"),
                    bad(&["quiet-grandchild", "60", "then", "exit", "1"]),
                    bad(&["ignore-term", "then", "hang"]),
                    Command::new("no-such-program"),
                ];
                let command = commands[i % 8].clone().stop(stop);
                let _ = run(command).deadline(Duration::from_millis(200)).await;
            });
        }
        runs.join_all().await;
    }
    a_few_of_everything().await;
    let start = Resources::now();
    let runs = std::env::var("BGT_LEAK_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(200);
    for _ in 0..usize::div_ceil(runs, 20) {
        a_few_of_everything().await;
    }
    tokio::task::spawn_blocking(move || Resources::assert_back_to(&start, 1, HANG)).await.unwrap();
}
