//! How a run is doing, at any moment.
#![cfg(feature = "process")]

mod support;

use std::time::Duration;

use bgt_streaming::{Context, From, Progress, Source, Status, start, stream, task_fn};
use bgt_testkit::{Scratch, alive, wait_until};
use support::{HANG, bad, blocking, keep_lines, line};

#[tokio::test]
async fn a_snapshot_counts_what_came_and_knows_the_process() {
    let scratch = Scratch::new();
    let go = scratch.text("go");
    let run =
        start(bad(&["pid", "then", "alternate", "9", "then", "no-newline", "x", "then", "wait-file", &go]));
    let before = run.snapshot();
    assert_eq!((before.status, before.attempt, before.pid, before.lines), (Status::Queued, 0, None, 0));
    assert_eq!((before.lines_per_second, before.bytes_per_second, before.first_held), (0.0, 0.0, 1));
    let mut events = run.subscribe(From::Start);
    let mut pid = None;
    for _ in 0..10 {
        let line = line(&mut events).await;
        pid = pid.or(line.text().parse::<u32>().ok());
    }
    let during = run.snapshot();
    assert_eq!((during.status, during.attempt, during.pid, during.lines), (Status::Running, 1, pid, 10));
    assert!(alive(pid.unwrap()));
    assert_eq!((during.id, &*during.name), (run.id(), run.name()));
    assert!(during.lines_per_second > 0.0 && during.bytes_per_second > during.lines_per_second);
    assert!(during.elapsed >= before.elapsed && !during.is_stopping && during.progress.is_none());
    std::fs::write(go, "").unwrap();
    let summary = run.ended().await;
    let after = run.snapshot();
    assert_eq!((after.status, after.lines, after.bytes), (Status::Succeeded, 11, during.bytes + 1));
    assert_eq!((after.lines, after.bytes), (summary.lines, summary.bytes));
    assert_eq!(after.elapsed, summary.elapsed);
    assert_eq!(run.snapshot().elapsed, summary.elapsed, "a run that is over takes no longer");
}

#[tokio::test]
async fn the_rate_of_a_run_that_says_nothing_fades() {
    let scratch = Scratch::new();
    let go = scratch.text("go");
    let run = start(bad(&["alternate", "100", "then", "wait-file", &go]));
    let mut events = run.subscribe(From::Start);
    while line(&mut events).await.seq < 100 {}
    let (rate, watch) = (run.snapshot().lines_per_second, run.watch());
    assert!(rate > 0.0);
    assert!(blocking(move || wait_until(HANG, || watch.snapshot().lines_per_second < rate / 2.0)).await);
    std::fs::write(go, "").unwrap();
    assert!(run.await.is_ok());
}

#[tokio::test]
async fn a_snapshot_says_from_where_on_lines_are_held() {
    let task = task_fn("writes", |cx: Context| async move {
        for _ in 0..100 {
            cx.emit(Source::Stdout, "line\n").await?;
        }
        Ok(())
    });
    let run = stream(task).keep(keep_lines(10)).start();
    run.ended().await;
    assert_eq!((run.snapshot().lines, run.snapshot().first_held), (100, 91));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_can_be_taken_by_anybody_at_any_time() {
    let task = task_fn("writes", |cx: Context| async move {
        for n in 0..20_000 {
            cx.emit(Source::Stdout, "line\n").await?;
            cx.progress(Progress::of(n, 20_000));
        }
        Ok(())
    });
    let run = stream(task).deadline(Duration::from_secs(300)).start();
    let looking = [(); 2].map(|()| {
        let watch = run.watch();
        tokio::task::spawn_blocking(move || {
            let (mut lines, mut progress) = (0, 0.0);
            loop {
                let snapshot = watch.snapshot();
                let position = snapshot.progress.map_or(0.0, |info| info.progress.position);
                assert!(snapshot.lines >= lines && position >= progress);
                assert!(snapshot.lines_per_second >= 0.0 && snapshot.lines_per_second.is_finite());
                (lines, progress) = (snapshot.lines, position);
                if snapshot.status.is_final() {
                    return (lines, progress);
                }
            }
        })
    });
    for looking in looking {
        assert_eq!(
            tokio::time::timeout(HANG, looking).await.expect("a look hangs").unwrap(),
            (20_000, 19_999.0)
        );
    }
}
