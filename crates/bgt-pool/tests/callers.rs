//! Callers of workers that go away at every await they have, and a crowd that does everything at once: each hears the
//! answer to its own request or an error, and nothing is left behind. P19, P20, P1.
#![cfg(feature = "process")]

mod support;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bgt_pool::{Answer, BuildError, CallError, Error, ErrorKind, PoolError, Request, Runs, WorkerPool};
use bgt_testkit::{Ledger, Scratch, assert_gone, read_pids};
use support::{HANG, bad_worker, echo, soon};

/// What the future answers if it is polled so often at most; else it is dropped.
async fn polled<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let (mut future, mut left) = (pin!(future), times);
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// In which state the caller finds the pool, and what it asks.
#[derive(Clone, Copy, Debug)]
enum Way {
    Cold,
    Warm,
    /// Somebody else has the only worker.
    Busy,
    /// More than the pipe takes at once.
    Large,
    /// Its deadline passes in the middle of it.
    Deadline,
    /// The same, and the worker obeys.
    Obeyed,
}

async fn call(pool: &WorkerPool, way: Way) -> Result<Answer, Error> {
    let soon = Duration::from_millis(20);
    match way {
        Way::Large => pool.call(["echo".to_owned(), "x".repeat(1 << 20)]).await,
        Way::Deadline => pool.call(["hang"]).deadline(soon).await,
        Way::Obeyed => pool.call(["when-cancelled", "obey"]).deadline(soon).await,
        Way::Cold | Way::Warm | Way::Busy => pool.call(["echo", "hers"]).await,
    }
}

#[tokio::test]
async fn a_caller_dropped_at_any_await_leaves_no_answer_to_the_next() {
    for way in [Way::Cold, Way::Warm, Way::Busy, Way::Large, Way::Deadline, Way::Obeyed] {
        let mut cut_short = 0;
        for times in 0.. {
            assert!(times < 200, "{way:?} never ends");
            let scratch = Scratch::new();
            let pids = scratch.text("pids");
            let builder = bad_worker(&["pids-to", &pids]).size(1).grace(Duration::from_millis(20));
            let pool = builder.build().unwrap();
            if !matches!(way, Way::Cold) {
                echo(&pool, "before").await;
            }
            let over = if let Way::Busy = way {
                let other = pool.call(["echo", "his"]);
                let (other, over) = tokio::join!(other.into_future(), polled(call(&pool, way), times));
                assert_eq!(other.unwrap().text(), "his");
                over
            } else {
                soon(polled(call(&pool, way), times)).await
            };
            match &over {
                None => cut_short += 1,
                Some(Ok(answer)) => assert!(answer.text() == "hers" || answer.text().len() == 1 << 20),
                Some(Err(error)) => assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}"),
            }
            for text in ["mine", "mine too"] {
                echo(&pool, text).await;
            }
            let metrics = pool.metrics();
            let what = format!("{way:?} after {times} polls: {metrics:?}");
            assert_eq!(
                (metrics.live, metrics.in_use, metrics.queued, metrics.making),
                (1, 0, 0, 0),
                "{what}"
            );
            assert_eq!(metrics.made - metrics.retired_in_all(), 1, "{what}");
            soon(pool.drain(HANG)).await;
            assert_eq!((pool.pids(), pool.metrics().live), (vec![], 0), "{what}");
            assert_gone(&read_pids(scratch.path("pids")), HANG);
            if over.is_some() {
                break;
            }
        }
        assert!(cut_short >= 2, "{way:?}: only {cut_short} awaits");
    }
}

