//! Workers at their edges: half-written requests, words out of turn, ends that take their time, drains. P19, P1.
#![cfg(feature = "process")]

mod support;

use std::time::Duration;

use bgt_pool::{CallError, CallStop, Command, Error, ErrorKind, Retired, Retry, WorkerPool};
use bgt_testkit::{Ledger, Scratch, assert_gone, read_pids};
use support::{HANG, ask, bad_worker, echo, soon};

/// A worker of these verbs, with the time to end of its command.
fn worker(verbs: &[&str], grace: Duration) -> bgt_pool::WorkerBuilder {
    let (program, args) = bgt_testkit::bad(verbs.to_vec());
    WorkerPool::builder(Command::new(program).args(args).grace(grace))
}

async fn told(pool: &WorkerPool, request: &[&str]) -> Result<String, Error> {
    let answer = soon(ask(pool, request)).await?;
    Ok(answer.text().into_owned())
}

#[tokio::test]
async fn a_worker_that_answers_what_it_has_not_read_serves_nobody_after_that() {
    let pool = worker(&["worker-hasty"], HANG).size(1).build().unwrap();
    let long = "x".repeat(1 << 20);
    assert_eq!(told(&pool, &["echo", &long]).await.unwrap(), "hasty");
    // Another worker, as hasty: the rest of the first request is in nobody's input.
    assert_eq!(told(&pool, &["echo", &long]).await.unwrap(), "hasty");
    assert_eq!(pool.metrics().made, 2);
    soon(pool.drain(HANG)).await;
}

#[tokio::test]
async fn what_a_worker_says_after_its_answer_reaches_nobody_whole_or_half() {
    for request in [["then-half", "oops"], ["then-print", "oops"], ["then-later-half", "oops"]] {
        let pool = bad_worker(&[]).size(1).build().unwrap();
        assert_eq!(told(&pool, &request).await.unwrap(), "in turn");
        if request[0] == "then-later-half" {
            // It comes while nobody asks.
            let noticed = async {
                while pool.metrics().retired(Retired::Broken) == 0 {
                    tokio::task::yield_now().await;
                }
            };
            soon(noticed).await;
        }
        for _ in 0..3 {
            echo(&pool, "hers").await;
        }
        let metrics = pool.metrics();
        assert_eq!((metrics.made, metrics.retired(Retired::Broken)), (2, 1), "{request:?}: {metrics:?}");
        soon(pool.drain(HANG)).await;
    }
}

#[tokio::test]
async fn a_cancel_that_nobody_asked_for_is_no_answer() {
    let pool = bad_worker(&[]).size(1).build().unwrap();
    let error = told(&pool, &["interrupted"]).await.unwrap_err();
    assert!(matches!(error.find(), Some(CallError::Interrupted { .. })), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Failed);
    echo(&pool, "on").await;
    assert_eq!(pool.metrics().made, 2);
    soon(pool.drain(HANG)).await;
}

#[tokio::test]
async fn the_last_words_of_a_worker_that_obeyed_are_told() {
    let pool = bad_worker(&[]).size(1).grace(HANG).build().unwrap();
    told(&pool, &["eprint", "so far so good"]).await.unwrap();
    let call = pool.call(["when-cancelled", "obey"]).deadline(Duration::from_millis(50));
    let error = soon(call.into_future()).await.unwrap_err();
    assert!(matches!(error.find(), Some(CallError::Stopped { how: CallStop::Obeyed, .. })), "{error:?}");
    assert_eq!(error.tail(), Some("so far so good"));
    soon(pool.drain(HANG)).await;
}

