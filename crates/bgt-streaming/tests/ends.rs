//! P9 to P12: one run, one end, the same for all who watch.
#![cfg(feature = "process")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bgt_streaming::{
    Cancel, Context, ErrorKind, From, Output, Retry, RunId, Runs, Source, Status, StreamEvent, TaskError,
    start, stream, task_fn,
};
use support::{HANG, all, bad, line, next};

#[tokio::test]
async fn awaiting_the_handle_answers_the_output() {
    let run = start(bad(&["print", "out", "then", "eprint", "err"]));
    let id = run.id();
    let output = run.await.unwrap();
    assert_eq!((&*output.stdout_text(), &*output.stderr_text()), ("out\n", "err\n"));
    let report = stream(bad(&["exit", "0"])).id(id).start().report().await;
    assert_eq!((report.id, report.attempts, report.status()), (id, 1, Status::Succeeded));
}

#[tokio::test]
async fn the_end_says_what_came_of_it_to_all_alike() {
    let run = start(bad(&["eprint", "no space left", "then", "exit", "3"]));
    let during = run.subscribe(From::Start);
    let heard = all(during).await;
    let summary = heard.summary();
    assert_eq!((summary.status, summary.attempts, summary.lines, summary.bytes), (Status::Failed, 1, 1, 14));
    let error = summary.error.as_deref().unwrap();
    assert!(error.contains("exit code 3") && error.contains("no space left"), "{error}");
    for from in [From::Start, From::Now, From::After(1), From::Tail(1)] {
        assert_eq!(all(run.subscribe(from)).await.summary(), summary);
    }
    assert_eq!(run.ended().await, summary);
    let snapshot = run.snapshot();
    assert_eq!((snapshot.status, snapshot.elapsed), (Status::Failed, summary.elapsed));
    assert_eq!(snapshot.started_at, summary.started_at);
    let error = run.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert_eq!(Output::from_error(&error).unwrap().stderr_text(), "no space left\n");
}

#[tokio::test]
async fn a_deadline_is_the_end_and_what_was_printed_is_there() {
    let command = bad(&["print", "so far", "then", "ignore-term", "then", "hang"]);
    let command = command.grace(Duration::from_millis(50));
    let run = stream(command).deadline(Duration::from_millis(300)).start();
    let summary = run.ended().await;
    assert_eq!(summary.status, Status::TimedOut);
    assert_eq!(run.await.unwrap_err().kind(), ErrorKind::TimedOut);

    let endless = task_fn("endless", |_cx| std::future::pending::<Result<(), TaskError>>());
    let run = stream(endless).attempt_deadline(Duration::from_millis(1)).start();
    assert_eq!(all(run.subscribe(From::Start)).await.summary().status, Status::TimedOut);

    let run = stream(bad(&["exit", "0"])).deadline(Duration::ZERO).start();
    let heard = all(run.subscribe(From::Start)).await;
    assert_eq!((heard.summary().status, heard.summary().attempts), (Status::TimedOut, 0));
}

#[tokio::test]
async fn what_cannot_start_ends_too() {
    let run = start(bgt_streaming::Command::new("no-such-program"));
    let heard = all(run.subscribe(From::Start)).await;
    assert!(heard.summary().error.as_deref().unwrap().contains("no-such-program"));
    assert_eq!((heard.summary().lines, run.snapshot().pid), (0, None));
    assert!(run.await.is_err());
}

#[tokio::test]
async fn a_run_that_is_cancelled_before_it_starts_ends_too() {
    let cancel = Cancel::new();
    cancel.cancel();
    let run = stream(bad(&["exit", "0"])).cancel(&cancel).start();
    let heard = all(run.subscribe(From::Start)).await;
    assert_eq!((heard.summary().status, heard.summary().attempts), (Status::Cancelled, 0));
    assert_eq!(run.await.unwrap_err().attempt(), 0);
}

