//! Functions are watched as programs are.

mod support;

use bgt_streaming::{
    Context, ErrorKind, From, LineEnd, Panicked, Progress, SinkClosed, Source, Status, StreamEvent,
    TaskError, start, task_fn,
};
use support::{all, next};
use tokio::sync::oneshot;

#[tokio::test]
async fn what_a_function_writes_and_says_is_heard_while_it_runs() {
    let (go, wait) = oneshot::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    let task = task_fn("steps", move |cx: Context| {
        let wait = wait.lock().unwrap().take();
        async move {
            cx.emit(Source::Stdout, "one\ntw").await?;
            cx.progress(Progress::of(1, 2).message("half"));
            wait.unwrap().await.map_err(TaskError::new)?;
            cx.emit(Source::Stderr, "oh\n").await?;
            cx.emit(Source::Stdout, "o").await?;
            cx.progress(Progress::of(2, 2));
            Ok("done")
        }
    });
    let run = start(task);
    let mut events = run.subscribe(From::Start);
    let (mut one, mut half) = (None, None);
    while one.is_none() || half.is_none() {
        match next(&mut events).await {
            Some(StreamEvent::Line(line)) => one = Some(line.text().into_owned()),
            Some(StreamEvent::Progress(info)) => half = Some(info),
            other => assert!(matches!(other, Some(StreamEvent::Status { .. })), "{other:?}"),
        }
    }
    let half = half.unwrap();
    assert_eq!(one.as_deref(), Some("one"));
    assert_eq!((half.progress.fraction(), half.progress.message.as_deref()), (Some(0.5), Some("half")));
    go.send(()).unwrap();
    let heard = all(events).await;
    let lines: Vec<_> = heard.lines().iter().map(|line| (line.source, line.text(), line.end)).collect();
    let expected =
        [(Source::Stderr, "oh".into(), LineEnd::Newline), (Source::Stdout, "two".into(), LineEnd::Eof)];
    assert_eq!(lines, expected);
    assert_eq!(heard.positions(), [2.0]);
    assert_eq!((run.name(), &*heard.summary().name), ("steps", "steps"));
    assert_eq!(run.await.unwrap(), "done");
}

#[tokio::test]
async fn a_panic_is_a_failed_run_with_its_message_and_what_was_written_stays() {
    let task = task_fn("explodes", |cx: Context| async move {
        cx.emit(Source::Stdout, "last words").await?;
        if cx.attempt() == 1 {
            panic!("at row 17");
        }
        Ok(())
    });
    let run = start(task);
    let heard = all(run.subscribe(From::Start)).await;
    assert_eq!(heard.texts(), ["last words"]);
    let summary = heard.summary();
    assert_eq!((summary.status, summary.attempts), (Status::Failed, 1));
    assert!(summary.error.as_deref().unwrap().contains("at row 17"), "{summary:?}");
    let error = run.await.unwrap_err();
    assert_eq!(
        (error.kind(), &*error.find::<Panicked>().unwrap().message),
        (ErrorKind::Panicked, "at row 17")
    );
}

#[tokio::test]
async fn what_outlives_its_run_can_neither_write_nor_say_anything() {
    let (keep, kept) = oneshot::channel();
    let keep = std::sync::Mutex::new(Some(keep));
    let task = task_fn("leaves a part behind", move |cx: Context| {
        let _ = keep.lock().unwrap().take().map(|keep| keep.send(cx.clone()));
        async move {
            cx.progress(Progress::of(1, 9));
            Ok(())
        }
    });
    let run = start(task);
    let before = run.ended().await;
    let cx = kept.await.unwrap();
    assert_eq!(cx.emit(Source::Stdout, "late\n").await, Err(SinkClosed));
    cx.progress(Progress::of(9, 9));
    let heard = all(run.subscribe(From::Start)).await;
    assert_eq!((heard.texts().len(), heard.positions()), (0, vec![1.0]));
    assert_eq!(heard.summary(), before);
}

/// Panics when it is asked its name.
struct Nameless;

#[bgt_streaming::async_trait]
impl bgt_streaming::Task for Nameless {
    type Output = u8;
    fn name(&self) -> std::borrow::Cow<'_, str> {
        panic!("in name")
    }
    async fn run(&self, _cx: Context) -> Result<u8, TaskError> {
        Ok(7)
    }
}

#[tokio::test]
async fn a_name_that_panics_disturbs_nobody() {
    let run = start(Nameless);
    assert_eq!((run.name(), &*run.ended().await.name), ("unnamed", "unnamed"));
    assert_eq!(run.await.unwrap(), 7);
}

/// Panics when it is shown.
#[derive(Debug)]
struct Shy;

impl std::fmt::Display for Shy {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("in Display")
    }
}

impl std::error::Error for Shy {}

#[tokio::test]
async fn an_error_that_panics_when_it_is_shown_still_ends_the_run() {
    let run = start(task_fn("shy", |_cx| async { Err::<(), _>(TaskError::new(Shy)) }));
    let summary = run.ended().await;
    assert_eq!(summary.status, Status::Failed);
    assert!(summary.error.is_some());
    assert_eq!(run.await.unwrap_err().kind(), ErrorKind::Failed);
}
