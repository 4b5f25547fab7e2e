//! Workers with every bad habit: no wrong answer ever reaches a caller, the pool heals, nobody survives, the books are
//! right. P19, P1, P2.
#![cfg(feature = "process")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bgt_pool::{CallError, CallStop, Cancel, Error, ErrorKind, Exit, Retired, Secret, WorkerPool};
use bgt_testkit::{Ledger, Scratch, Sentinel, alive, assert_gone, read_pids};
use support::{HANG, ask, bad_worker, echo, soon};

/// One worker that writes its pids down.
fn one(scratch: &Scratch) -> WorkerPool {
    let pids = scratch.text("pids");
    bad_worker(&["pids-to", &pids]).size(1).grace(Duration::from_millis(200)).build().unwrap()
}

async fn attack(pool: &WorkerPool, request: &[&str]) -> Result<String, Error> {
    let answer = soon(ask(pool, request)).await?;
    Ok(answer.text().into_owned())
}

/// Whether this request is to close stdout where nobody can see that it does.
fn cannot_close(test: &str, request: &[&str]) -> bool {
    let cannot = bgt_testkit::under_wine() && request[0].contains("close");
    if cannot {
        let name = format!("{test}: {}", request[0]);
        bgt_testkit::skip!(name, "the console host of Wine 8 inherits the program's streams");
    }
    cannot
}

/// Waits until a file has so many lines. The runtime has one thread, which must not be blocked by the wait.
async fn lines(scratch: &Scratch, file: &str, count: usize) {
    let ledger = Ledger::at(scratch.path(file));
    drop(tokio::task::spawn_blocking(move || ledger.wait_for_lines(count, HANG)).await.unwrap());
}

/// The pool is whole again: the next callers get what they asked for, of a worker that is not the old one; every process
/// that was ever started is gone after a drain, and the books say so.
async fn healed(pool: &WorkerPool, scratch: &Scratch, workers: u64) {
    for text in ["a", "b", "c"] {
        echo(pool, text).await;
    }
    let metrics = pool.metrics();
    assert_eq!((metrics.live, metrics.in_use, metrics.queued), (1, 0, 0), "{metrics:?}");
    assert_eq!((metrics.made, metrics.retired_in_all()), (workers, workers - 1), "{metrics:?}");
    assert_eq!(soon(pool.drain(HANG)).await.left, 0);
    assert_eq!((pool.pids(), pool.metrics().live), (vec![], 0));
    assert_gone(&read_pids(scratch.path("pids")), HANG);
}

#[tokio::test]
async fn what_is_no_answer_ends_the_worker_and_reaches_nobody() {
    type Check = fn(&CallError) -> bool;
    let cases: [(&[&str], Check); 9] = [
        (&["exit", "3"], |error| matches!(error, CallError::Crashed { exit: Exit::Code(3), .. })),
        (&["half-exit", "4"], |error| matches!(error, CallError::Crashed { exit: Exit::Code(4), .. })),
        (&["print", "stray"], |error| matches!(error, CallError::Garbage { line, .. } if line == "stray")),
        (&["invalid-utf8"], |error| matches!(error, CallError::Garbage { .. })),
        (&["half-character"], |error| matches!(error, CallError::Garbage { .. })),
        (
            &["wrong-id"],
            |error| matches!(error, CallError::OutOfTurn { asked, answered, .. } if asked ^ 1 == *answered),
        ),
        (&["close-stdout"], |error| matches!(error, CallError::OutputClosed { .. })),
        (&["long", "16M"], |error| matches!(error, CallError::AnswerTooLong { .. })),
        (&["worker-ready", "1"], |error| matches!(error, CallError::Garbage { .. })),
    ];
    for (request, wanted) in cases {
        if cannot_close("what_is_no_answer_ends_the_worker_and_reaches_nobody", request) {
            continue;
        }
        let scratch = Scratch::new();
        let pool = one(&scratch);
        echo(&pool, "before").await;
        attack(&pool, &["eprint", "its last words"]).await.unwrap();
        let error = attack(&pool, request).await.unwrap_err();
        let found = error.find().unwrap_or_else(|| panic!("{request:?}: {error:?}"));
        assert!(wanted(found), "{request:?}: {error:?}");
        assert_eq!(error.kind(), ErrorKind::Failed, "{request:?}");
        assert_eq!(error.tail(), Some("its last words"), "{request:?}");
        healed(&pool, &scratch, 2).await;
    }
}

