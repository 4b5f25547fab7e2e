//! A host that was paused between taking a run on and starting it, and one that has nothing to do.
#![cfg(feature = "sqlite")]

mod support;
#[path = "support/watched.rs"]
mod watched;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bgt_detached::{Builder, Context, Entry, From, Job, RunEventKind, Source, SqliteStore, Status};
use bgt_store::MemoryStore;
use bgt_testkit::Scratch;
use support::{HANG, ended};
use tokio::sync::Semaphore;
use watched::Watched;

const LEASE: Duration = Duration::from_millis(300);

/// Its answer came so late that another had taken the run over, brought it to its end, and forgotten it with every trace.
#[cfg(feature = "process")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_is_not_started_again_by_a_host_that_was_paused_while_it_was_done_and_forgotten() {
    use bgt_detached::{Command, Keep};
    use bgt_testkit::{Ledger, bad};

    let scratch = Scratch::new();
    let (path, folder) = (scratch.path("runs.db"), scratch.path("runs.db.d"));
    let ledger = Ledger::at(scratch.path("ledger"));
    let watched = Watched::new(SqliteStore::open(&path).await.unwrap());
    let host = || Builder::new().lease(LEASE).without_shim();
    let asks = Builder::new().without_workers().open(&path).await.unwrap();

    let paused = host().start(watched.clone(), &folder).await.unwrap();
    watched.pause();
    let (program, args) = bad(["append", &scratch.text("ledger"), "begun"]);
    let id = asks.detach(Job::program(Command::new(program).args(args))).await.unwrap();
    watched.kept_back.acquire().await.unwrap().forget();

    let other = host().open(&path).await.unwrap();
    assert_eq!(ended(&asks.run(id)).await.status, Status::Succeeded);
    assert_eq!(other.prune(Keep::everything().runs(0)).await.unwrap(), 1);
    other.shutdown(HANG).await;
    watched.go_on();

    // It is itself again, under another name, and has no work left.
    let (program, args) = bad(["append", &scratch.text("ledger"), "next"]);
    let next = asks.detach(Job::program(Command::new(program).args(args))).await.unwrap();
    assert_eq!(ended(&asks.run(next)).await.status, Status::Succeeded);
    paused.shutdown(HANG).await;
    assert_eq!(ledger.lines(), ["begun", "next"]);
    assert!(!folder.join(id.to_string()).exists());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_claimed_while_all_that_waits_has_to_wait() {
    let scratch = Scratch::new();
    let store = Watched::new(MemoryStore::new());
    let host = Builder::new().function("work", |_cx: Context, (): ()| async { Ok(()) });
    let host = host.start(store.clone(), scratch.path("runs.d")).await.unwrap();
    let later = host.detach(Job::call("work", &()).delay(Duration::from_secs(3600))).await.unwrap();
    // Of the wall clock next to nothing passes, of the timers an hour less a minute.
    tokio::time::sleep(Duration::from_secs(3540)).await;
    let claims = store.claims.load(Ordering::SeqCst);
    assert!(claims <= 2, "{claims} claims, and nothing was due");
    // Not deaf either: what comes meanwhile is done at once.
    let now = host.detach(Job::call("work", &())).await.unwrap();
    assert_eq!(ended(&host.run(now)).await.status, Status::Succeeded);
    assert_eq!(host.run(later).status().await.unwrap(), Status::Queued);
}

#[tokio::test]
async fn what_another_process_accepted_is_heard_of_when_it_is_due() {
    let scratch = Scratch::new();
    let host = Builder::new().function("work", |_cx: Context, (): ()| async { Ok(()) });
    let host = host.open(scratch.path("runs.db")).await.unwrap();
    let asks = Builder::new().without_workers().open(scratch.path("runs.db")).await.unwrap();
    let first = asks.detach(Job::call("work", &()).delay(Duration::from_millis(700))).await.unwrap();
    let second = asks.detach(Job::call("work", &())).await.unwrap();
    assert_eq!(ended(&asks.run(second)).await.status, Status::Succeeded);
    assert_eq!(ended(&asks.run(first)).await.status, Status::Succeeded);
    host.shutdown(HANG).await;
}

