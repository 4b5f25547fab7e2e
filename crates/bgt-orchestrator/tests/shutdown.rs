//! One end for everything: in order, nothing new, nothing durable lost, and by its deadline. P23.
#![cfg(feature = "full")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bgt_orchestrator::concurrent::batch;
use bgt_orchestrator::detached::Job;
use bgt_orchestrator::periodic::{ManualClock, Schedule, ScheduleError, Scheduler};
use bgt_orchestrator::pool::{Pool, PoolError, factory};
use bgt_orchestrator::{
    AtShutdown, CancelReason, Context, ErrorKind, Orchestrator, Outcome, Pattern, Request, RunQuery, Status,
    Task, TaskError, detached, task_fn,
};
use bgt_testkit::{Other, Scratch, assert_gone, hear, read_pids, role, say, wait_for_pids};
use support::{HANG, bad, soon};
use tokio::sync::Notify;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// Takes so long, or until it is asked to stop, and says what came of it.
fn work(name: &'static str, takes: Duration, book: &Book) -> impl Task<Output = ()> + use<> {
    let book = book.clone();
    task_fn(name, move |cx: Context| {
        let book = book.clone();
        async move {
            book.began.notify_one();
            tokio::select! {
                () = tokio::time::sleep(takes) => {
                    book.note(name, "done");
                    Ok(())
                }
                reason = cx.cancelled() => {
                    book.note(name, "asked");
                    Err(TaskError::msg(format!("{reason}")))
                }
            }
        }
    })
}

#[derive(Clone, Default)]
struct Book {
    notes: Arc<Mutex<Vec<(&'static str, &'static str)>>>,
    began: Arc<Notify>,
}

impl Book {
    fn note(&self, who: &'static str, what: &'static str) {
        self.notes.lock().unwrap().push((who, what));
    }

