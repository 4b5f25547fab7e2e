//! Several hosts on the same records: each run is done by one, and one that was paused for too long has nothing to say.
#![cfg(feature = "sqlite")]

mod support;

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bgt_detached::{Builder, CancelReason, Context, Job, Page, RunEventKind, RunFilter, SqliteStore, Status};
use bgt_store::RunStore;
use bgt_testkit::{Ledger, Other, Scratch, role, say, skip};
use support::{HANG, ended};
use tokio::sync::Semaphore;

const LEASE: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_hosts_work_on_is_done_once_each() {
    let scratch = Scratch::new();
    // Not a file: under Wine what two threads append to one at once may overwrite each other.
    let calls = Arc::new(Mutex::new(Vec::new()));
    let host = |name: &'static str| {
        let calls = calls.clone();
        let work = move |_cx: Context, n: u32| {
            calls.lock().unwrap().push(n);
            std::future::ready(Ok(n))
        };
        Builder::new().name(name).queue("both", 4).function("work", work).open(scratch.path("runs.db"))
    };
    let (one, other) = (host("one").await.unwrap(), host("other").await.unwrap());
    let jobs = (0..200u32).map(|n| Job::call("work", &n).queue("both"));
    let ids = one.detach_all(jobs).await.unwrap();
    for id in &ids {
        assert_eq!(ended(&other.run(*id)).await.status, Status::Succeeded);
    }
    let done = calls.lock().unwrap().clone();
    assert_eq!((done.len(), done.iter().collect::<HashSet<_>>().len()), (200, 200));
    assert_eq!(one.hosts().await.unwrap().iter().filter(|host| host.is_alive).count(), 2);
    one.shutdown(HANG).await;
    assert_eq!(other.hosts().await.unwrap().iter().filter(|host| host.is_alive).count(), 1);
}

#[tokio::test]
async fn a_function_of_a_host_that_shuts_down_is_done_by_the_next() {
    let scratch = Scratch::new();
    let begun = Arc::new(Semaphore::new(0));
    let tell = begun.clone();
    let waits = move |cx: Context, (): ()| {
        let tell = tell.clone();
        async move {
            tell.add_permits(1);
            assert_eq!(cx.cancelled().await, CancelReason::Shutdown);
            cx.check()?;
            Ok(0)
        }
    };
    let first = Builder::new().function("work", waits).open(scratch.path("runs.db")).await.unwrap();
    let id = first.detach(Job::call("work", &())).await.unwrap();
    begun.acquire().await.unwrap().forget();
    first.shutdown(HANG).await;
    assert_eq!(first.run(id).status().await.unwrap(), Status::Queued);
    let next = Builder::new()
        .function("work", |_cx: Context, (): ()| async { Ok(7) })
        .open(scratch.path("runs.db"))
        .await
        .unwrap();
    let record = ended(&next.run(id)).await;
    assert_eq!((record.status, record.attempt), (Status::Succeeded, 2));
    assert_eq!(next.run(id).result::<u32>().await.unwrap(), 7);
}