/// P15: one valid lease for a run; what a former owner brings is refused, while the next is still at it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_result_is_refused_while_another_host_is_at_the_run() {
    let scratch = Scratch::new();
    let (path, folder) = (scratch.path("runs.db"), scratch.path("runs.db.d"));
    let watched = Watched::new(SqliteStore::open(&path).await.unwrap());
    let host = |name: &'static str| {
        let (begun, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (tell, wait) = (begun.clone(), go.clone());
        let work = move |_cx: Context, (): ()| {
            let (tell, wait) = (tell.clone(), wait.clone());
            async move {
                tell.add_permits(1);
                wait.acquire().await.unwrap().forget();
                Ok(name)
            }
        };
        (Builder::new().name(name).lease(LEASE).function("work", work), begun, go)
    };
    let (early, early_begun, early_go) = host("early");
    let (late, late_begun, late_go) = host("late");
    let early = early.start(watched.clone(), &folder).await.unwrap();
    let id = early.detach(Job::call("work", &())).await.unwrap();
    early_begun.acquire().await.unwrap().forget();
    watched.fall_silent();
    let late = late.open(&path).await.unwrap();
    late_begun.acquire().await.unwrap().forget();

    early_go.add_permits(1);
    let refused = tokio::time::timeout(HANG, watched.refused.acquire()).await;
    refused.expect("an end that is brought and refused").unwrap().forget();
    let run = late.run(id);
    let record = run.record().await.unwrap();
    assert_eq!((record.status, record.attempt), (Status::Running, 2));

    late_go.add_permits(1);
    assert_eq!(ended(&run).await.status, Status::Succeeded);
    assert_eq!(run.result::<String>().await.unwrap(), "late");
    let history = run.history(0, 100).await.unwrap();
    let ends = history.iter().filter(|event| event.kind == RunEventKind::Ended).count();
    assert_eq!(ends, 1, "{history:?}");
    watched.go_on();
    late.shutdown(HANG).await;
    early.shutdown(HANG).await;
}

#[tokio::test]
async fn a_reader_of_output_may_ask_again_after_a_fault_of_the_records() {
    let scratch = Scratch::new();
    let watched = Watched::new(MemoryStore::new());
    let go = Arc::new(Semaphore::new(0));
    let wait = go.clone();
    let work = move |cx: Context, (): ()| {
        let wait = wait.clone();
        async move {
            wait.acquire().await.unwrap().forget();
            cx.emit(Source::Stdout, "said\n").await?;
            Ok(())
        }
    };
    let host =
        Builder::new().function("work", work).start(watched.clone(), scratch.path("runs.d")).await.unwrap();
    let id = host.detach(Job::call("work", &())).await.unwrap();
    let run = host.run(id);
    while run.status().await.unwrap() != Status::Running {
        tokio::task::yield_now().await;
    }
    let mut output = run.output(From::Start).await.unwrap();
    watched.faults.store(2, Ordering::SeqCst);
    let mut faults = 0;
    go.add_permits(1);
    let mut lines = Vec::new();
    loop {
        match tokio::time::timeout(HANG, output.next()).await.expect("an answer") {
            Ok(Some(Entry::Line(line))) => lines.push(line.text().into_owned()),
            Ok(Some(other)) => panic!("{other:?}"),
            Ok(None) => break,
            Err(_) => faults += 1,
        }
    }
    assert_eq!(lines, ["said"]);
    assert!((1..=2).contains(&faults), "{faults}");
    host.shutdown(HANG).await;
}

#[tokio::test]
async fn what_is_taken_on_while_the_host_shuts_down_is_left_to_the_next() {
    let scratch = Scratch::new();
    let (path, folder) = (scratch.path("runs.db"), scratch.path("runs.db.d"));
    let watched = Watched::new(SqliteStore::open(&path).await.unwrap());
    let calls = Arc::new(AtomicU32::new(0));
    let count = calls.clone();
    let work = move |_cx: Context, (): ()| {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<Result<(), bgt_detached::TaskError>>()
    };
    let host =
        Builder::new().lease(LEASE).function("work", work).start(watched.clone(), &folder).await.unwrap();
    watched.pause();
    let asks = Builder::new().without_workers().open(&path).await.unwrap();
    let id = asks.detach(Job::call("work", &())).await.unwrap();
    watched.kept_back.acquire().await.unwrap().forget();
    // Its claim is answered when it has let go of everything.
    host.shutdown(Duration::ZERO).await;
    watched.go_on();
    let next = Builder::new().lease(LEASE).function("work", |_cx: Context, (): ()| async { Ok(7) });
    let next = next.open(&path).await.unwrap();
    assert_eq!(ended(&next.run(id)).await.status, Status::Succeeded);
    assert_eq!(calls.load(Ordering::SeqCst), 0, "it was called by a host that had shut down");
    next.shutdown(HANG).await;
}
