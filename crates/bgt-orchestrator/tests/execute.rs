//! The one door: each pattern is reached by what is asked for, and what cannot be is refused before anything runs. R8, R15, P22.
#![cfg(feature = "full")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use bgt_orchestrator::concurrent::BatchError;
use bgt_orchestrator::periodic::{ManualClock, Schedule, ScheduleError, Scheduler};
use bgt_orchestrator::pool::WorkerPool;
use bgt_orchestrator::{
    Asked, Cancel, Command, CommandError, Context, Contradiction, ErrorKind, Event, EventKind, ExecuteError,
    Limits, Needs, Observer, Orchestrator, Outcome, Pattern, Request, Requirements, Retry, RunId, RunQuery,
    Status, Task, TaskError, detached, task_fn,
};
use bgt_testkit::{Ledger, Scratch};
use support::{HANG, bad, soon};

/// Counts how often it was called.
fn counted(calls: &Arc<AtomicU32>) -> impl Task<Output = u32> + use<> {
    let calls = calls.clone();
    task_fn("counted", move |_cx| {
        let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
        async move { Ok(call) }
    })
}

fn workers(bgt: &Orchestrator) -> WorkerPool {
    bgt.worker_pool(WorkerPool::builder(bad(["worker"])).name("echoes").size(1)).unwrap()
}

#[tokio::test]
async fn what_is_asked_for_selects_the_pattern_and_the_list_of_runs_agrees() {
    let scratch = Scratch::new();
    let host = detached::Builder::new().without_shim();
    let bgt = Orchestrator::builder()
        .detached(host)
        .scheduler(Scheduler::builder().engine(ManualClock::new()))
        .open(scratch.path("runs.db"))
        .await
        .unwrap();
    let program = || Request::command(bad(["print", "hello"]));

    let execution = bgt.execute(program()).await.unwrap();
    assert_eq!((execution.pattern(), execution.selection.because), (Pattern::Simple, None));
    assert!(execution.error().is_none());
    assert_eq!(execution.output().await.unwrap().stdout_text().trim(), "hello");

    let execution = bgt.execute(program().streaming(true)).await.unwrap();
    assert_eq!(execution.selection.because, Some(Asked::Streaming));
    assert!(matches!(execution.outcome, Outcome::Streaming(_)));
    assert_eq!(soon(execution.output()).await.unwrap().stdout_text().trim(), "hello");

    let (program_of_all, args) = bgt_testkit::bad(["echo-args"]);
    let each = Request::program(program_of_all).args(args).for_each(["a", "b", "c"]).max_concurrent(2);
    let execution = bgt.execute(each).await.unwrap();
    let Outcome::Batch(report) = &execution.outcome else { panic!("{execution:?}") };
    assert_eq!((report.counts.succeeded, execution.pattern()), (3, Pattern::Concurrent));
    assert!(matches!(execution.output().await, Err(ExecuteError::NoOutput { .. })));

    let execution = bgt.execute(program().wait(false).name("by name")).await.unwrap();
    let Outcome::Detached(id) = execution.outcome else { panic!("{execution:?}") };
    let record = soon(bgt.run(id).unwrap().wait()).await.unwrap();
    assert_eq!((record.status, &*record.name), (Status::Succeeded, "by name"));

    let execution = bgt.execute(program().schedule(Schedule::every(HANG)).streaming(true)).await.unwrap();
    assert_eq!(execution.selection.set_aside, [Asked::Streaming]);
    let Outcome::Scheduled(schedule) = execution.outcome else { panic!() };
    schedule.run_now().unwrap();
    soon(schedule.idle()).await;
    assert_eq!(schedule.statistics().succeeded, 1);

    let pool = workers(&bgt);
    let execution = bgt.execute(Request::ask(&pool, ["echo", "over there"])).await.unwrap();
    assert_eq!(execution.selection.because, Some(Asked::Pool));
    assert_eq!(execution.output().await.unwrap().text(), "over there");

    for pattern in Pattern::ALL {
        let runs = bgt.find(&RunQuery::new().pattern(pattern).status(Status::Succeeded));
        let expected = if pattern == Pattern::Concurrent { 3 } else { 1 };
        assert_eq!(runs.len(), expected, "{pattern}: {runs:?}");
    }
    assert!(soon(bgt.shutdown(HANG)).await.is_clean());
}

