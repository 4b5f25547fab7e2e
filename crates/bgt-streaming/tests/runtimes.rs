//! On whichever runtime a run is, and when that goes away: who watches from elsewhere hears an end.

mod support;

use std::time::Duration;

use bgt_streaming::{Context, ErrorKind, From, Source, Status, TaskError, start, task_fn};
use support::{HANG, all};
use tokio::runtime::{Builder, Runtime};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn endless() -> impl bgt_streaming::Task<Output = ()> {
    task_fn("endless", |cx: Context| async move {
        cx.emit(Source::Stdout, "one\ntw").await?;
        cx.cancelled().await;
        std::future::pending::<Result<(), TaskError>>().await
    })
}

#[test]
fn who_watches_from_another_runtime_hears_the_end_when_the_first_is_shut_down() {
    for make in [current_thread, multi_thread] {
        let (theirs, ours) = (make(), current_thread());
        let (run, mut events) = theirs.block_on(async {
            let run = start(endless());
            let mut events = run.subscribe(From::Start);
            assert_eq!(support::line(&mut events).await.text(), "one");
            (run, events)
        });
        let watch = run.watch();
        theirs.shutdown_timeout(HANG);
        ours.block_on(async {
            assert_eq!(support::line(&mut events).await.text(), "tw");
            let summary = all(events).await.summary();
            assert_eq!((summary.status, summary.attempts, summary.lines), (Status::Cancelled, 1, 2));
            assert!(summary.error.as_deref().unwrap().contains("runtime"), "{summary:?}");
            assert_eq!(watch.ended().await, summary);
            let report = run.report().await;
            assert_eq!((report.attempts, report.elapsed), (1, summary.elapsed));
            let error = report.result.unwrap_err();
            assert_eq!((error.kind(), error.attempt()), (ErrorKind::Cancelled, 1));
        });
    }
}

#[test]
fn a_run_whose_runtime_never_came_to_its_first_step_has_an_end_all_the_same() {
    let theirs = current_thread();
    let run = {
        let _inside = theirs.enter();
        start(endless())
    };
    drop(theirs);
    current_thread().block_on(async {
        let summary = all(run.subscribe(From::Start)).await.summary();
        assert_eq!((summary.status, summary.attempts), (Status::Cancelled, 0));
        assert_eq!(run.await.unwrap_err().kind(), ErrorKind::Cancelled);
    });
}

#[test]
fn a_runtime_that_is_gone_already_starts_nothing_and_says_so() {
    let theirs = multi_thread();
    let handle = theirs.handle().clone();
    theirs.shutdown_timeout(HANG);
    let run = {
        let _inside = handle.enter();
        start(endless())
    };
    current_thread().block_on(async {
        assert_eq!(all(run.subscribe(From::Now)).await.summary().status, Status::Cancelled);
    });
}

#[test]
fn who_waits_elsewhere_while_it_happens_is_woken() {
    let theirs = multi_thread();
    let run = theirs.block_on(async { start(endless()) });
    let watch = run.watch();
    let (tell, told) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        current_thread().block_on(async {
            let mut events = watch.subscribe(From::Start);
            support::line(&mut events).await;
            tell.send(()).unwrap();
            all(events).await.summary().status
        })
    });
    told.recv_timeout(HANG).unwrap();
    theirs.shutdown_timeout(HANG);
    assert_eq!(waiting.join().unwrap(), Status::Cancelled);
    drop(run);
}

#[cfg(feature = "process")]
#[test]
fn a_program_goes_with_its_runtime() {
    use bgt_testkit::{Scratch, assert_gone, wait_for_pids};

    let scratch = Scratch::new();
    let pids = scratch.text("pids");
    let verbs =
        ["pids-to", &pids, "then", "ignore-term", "then", "stubborn-grandchild", "300", "then", "ready"];
    let verbs: Vec<_> = verbs.into_iter().chain(["then", "hang"]).collect();
    let theirs = multi_thread();
    let run = theirs.block_on(async {
        let run = start(support::bad(&verbs));
        support::line(&mut run.subscribe(From::Start)).await;
        run
    });
    let family = wait_for_pids(scratch.path("pids"), 2, HANG);
    theirs.shutdown_timeout(HANG);
    assert_gone(&family, HANG);
    assert_eq!(current_thread().block_on(run.ended()).status, Status::Cancelled);
}

#[test]
fn a_handle_that_is_dropped_without_any_runtime_stops_its_run() {
    let theirs = multi_thread();
    let run = theirs.block_on(async {
        let run = start(endless());
        support::line(&mut run.subscribe(From::Start)).await;
        run
    });
    let watch = run.watch();
    // A second request is not needed for a function that looks at the first: it is given its budget.
    drop(run);
    watch.cancel();
    assert_eq!(current_thread().block_on(watch.ended()).status, Status::Cancelled);
    theirs.shutdown_timeout(Duration::from_secs(1));
}

#[test]
#[should_panic(expected = "runtime")]
fn outside_of_a_runtime_it_says_so() {
    drop(start(endless()));
}
