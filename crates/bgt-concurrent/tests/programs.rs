//! Programs as tasks of a batch.
#![cfg(feature = "process")]

use std::time::Duration;

use bgt_concurrent::{Cancel, Command, Halted, Status, batch};
use bgt_testkit::{Scratch, assert_gone, bad, wait_for_pids};

fn child(verbs: impl IntoIterator<Item = String>) -> Command {
    let (program, args) = bad(verbs);
    Command::new(program).args(args)
}

#[tokio::test]
async fn each_program_ends_with_its_own_exit_and_the_tail_of_its_stderr_is_in_the_report() {
    let commands = (0..12).map(|n| {
        let (words, exit) = (format!("words of {n}"), (n % 3).to_string());
        child(["eprint", &words, "then", "exit", &exit].map(str::to_owned))
    });
    let report = batch(commands).max_concurrent(4).await.unwrap();
    assert_eq!((report.counts.succeeded, report.counts.failed), (4, 8));
    for failure in &report.failures {
        assert_eq!(failure.tail.as_deref().map(str::trim), Some(&*format!("words of {}", failure.index)));
    }
    assert!(report.peak <= 4);
}

#[tokio::test]
async fn cancelled_or_dropped_no_process_of_the_batch_is_left() {
    for drops in [false, true] {
        let scratch = Scratch::new();
        let path = |n| scratch.path(format!("pids-{n}"));
        let commands: Vec<_> = (0..6)
            .map(|n| {
                let pids = path(n).to_str().unwrap().to_owned();
                let words = ["pids-to", &pids, "then", "quiet-grandchild", "600", "then", "sleep", "600"];
                child(words.map(str::to_owned)).grace(Duration::from_millis(100))
            })
            .collect();
        let cancel = Cancel::new();
        let results = batch(commands).max_concurrent(3).cancel(&cancel).start().await.unwrap();
        let mut pids = Vec::new();
        for n in 0..3 {
            let path = path(n);
            let found = tokio::task::spawn_blocking(move || wait_for_pids(&path, 2, Duration::from_secs(60)));
            pids.extend(found.await.unwrap());
        }
        if drops {
            drop(results);
        } else {
            cancel.cancel();
            let report = results.report().await;
            assert_eq!((report.counts.of(Status::Cancelled), report.counts.skipped), (3, 3), "{report}");
            assert!(matches!(report.halted, Some(Halted::Cancelled(_))));
        }
        tokio::task::spawn_blocking(move || assert_gone(&pids, Duration::from_secs(60))).await.unwrap();
    }
}
