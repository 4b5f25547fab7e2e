//! Functions by name: accepted, called, answered for; failures, retries, cancellation, limits.
#![cfg(feature = "sqlite")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bgt_detached::{
    Builder, Context, Detached, DetachedError, Entry, ErrorKind, From, Job, Page, Progress, Retry,
    RunEventKind, RunFilter, Source, Status, TaskError, task_fn,
};
use bgt_testkit::Scratch;
use support::ended;
use tokio::sync::Semaphore;

async fn host(scratch: &Scratch, builder: Builder) -> Detached {
    builder.open(scratch.path("runs.db")).await.expect("a host")
}

#[tokio::test]
async fn a_function_is_called_and_its_answer_kept() {
    let scratch = Scratch::new();
    let builder = Builder::new().function("double", |cx: Context, n: u32| async move {
        assert_eq!((cx.attempt(), cx.name()), (1, "twice"));
        Ok(n * 2)
    });
    let host = host(&scratch, builder).await;
    let id = host.detach(Job::call("double", &21).name("twice").label("customer", "17")).await.unwrap();
    let record = ended(&host.run(id)).await;
    assert_eq!((record.status, record.attempt, &*record.name), (Status::Succeeded, 1, "twice"));
    assert_eq!(host.run(id).result::<u32>().await.unwrap(), 42);
    let history = host.run(id).history(0, 100).await.unwrap();
    let kinds: Vec<_> = history.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [RunEventKind::Queued, RunEventKind::Claimed, RunEventKind::Ended]);
    let found = host.list(RunFilter::new().label("customer", "17"), Page::first(10)).await.unwrap();
    assert_eq!(found.runs, [record]);
    // Again, from nothing but the file.
    host.shutdown(Duration::from_secs(5)).await;
    assert!(matches!(host.detach(Job::call("double", &1)).await, Err(DetachedError::Closed)));
    drop(host);
    let host = Builder::new().without_workers().open(scratch.path("runs.db")).await.unwrap();
    assert_eq!(host.run(id).result::<u32>().await.unwrap(), 42);
}

#[tokio::test]
async fn failures_are_tried_again_by_the_policy_and_a_panic_is_a_failure() {
    let scratch = Scratch::new();
    let builder = Builder::new()
        .function("flaky", |cx: Context, succeeds_at: u32| async move {
            if cx.attempt() == succeeds_at { Ok(cx.attempt()) } else { Err(TaskError::msg("not yet")) }
        })
        .function("panics", |_cx: Context, (): ()| async move {
            if true {
                panic!("a bad day");
            }
            Ok(())
        });
    let host = host(&scratch, builder).await;
    let retry = Retry::attempts(3).backoff(Duration::from_millis(1), Duration::from_millis(5));
    let good = host.detach(Job::call("flaky", &3).retry(retry.clone())).await.unwrap();
    let bad = host.detach(Job::call("flaky", &4).retry(retry)).await.unwrap();
    let panics = host.detach(Job::call("panics", &())).await.unwrap();
    assert_eq!(ended(&host.run(good)).await.status, Status::Succeeded);
    let attempts = host.run(good).attempts().await.unwrap();
    let statuses: Vec<_> = attempts.iter().map(|attempt| attempt.status.unwrap()).collect();
    assert_eq!(statuses, [Status::Failed, Status::Failed, Status::Succeeded]);
    let record = ended(&host.run(bad)).await;
    assert_eq!((record.status, record.attempt), (Status::Failed, 3));
    assert!(record.error.unwrap().contains("not yet"));
    let record = ended(&host.run(panics)).await;
    assert!(
        record.status == Status::Failed && record.error.as_ref().unwrap().contains("a bad day"),
        "{record:?}"
    );
}

#[tokio::test]
async fn a_run_is_cancelled_in_the_queue_and_at_work() {
    let scratch = Scratch::new();
    let begun = Arc::new(Semaphore::new(0));
    let tell = begun.clone();
    let builder = Builder::new().queue("one", 1).function("waits", move |cx: Context, (): ()| {
        let tell = tell.clone();
        async move {
            tell.add_permits(1);
            cx.cancelled().await;
            cx.check()?;
            Ok(())
        }
    });
    let host = host(&scratch, builder).await;
    let at_work = host.detach(Job::call("waits", &()).queue("one")).await.unwrap();
    let queued = host.detach(Job::call("waits", &()).queue("one")).await.unwrap();
    begun.acquire().await.unwrap().forget();
    assert_eq!(host.run(queued).cancel().await.unwrap(), Status::Cancelled);
    assert_eq!(host.run(at_work).cancel().await.unwrap(), Status::Running);
    assert_eq!(ended(&host.run(at_work)).await.status, Status::Cancelled);
    assert_eq!(ended(&host.run(queued)).await.attempt, 0);
    assert_eq!(begun.available_permits(), 0);
    // Over is over.
    assert_eq!(host.run(at_work).cancel().await.unwrap(), Status::Cancelled);
}