#[tokio::test]
async fn a_shutdown_ends_in_time_though_a_function_does_not_obey_and_the_next_host_calls_it_again() {
    let scratch = Scratch::new();
    let calls = Arc::new(AtomicU32::new(0));
    let begun = Arc::new(Semaphore::new(0));
    let (count, tell) = (calls.clone(), begun.clone());
    let stubborn = move |cx: Context, (): ()| {
        let (count, tell) = (count.clone(), tell.clone());
        async move {
            // Says that it wants to know, and does not care.
            let _ = cx.cancel_reason();
            tell.add_permits(1);
            if count.fetch_add(1, Ordering::SeqCst) == 0 {
                std::future::pending::<()>().await;
            }
            Ok(())
        }
    };
    let open = || Builder::new().function("work", stubborn.clone()).open(scratch.path("runs.db"));
    let first = open().await.unwrap();
    let id = first.detach(Job::call("work", &())).await.unwrap();
    begun.acquire().await.unwrap().forget();
    tokio::time::timeout(HANG, first.shutdown(Duration::from_millis(50)))
        .await
        .expect("a shutdown that ends");
    assert_eq!(first.run(id).status().await.unwrap(), Status::Running);
    let next = open().await.unwrap();
    assert_eq!(ended(&next.run(id)).await.status, Status::Succeeded);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_function_that_no_host_here_has_waits_for_one_that_has() {
    let scratch = Scratch::new();
    let web = Builder::new().without_workers().open(scratch.path("runs.db")).await.unwrap();
    let id = web.detach(Job::call("new", &())).await.unwrap();
    let old = Builder::new().open(scratch.path("runs.db")).await.unwrap();
    while old.run(id).attempts().await.unwrap().first().is_none_or(|attempt| attempt.status.is_none()) {
        tokio::task::yield_now().await;
    }
    assert!(old.run(id).record().await.unwrap().error.unwrap().contains("\"new\""));
    old.shutdown(HANG).await;
    let new = Builder::new()
        .function("new", |_cx: Context, (): ()| async { Ok(()) })
        .open(scratch.path("runs.db"))
        .await
        .unwrap();
    assert_eq!(ended(&new.run(id)).await.status, Status::Succeeded);
    assert_eq!(web.count(RunFilter::new().status(Status::Succeeded)).await.unwrap()[&Status::Succeeded], 1);
}

#[tokio::test]
async fn a_deadline_ends_the_wait_for_a_host_that_has_the_function() {
    let scratch = Scratch::new();
    let web = Builder::new().without_workers().open(scratch.path("runs.db")).await.unwrap();
    let id = web.detach(Job::call("new", &()).deadline(Duration::from_millis(1))).await.unwrap();
    let old = Builder::new().open(scratch.path("runs.db")).await.unwrap();
    let record = ended(&old.run(id)).await;
    assert_eq!(record.status, Status::TimedOut);
    assert!(record.error.as_ref().unwrap().contains("\"new\""), "{record:?}");
}

#[tokio::test]
async fn what_ran_in_a_queue_that_nobody_serves_any_more_is_not_forgotten() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let begun = Arc::new(Semaphore::new(0));
    let tell = begun.clone();
    let work = move |_cx: Context, (): ()| {
        let tell = tell.clone();
        async move {
            tell.add_permits(1);
            std::future::pending::<Result<(), bgt_detached::TaskError>>().await
        }
    };
    let builder = || Builder::new().lease(LEASE);
    let gone = builder().queue("old", 1).function("work", work).open(&path).await.unwrap();
    let id = gone.detach(Job::call("work", &()).queue("old")).await.unwrap();
    begun.acquire().await.unwrap().forget();
    drop(gone);
    let next = builder().open(&path).await.unwrap();
    let queued = async {
        while next.run(id).status().await.unwrap() != Status::Queued {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(HANG, queued).await.expect("somebody who looks after it");
    next.run(id).cancel().await.unwrap();
    assert_eq!(ended(&next.run(id)).await.status, Status::Cancelled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_function_that_blocks_its_runtime_for_longer_than_the_lease_is_called_once() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let calls = Arc::new(AtomicU32::new(0));
    let builder = || {
        let calls = calls.clone();
        let blocks = move |_cx: Context, (): ()| {
            calls.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(3 * LEASE);
            std::future::ready(Ok(()))
        };
        Builder::new().lease(LEASE).function("blocks", blocks)
    };
    // The other host has a runtime of its own, with nothing to do but to look.
    let other = {
        let (builder, path) = (builder(), path.clone());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (up, is_up) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let host = builder.queue("elsewhere", 1).open(path).await.unwrap();
                let _ = up.send(());
                let _ = stopped.await;
                host.shutdown(HANG).await;
            });
        });
        is_up.await.unwrap();
        (stop, thread)
    };
    let host = builder().queue("here", 1).open(&path).await.unwrap();
    let id = host.detach(Job::call("blocks", &()).queue("here")).await.unwrap();
    let record = ended(&host.run(id)).await;
    assert_eq!((record.status, record.attempt), (Status::Succeeded, 1), "{record:?}");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    drop(other.0);
    tokio::task::spawn_blocking(move || other.1.join().unwrap()).await.unwrap();
}

