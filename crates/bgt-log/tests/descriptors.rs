//! What many logs at once leave behind. Alone in its program: others would open files too.
#![cfg(feature = "files")]

mod support;

use bgt_log::{From, LogFiles, LogReader};
use bgt_testkit::{Resources, Scratch};
use support::*;

#[test]
fn a_hundred_logs_at_once_leave_no_descriptor() {
    let scratch = Scratch::new();
    // What a runtime opens once and keeps.
    drop(runtime());
    let start = Resources::now();
    for _ in 0..2 {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let runs = (0..100).map(|n| {
                let files = LogFiles::at(scratch.path(format!("run {n}"))).segment_bytes(1000);
                tokio::spawn(async move {
                    let log = open(keeping(100), &files).await;
                    let mut reader = log.subscribe(From::Start);
                    let other = LogReader::follow(files.folder(), From::Now).await.unwrap();
                    for n in 0..50 {
                        write(&log, &format!("line {n}\n")).await;
                        reader.next().await.unwrap();
                    }
                    // Half of them are not finished, and all readers leave in between.
                    if n % 2 == 0 {
                        log.finish();
                        log.flush().await.unwrap();
                    }
                    drop(other);
                })
            });
            for run in runs.collect::<Vec<_>>() {
                run.await.unwrap();
            }
        });
    }
    Resources::assert_back_to(&start, 0, SOON);
}