#[tokio::test]
async fn a_queue_runs_no_more_at_once_than_it_may_and_the_urgent_first() {
    let scratch = Scratch::new();
    let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (gate, open) = (Arc::new(Semaphore::new(0)), order.clone());
    let (in_now, in_most, through) = (now.clone(), most.clone(), gate.clone());
    let builder = Builder::new().queue("two", 2).function("work", move |_cx: Context, n: i32| {
        let (now, most, order, gate) = (in_now.clone(), in_most.clone(), open.clone(), through.clone());
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            order.lock().unwrap().push(n);
            gate.acquire().await?.forget();
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }
    });
    let host = host(&scratch, builder).await;
    let job = |n: i32| Job::call("work", &n).queue("two").priority(n);
    // Two fill the queue, whichever they are; the others are there before one of them ends.
    let mut ids = host.detach_all([job(0), job(0)]).await.unwrap();
    for id in &ids {
        host.run(*id).history(0, 1).await.unwrap();
    }
    while order.lock().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    ids.extend(host.detach_all((1..=8).map(job)).await.unwrap());
    for _ in 0..10 {
        gate.add_permits(1);
    }
    for id in ids {
        assert_eq!(ended(&host.run(id)).await.status, Status::Succeeded);
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
    let order = order.lock().unwrap().clone();
    // Two at once may begin in either order.
    let mut rest = order[2..].to_vec();
    assert!(rest[0] >= 7 && rest[7] <= 2, "{order:?}");
    rest.sort_unstable();
    assert_eq!(rest, (1..=8).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_open_run_with_the_same_key_is_the_answer() {
    let scratch = Scratch::new();
    let host = Builder::new().without_workers().open(scratch.path("runs.db")).await.unwrap();
    let job =
        || Job::call("nobody here has it", &()).unique_key("report/17").delay(Duration::from_secs(3600));
    let first = host.detach(job()).await.unwrap();
    assert_eq!(host.detach(job()).await.unwrap(), first);
    host.run(first).cancel().await.unwrap();
    assert_ne!(host.detach(job()).await.unwrap(), first);
}

#[tokio::test]
async fn deadlines_end_an_attempt_and_a_run_that_waited_too_long_is_not_begun() {
    let scratch = Scratch::new();
    let builder = Builder::new().function("hangs", |cx: Context, (): ()| async move {
        cx.cancelled().await;
        cx.check()?;
        Ok(())
    });
    let host = host(&scratch, builder).await;
    let attempt =
        host.detach(Job::call("hangs", &()).attempt_deadline(Duration::from_millis(10))).await.unwrap();
    let late = Job::call("hangs", &()).deadline(Duration::from_millis(1)).delay(Duration::from_millis(50));
    let late = host.detach(late).await.unwrap();
    assert_eq!(ended(&host.run(attempt)).await.status, Status::TimedOut);
    assert_eq!(ended(&host.run(late)).await.status, Status::TimedOut);
}

#[tokio::test]
async fn output_is_followed_while_it_comes_and_read_again_from_any_line() {
    let scratch = Scratch::new();
    let gate = Arc::new(Semaphore::new(0));
    let through = gate.clone();
    let builder = Builder::new().function("talks", move |cx: Context, (): ()| {
        let gate = through.clone();
        async move {
            for n in 1..=3 {
                cx.emit(Source::Stdout, format!("line {n}\n")).await?;
                cx.progress(Progress::of(n, 3));
                gate.acquire().await?.forget();
            }
            Ok(())
        }
    });
    let host = host(&scratch, builder).await;
    let run = host.run(host.detach(Job::call("talks", &()).delay(Duration::from_millis(30))).await.unwrap());
    let mut output = run.output(From::Start).await.unwrap();
    for n in 1..=3 {
        let Some(Entry::Line(line)) = output.next().await.unwrap() else { panic!("line {n} is missing") };
        assert_eq!((line.seq, &*line.text()), (n, &*format!("line {n}")));
        gate.add_permits(1);
    }
    assert_eq!(output.next().await.unwrap(), None);
    assert_eq!(ended(&run).await.status, Status::Succeeded);
    let mut again = run.output(From::After(2)).await.unwrap();
    assert!(matches!(again.next().await.unwrap(), Some(Entry::Line(line)) if line.seq == 3));
    assert_eq!(again.next().await.unwrap(), None);
}

#[tokio::test]
async fn what_nobody_would_run_is_refused_by_its_name_before_anything_is_written() {
    let scratch = Scratch::new();
    let host =
        host(&scratch, Builder::new().function("known", |_cx: Context, (): ()| async { Ok(()) })).await;
    let refused = host.detach(Job::call("unknown", &())).await.unwrap_err().to_string();
    assert!(refused.contains("\"unknown\"") && refused.contains("\"known\""), "{refused}");
    let refused = host.detach(Job::call("known", &()).queue("nowhere")).await.unwrap_err().to_string();
    assert!(refused.contains("\"nowhere\"") && refused.contains("\"default\""), "{refused}");
    let refused = host.detach(Job::call("known", &f64::NAN).retry(Retry::attempts(0))).await.unwrap_err();
    assert!(matches!(refused, DetachedError::Retry(_)), "{refused}");
    let keys = std::collections::HashMap::from([((1, 2), 3)]);
    let refused = host.detach(Job::call("known", &keys)).await.unwrap_err();
    assert!(matches!(refused, DetachedError::Json { .. }), "{refused}");
    assert!(matches!(
        Builder::new().queue("q", 0).open(scratch.path("x")).await,
        Err(DetachedError::Setting { .. })
    ));
    assert!(host.count(RunFilter::new()).await.unwrap().is_empty());
    let unknown = host.run(bgt_detached::RunId::new());
    assert!(matches!(unknown.wait().await, Err(DetachedError::UnknownRun(id)) if id == unknown.id()));
}

#[tokio::test]
async fn what_is_over_is_forgotten_with_its_output() {
    let scratch = Scratch::new();
    let builder = Builder::new().function("talks", |cx: Context, (): ()| async move {
        cx.emit(Source::Stdout, "hello\n").await?;
        Ok(())
    });
    let host = host(&scratch, builder).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let id = host.detach(Job::call("talks", &())).await.unwrap();
        ended(&host.run(id)).await;
        ids.push(id);
    }
    let folder = |n: usize| host.folder().join(ids[n].to_string());
    assert!(folder(0).is_dir() && folder(2).is_dir());
    assert_eq!(host.prune(bgt_detached::Keep::everything().runs(1)).await.unwrap(), 2);
    assert!(!folder(0).exists() && !folder(1).exists() && folder(2).is_dir());
    assert!(matches!(host.run(ids[0]).record().await, Err(DetachedError::UnknownRun(_))));
}

#[tokio::test]
async fn tasks_of_this_process_alone_end_with_their_host() {
    let scratch = Scratch::new();
    let host = host(&scratch, Builder::new()).await;
    let polite = host.detach_local(task_fn("polite", |cx: Context| async move {
        cx.cancelled().await;
        Err::<(), _>(TaskError::msg("stopped").with_kind(ErrorKind::Cancelled))
    }));
    let stubborn = host.detach_local(task_fn("stubborn", |cx: Context| async move {
        let _ = cx.cancel_reason();
        std::future::pending::<Result<(), TaskError>>().await
    }));
    tokio::time::timeout(support::HANG, host.shutdown(Duration::from_millis(50))).await.expect("an end");
    assert_eq!(polite.status(), Status::Cancelled);
    assert!(stubborn.wait().await.is_final());
    let other = Builder::new().open(scratch.path("other.db")).await.unwrap();
    let left = other.detach_local(task_fn("left", |_cx| std::future::pending::<Result<(), TaskError>>()));
    drop(other);
    assert_eq!(tokio::time::timeout(support::HANG, left.wait()).await, Ok(Status::Lost));
    let late = host.detach_local(task_fn("late", |_cx| async { Ok(()) }));
    assert!(matches!(late.wait().await, Status::Cancelled | Status::Lost), "{:?}", late.status());
}

#[tokio::test]
async fn the_longest_backoff_is_a_wait_and_no_end_of_the_run() {
    let scratch = Scratch::new();
    let fails = |_cx: Context, (): ()| async { Err::<(), _>(TaskError::msg("no")) };
    let host = host(&scratch, Builder::new().function("fails", fails)).await;
    let retry = Retry::attempts(3).backoff(Duration::MAX, Duration::MAX);
    let run = host.run(host.detach(Job::call("fails", &()).retry(retry)).await.unwrap());
    let put_back = async {
        while run.attempts().await.unwrap().first().is_none_or(|attempt| attempt.status.is_none()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(support::HANG, put_back).await.expect("an attempt that ends");
    assert_eq!(run.attempts().await.unwrap()[0].status, Some(Status::Failed));
    assert_eq!(run.status().await.unwrap(), Status::Queued);
    run.cancel().await.unwrap();
    assert_eq!(ended(&run).await.status, Status::Cancelled);
}

/// What is awaited in a task of its own can be sent to it.
#[test]
fn what_is_waited_for_can_be_spawned() {
    fn is_send<T: Send>(_: impl FnOnce(Detached, bgt_detached::Run, bgt_detached::Output, Job) -> T) {}
    is_send(|_, _, mut output, _| async move { output.next().await });
    is_send(|_, run, _, _| async move { run.wait().await });
    is_send(|_, run, _, _| async move { run.output(From::Start).await });
    is_send(|host, _, _, job| async move { host.detach(job).await });
    is_send(|host, _, _, _| async move { host.shutdown(Duration::ZERO).await });
}