#[tokio::test]
async fn a_death_by_signal_is_told() {
    if cfg!(windows) {
        bgt_testkit::skip!("a_death_by_signal_is_told", "there are no signals");
        return;
    }
    let scratch = Scratch::new();
    let pool = one(&scratch);
    let error = attack(&pool, &["signal", "SEGV"]).await.unwrap_err();
    assert!(error.to_string().contains("failed"), "{error}");
    assert!(format!("{error:#}").contains("SIGSEGV"), "{error:#}");
    healed(&pool, &scratch, 2).await;
}

#[tokio::test]
async fn an_answer_too_many_too_early_or_too_late_reaches_nobody() {
    for request in
        [&["twice"][..], &["early"], &["then-print", "stray"], &["then-close"], &["then-exit", "0"]]
    {
        if cannot_close("an_answer_too_many_too_early_or_too_late_reaches_nobody", request) {
            continue;
        }
        let scratch = Scratch::new();
        let pool = one(&scratch);
        let first = attack(&pool, request).await.unwrap();
        assert!(first == "in turn" || first == "once", "{request:?}: {first}");
        // Whether it was noticed before the next one is asked or after: never another answer than its own.
        match attack(&pool, &["echo", "mine"]).await {
            Ok(text) => assert_eq!(text, "mine", "{request:?}"),
            Err(error) => assert!(error.find::<CallError>().is_some(), "{request:?}: {error:?}"),
        }
        healed(&pool, &scratch, 2).await;
    }
}

#[tokio::test]
async fn the_answer_to_an_earlier_request_is_out_of_turn() {
    let scratch = Scratch::new();
    let pool = one(&scratch);
    assert_eq!(attack(&pool, &["late", "the first once more"]).await.unwrap(), "in turn");
    let error = attack(&pool, &["echo", "mine"]).await.unwrap_err();
    assert!(matches!(error.find(), Some(CallError::OutOfTurn { .. })), "{error:?}");
    healed(&pool, &scratch, 2).await;
}

#[tokio::test]
async fn a_worker_that_hangs_is_killed_with_its_tree_after_the_grace() {
    let mut sentinel = Sentinel::start();
    for request in [&["hang"][..], &["half"], &["stubborn-grandchild", "300"]] {
        let scratch = Scratch::new();
        let pool = one(&scratch);
        attack(&pool, &["eprint", "so far so good"]).await.unwrap();
        if request[0] == "stubborn-grandchild" {
            attack(&pool, request).await.unwrap();
        }
        let hang = if request[0] == "half" { ["half"] } else { ["hang"] };
        let error =
            soon(async { pool.call(hang).deadline(Duration::from_millis(100)).await }).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
        assert!(matches!(error.find(), Some(CallError::Stopped { how: CallStop::Killed, .. })), "{error:?}");
        assert_eq!(error.tail(), Some("so far so good"));
        assert_gone(&read_pids(scratch.path("pids")), HANG);
        healed(&pool, &scratch, 2).await;
    }
    sentinel.assert_alive();
}

#[tokio::test]
async fn a_worker_that_obeys_a_cancel_is_not_used_again_all_the_same() {
    for (how, wanted) in [("obey", None), ("answer", Some("after all"))] {
        let scratch = Scratch::new();
        let pids = scratch.text("pids");
        let pool = bad_worker(&["pids-to", &pids]).size(1).grace(HANG).build().unwrap();
        let call = pool.call(["when-cancelled", how]).deadline(Duration::from_millis(50));
        match (soon(call.into_future()).await, wanted) {
            (Ok(answer), Some(wanted)) => assert_eq!(answer.text(), wanted),
            (Err(error), None) => {
                let found = error.find();
                assert!(matches!(found, Some(CallError::Stopped { how: CallStop::Obeyed, .. })), "{error:?}");
                assert_eq!(error.kind(), ErrorKind::TimedOut);
            }
            other => panic!("{how}: {other:?}"),
        }
        healed(&pool, &scratch, 2).await;
    }
}

#[tokio::test]
async fn a_second_cancel_skips_the_grace() {
    let scratch = Scratch::new();
    let pids = scratch.text("pids");
    let pool = bad_worker(&["pids-to", &pids]).size(1).grace(10 * HANG).build().unwrap();
    let cancel = Cancel::new();
    let call = pool.call(["append-and-hang", &scratch.text("ledger"), "asked"]).cancel(&cancel);
    let call = tokio::spawn(call.into_future());
    lines(&scratch, "ledger", 1).await;
    cancel.cancel();
    tokio::task::yield_now().await;
    cancel.cancel();
    let error = soon(call).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error:?}");
    healed(&pool, &scratch, 2).await;
}