#[tokio::test]
async fn a_deadline_ends_the_wait_for_another_worker_too() {
    let scratch = Scratch::new();
    let flag = scratch.text("flag");
    // The first cannot be asked; whoever comes after it is never ready.
    let verbs = ["first-only", &flag, "then", "close-stdin", "then", "worker-ready", "1", "then", "hang"];
    // On Windows a pipe that nobody reads takes one more write, so that the first counts as asked.
    let grace = if cfg!(windows) { Duration::from_millis(100) } else { 10 * HANG };
    let pool = worker(&verbs, HANG).says_ready(true).grace(grace).size(1).build().unwrap();
    let call = pool.call(["echo", "x"]).deadline(Duration::from_secs(1)).retry(Retry::attempts(3));
    let error = soon(call.into_future()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
    let how = if cfg!(windows) { CallStop::Killed } else { CallStop::NotAsked };
    assert!(
        matches!(error.find(), Some(CallError::Stopped { how: found, .. }) if *found == how),
        "{error:?}"
    );
    soon(pool.drain(Duration::ZERO)).await;
}

#[tokio::test]
async fn workers_that_take_their_time_to_end_are_no_more_than_one() {
    let scratch = Scratch::new();
    let go = scratch.text("go");
    let pool = worker(&["worker", "then", "wait-file", &go], HANG);
    let pool = pool.size(2).max_requests(1).jitter(0.0).build().unwrap();
    for _ in 0..100 {
        echo(&pool, "x").await;
        assert!(pool.pids().len() <= 3, "{:?}", pool.metrics());
    }
    assert!(pool.metrics().ending >= 1, "{:?}", pool.metrics());
    std::fs::write(&go, "").unwrap();
    soon(pool.drain(Duration::ZERO)).await;
    assert_eq!((pool.metrics().live, pool.metrics().ending), (0, 0));
}

#[tokio::test]
async fn a_drain_leaves_idle_workers_their_own_time_to_end() {
    let scratch = Scratch::new();
    let (ledger, go) = (scratch.text("ledger"), scratch.text("go"));
    let verbs = ["worker", "then", "append", &ledger, "ending", "then", "wait-file", &go];
    let verbs: Vec<&str> = verbs.into_iter().chain(["then", "append", &ledger, "finished"]).collect();
    let pool = worker(&verbs, HANG).size(1).build().unwrap();
    echo(&pool, "x").await;
    let finish = tokio::task::spawn_blocking(move || {
        drop(Ledger::at(&ledger).wait_for_lines(1, HANG));
        std::fs::write(&go, "").unwrap();
    });
    // No time at all for callers, of whom there are none.
    assert_eq!(soon(pool.drain(Duration::ZERO)).await.left, 0);
    finish.await.unwrap();
    assert_eq!(Ledger::at(scratch.path("ledger")).lines(), ["ending", "finished"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_ends_when_the_last_process_is_gone_also_of_those_that_are_just_being_started() {
    for n in 0..20 {
        let scratch = Scratch::new();
        let pids = scratch.text("pids");
        let pool = worker(&["pids-to", &pids, "then", "hang"], Duration::ZERO).size(4).min_idle(4);
        let pool = pool.build().unwrap();
        tokio::time::sleep(Duration::from_micros(200 * n)).await;
        soon(pool.drain(Duration::ZERO)).await;
        assert!(pool.pids().is_empty(), "{n}: {:?}", pool.pids());
        if scratch.path("pids").exists() {
            for pid in read_pids(scratch.path("pids")) {
                assert!(!bgt_testkit::alive(pid), "{n}: {pid} is still there");
            }
        }
    }
}

#[tokio::test]
async fn a_worker_that_was_not_ready_in_time_is_killed() {
    let scratch = Scratch::new();
    let pids = scratch.text("pids");
    let pool = worker(&["pids-to", &pids, "then", "hang"], 10 * HANG).says_ready(true);
    let pool = pool.start_deadline(Duration::from_millis(200)).size(1).build().unwrap();
    soon(ask(&pool, &["echo", "x"])).await.unwrap_err();
    // Asked to end it would have ten minutes for that.
    soon(pool.drain(Duration::ZERO)).await;
    if scratch.path("pids").exists() {
        assert_gone(&read_pids(scratch.path("pids")), HANG);
    }
}