#[tokio::test]
async fn many_questions_are_asked_of_one_pool_by_a_batch() {
    let bgt = Orchestrator::new();
    let pool = workers(&bgt);
    let asked = pool.clone();
    let questions = Request::all((0..10).map(move |n| asked.task(["echo".to_owned(), n.to_string()])));
    let execution = bgt.execute(questions.wait(false)).await.unwrap();
    let Outcome::Batching(mut handle) = execution.outcome else { panic!("{execution:?}") };
    let mut answers = Vec::new();
    while let Some(finished) = soon(handle.next()).await {
        answers.push(finished.report.result.unwrap().text().parse::<u64>().unwrap());
    }
    answers.sort_unstable();
    assert_eq!(answers, (0..10).collect::<Vec<_>>());
    assert_eq!(pool.metrics().made, 1);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_nobody_waits_for_runs_here_and_is_listed() {
    let (bgt, calls) = (Orchestrator::new(), Arc::default());
    let execution = bgt.execute(Request::task(counted(&calls)).wait(false)).await.unwrap();
    let Outcome::Local(id) = execution.outcome else { panic!("{execution:?}") };
    let mut events = bgt.events();
    while bgt.runs().get(id).is_none_or(|run| !run.status.is_final()) {
        let _ = events.next().await;
    }
    let run = bgt.runs().get(id).unwrap();
    assert_eq!((run.pattern, run.status), (Pattern::Detached, Status::Succeeded));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn deadlines_retries_and_cancels_hold_by_whichever_pattern() {
    let bgt = Orchestrator::new();
    let calls = Arc::new(AtomicU32::new(0));
    let flaky = || {
        let calls = calls.clone();
        task_fn("flaky", move |cx: Context| {
            calls.fetch_add(1, Ordering::SeqCst);
            async move { if cx.attempt() == 3 { Ok(()) } else { Err(TaskError::msg("not yet")) } }
        })
    };
    let endless = || task_fn("endless", |_cx| std::future::pending::<Result<(), TaskError>>());
    let request = |streaming| Request::task(flaky()).retry(Retry::attempts(3)).streaming(streaming);
    for streaming in [false, true] {
        assert!(bgt.execute(request(streaming)).await.unwrap().output().await.is_ok());
        let late = Request::task(endless()).deadline(Duration::from_secs(1)).streaming(streaming);
        match bgt.execute(late).await.unwrap().output().await {
            Err(ExecuteError::Run(error)) => {
                assert_eq!(error.kind(), ErrorKind::TimedOut);
                let pattern = if streaming { Pattern::Streaming } else { Pattern::Simple };
                assert_eq!((error.pattern(), error.attempt(), error.task()), (pattern, 1, "endless"));
            }
            other => panic!("{other:?}"),
        }
        let cancel = Cancel::new();
        cancel.cancel();
        let never = Request::task(endless()).cancel(&cancel).streaming(streaming);
        assert!(bgt.execute(never).await.unwrap().output().await.is_err());
    }
    assert_eq!(calls.load(Ordering::SeqCst), 6);
    let many = Request::all([flaky(), flaky()]).retry(Retry::attempts(3)).deadline(Duration::from_secs(60));
    let Outcome::Batch(report) = bgt.execute(many).await.unwrap().outcome else { panic!() };
    assert!(report.is_success(), "{report}");
}

#[tokio::test]
async fn what_failed_says_which_run_why_and_its_last_words() {
    let bgt = Orchestrator::new();
    let request = Request::command(bad(["eprint", "no space left", "then", "exit", "3"]));
    let execution = bgt.execute(request.retry(Retry::attempts(2))).await.unwrap();
    let error = execution.error().unwrap();
    assert_eq!((error.attempt(), error.pattern(), error.tail()), (2, Pattern::Simple, Some("no space left")));
    assert_eq!(bgt.runs().get(error.run_id()).unwrap().status, Status::Failed);
    let missing = bgt.execute(Request::program("no-such-program")).await.unwrap();
    assert!(missing.error().unwrap().find::<CommandError>().is_some());
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_anything_runs_and_named() {
    let scratch = Scratch::new();
    let ledger = Ledger::at(scratch.path("ledger"));
    let bgt = Orchestrator::builder().limits(&Limits::new().with("gpu", 1)).build();
    let request = || Request::command(bad(["append", ledger.path().to_str().unwrap(), "ran"]));
    let daily = || Schedule::cron("@daily");
    let gpu = |n| Needs::new().with("gpu", n);
    let contradictions = [
        (request().pattern(Pattern::Simple).schedule(daily()), "the pattern simple", "a schedule"),
        (request().pattern(Pattern::Pooled).streaming(true), "the pattern pooled", "streaming"),
        (request().pattern(Pattern::Simple).wait(false), "the pattern simple", "wait(false)"),
        (request().pattern(Pattern::Detached).wait(true), "the pattern detached", "wait(true)"),
        (request().for_each(["x"]).pattern(Pattern::Simple), "the pattern simple", "many tasks"),
        (request().for_each(["x"]).schedule(daily()), "a schedule", "many tasks"),
        (request().for_each(["x"]).streaming(true), "streaming", "many tasks"),
        (request().schedule(daily()).wait(true), "a schedule", "wait(true)"),
        (request().max_concurrent(4), "max_concurrent(4)", "the pattern simple"),
        (request().needs(gpu(1)).wait(false), "needs", "wait(false)"),
        (request().streaming(true).wait(true), "streaming", "wait(true)"),
        (request().pooled(true).pattern(Pattern::Simple), "the pattern simple", "a pool"),
        (request().pooled(true).pattern(Pattern::Detached), "the pattern detached", "a pool"),
    ];
    for (request, one, other) in contradictions {
        match bgt.execute(request).await {
            Err(ExecuteError::Contradiction(Contradiction {
                one: first, other: second, instead, ..
            })) => {
                assert_eq!((first.to_string(), second.to_string()), (one.to_owned(), other.to_owned()));
                assert!(!instead.is_empty());
            }
            other => panic!("{one}: {other:?}"),
        }
    }
    let refused = [
        (request().for_each(["x"]).max_concurrent(0), "the most concurrent tasks of a request is 0"),
        (request().deadline(Duration::ZERO), "the deadline of a request is 0: expected more than no time"),
        (request().attempt_deadline(Duration::ZERO), "the deadline of an attempt"),
        (request().retry(Retry::attempts(0)), "0"),
        (request().needs(gpu(2)), "can never be met"),
        (request().needs(Needs::new().with("tpu", 1)), "can never be met"),
        (request().pattern(Pattern::Periodic), "without a schedule: say when"),
        (request().pattern(Pattern::Pooled), "a pool that can run it: ask workers"),
        (request().schedule(Schedule::cron("61 * * * *")), "61"),
        (request().wait(false), "Orchestrator::open"),
    ];
    for (request, words) in refused {
        let error = bgt.execute(request).await.unwrap_err();
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
    let error = bgt.execute(request().schedule(Schedule::every(Duration::ZERO))).await.unwrap_err();
    assert!(matches!(error, ExecuteError::Schedule(ScheduleError::Interval { .. })), "{error:?}");
    assert!(ledger.lines().is_empty() && bgt.find(&RunQuery::new()).is_empty());
    assert!(!format!("{:?}", request().needs(gpu(1))).is_empty());
    let _: fn(BatchError) -> ExecuteError = ExecuteError::from;
    let nothing = bgt.execute(request().for_each(Vec::<String>::new())).await.unwrap();
    assert!(matches!(nothing.outcome, Outcome::Batch(report) if report.is_success()));
}

#[tokio::test(start_paused = true)]
async fn limits_are_one_for_runs_batches_and_schedules() {
    let limits = Limits::new().with("gpu", 1);
    let bgt = Orchestrator::builder()
        .limits(&limits)
        .scheduler(Scheduler::builder().engine(ManualClock::new()))
        .build();
    let (most, now) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let gauge = || {
        let (most, now) = (most.clone(), now.clone());
        task_fn("gauge", move |_cx: Context| {
            let (most, now) = (most.clone(), now.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(1)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        })
    };
    let gpu = || Needs::new().with("gpu", 1);
    let scheduled = Request::task(gauge()).needs(gpu()).schedule(Schedule::every(HANG));
    let Outcome::Scheduled(schedule) = bgt.execute(scheduled).await.unwrap().outcome else { panic!() };
    schedule.run_now().unwrap();
    let (one, many, watched, ()) = tokio::join!(
        bgt.execute(Request::task(gauge()).needs(gpu())),
        bgt.execute(Request::all([gauge(), gauge(), gauge()]).needs(gpu()).max_concurrent(3)),
        async { bgt.execute(Request::task(gauge()).needs(gpu()).streaming(true)).await?.output().await },
        schedule.idle(),
    );
    assert!(one.unwrap().error().is_none() && watched.is_ok());
    assert!(matches!(many.unwrap().outcome, Outcome::Batch(report) if report.is_success()));
    assert_eq!(most.load(Ordering::SeqCst), 1, "two had the only one at once");
    assert_eq!(limits.available("gpu"), Some(1));
    // Without the needs they would have been at it together.
    let _ = tokio::join!(bgt.execute(gauge()), bgt.execute(gauge()));
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_unknown_duration_is_filled_from_earlier_runs_in_memory() {
    let bgt = Orchestrator::new();
    let train = Requirements::new().task("train");
    let advice = bgt.recommend(&train).await;
    assert_eq!((advice.pattern, advice.from_history), (Pattern::Simple, None));
    // Runs of the past, told as they were: of those that failed nobody can know how long they would have taken.
    let ends =
        [(90, Status::Succeeded), (120, Status::TimedOut), (1, Status::Failed), (2, Status::Succeeded)];
    for (seconds, status) in ends {
        let id = RunId::new();
        let kinds =
            [EventKind::Started, EventKind::AttemptStarted { attempt: 1 }, EventKind::Ended { status }];
        for kind in kinds {
            let is_end = matches!(kind, EventKind::Ended { .. });
            let mut event = Event::new(id, "train".into(), Pattern::Simple, kind);
            let begin = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
            event.at = if is_end { begin + Duration::from_secs(seconds) } else { begin };
            bgt.runs().event(&event);
        }
    }
    let advice = bgt.recommend(&train).await;
    let history = advice.from_history.as_ref().unwrap();
    assert_eq!((history.runs, history.median), (3, Duration::from_secs(90)));
    assert_eq!(advice.pattern, Pattern::Streaming, "{advice}");
    assert!(advice.to_string().contains("half of 3 earlier runs took at most 90.0s"), "{advice}");
    assert_eq!(bgt.recommend(&Requirements::new().task("other")).await.from_history, None);
    let known = bgt.recommend(&train.expected(Duration::from_secs(5))).await;
    assert_eq!((known.pattern, known.from_history), (Pattern::Simple, None));
}

#[tokio::test]
async fn an_unknown_duration_is_filled_from_records_of_an_earlier_process() {
    use bgt_orchestrator::detached::Store;
    let scratch = Scratch::new();
    let store = Arc::new(detached::SqliteStore::open(scratch.path("runs.db")).await.unwrap());
    // What an earlier host has left: a run of this name that took two minutes.
    let host = Orchestrator::builder().detached(detached::Builder::new().without_shim());
    let bgt = host.start(store.clone() as Arc<dyn Store>, scratch.path("runs.d")).await.unwrap();
    let id = bgt.detached(detached::Job::program(bad(["exit", "0"])).name("encode")).await.unwrap();
    assert_eq!(soon(bgt.run(id).unwrap().wait()).await.unwrap().status, Status::Succeeded);
    soon(bgt.shutdown(HANG)).await;
    drop(bgt);
    let host = Orchestrator::builder().detached(detached::Builder::new().without_shim());
    let bgt = host.start(store, scratch.path("runs.d")).await.unwrap();
    assert!(bgt.runs().recent().is_empty(), "nothing of it is in memory");
    let advice = bgt.recommend(&Requirements::new().task("encode")).await;
    assert_eq!(advice.from_history.unwrap().runs, 1);
    soon(bgt.shutdown(HANG)).await;
}

#[tokio::test]
async fn a_command_converts_and_is_on_disk_when_nobody_waits_for_it() {
    let scratch = Scratch::new();
    let host = Orchestrator::builder().detached(detached::Builder::new().without_shim());
    let bgt = host.open(scratch.path("runs.db")).await.unwrap();
    let execution = bgt.execute::<Command>(bad(["exit", "0"])).await.unwrap();
    assert_eq!(execution.pattern(), Pattern::Simple);
    for request in [Request::from(bad(["exit", "0"])), Request::task(bad(["exit", "0"]))] {
        let execution = bgt.execute(request.wait(false)).await.unwrap();
        let Outcome::Detached(id) = execution.outcome else { panic!("{execution:?}") };
        assert_eq!(soon(bgt.run(id).unwrap().wait()).await.unwrap().status, Status::Succeeded);
    }
    soon(bgt.shutdown(HANG)).await;
}

#[tokio::test]
async fn what_is_asked_for_and_does_not_hold_is_told() {
    let bgt = Orchestrator::new();
    let request = Request::command(bad(["exit", "0"])).streaming(true).wait(false).name("mine");
    let execution = bgt.execute(request).await.unwrap();
    let told = "streaming, because of streaming; wait(false) is set aside; a name is set aside";
    assert_eq!(execution.selection.to_string(), told);
    assert!(soon(execution.output()).await.is_ok());
}

#[tokio::test]
async fn a_script_is_warm_by_whichever_pattern_it_runs() {
    if bgt_testkit::python().is_none() {
        bgt_testkit::skip!("a_script_is_warm_by_whichever_pattern_it_runs", "there is no Python here");
        return;
    }
    let scratch = Scratch::new();
    let script = scratch.path("a.py");
    std::fs::write(&script, "import sys\nprint(*sys.argv[1:])\n").unwrap();
    let limits = Limits::new().with("gpu", 1);
    let bgt = Orchestrator::builder().limits(&limits).build();
    let request = || Request::script(&script).arg("a").pooled(true);
    let warm = || {
        let metrics = bgt.scripts().metrics();
        assert_eq!(metrics.cold, 0, "{metrics:?}");
        metrics.zygote + metrics.prestarted
    };

    let execution = soon(bgt.execute(request().needs(Needs::new().with("gpu", 1)))).await.unwrap();
    assert_eq!(execution.selection.to_string(), "pooled, because of a pool");
    assert_eq!(execution.output().await.unwrap().stdout_text().trim(), "a");
    assert_eq!((warm(), bgt.runs().recent()[0].pattern), (1, Pattern::Pooled));

    let execution = soon(bgt.execute(request().for_each(["b", "c"]))).await.unwrap();
    assert_eq!(execution.selection.to_string(), "concurrent, because of many tasks");
    assert!(matches!(execution.outcome, Outcome::Batch(report) if report.counts.succeeded == 2));
    assert_eq!(warm(), 3);

    let execution = soon(bgt.execute(request().streaming(true))).await.unwrap();
    let Outcome::Streaming(handle) = execution.outcome else { panic!() };
    let mut events = handle.subscribe(bgt_orchestrator::streaming::From::Start);
    let mut lines = Vec::new();
    while let Some(event) = soon(events.next()).await {
        if let bgt_orchestrator::streaming::StreamEvent::Line(line) = event {
            lines.push(line.text().into_owned());
        }
    }
    assert_eq!((lines, warm()), (vec!["a".to_owned()], 4));
    soon(bgt.scripts().drain(HANG)).await;
}