#[tokio::test]
async fn a_worker_killed_from_outside_is_replaced_whether_idle_or_at_work() {
    let scratch = Scratch::new();
    let pool = one(&scratch);
    echo(&pool, "before").await;
    kill(pool.pids()[0]);
    // On Windows a pipe that nobody reads any more may take one more write: then nobody can know whether it was read.
    match attack(&pool, &["echo", "after an idle one was killed"]).await {
        Ok(text) => assert_eq!(text, "after an idle one was killed"),
        Err(error) => {
            let known = matches!(error.find(), Some(CallError::Crashed { .. })) && cfg!(windows);
            assert!(known, "{error:?}");
            echo(&pool, "after an idle one was killed").await;
        }
    }
    let call = pool.call(["append-and-hang", &scratch.text("ledger"), "asked"]);
    let call = tokio::spawn(call.into_future());
    lines(&scratch, "ledger", 1).await;
    kill(pool.pids()[0]);
    let error = soon(call).await.unwrap().unwrap_err();
    assert!(matches!(error.find(), Some(CallError::Crashed { .. })), "{error:?}");
    healed(&pool, &scratch, 3).await;
}

fn kill(pid: u32) {
    let killed = if cfg!(windows) {
        std::process::Command::new("taskkill").args(["/F", "/PID", &pid.to_string()]).output()
    } else {
        std::process::Command::new("kill").args(["-9", &pid.to_string()]).output()
    };
    assert!(killed.unwrap().status.success());
    assert_gone(&[pid], HANG);
}

#[tokio::test]
async fn an_idle_worker_that_ends_or_closes_its_output_is_noticed_while_nobody_asks() {
    for request in [&["then-exit", "7"][..], &["then-close"], &["then-print", "stray"]] {
        let name = "an_idle_worker_that_ends_or_closes_its_output_is_noticed_while_nobody_asks";
        if cannot_close(name, request) {
            continue;
        }
        let scratch = Scratch::new();
        let pids = scratch.text("pids");
        let pool = bad_worker(&["pids-to", &pids]).size(1).min_idle(1).build().unwrap();
        attack(&pool, request).await.unwrap();
        lines(&scratch, "pids", 2).await;
        assert_gone(&read_pids(scratch.path("pids"))[..1], HANG);
        soon(pool.warm()).await.unwrap();
        assert_eq!(pool.metrics().retired(Retired::Broken), 1, "{request:?} {:?}", pool.metrics());
        healed(&pool, &scratch, 2).await;
    }
}

