//! Programs through the runner: what only both together can show.
#![cfg(feature = "process")]

use std::sync::Arc;
use std::time::Duration;

use bgt_simple::{Command, DeadlinePassed, ErrorKind, Output, Retry, Runs, Status, run};
use bgt_testkit::{Scratch, bad};

fn child(verbs: &[&str]) -> Command {
    let (program, args) = bad(verbs.iter().copied());
    Command::new(program).args(args)
}

#[tokio::test]
async fn a_deadline_keeps_what_was_printed() {
    let command = child(&["print", "so far", "then", "eprint", "warming up", "then", "hang"]);
    let command = command.grace(Duration::from_millis(100));
    let error = run(command).deadline(Duration::from_millis(500)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.find::<DeadlinePassed>().is_some());
    assert_eq!(Output::from_error(&error).unwrap().stdout_text(), "so far\n");
    assert_eq!(error.tail(), Some("warming up"));
}

#[tokio::test]
async fn a_program_that_fails_twice_succeeds_at_the_third_attempt() {
    let scratch = Scratch::new();
    let ledger = scratch.text("ledger");
    // Succeeds once the ledger has three lines: an exit code of its own for each attempt before.
    let count = bgt_testkit::Ledger::at(scratch.path("ledger"));
    let task = bgt_simple::task_fn("third time", |cx: bgt_simple::Context| {
        let ledger = &ledger;
        async move {
            let code = if cx.attempt() < 3 { "9" } else { "0" };
            Ok(run(child(&["append", ledger, "x", "then", "exit", code])).await?.exit)
        }
    });
    let retry = Retry::attempts(5).backoff(Duration::ZERO, Duration::ZERO);
    let report = run(&task).retry(retry).report().await;
    assert!(report.result.unwrap().success());
    assert_eq!((report.attempts, count.lines().len()), (3, 3));
    assert!(report.retried[0].message.contains("exit code 9"), "{:?}", report.retried);
}

#[tokio::test]
async fn the_registry_knows_the_process() {
    let runs = Runs::new();
    let output = run(child(&["pid"])).observer(Arc::new(runs.clone())).await.unwrap();
    let info = &runs.recent()[0];
    assert_eq!((info.status, info.pid), (Status::Succeeded, Some(output.pid)));
    assert_eq!(output.stdout_text().trim(), output.pid.to_string());
}

#[cfg(feature = "json")]
#[tokio::test]
async fn json_comes_out_or_the_reason_why_not() {
    #[derive(serde::Deserialize)]
    struct Probe {
        frames: u32,
    }
    let probe: Probe = run(child(&["print", r#"{"frames": 250}"#])).await.unwrap().json().unwrap();
    assert_eq!(probe.frames, 250);
    let error = run(child(&["print", "not json"])).await.unwrap().json::<Probe>().err().unwrap();
    assert!(error.to_string().contains("line 1 column 2"), "{error}");
    let cut = child(&["flood", "1M"]).capture(bgt_simple::Capture::new(10, 10));
    let error = run(cut).await.unwrap().json::<Probe>().err().unwrap();
    assert!(error.to_string().contains("cut"), "{error}");
}
