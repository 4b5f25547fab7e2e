//! A host that was paused between taking a run on and starting it, and one that has nothing to do.
#![cfg(feature = "sqlite")]

mod support;
#[path = "support/watched.rs"]
mod watched;

use std::sync::atomic::Ordering;
use std::time::Duration;

use bgt_detached::{Builder, Context, Job, SqliteStore, Status};
use bgt_store::MemoryStore;
use bgt_testkit::Scratch;
use support::{HANG, ended};
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