#[tokio::test]
async fn a_worker_that_grows_is_replaced_between_requests() {
    if !cfg!(any(target_os = "linux", windows)) {
        bgt_testkit::skip!("a_worker_that_grows_is_replaced_between_requests", "this system does not tell");
        return;
    }
    let scratch = Scratch::new();
    let pids = scratch.text("pids");
    let pool = bad_worker(&["pids-to", &pids]).size(1).max_memory(100 << 20).build().unwrap();
    attack(&pool, &["alloc", "10"]).await.unwrap();
    echo(&pool, "still the first").await;
    assert_eq!(pool.metrics().made, 1);
    attack(&pool, &["alloc", "100"]).await.unwrap();
    // It serves until the other one is there.
    lines(&scratch, "pids", 2).await;
    let first = read_pids(scratch.path("pids"))[0];
    soon(async {
        while attack(&pool, &["pid"]).await.unwrap() == first.to_string() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(pool.metrics().retired(Retired::Worn), 1);
    healed(&pool, &scratch, 2).await;
}

#[tokio::test]
async fn a_flood_on_stderr_blocks_nobody_and_is_not_kept() {
    let scratch = Scratch::new();
    let pool = one(&scratch);
    assert_eq!(attack(&pool, &["eflood", "20M"]).await.unwrap(), "done");
    attack(&pool, &["eprint", "the end"]).await.unwrap();
    let error = attack(&pool, &["exit", "1"]).await.unwrap_err();
    let tail = error.tail().unwrap();
    assert!(tail.ends_with("the end") && tail.len() < 5000, "{} bytes", tail.len());
    healed(&pool, &scratch, 2).await;
}

#[tokio::test]
async fn workers_that_end_at_once_trip_the_pool_which_shows_their_stderr() {
    let pool = bad_worker(&["eprint", "no model file", "then", "exit", "2"]).size(1);
    let pool = pool.backoff(bgt_pool::Backoff::default().trip(3)).build().unwrap();
    let mut crashes = 0;
    let error = loop {
        let error = attack(&pool, &["echo", "x"]).await.unwrap_err();
        match error.find() {
            Some(bgt_pool::PoolError::CrashLoop { .. }) => break error,
            _ => crashes += 1,
        }
        assert!(crashes <= 3, "{error:?}");
    };
    assert_eq!(error.tail(), Some("no model file"), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Start);
    assert!(format!("{error:#}").contains("exit code 2"), "{error:#}");
    soon(pool.drain(HANG)).await;
    assert!(pool.pids().is_empty());
}

#[tokio::test]
async fn a_drain_that_has_waited_long_enough_kills() {
    let scratch = Scratch::new();
    let pool = one(&scratch);
    echo(&pool, "before").await;
    attack(&pool, &["quiet-grandchild", "300"]).await.unwrap();
    let call = pool.call(["append-and-hang", &scratch.text("ledger"), "asked"]);
    let call = tokio::spawn(call.into_future());
    lines(&scratch, "ledger", 1).await;
    let pids = read_pids(scratch.path("pids"));
    soon(pool.drain(Duration::from_millis(100))).await;
    assert!(soon(call).await.unwrap().is_err());
    assert!(pool.pids().is_empty());
    assert_gone(&pids, HANG);
}

#[tokio::test]
async fn a_pool_that_is_dropped_lets_idle_workers_end_and_kills_stubborn_ones() {
    let scratch = Scratch::new();
    let pids = scratch.text("pids");
    // Warm is a worker that has written its pid down.
    let pool = bad_worker(&["pids-to", &pids, "then", "worker-ready", "1"]).says_ready(true);
    let pool = pool.command(|command| command.grace(Duration::from_millis(100)));
    let pool = pool.size(2).min_idle(2).build().unwrap();
    soon(pool.warm()).await.unwrap();
    // One has a grandchild that holds its pipes.
    attack(&pool, &["quiet-grandchild", "300"]).await.unwrap();
    let pids = read_pids(scratch.path("pids"));
    assert_eq!(pids.len(), 3);
    assert!(pids.iter().all(|pid| alive(*pid)));
    drop(pool);
    // The runtime has one thread, and it is the runtime that ends them.
    tokio::task::spawn_blocking(move || assert_gone(&pids, HANG)).await.unwrap();
}

#[tokio::test]
async fn a_secret_that_a_worker_prints_is_in_no_error() {
    let secret = "hunter2-of-the-pool";
    for request in [&["print", secret][..], &["exit", "1"]] {
        let pool = bad_worker(&[])
            .command(|command| command.env_secret("TOKEN", Secret::literal(secret)))
            .size(1)
            .build()
            .unwrap();
        attack(&pool, &["eprint", secret]).await.unwrap();
        let error = attack(&pool, request).await.unwrap_err();
        assert!(error.find::<CallError>().is_some(), "{error:?}");
        let shown = format!("{error:#} {error:?} {:?} {pool:?}", error.tail());
        assert!(!shown.contains(secret), "{shown}");
        assert!(error.tail().is_some_and(|tail| !tail.is_empty()), "{error:?}");
    }
}

#[tokio::test]
async fn a_worker_that_is_not_needed_any_more_may_finish_when_its_input_ends() {
    let scratch = Scratch::new();
    let (ledger, go) = (scratch.text("ledger"), scratch.text("go"));
    let verbs = ["worker", "then", "append", &ledger, "ending", "then", "wait-file", &go];
    let (program, args) = bgt_testkit::bad(verbs.into_iter().chain(["then", "append", &ledger, "finished"]));
    let worker = bgt_pool::Command::new(program).args(args).grace(HANG);
    let pool = WorkerPool::builder(worker).size(1).build().unwrap();
    echo(&pool, "x").await;
    let finish = async {
        lines(&scratch, "ledger", 1).await;
        std::fs::write(&go, "").unwrap();
    };
    let (drained, ()) = soon(async { tokio::join!(pool.drain(HANG), finish) }).await;
    assert_eq!(drained.left, 0);
    assert_eq!(Ledger::at(scratch.path("ledger")).lines(), ["ending", "finished"]);
}

#[tokio::test]
async fn what_a_worker_prints_to_stderr_is_logged_without_its_secrets() {
    let (log, secret) = (Log::default(), "hunter2-of-the-pool");
    let subscriber = tracing_subscriber::fmt().with_writer({
        let log = log.clone();
        move || log.clone()
    });
    // Of this thread, and so of all that this test's runtime does.
    let _logged = tracing::subscriber::set_default(subscriber.finish());
    let pool = bad_worker(&[]).command(|command| command.env_secret("TOKEN", Secret::literal(secret)));
    let pool = pool.size(1).build().unwrap();
    for text in ["so far so good", secret] {
        attack(&pool, &["eprint", text]).await.unwrap();
    }
    attack(&pool, &["exit", "1"]).await.unwrap_err();
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("so far so good") && log.contains("pool=bad"), "{log}");
    assert!(!log.contains(secret), "{log}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
