//! P6: nothing is left in the host. A test program of its own, because it counts what the whole process holds.

mod support;

use std::time::Duration;

use bgt_process::Command;
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
                let commands: [Command; 4] = [
                    bad(&["print", "x", "then", "exit", "0"]).stdin("in"),
                    bad(&["quiet-grandchild", "60", "then", "exit", "1"]),
                    bad(&["ignore-term", "then", "hang"]),
                    Command::new("no-such-program"),
                ];
                let command = commands[i % 4].clone().stop(stop);
                let _ = run(command).deadline(Duration::from_millis(200)).await;
            });
        }
        runs.join_all().await;
    }
    a_few_of_everything().await;
    let start = Resources::now();
    for _ in 0..10 {
        a_few_of_everything().await;
    }
    tokio::task::spawn_blocking(move || Resources::assert_back_to(&start, 1, HANG)).await.unwrap();
}