#[tokio::test]
async fn a_caller_dropped_while_it_writes_leaves_a_worker_that_is_killed_at_once() {
    let scratch = Scratch::new();
    let pids = scratch.text("pids");
    // It never reads, and were it asked to end it could take ten minutes.
    let builder = bad_worker(&["pids-to", &pids, "then", "hang"]).command(|command| command.grace(10 * HANG));
    let pool = builder.size(1).build().unwrap();
    let call = tokio::spawn(pool.call(["echo".to_owned(), "x".repeat(1 << 20)]).into_future());
    let started = Ledger::at(scratch.path("pids"));
    drop(tokio::task::spawn_blocking(move || started.wait_for_lines(1, HANG)).await.unwrap());
    while pool.metrics().in_use == 0 {
        tokio::task::yield_now().await;
    }
    call.abort();
    let pids = read_pids(scratch.path("pids"));
    tokio::task::spawn_blocking(move || assert_gone(&pids, HANG)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_hears_each_its_own() {
    let scratch = Scratch::new();
    let pids = scratch.text("pids");
    let builder = bad_worker(&["pids-to", &pids]).size(3).min_idle(1).max_requests(50);
    let pool = builder.grace(Duration::from_millis(20)).queue(usize::MAX).build().unwrap();
    let callers = (0..12).map(|caller| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut answered = 0;
            for round in 0..60 {
                let text = format!("{caller}.{round}");
                let nasty = match fastrand::u32(0..24) {
                    0 => Some(vec!["twice"]),
                    1 => Some(vec!["exit", "1"]),
                    2 => Some(vec!["hang"]),
                    3 => Some(vec!["early"]),
                    4 => Some(vec!["then-print", "stray"]),
                    5 => Some(vec!["half"]),
                    _ => None,
                };
                if let Some(request) = nasty {
                    let _ = pool.call(request).deadline(Duration::from_millis(50)).await;
                    continue;
                }
                let call = pool.call(["echo", &text]).into_future();
                let outcome = if fastrand::u32(0..8) == 0 {
                    polled(call, fastrand::usize(0..4)).await
                } else {
                    Some(soon(call).await)
                };
                match outcome {
                    Some(Ok(answer)) => {
                        assert_eq!(answer.text(), text);
                        answered += 1;
                    }
                    Some(Err(error)) => assert!(
                        error.find::<CallError>().is_some() || error.find::<PoolError>().is_some(),
                        "{error:?}"
                    ),
                    None => {}
                }
            }
            answered
        })
    });
    let mut answered = 0;
    for caller in callers.collect::<Vec<_>>() {
        answered += caller.await.unwrap();
    }
    assert!(answered > 200, "only {answered} of 720 were answered");
    assert_eq!(soon(pool.drain(HANG)).await.left, 0);
    let metrics = pool.metrics();
    assert_eq!((metrics.live, metrics.in_use, metrics.queued), (0, 0, 0), "{metrics:?}");
    assert_eq!(metrics.made, metrics.retired_in_all(), "{metrics:?}");
    let pids = read_pids(scratch.path("pids"));
    // One that is killed as soon as it is started may not have come to writing itself down; those that were being started
    // when the pool was drained were never made.
    assert!(pids.len() as u64 <= metrics.made + 3, "{} started themselves, {metrics:?}", pids.len());
    assert!(pool.pids().is_empty());
    assert_gone(&pids, HANG);
}

