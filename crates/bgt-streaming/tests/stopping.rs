//! P1, P10: how a watched run is stopped, and that nothing of it is left.
#![cfg(feature = "process")]

mod support;

use std::time::Duration;

use bgt_streaming::{
    Cancel, CancelReason, Command, CommandError, Context, ErrorKind, Exit, From, Status, StopHow, TaskError,
    start, stream, task_fn,
};
use bgt_testkit::{Scratch, alive, assert_gone, wait_for_pids, wait_until};
use support::{HANG, all, bad, blocking, cannot_ask, line};

/// A child that has started a grandchild, both of which ignore polite requests, and says so.
fn stubborn_family(scratch: &Scratch) -> Command {
    let pids = scratch.text("pids");
    let verbs =
        ["pids-to", &pids, "then", "ignore-term", "then", "stubborn-grandchild", "300", "then", "ready"];
    let verbs: Vec<_> = verbs.into_iter().chain(["then", "hang"]).collect();
    bad(&verbs)
}

fn pids(scratch: &Scratch) -> Vec<u32> {
    wait_for_pids(scratch.path("pids"), 2, HANG)
}

#[tokio::test]
async fn a_cancel_asks_and_keeps_the_last_words() {
    if cannot_ask("a_cancel_asks_and_keeps_the_last_words") {
        return;
    }
    let run = start(bad(&["on-term-exit", "5", "then", "ready", "then", "hang"]).grace(HANG));
    let mut events = run.subscribe(From::Start);
    assert_eq!(line(&mut events).await.text(), "ready");
    run.cancel();
    let heard = all(events).await;
    assert_eq!(heard.texts(), ["polite"]);
    assert_eq!(heard.summary().status, Status::Cancelled);
    let error = run.await.unwrap_err();
    assert_eq!((error.kind(), error.cancel_reason()), (ErrorKind::Cancelled, Some(CancelReason::Caller)));
    let obeyed = StopHow::Obeyed(Exit::Code(5));
    assert!(matches!(error.find(), Some(CommandError::Stopped { how, .. }) if *how == obeyed), "{error:?}");
}

#[tokio::test]
async fn a_second_cancel_skips_the_grace_period() {
    let scratch = Scratch::new();
    let run = start(stubborn_family(&scratch).grace(10 * HANG));
    let mut events = run.subscribe(From::Start);
    assert_eq!(line(&mut events).await.text(), "ready");
    assert!(!run.snapshot().is_stopping);
    let watch = run.watch();
    watch.cancel();
    assert!(run.snapshot().is_stopping);
    run.cancel();
    assert_eq!(all(events).await.summary().status, Status::Cancelled);
    assert!(!run.snapshot().is_stopping, "over is not stopping");
    assert_gone(&pids(&scratch), HANG);
    watch.cancel();
    assert_eq!(run.await.unwrap_err().kind(), ErrorKind::Cancelled);
}

#[tokio::test]
async fn a_dropped_handle_asks_before_it_kills() {
    if cannot_ask("a_dropped_handle_asks_before_it_kills") {
        return;
    }
    let run = start(bad(&["on-term-exit", "0", "then", "ready", "then", "hang"]).grace(10 * HANG));
    let (watch, mut events) = (run.watch(), run.subscribe(From::Start));
    line(&mut events).await;
    drop(run);
    assert!(watch.snapshot().is_stopping);
    let heard = all(events).await;
    assert_eq!((heard.texts(), heard.summary().status), (vec!["polite".to_owned()], Status::Cancelled));
}

#[tokio::test]
async fn to_cancel_and_drop_is_still_polite() {
    // The drop is not a second request: that would take the grace period away.
    let task = task_fn("saves", |cx: Context| async move {
        let reason = cx.cancelled().await;
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        cx.emit(bgt_streaming::Source::Stdout, format!("saved: {reason}\n")).await?;
        Err::<(), _>(TaskError::msg("stopped"))
    });
    let run = start(task.stop_budget(10 * HANG));
    let mut events = run.subscribe(From::Start);
    // Until it runs.
    while run.snapshot().attempt == 0 {
        support::next(&mut events).await;
    }
    tokio::task::yield_now().await;
    run.cancel();
    drop(run);
    assert_eq!(all(events).await.texts(), ["saved: cancelled by the caller"]);
}

#[tokio::test]
async fn a_dropped_handle_leaves_no_survivor() {
    let scratch = Scratch::new();
    let run = start(stubborn_family(&scratch).grace(Duration::from_millis(50)));
    let mut events = run.subscribe(From::Start);
    line(&mut events).await;
    let family = pids(&scratch);
    assert!(family.iter().all(|pid| alive(*pid)));
    drop(run);
    assert_eq!(all(events).await.summary().status, Status::Cancelled);
    assert_gone(&family, HANG);
}

