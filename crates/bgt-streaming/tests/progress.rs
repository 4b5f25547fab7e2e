//! How far a run has come, from its lines or from itself.
#![cfg(feature = "process")]

mod support;

use std::time::Duration;

use bgt_streaming::{
    Context, From, Progress, ProgressFrom, Retry, Source, Status, StreamEvent, TaskError, start, stream,
    task_fn,
};
use bgt_testkit::{Scratch, to_hex};
use support::{Heard, all, bad, next};

fn assert_monotone(heard: &Heard) {
    assert!(heard.positions().windows(2).all(|pair| pair[0] < pair[1]), "{:?}", heard.positions());
}

#[tokio::test]
async fn progress_is_read_from_lines_and_only_grows() {
    let scratch = Scratch::new();
    let (a, b) = (scratch.text("a"), scratch.text("b"));
    let verbs = ["print", "40%", "then", "wait-file", &a, "then", "print", "20%", "then", "wait-file", &b];
    let last = ["then", "eprint", "60%", "then", "print", "no progress"];
    let verbs: Vec<_> = verbs.into_iter().chain(last).collect();
    let run = stream(bad(&verbs)).progress(ProgressFrom::percent()).start();
    let mut events = run.subscribe(From::Start);
    let mut heard = Heard::default();
    loop {
        let event = next(&mut events).await.unwrap();
        match &event {
            StreamEvent::Progress(_) => std::fs::write(&a, "").unwrap(),
            StreamEvent::Line(line) if line.text() == "20%" => std::fs::write(&b, "").unwrap(),
            _ => {}
        }
        let is_end = matches!(event, StreamEvent::End(_));
        heard.events.push(event);
        if is_end {
            break;
        }
    }
    assert_eq!(heard.positions(), [40.0, 60.0]);
    assert_eq!(run.snapshot().progress.unwrap().progress, Progress::percent(60.0));
}

#[tokio::test]
async fn a_progress_may_fall_where_that_was_said() {
    let lines = ["print", "40%", "then", "print", "20%"];
    let run = stream(bad(&lines)).progress(ProgressFrom::auto()).progress_may_fall().start();
    run.ended().await;
    assert_eq!(run.snapshot().progress.unwrap().progress.position, 20.0);
    let run = stream(bad(&lines)).progress(ProgressFrom::auto()).start();
    run.ended().await;
    assert_eq!(run.snapshot().progress.unwrap().progress.position, 40.0);
}

#[tokio::test]
async fn a_bar_that_ends_without_a_newline_is_read_to_its_end() {
    let run = stream(bad(&["hex", &to_hex("10%\r50%\r100%")])).progress(ProgressFrom::percent()).start();
    let heard = all(run.subscribe(From::Start)).await;
    assert_eq!(heard.positions().last(), Some(&100.0));
    assert_monotone(&heard);
    // Also for those who come when it is over.
    assert_eq!(all(run.subscribe(From::Now)).await.positions(), [100.0]);
}

#[tokio::test]
async fn what_a_flood_says_of_its_progress_is_in_the_end_the_last_word() {
    let text: String = (0..=20_000).map(|n| format!("step {n}/20000\n")).collect();
    let scratch = Scratch::new();
    std::fs::write(scratch.path("text"), &text).unwrap();
    let command = bad(&["read-stdin"]).stdin(text.into_bytes());
    let run = stream(command).progress(ProgressFrom::ratio()).start();
    let heard = all(run.subscribe(From::Start)).await;
    assert_monotone(&heard);
    assert_eq!(heard.positions().last(), Some(&20_000.0));
    assert_eq!(heard.lines().len(), 20_001);
}

#[tokio::test]
async fn a_reader_that_panics_costs_a_reading_and_no_line() {
    let reader = ProgressFrom::with(|line| {
        assert_ne!(line.text(), "2 err", "a reader that panics");
        Some(Progress::count(line.seq))
    });
    let run = stream(bad(&["alternate", "100"])).progress(reader.clone()).start();
    let heard = all(run.subscribe(From::Start)).await;
    assert_eq!((heard.lines().len(), heard.positions().last()), (100, Some(&100.0)));
    let emits =
        task_fn("emits", |cx: Context| async move { Ok(cx.emit(Source::Stdout, "2 err\n3\n").await?) });
    assert!(stream(emits).progress(reader).start().await.is_ok());
}

#[tokio::test]
async fn every_attempt_begins_anew() {
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    let task = task_fn("twice", move |cx: Context| {
        let wait = if cx.attempt() == 2 { wait.lock().unwrap().take() } else { None };
        async move {
            if let Some(wait) = wait {
                cx.emit(Source::Stdout, "second\n").await?;
                wait.await.map_err(TaskError::new)?;
                cx.progress(Progress::of(1, 10));
                cx.progress(Progress::of(3, 10));
                return Ok(());
            }
            cx.progress(Progress::of(8, 10));
            Err(TaskError::msg("at 8"))
        }
    });
    let retry = Retry::attempts(2).backoff(Duration::ZERO, Duration::ZERO);
    let run = stream(task).retry(retry).start();
    let mut events = run.subscribe(From::Start);
    support::line(&mut events).await;
    // Before the second attempt says anything, nobody hears of the first one's.
    assert_eq!(run.snapshot().progress, None);
    let mut late = run.subscribe(From::Start);
    let first = [next(&mut late).await, next(&mut late).await];
    assert!(
        matches!(
            first,
            [Some(StreamEvent::Status { status: Status::Running, attempt: 2 }), Some(StreamEvent::Line(_))]
        ),
        "{first:?}"
    );
    go.send(()).unwrap();
    let heard = all(late).await;
    assert_monotone(&heard);
    assert_eq!(heard.positions().last(), Some(&3.0));
    assert_eq!(all(events).await.positions().last(), Some(&3.0));
}

#[tokio::test]
async fn without_being_told_to_nobody_reads_lines_for_progress() {
    let heard = all(start(bad(&["print", "40%"])).subscribe(From::Start)).await;
    assert!(heard.positions().is_empty());
}