/// A host of its own: works until it is told to end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "plays another process"]
async fn plays_the_host() {
    let Some(folder) = role().map(std::path::PathBuf::from) else { return };
    let ledger = Ledger::at(folder.join("ledger"));
    let work = move |_cx: Context, word: String| {
        let (ledger, folder) = (ledger.clone(), folder.clone());
        async move {
            ledger.append(&format!("begun by {}", std::process::id()));
            let gate = folder.join("go");
            while !gate.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            ledger.append(&format!("done by {}", std::process::id()));
            Ok(format!("{word} by {}", std::process::id()))
        }
    };
    let folder = std::path::PathBuf::from(role().unwrap());
    let host = Builder::new().lease(LEASE).function("work", work).open(folder.join("runs.db")).await.unwrap();
    say("up");
    tokio::task::spawn_blocking(|| while bgt_testkit::hear().is_some() {}).await.unwrap();
    host.shutdown(HANG).await;
}

#[tokio::test]
async fn a_host_that_was_paused_beyond_its_lease_cannot_write_and_works_on_afterwards() {
    let name = "a_host_that_was_paused_beyond_its_lease_cannot_write_and_works_on_afterwards";
    if !signal("-0", std::process::id()) {
        skip!(name, "there is no `kill` here that can pause a process");
        return;
    }
    let scratch = Scratch::new();
    let ledger = Ledger::at(scratch.path("ledger"));
    let asks = Builder::new().without_workers().open(scratch.path("runs.db")).await.unwrap();
    let start = || {
        let mut host = Other::start("plays_the_host", scratch.dir());
        assert_eq!(host.hear(), "up");
        host
    };
    let paused = start();
    let id = asks.detach(Job::call("work", "word")).await.unwrap();
    let _ = ledger.wait_for_lines(1, HANG);
    pause(&scratch, &paused).await;
    let other = start();
    // Taken over, and called again.
    let lines = ledger.wait_for_lines(2, HANG);
    assert_eq!(lines[1], format!("begun by {}", other.id()));
    std::fs::write(scratch.path("go"), "").unwrap();
    let run = asks.run(id);
    assert_eq!(ended(&run).await.status, Status::Succeeded);
    assert!(signal("-CONT", paused.id()));
    // It is heard of again, under another identity, and takes part.
    let alive = async {
        loop {
            let hosts = asks.hosts().await.unwrap();
            if hosts.iter().filter(|host| host.is_alive && host.ended_at.is_none()).count() == 2 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(HANG, alive).await.expect("a host that begins anew");
    assert_eq!(run.result::<String>().await.unwrap(), format!("word by {}", other.id()));
    let history = run.history(0, 100).await.unwrap();
    let ends = history.iter().filter(|event| event.kind == RunEventKind::Ended).count();
    assert_eq!(ends, 1, "{history:?}");
    other.end();
    let next = asks.detach(Job::call("work", "again")).await.unwrap();
    assert_eq!(ended(&asks.run(next)).await.status, Status::Succeeded);
    assert_eq!(asks.run(next).result::<String>().await.unwrap(), format!("again by {}", paused.id()));
    paused.end();
}

/// Pauses it, at a moment when it does not hold the lock on the records: nobody could do anything else with them then.
async fn pause(scratch: &Scratch, host: &Other) {
    let patience = Duration::from_millis(100);
    let records = SqliteStore::builder(scratch.path("runs.db")).patience(patience).open().await.unwrap();
    let id = records.list(RunFilter::new(), Page::first(1)).await.unwrap().runs[0].id;
    loop {
        assert!(signal("-STOP", host.id()));
        match records.note(id, "somebody was paused").await {
            Ok(()) => return,
            Err(error) => assert!(error.fault().is_some(), "{error}"),
        }
        assert!(signal("-CONT", host.id()));
    }
}

/// Whether the system's own `kill` could send it.
fn signal(signal: &str, pid: u32) -> bool {
    let sent = std::process::Command::new("kill").args([signal, &pid.to_string()]).output();
    sent.is_ok_and(|sent| sent.status.success())
}