#[tokio::test]
async fn a_handle_that_is_given_up_while_it_is_awaited_stops_the_run() {
    let scratch = Scratch::new();
    let run = start(stubborn_family(&scratch).grace(Duration::from_millis(50)));
    let (watch, mut events) = (run.watch(), run.subscribe(From::Start));
    {
        let mut waiting = std::pin::pin!(run.report());
        tokio::select! {
            report = &mut waiting => panic!("{report:?}"),
            _ = line(&mut events) => {}
        }
        assert!(!watch.snapshot().is_stopping);
    }
    assert!(watch.snapshot().is_stopping);
    assert_eq!(watch.ended().await.status, Status::Cancelled);
    assert_gone(&pids(&scratch), HANG);
}

#[tokio::test]
async fn watchers_do_not_keep_a_run_alive_and_a_released_one_needs_none() {
    let scratch = Scratch::new();
    let (go, done) = (scratch.text("go"), scratch.text("done"));
    let command = || bad(&["ready", "then", "wait-file", &go, "then", "touch", &done]);
    let run = start(command());
    let mut events = run.subscribe(From::Start);
    line(&mut events).await;
    let watch = run.release();
    assert!(!watch.snapshot().is_stopping);
    drop((watch, events));
    std::fs::write(&go, "").unwrap();
    let done = scratch.path("done");
    assert!(blocking(move || wait_until(HANG, || done.exists())).await);

    let run = start(bad(&["ready", "then", "hang"]).grace(Duration::from_millis(50)));
    let (watches, mut events) = ([run.watch(), run.watch()], run.subscribe(From::Start));
    line(&mut events).await;
    drop(run);
    assert_eq!(watches[0].ended().await, watches[1].ended().await);
    assert_eq!(all(events).await.summary().status, Status::Cancelled);
}

#[tokio::test]
async fn a_released_run_can_still_be_stopped_through_its_watch() {
    let scratch = Scratch::new();
    let watch = start(stubborn_family(&scratch).grace(10 * HANG)).release();
    line(&mut watch.subscribe(From::Start)).await;
    watch.cancel();
    watch.cancel();
    assert_eq!(watch.ended().await.status, Status::Cancelled);
    assert_gone(&pids(&scratch), HANG);
}

#[tokio::test]
async fn a_switch_from_elsewhere_stops_the_run_and_shows() {
    let scratch = Scratch::new();
    let switch = Cancel::new();
    let run = stream(stubborn_family(&scratch).grace(10 * HANG)).cancel(&switch).start();
    line(&mut run.subscribe(From::Start)).await;
    switch.cancel_because(CancelReason::Shutdown);
    assert!(run.snapshot().is_stopping);
    switch.force();
    assert!(run.ended().await.error.as_deref().unwrap().contains("shutting down"));
    assert_eq!(run.await.unwrap_err().cancel_reason(), Some(CancelReason::Shutdown));
    assert_gone(&pids(&scratch), HANG);
}

#[tokio::test]
async fn a_run_whose_time_is_over_is_stopping_until_it_has_stopped() {
    let scratch = Scratch::new();
    let run = stream(stubborn_family(&scratch).grace(10 * HANG)).deadline(Duration::from_millis(200)).start();
    let watch = run.watch();
    assert!(blocking(move || wait_until(HANG, || watch.snapshot().is_stopping)).await);
    run.cancel();
    run.cancel();
    assert_eq!(run.ended().await.status, Status::TimedOut);
    let known = bgt_testkit::read_pids(scratch.path("pids"));
    if !known.is_empty() {
        assert_gone(&known, HANG);
    }
}

#[tokio::test]
async fn a_grandchild_that_holds_the_output_does_not_hold_the_end() {
    let scratch = Scratch::new();
    let family = scratch.text("pids");
    let verbs = [
        "pids-to",
        &family,
        "then",
        "chatty-grandchild",
        "300",
        "then",
        "print",
        "done",
        "then",
        "exit",
        "0",
    ];
    let run = start(bad(&verbs).stop(bgt_streaming::Stop::default().drain(Duration::from_millis(50))));
    let heard = all(run.subscribe(From::Start)).await;
    assert_eq!(heard.summary().status, Status::Succeeded);
    assert!(heard.texts().contains(&"done".to_owned()));
    assert!(run.await.unwrap().leaked);
    assert_gone(&pids(&scratch), HANG);
}