    fn notes(&self) -> Vec<(&'static str, &'static str)> {
        self.notes.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_at_work_finishes_what_is_watched_is_asked_and_nothing_new_starts() {
    let (bgt, book) = (Orchestrator::new(), Book::default());
    let simple = tokio::spawn(bgt.simple(work("simple", SECOND, &book)).into_future());
    book.began.notified().await;
    let streamed = bgt.streaming(work("streamed", 100 * SECOND, &book)).start();
    book.began.notified().await;
    let items = ["one", "two", "three", "four"].map(|name| work(name, 2 * SECOND, &book));
    let batch = tokio::spawn(bgt.concurrent(batch(items)).max_concurrent(2).into_future());
    book.began.notified().await;
    let schedule = Schedule::every(Duration::from_millis(500));
    let clock = ManualClock::new();
    let bgt = bgt.scheduled_by(Scheduler::builder().engine(clock.clone()));
    let periodic = bgt.periodic("periodic", schedule, work("periodic", SECOND, &book)).await.unwrap();
    periodic.run_now().unwrap();
    book.began.notified().await;

    let began = Instant::now();
    let end = bgt.shutdown(100 * SECOND).await;
    assert!(end.is_clean(), "{end}");
    assert_eq!(began.elapsed(), 2 * SECOND, "no longer than there was to wait for");
    assert!(simple.await.unwrap().is_ok());
    let error = streamed.await.unwrap_err();
    assert_eq!((error.kind(), error.cancel_reason()), (ErrorKind::Cancelled, Some(CancelReason::Shutdown)));
    let report = batch.await.unwrap().unwrap();
    assert_eq!((report.counts.succeeded, report.counts.skipped), (2, 2), "{report}");
    assert_eq!(periodic.statistics().succeeded, 1);
    let mut notes = book.notes();
    notes.sort_unstable();
    let done = ["one", "periodic", "simple"].map(|name| (name, "done"));
    assert_eq!(notes, [done[0], done[1], done[2], ("streamed", "asked"), ("two", "done")]);

    // By no door.
    let late = bgt.simple(work("late", SECOND, &book)).await.unwrap_err();
    assert_eq!(late.cancel_reason(), Some(CancelReason::Shutdown));
    let late = bgt.streaming(work("late", SECOND, &book)).start().await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Cancelled);
    let late = bgt.concurrent(bgt_orchestrator::concurrent::batch([work("late", SECOND, &book)])).await;
    assert_eq!(late.unwrap().counts.skipped, 1);
    let late = bgt.periodic("late", Schedule::every(SECOND), work("late", SECOND, &book)).await;
    assert!(matches!(late, Err(ScheduleError::Stopped)));
    let pool = bgt.pool(Pool::builder(factory(|| async { Ok::<_, std::io::Error>(1) })).size(1)).unwrap();
    tokio::task::yield_now().await;
    let late = pool.run(|one, _cx| async move { Ok(*one) }).await.unwrap_err();
    assert!(matches!(late.find(), Some(PoolError::Closed { .. })), "{late:?}");
    assert_eq!(book.notes().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_end_is_asked_and_then_forced_and_the_deadline_holds() {
    let (bgt, book) = (Orchestrator::new(), Book::default());
    let slow = tokio::spawn(bgt.simple(work("slow", 1000 * SECOND, &book)).into_future());
    book.began.notified().await;
    // Looks at its cancellation and does not care, for longer than there is.
    let stubborn = task_fn("stubborn", |cx: Context| async move {
        cx.cancelled().await;
        std::future::pending::<()>().await;
        Ok(())
    })
    .stop_budget(1000 * SECOND);
    let stubborn = tokio::spawn(bgt.simple(stubborn).into_future());
    tokio::task::yield_now().await;
    let began = Instant::now();
    let end = bgt.shutdown(10 * SECOND).await;
    assert!(end.is_clean(), "{end}");
    assert_eq!(began.elapsed(), 7 * SECOND, "forced after seven tenths");
    assert_eq!(slow.await.unwrap().unwrap_err().cancel_reason(), Some(CancelReason::Shutdown));
    assert_eq!(stubborn.await.unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(book.notes(), [("slow", "asked")]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nobody_polls_is_left_and_told() {
    let bgt = Orchestrator::new();
    let mut stuck = bgt.simple(task_fn("stuck", |_cx| std::future::pending::<Result<(), _>>())).into_future();
    // Taken up, and then forgotten by its owner.
    assert!(futures_poll(&mut stuck).await);
    let began = Instant::now();
    let end = bgt.shutdown(10 * SECOND).await;
    assert_eq!((end.left.len(), &*end.left[0].name), (1, "stuck"));
    assert!(began.elapsed() <= 10 * SECOND && !end.is_clean());
    assert!(end.to_string().contains("stuck (simple)"), "{end}");
}

async fn futures_poll<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending()))
        .await
}

#[tokio::test(start_paused = true)]
async fn patterns_are_asked_at_once_where_the_builder_says_so() {
    let bgt = Orchestrator::builder()
        .at_shutdown(Pattern::Simple, AtShutdown::Stop)
        .at_shutdown(Pattern::Streaming, AtShutdown::Finish)
        .build();
    let book = Book::default();
    let simple = tokio::spawn(bgt.simple(work("simple", SECOND, &book)).into_future());
    book.began.notified().await;
    let streamed = bgt.streaming(work("streamed", SECOND, &book)).start();
    book.began.notified().await;
    assert!(bgt.shutdown(100 * SECOND).await.is_clean());
    assert!(simple.await.unwrap().is_err() && streamed.await.is_ok());
    assert_eq!(book.notes(), [("simple", "asked"), ("streamed", "done")]);
}

#[tokio::test(start_paused = true)]
async fn pools_are_drained_after_those_who_use_them() {
    let bgt = Orchestrator::new();
    let make = factory(|| async { Ok::<_, std::io::Error>(7_u64) });
    let pool = bgt.pool(Pool::builder(make).name("sevens").size(1)).unwrap();
    let (inside, began) = (pool.clone(), Arc::new(Notify::new()));
    let told = began.clone();
    let user = task_fn("user", move |_cx| {
        let (pool, told) = (inside.clone(), told.clone());
        async move {
            told.notify_one();
            tokio::time::sleep(SECOND).await;
            // The shutdown has long begun.
            Ok(pool.run(|seven, _cx| async move { Ok(*seven) }).await?)
        }
    });
    let user = tokio::spawn(bgt.simple(user).into_future());
    began.notified().await;
    let end = bgt.shutdown(100 * SECOND).await;
    assert!(end.is_clean(), "{end}");
    assert_eq!(user.await.unwrap().unwrap(), 7);
    let late = pool.run(|seven, _cx| async move { Ok(*seven) }).await.unwrap_err();
    assert!(matches!(late.find(), Some(PoolError::Closed { .. })), "{late:?}");
}

#[tokio::test]
async fn detached_functions_are_handed_over_and_run_by_the_next_host() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let began = Arc::new(Notify::new());
    let told = began.clone();
    let first = move |cx: Context, (): ()| {
        let told = told.clone();
        async move {
            told.notify_one();
            let reason = cx.cancelled().await;
            Err::<u32, _>(bgt_orchestrator::Cancelled { reason }.into())
        }
    };
    let bgt = Orchestrator::open_with(detached::Builder::new().function("f", first), &path).await.unwrap();
    let id = bgt.detached(Job::call("f", &())).await.unwrap();
    soon(began.notified()).await;
    let end = soon(bgt.shutdown(HANG)).await;
    assert!(end.is_clean(), "{end}");
    assert!(matches!(bgt.detached(Job::call("f", &())).await, Err(detached::DetachedError::Closed)));
    drop(bgt);

    let second = |_cx: Context, (): ()| async { Ok(42_u32) };
    let bgt = Orchestrator::open_with(detached::Builder::new().function("f", second), &path).await.unwrap();
    let run = bgt.run(id).unwrap();
    assert_eq!(soon(run.wait()).await.unwrap().status, Status::Succeeded);
    assert_eq!(run.result::<u32>().await.unwrap(), 42);
    soon(bgt.shutdown(HANG)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_of_all_doors_are_gone_with_their_trees() {
    let scratch = Scratch::new();
    let (bgt, pids) = (Orchestrator::new(), scratch.path("pids"));
    let hang = || {
        bad([
            "ignore-term",
            "then",
            "pids-to",
            pids.to_str().unwrap(),
            "then",
            "stubborn-grandchild",
            "300",
            "then",
            "hang",
        ])
    };
    let simple = tokio::spawn(bgt.simple(hang()).into_future());
    let streamed = bgt.streaming(hang()).start();
    let many = tokio::spawn(bgt.concurrent(batch([hang(), hang()])).max_concurrent(2).into_future());
    let periodic = bgt.periodic("hang", Schedule::every(3600 * SECOND), hang()).await.unwrap();
    periodic.run_now().unwrap();
    let _ = wait_for_pids(&pids, 10, HANG);
    let end = soon(bgt.shutdown(Duration::ZERO)).await;
    assert_eq!(bgt.find(&RunQuery::new().active()).len(), end.left.len());
    assert!(simple.await.unwrap().is_err() && streamed.await.is_err());
    assert_eq!(many.await.unwrap().unwrap().counts.succeeded, 0);
    assert_gone(&read_pids(&pids), HANG);
}

#[tokio::test(start_paused = true)]
async fn what_was_made_before_and_is_awaited_later_does_not_start() {
    let bgt = Orchestrator::builder().at_shutdown(Pattern::Streaming, AtShutdown::Finish).build();
    let book = Book::default();
    let idle = bgt.simple(work("idle", SECOND, &book));
    let meanwhile = bgt.simple(work("meanwhile", SECOND, &book));
    let streamed = bgt.streaming(work("streamed", SECOND, &book));
    let busy = tokio::spawn(bgt.simple(work("busy", 2 * SECOND, &book)).into_future());
    book.began.notified().await;
    let stopping = tokio::spawn({
        let bgt = bgt.clone();
        async move { bgt.shutdown(100 * SECOND).await }
    });
    tokio::time::sleep(SECOND).await;
    assert_eq!(meanwhile.await.unwrap_err().cancel_reason(), Some(CancelReason::Shutdown));
    assert_eq!(streamed.start().await.unwrap_err().cancel_reason(), Some(CancelReason::Shutdown));
    assert!(stopping.await.unwrap().is_clean() && busy.await.unwrap().is_ok());
    assert_eq!(idle.await.unwrap_err().cancel_reason(), Some(CancelReason::Shutdown));
    assert_eq!(book.notes(), [("busy", "done")]);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_was_accepted_just_before_is_begun_and_one_after_is_not() {
    let (bgt, book) = (Orchestrator::new(), Book::default());
    let send = |name| bgt.execute(Request::task(work(name, SECOND, &book)).wait(false));
    send("in time").await.unwrap();
    // Not one step of it has been made.
    assert!(bgt.runs().active().is_empty());
    let end = bgt.shutdown(100 * SECOND).await;
    assert_eq!((end.is_clean(), end.elapsed), (true, SECOND), "{end}");
    assert_eq!(book.notes(), [("in time", "done")]);

    let mut events = bgt.events();
    send("late").await.unwrap();
    assert_eq!(support::ends(&mut events, 1).await[0].2, Status::Cancelled);
    assert_eq!(book.notes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_nobody_waits_for_is_waited_for() {
    let (bgt, book) = (Orchestrator::new(), Book::default());
    let execution = bgt.execute(Request::task(work("short", SECOND, &book)).wait(false)).await.unwrap();
    assert!(matches!(execution.outcome, Outcome::Local(_)));
    book.began.notified().await;
    let end = bgt.shutdown(100 * SECOND).await;
    assert_eq!((end.is_clean(), end.elapsed), (true, SECOND), "{end}");
    assert_eq!(book.notes(), [("short", "done")]);

    let (bgt, book) = (Orchestrator::new(), Book::default());
    let long = Request::task(work("long", 1000 * SECOND, &book)).wait(false);
    bgt.execute(long).await.unwrap();
    book.began.notified().await;
    let end = bgt.shutdown(100 * SECOND).await;
    assert_eq!((end.is_clean(), end.elapsed), (true, 40 * SECOND), "{end}");
    assert_eq!(book.notes(), [("long", "asked")]);
    assert!(bgt.runs().active().is_empty());
}

#[tokio::test(start_paused = true)]
async fn firings_are_asked_like_all_others_and_have_their_time_to_stop() {
    let (bgt, book) = (Orchestrator::new(), Book::default());
    let bgt = bgt.scheduled_by(Scheduler::builder().engine(ManualClock::new()));
    let told = book.clone();
    let tidy = task_fn("tidy", move |cx: Context| {
        let book = told.clone();
        async move {
            book.began.notify_one();
            cx.cancelled().await;
            book.note("tidy", "asked");
            tokio::time::sleep(SECOND).await;
            book.note("tidy", "tidied up");
            Ok(())
        }
    })
    .stop_budget(2 * SECOND);
    let periodic = bgt.periodic("tidy", Schedule::every(SECOND), tidy).await.unwrap();
    periodic.run_now().unwrap();
    book.began.notified().await;
    let end = bgt.shutdown(10 * SECOND).await;
    assert_eq!((end.is_clean(), end.elapsed), (true, 5 * SECOND), "{end}");
    assert_eq!(book.notes(), [("tidy", "asked"), ("tidy", "tidied up")]);

    // One that does not care is forced when all are.
    let (bgt, book) = (Orchestrator::new(), Book::default());
    let bgt = bgt.scheduled_by(Scheduler::builder().engine(ManualClock::new()));
    let stubborn = task_fn("stubborn", {
        let book = book.clone();
        move |cx: Context| {
            book.began.notify_one();
            async move {
                cx.cancelled().await;
                std::future::pending::<Result<(), TaskError>>().await
            }
        }
    })
    .stop_budget(1000 * SECOND);
    let periodic = bgt.periodic("stubborn", Schedule::every(SECOND), stubborn).await.unwrap();
    periodic.run_now().unwrap();
    book.began.notified().await;
    let end = bgt.shutdown(10 * SECOND).await;
    assert_eq!((end.is_clean(), end.elapsed), (true, 7 * SECOND), "{end}");
}

#[tokio::test]
async fn detached_runs_are_not_begun_while_others_come_to_their_end() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let calls = Arc::new(Mutex::new(0));
    let count = calls.clone();
    let f = move |_cx: Context, (): ()| {
        *count.lock().unwrap() += 1;
        async { Ok(()) }
    };
    let bgt = Orchestrator::open_with(detached::Builder::new().function("f", f), &path).await.unwrap();
    let (began, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, until) = (began.clone(), go_on.clone());
    let busy = task_fn("busy", move |_cx| {
        told.notify_one();
        let until = until.clone();
        async move {
            until.notified().await;
            Ok(())
        }
    });
    let busy = tokio::spawn(bgt.simple(busy).into_future());
    soon(began.notified()).await;
    let stopping = tokio::spawn({
        let bgt = bgt.clone();
        async move { bgt.shutdown(10 * HANG).await }
    });
    while bgt.simple(task_fn("late", |_cx| async { Ok(()) })).await.is_ok() {
        tokio::task::yield_now().await;
    }
    // What is still at work may hand something over.
    let late = bgt.detached(Job::call("f", &())).await.unwrap();
    go_on.notify_one();
    assert!(soon(stopping).await.unwrap().is_clean() && soon(busy).await.unwrap().is_ok());
    assert_eq!(bgt.run(late).unwrap().status().await.unwrap(), Status::Queued);
    assert_eq!(*calls.lock().unwrap(), 0);
    assert!(matches!(bgt.detached(Job::call("f", &())).await, Err(detached::DetachedError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn those_who_use_pools_are_asked_at_once_where_the_builder_says_so() {
    for (then, elapsed) in [(AtShutdown::Stop, Duration::ZERO), (AtShutdown::Finish, 3 * SECOND)] {
        let bgt = Orchestrator::builder().at_shutdown(Pattern::Pooled, then).build();
        let make = factory(|| async { Ok::<_, std::io::Error>(7_u64) });
        let pool = bgt.pool(Pool::builder(make).size(1)).unwrap();
        let began = Arc::new(Notify::new());
        let told = began.clone();
        let user = tokio::spawn(async move {
            let work = async |cx: Context| {
                told.notify_one();
                tokio::select! {
                    () = tokio::time::sleep(3 * SECOND) => Ok(true),
                    _ = cx.cancelled() => Ok(false),
                }
            };
            pool.run(move |_seven, cx| work(cx)).await
        });
        began.notified().await;
        let end = bgt.shutdown(100 * SECOND).await;
        assert!(end.is_clean() && end.elapsed == elapsed, "{end}");
        assert_eq!(user.await.unwrap().unwrap(), then == AtShutdown::Finish);
    }
}

/// A service that is told to end by signals.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "plays another process"]
async fn plays_a_service() {
    let Some(role) = role() else { return };
    let bgt = Orchestrator::new();
    let over = bgt.shutdown_on_signal(HANG * 10).unwrap();
    let stubborn = role == "stubborn";
    let service = task_fn("service", move |cx: Context| async move {
        say("up");
        cx.cancelled().await;
        if stubborn {
            std::future::pending::<()>().await;
        }
        Ok(())
    })
    .stop_budget(HANG * 10);
    let running = bgt.streaming(service).start();
    let mut events = bgt.events();
    let listening = tokio::spawn(async move { while events.next().await.is_some() {} });
    assert_eq!(tokio::task::spawn_blocking(hear).await.unwrap().as_deref(), Some("go on"));
    let (signal, end) = over.await;
    say(&format!("{signal}: {}", end.is_clean()));
    drop(running);
    listening.abort();
}

#[test]
fn a_signal_begins_a_shutdown_and_the_second_ends_it_at_once() {
    if !cfg!(unix) {
        bgt_testkit::skip!(
            "a_signal_begins_a_shutdown_and_the_second_ends_it_at_once",
            "signals of a console cannot be sent to one process alone"
        );
        return;
    }
    for (role, signals, said) in [
        ("polite", &["-TERM"][..], "a request to terminate: true"),
        ("polite", &["-INT"], "Ctrl-C: true"),
        ("stubborn", &["-INT", "-TERM"], "Ctrl-C: true"),
    ] {
        let mut service = Other::start("plays_a_service", role);
        assert_eq!(service.hear(), "up");
        service.say("go on");
        for signal in signals {
            let kill =
                std::process::Command::new("kill").args([*signal, &*service.id().to_string()]).status();
            assert!(kill.unwrap().success());
        }
        assert_eq!(service.hear(), said, "{role} {signals:?}");
        service.end();
    }
}