#[tokio::test]
async fn a_full_queue_answers_at_once_with_its_depth() {
    let pool = bad_worker(&[]).size(1).queue(2).grace(Duration::ZERO).build().unwrap();
    echo(&pool, "warm").await;
    let calls: Vec<_> = (0..3)
        .map(|_| tokio::spawn(pool.call(["hang"]).deadline(Duration::from_millis(300)).into_future()))
        .collect();
    while pool.metrics().queued < 2 {
        tokio::task::yield_now().await;
    }
    let error = pool.call(["echo", "x"]).await.unwrap_err();
    assert!(matches!(error.find(), Some(PoolError::QueueFull { depth: 2, .. })), "{error:?}");
    for call in calls {
        assert_eq!(soon(call).await.unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
    }
    soon(pool.drain(HANG)).await;
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_anybody_is_asked() {
    let pool = bad_worker(&[]).size(1).build().unwrap();
    let long = soon(async { pool.call(["echo".to_owned(), "x".repeat(16 << 20)]).await }).await.unwrap_err();
    assert!(matches!(long.find(), Some(CallError::RequestTooLong { .. })), "{long:?}");
    let keys = std::collections::BTreeMap::from([((1, 2), 3)]);
    let odd = soon(async { pool.call(Request::new().arg(&keys)).await }).await.unwrap_err();
    assert!(matches!(odd.find(), Some(CallError::NotJson { .. })), "{odd:?}");
    assert_eq!((long.kind(), odd.kind(), pool.metrics().made), (ErrorKind::Invalid, ErrorKind::Invalid, 0));
    let nearly = "x".repeat((16 << 20) - 200);
    let answer = soon(async { pool.call(["echo", &nearly]).await }).await.unwrap();
    assert_eq!(answer.text().len(), nearly.len());
}

#[tokio::test]
async fn a_failure_of_the_work_is_told_and_the_worker_serves_on() {
    let pool = bad_worker(&[]).size(1).build().unwrap();
    let error = soon(async { pool.call(["fail", "3", "no such row"]).await }).await.unwrap_err();
    match error.find() {
        Some(CallError::Failed { exit_code, output }) => {
            assert_eq!((*exit_code, &*output.text()), (3, "no such row"));
        }
        _ => panic!("{error:?}"),
    }
    assert_eq!((error.kind(), error.tail()), (ErrorKind::Failed, Some("no such row")));
    echo(&pool, "on").await;
    assert_eq!(pool.metrics().made, 1);
}

#[tokio::test]
async fn a_worker_that_says_ready_is_waited_for_and_its_version_looked_at() {
    let ready = bad_worker(&["worker-ready", "1"]).size(1).says_ready(true).build().unwrap();
    echo(&ready, "x").await;
    // Also when nobody waits for it.
    let unasked = bad_worker(&["worker-ready", "1"]).size(1).build().unwrap();
    echo(&unasked, "x").await;
    echo(&unasked, "y").await;
    for (first, wanted) in [
        (&["worker-ready", "2"][..], "version 2"),
        (&["print", "hello"], "no answer"),
        (&["eprint", "no model", "then", "exit", "5"], "exit code 5"),
    ] {
        let pool = bad_worker(first).size(1).says_ready(true).build().unwrap();
        let error = soon(async { pool.call(["echo", "x"]).await }).await.unwrap_err();
        assert!(matches!(error.find(), Some(PoolError::Create { .. })), "{error:?}");
        assert!(format!("{error:#}").contains(wanted), "{error:#}");
        if first[0] == "eprint" {
            assert_eq!(error.tail(), Some("no model"));
        }
    }
    let slow =
        bad_worker(&["hang"]).size(1).says_ready(true).start_deadline(Duration::from_millis(50)).build();
    let error = soon(async { slow.unwrap().call(["echo", "x"]).await }).await.unwrap_err();
    assert!(matches!(error.find(), Some(PoolError::CreateDeadline { .. })), "{error:?}");
}

#[tokio::test]
async fn a_command_that_cannot_be_started_is_told_with_its_cause() {
    let pool = WorkerPool::builder(bgt_pool::Command::new("no-such-worker")).size(1).build().unwrap();
    let error = soon(async { pool.call("x").await }).await.unwrap_err();
    assert!(error.find::<bgt_pool::CommandError>().is_some(), "{error:?}");
}

#[tokio::test]
async fn calls_are_runs_that_are_watched() {
    let runs = Runs::new();
    let observer = std::sync::Arc::new(runs.clone());
    let pool = bad_worker(&[]).name("echoes").size(1).observer(observer).build().unwrap();
    echo(&pool, "x").await;
    let run = &runs.recent()[0];
    assert_eq!((&*run.name, run.pattern), ("echoes", bgt_pool::Pattern::Pooled));
    let said = pool.call(["echo", "x"]).dry_run().await.unwrap();
    assert_eq!(said, r#"ask a worker of the pool echoes ["echo","x"]"#);
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_by_the_names_they_have_here() {
    let builder = || bad_worker(&[]).size(1);
    for (zero, name) in [
        (builder().max_requests(0), "max_requests"),
        (builder().max_memory(0), "max_memory"),
        (builder().start_deadline(Duration::ZERO), "start_deadline"),
        (builder().request_deadline(Duration::ZERO), "request_deadline"),
    ] {
        match zero.build() {
            Err(BuildError::Zero { what }) => assert_eq!(what, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    for handler in ["", "score", "score:", ":score"] {
        let error = WorkerPool::python(handler).build().unwrap_err();
        assert!(matches!(&error, BuildError::Handler { handler: named } if named == handler), "{error:?}");
        assert!(error.to_string().contains("module:function"), "{error}");
    }
}

#[tokio::test]
async fn a_request_is_a_task_for_other_patterns_too() {
    let pool = bad_worker(&[]).size(1).build().unwrap();
    let run = bgt_pool::run(pool.task(["echo", "over there"]));
    assert_eq!(soon(run.into_future()).await.unwrap().text(), "over there");
    let look = pool.downgrade();
    assert_eq!(look.upgrade().unwrap().pids(), pool.pids());
    pool.drain(HANG).await;
    drop(pool);
    assert!(look.upgrade().is_none());
}
