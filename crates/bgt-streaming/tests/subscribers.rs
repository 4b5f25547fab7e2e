//! P21: nobody waits for anybody who watches.
#![cfg(feature = "process")]

mod support;

use bgt_streaming::{Context, From, Source, Status, TaskError, start, stream, task_fn};
use bgt_testkit::Scratch;
use support::{HANG, all, bad, keep_bytes, line};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_a_hundred_never_reads_and_all_others_get_everything() {
    let scratch = Scratch::new();
    let go = scratch.text("go");
    let run = start(bad(&["wait-file", &go, "then", "flood", "1M"]));
    let never = run.subscribe(From::Start);
    let others: Vec<_> = (0..99).map(|_| tokio::spawn(all(run.subscribe(From::Start)))).collect();
    std::fs::write(go, "").unwrap();
    let summary = run.ended().await;
    assert_eq!((summary.status, summary.lines), (Status::Succeeded, 16_384));
    for other in others {
        let heard = tokio::time::timeout(HANG, other).await.expect("a watcher hangs").unwrap();
        assert!(heard.lines().iter().map(|line| line.seq).eq(1..=16_384));
        assert_eq!(heard.summary(), summary);
    }
    // And had it only slept, it would have missed nothing.
    assert_eq!(all(never).await.lines().len(), 16_384);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_slept_through_more_than_is_held_gets_one_gap_and_goes_on() {
    let scratch = Scratch::new();
    let (go, end) = (scratch.text("go"), scratch.text("end"));
    let verbs =
        ["print", "first", "then", "wait-file", &go, "then", "flood", "4M", "then", "wait-file", &end];
    let run = stream(bad(&verbs)).keep(keep_bytes(256 << 10)).start();
    let mut sleepy = run.subscribe(From::Start);
    assert_eq!(line(&mut sleepy).await.text(), "first");
    std::fs::write(go, "").unwrap();
    let mut awake = run.subscribe(From::Now);
    while awake.seq() < 65_537 {
        let _ = support::next(&mut awake).await;
    }
    std::fs::write(end, "").unwrap();
    let heard = all(sleepy).await;
    let [gap] = heard.gaps()[..] else { panic!("{:?}", heard.gaps()) };
    assert_eq!((gap.first, gap.bytes), (2, Some(gap.lines() * 64)));
    assert_eq!(gap.lines() + heard.lines().len() as u64, 65_536);
    assert!(run.await.unwrap().exit.success());
}

#[tokio::test]
async fn a_dropped_next_has_lost_nothing() {
    let scratch = Scratch::new();
    let go = scratch.text("go");
    let run = start(bad(&["alternate", "200", "then", "wait-file", &go]));
    let mut events = run.subscribe(From::Start);
    let mut seqs = Vec::new();
    while seqs.len() < 200 {
        // Each is dropped at its first wait.
        tokio::select! {
            biased;
            event = events.next() => if let Some(bgt_streaming::StreamEvent::Line(line)) = event {
                seqs.push(line.seq);
            },
            () = tokio::task::yield_now() => {}
        }
    }
    assert!(seqs.into_iter().eq(1..=200));
    std::fs::write(go, "").unwrap();
    assert!(run.await.is_ok());
}

#[tokio::test]
async fn a_watcher_moves_between_tasks_and_is_woken_where_it_is() {
    let scratch = Scratch::new();
    let go = scratch.text("go");
    let run = start(bad(&["print", "one", "then", "wait-file", &go, "then", "print", "two"]));
    let mut events = run.subscribe(From::Start);
    line(&mut events).await;
    // Waits here once, and then there.
    tokio::select! {
        biased;
        event = async { loop { if let Some(bgt_streaming::StreamEvent::Line(line)) = events.next().await { break line } } } => {
            panic!("{event:?} came early")
        }
        () = tokio::task::yield_now() => {}
    }
    let there = tokio::spawn(all(events));
    std::fs::write(go, "").unwrap();
    assert_eq!(there.await.unwrap().texts(), ["two"]);
}

#[tokio::test]
async fn a_function_that_only_writes_leaves_its_turn_to_those_who_read_and_can_be_stopped() {
    // On one thread: without its turn nobody would read, and nobody would ask it to stop.
    let endless = task_fn("endless", |cx: Context| async move {
        loop {
            cx.emit(Source::Stdout, "again\n").await?;
            if false {
                return Ok(());
            }
        }
    });
    let run = start(endless);
    let mut events = run.subscribe(From::Start);
    for seq in 1..=1000 {
        assert_eq!(line(&mut events).await.seq, seq);
    }
    run.cancel();
    assert_eq!(run.ended().await.status, Status::Cancelled);
    drop(events);
    let quick = task_fn("quick", |cx: Context| async move {
        cx.emit(Source::Stderr, "x").await?;
        Ok::<_, TaskError>(1)
    });
    assert_eq!(start(quick).await.unwrap(), 1);
}

#[tokio::test]
async fn a_watcher_that_always_has_something_to_read_leaves_its_turn_to_others() {
    let lines =
        task_fn(
            "lines",
            |cx: Context| async move { Ok(cx.emit(Source::Stdout, "x\n".repeat(10_000)).await?) },
        );
    let run = start(lines);
    run.ended().await;
    let reading = tokio::spawn(all(run.subscribe(From::Start)));
    // Two turns of this task, while the other has a hundred to read everything.
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    assert!(!reading.is_finished());
    assert_eq!(reading.await.unwrap().lines().len(), 10_000);
}