#[tokio::test]
async fn retries_are_heard_of_and_all_attempts_write_one_log() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let task = task_fn("third time", {
        let gate = gate.clone();
        move |cx: Context| {
            let gate = gate.clone();
            async move {
                cx.emit(Source::Stdout, format!("attempt {}\n", cx.attempt())).await?;
                gate.acquire().await.map_err(TaskError::new)?.forget();
                if cx.attempt() < 3 { Err(TaskError::msg("not yet")) } else { Ok(cx.attempt()) }
            }
        }
    });
    let run = stream(task).retry(Retry::attempts(3).backoff(Duration::ZERO, Duration::ZERO)).start();
    let (mut events, mut statuses, mut lines) = (run.subscribe(From::Start), Vec::new(), Vec::new());
    let summary = loop {
        match next(&mut events).await.unwrap() {
            StreamEvent::Status { status, attempt } => statuses.push((status, attempt)),
            StreamEvent::Line(line) => {
                lines.push((line.seq, line.text().into_owned()));
                gate.add_permits(1);
            }
            StreamEvent::End(summary) => break summary,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(lines, [1, 2, 3].map(|n| (n, format!("attempt {n}"))));
    for attempt in 1..=3 {
        assert!(statuses.contains(&(Status::Running, attempt)), "{statuses:?}");
    }
    assert!(statuses.windows(2).all(|pair| pair[0].1 <= pair[1].1 && pair[0] != pair[1]), "{statuses:?}");
    assert_eq!((summary.status, summary.attempts), (Status::Succeeded, 3));
    let report = run.report().await;
    assert_eq!((report.result.unwrap(), report.retried.len()), (3, 2));
}

#[tokio::test]
async fn between_two_attempts_a_run_is_queued_and_can_be_stopped() {
    let task = task_fn("fails", |_cx| async { Err::<(), _>(TaskError::msg("the last failure")) });
    let hour = Duration::from_secs(3600);
    let run = stream(task).retry(Retry::attempts(9).backoff(hour, hour).without_jitter()).start();
    let mut events = run.subscribe(From::Start);
    loop {
        match next(&mut events).await {
            Some(StreamEvent::Status { status: Status::Queued, attempt: 1 }) => break,
            Some(StreamEvent::Status { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    run.cancel();
    let summary = all(events).await.summary();
    assert_eq!((summary.status, summary.attempts), (Status::Cancelled, 1));
    assert!(summary.error.as_deref().unwrap().contains("the last failure"));
}

#[tokio::test]
async fn waiting_for_the_end_can_be_given_up_and_taken_up_again() {
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    let task = task_fn("waits", move |cx: Context| {
        let wait = wait.lock().unwrap().take();
        async move {
            cx.emit(Source::Stdout, "here\n").await?;
            wait.unwrap().await.map_err(TaskError::new)
        }
    });
    let run = start(task);
    line(&mut run.subscribe(From::Start)).await;
    for _ in 0..10 {
        tokio::select! {
            biased;
            summary = run.ended() => panic!("{summary:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    assert!(!run.snapshot().is_stopping);
    let waiting = [(); 3].map(|()| {
        let watch = run.watch();
        tokio::spawn(async move { watch.ended().await })
    });
    go.send(()).unwrap();
    for waiting in waiting {
        let summary = tokio::time::timeout(HANG, waiting).await.expect("an end hangs").unwrap();
        assert_eq!((summary.status, summary.lines), (Status::Succeeded, 1));
    }
    assert!(run.await.is_ok());
}

#[tokio::test]
async fn a_watch_outlives_its_handle_and_still_has_the_log() {
    let run = start(bad(&["alternate", "10"]));
    let watch = run.watch();
    let events = run.subscribe(From::Start);
    run.await.unwrap();
    assert_eq!(all(events).await.lines().len(), 10);
    assert_eq!(all(watch.clone().subscribe(From::Tail(3))).await.lines().len(), 3);
    assert!(watch.log().extent().is_over);
}

#[tokio::test]
async fn a_registry_lists_the_run_under_its_pattern() {
    let (runs, id) = (Runs::new(), RunId::new());
    let run = stream(bad(&["exit", "0"])).id(id).observer(Arc::new(runs.clone())).start();
    assert_eq!(run.id(), id);
    run.ended().await;
    let info = &runs.recent()[0];
    assert_eq!(
        (info.id, info.status, info.pattern),
        (id, Status::Succeeded, bgt_streaming::Pattern::Streaming)
    );
    assert_eq!(info.pid, run.snapshot().pid);
}
