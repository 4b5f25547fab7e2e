//! The records are locked, damaged or torn, and the service goes on: a typed error at the call, and no accepted run lost.
#![cfg(feature = "sqlite")]

mod support;
#[path = "support/watched.rs"]
mod watched;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bgt_detached::{
    Builder, Context, Detached, DetachedError, FaultKind, Job, Page, RunFilter, SqliteStore, Status,
};
use bgt_testkit::{Other, Scratch, hear, role, say};
use support::{HANG, ended};
use tokio::sync::Semaphore;

const PATIENCE: Duration = Duration::from_millis(200);

/// A function that says that it has begun, and waits to be let go.
#[derive(Clone)]
struct Gate(Arc<Semaphore>, Arc<Semaphore>);

impl Gate {
    fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)))
    }

    fn register(&self, builder: Builder) -> Builder {
        let gate = self.clone();
        builder.function("waits", move |_cx: Context, n: u32| {
            let gate = gate.clone();
            async move {
                gate.0.add_permits(1);
                gate.1.acquire().await?.forget();
                Ok(n)
            }
        })
    }
}

async fn open(builder: Builder, path: &Path) -> Detached {
    let store = SqliteStore::builder(path).patience(PATIENCE).open().await.expect("the records");
    let mut folder = path.as_os_str().to_owned();
    folder.push(".d");
    builder.start(Arc::new(store), folder).await.expect("a host")
}

#[track_caller]
fn assert_fault(error: &DetachedError, kind: FaultKind, path: &Path) {
    let fault = error.fault().unwrap_or_else(|| panic!("no fault: {error:?}"));
    assert_eq!(fault.kind(), kind, "{error:?}");
    assert!(error.to_string().contains(&path.display().to_string()), "does not name the file: {error}");
}

fn sql(path: &Path, text: &str) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.busy_timeout(HANG).unwrap();
    assert!(connection.execute(text, []).unwrap() > 0, "{text}");
}

/// Takes the lock when told so, and gives it back when told so.
#[ignore = "plays another process"]
#[test]
fn plays_the_holder_of_the_lock() {
    let Some(path) = role() else { return };
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.busy_timeout(HANG).unwrap();
    while let Some(sql) = hear() {
        connection.execute_batch(&sql).unwrap();
        say("done");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_somebody_holds_the_lock_calls_are_told_reads_go_on_and_what_ends_is_written_afterwards() {
    let scratch = Scratch::new();
    let (path, gate) = (scratch.path("runs.db"), Gate::new());
    // A short lease runs out meanwhile, and that costs nothing: nobody else could take over either.
    let lease = Duration::from_millis(300);
    let host = open(gate.register(Builder::new().queue("default", 8)).lease(lease), &path).await;
    let at_work = host.detach(Job::call("waits", &1)).await.unwrap();
    gate.0.acquire().await.unwrap().forget();
    let mut holder = Other::start("plays_the_holder_of_the_lock", scratch.text("runs.db"));
    let mut tell = |text: &str| {
        holder.say(text);
        assert_eq!(holder.hear(), "done");
    };
    tell("BEGIN IMMEDIATE");
    let locked = FaultKind::Locked { patience: PATIENCE };
    assert_fault(&host.detach(Job::call("waits", &2)).await.unwrap_err(), locked, &path);
    assert_fault(&host.run(at_work).cancel().await.unwrap_err(), locked, &path);
    gate.1.add_permits(1);
    // Twice as long as the patience: what it ends with was refused by then.
    assert_fault(&host.detach(Job::call("waits", &3)).await.unwrap_err(), locked, &path);
    assert_fault(&host.detach(Job::call("waits", &4)).await.unwrap_err(), locked, &path);
    assert_eq!(host.run(at_work).status().await.unwrap(), Status::Running);
    assert_eq!(host.list(RunFilter::new(), Page::first(10)).await.unwrap().runs.len(), 1);
    tell("ROLLBACK");
    assert_eq!(ended(&host.run(at_work)).await.status, Status::Succeeded);
    assert_eq!(host.run(at_work).result::<u32>().await.unwrap(), 1);
    gate.1.add_permits(1);
    let next = host.detach(Job::call("waits", &5)).await.unwrap();
    assert_eq!(ended(&host.run(next)).await.status, Status::Succeeded);
    assert_eq!(host.count(RunFilter::new()).await.unwrap().values().sum::<u64>(), 2);
    holder.end();
    host.shutdown(HANG).await;
}

#[tokio::test]
async fn what_is_no_store_or_a_damaged_one_is_not_opened_and_left_as_it_is() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let builders = || [Builder::new(), Builder::new().without_workers()];
    for builder in builders() {
        std::fs::write(&path, "dear diary\n".repeat(1000)).unwrap();
        let error = builder.open(&path).await.expect_err("that is no store");
        assert_fault(&error, FaultKind::Corrupt, &path);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "dear diary\n".repeat(1000));
        std::fs::remove_file(&path).unwrap();
    }
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE poems (line TEXT)").unwrap();
    let before = std::fs::read(&path).unwrap();
    for builder in builders() {
        let error = builder.open(&path).await.expect_err("that is another's");
        assert_fault(&error, FaultKind::Foreign, &path);
    }
    assert!(std::fs::read(&path).unwrap() == before);
    assert!(!scratch.path("runs.db.d").exists());
}

#[tokio::test]
async fn a_damaged_run_is_an_error_of_the_calls_about_it_and_holds_up_its_queue_alone() {
    let scratch = Scratch::new();
    let (path, gate) = (scratch.path("runs.db"), Gate::new());
    gate.1.add_permits(100);
    let asks = open(Builder::new().without_workers(), &path).await;
    let damaged = asks.detach(Job::call("waits", &1).label("key", "value").queue("a")).await.unwrap();
    let behind = asks.detach(Job::call("waits", &2).queue("a")).await.unwrap();
    sql(&path, "UPDATE runs SET labels = '{' WHERE seq = 1");
    let host = open(gate.register(Builder::new().queue("a", 1).queue("b", 1)), &path).await;
    for n in 0..3 {
        let id = host.detach(Job::call("waits", &n).queue("b")).await.unwrap();
        assert_eq!(ended(&host.run(id)).await.status, Status::Succeeded);
    }
    assert_fault(&host.run(damaged).status().await.unwrap_err(), FaultKind::Corrupt, &path);
    assert_fault(&host.run(damaged).cancel().await.unwrap_err(), FaultKind::Corrupt, &path);
    assert_eq!(host.run(behind).status().await.unwrap(), Status::Queued);
    // Somebody mends it.
    sql(&path, r#"UPDATE runs SET labels = '{"key":"value"}' WHERE seq = 1"#);
    for id in [damaged, behind] {
        assert_eq!(ended(&host.run(id)).await.status, Status::Succeeded);
    }
}

#[tokio::test]
async fn a_run_whose_job_cannot_be_read_fails_with_words_and_the_next_goes_on() {
    let scratch = Scratch::new();
    let (path, gate) = (scratch.path("runs.db"), Gate::new());
    gate.1.add_permits(100);
    let asks = open(Builder::new().without_workers(), &path).await;
    let ids = asks.detach_all([1, 2].map(|n| Job::call("waits", &n))).await.unwrap();
    sql(&path, "UPDATE payloads SET value = x'7B' WHERE run = 1");
    let host = open(gate.register(Builder::new()), &path).await;
    let record = ended(&host.run(ids[0])).await;
    assert_eq!(record.status, Status::Failed);
    assert!(record.error.as_ref().unwrap().contains("damaged"), "{record:?}");
    assert_eq!(ended(&host.run(ids[1])).await.status, Status::Succeeded);
}

#[tokio::test]
async fn records_that_are_removed_under_a_host_are_an_error_of_each_call() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let host = open(Builder::new().without_workers(), &path).await;
    host.detach(Job::call("waits", &1)).await.unwrap();
    if let Err(error) = std::fs::remove_file(&path) {
        let name = "records_that_are_removed_under_a_host_are_an_error_of_each_call";
        bgt_testkit::skip!(name, format!("the system keeps what is in use: {error}"));
        return;
    }
    let error = host.detach(Job::call("waits", &2)).await.unwrap_err();
    let fault = error.fault().unwrap_or_else(|| panic!("{error:?}"));
    assert_eq!(fault.kind(), FaultKind::Removed, "{error}");
    assert!(error.to_string().contains("runs.db"), "{error}");
}

/// A rolling deploy: the newer host has accepted what the older one cannot read.
#[tokio::test]
async fn a_run_that_another_version_has_accepted_waits_for_a_host_that_can_read_it() {
    let scratch = Scratch::new();
    let (path, gate) = (scratch.path("runs.db"), Gate::new());
    gate.1.add_permits(100);
    let asks = open(Builder::new().without_workers(), &path).await;
    let id = asks.detach(Job::call("waits", &1)).await.unwrap();
    let readable = "SELECT value FROM payloads WHERE run = 1";
    let readable: Vec<u8> =
        rusqlite::Connection::open(&path).unwrap().query_row(readable, [], |row| row.get(0)).unwrap();
    let blob = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let dream = blob(br#"{"what":{"dream":{}},"retry":{}}"#);
    sql(&path, &format!("UPDATE payloads SET value = x'{dream}' WHERE run = 1"));
    let old = open(gate.register(Builder::new()), &path).await;
    let put_back = async {
        while asks.run(id).attempts().await.unwrap().first().is_none_or(|attempt| attempt.status.is_none()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(HANG, put_back).await.expect("an attempt that ends");
    let record = asks.run(id).record().await.unwrap();
    assert_eq!(record.status, Status::Queued);
    assert!(record.error.as_ref().unwrap().contains("another version"), "{record:?}");
    old.shutdown(HANG).await;
    sql(&path, &format!("UPDATE payloads SET value = x'{}' WHERE run = 1", blob(&readable)));
    let new = open(gate.register(Builder::new()), &path).await;
    assert_eq!(ended(&new.run(id)).await.status, Status::Succeeded);
}

/// A shim that was killed between making the file that decides and writing to it has started nothing.
#[cfg(feature = "process")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_whose_decision_is_torn_never_began_and_the_next_begins() {
    use bgt_detached::Command;
    use bgt_testkit::{Ledger, bad};

    let scratch = Scratch::new();
    let (path, folder) = (scratch.path("runs.db"), scratch.path("runs.db.d"));
    let watched = watched::Watched::new(SqliteStore::open(&path).await.unwrap());
    let host = Builder::new().without_shim().start(watched.clone(), &folder).await.unwrap();
    watched.pause();
    let (program, args) = bad(["append", &scratch.text("ledger"), "begun"]);
    let id = host.detach(Job::program(Command::new(program).args(args))).await.unwrap();
    watched.kept_back.acquire().await.unwrap().forget();
    let attempt = folder.join(id.to_string()).join("1");
    std::fs::create_dir_all(&attempt).unwrap();
    std::fs::write(attempt.join("started"), r#"{"boot":"#).unwrap();
    watched.go_on();
    let record = ended(&host.run(id)).await;
    assert_eq!((record.status, record.attempt), (Status::Succeeded, 2), "{record:?}");
    assert_eq!(host.run(id).attempts().await.unwrap()[0].status, Some(Status::Lost));
    assert_eq!(Ledger::at(scratch.path("ledger")).lines(), ["begun"]);
    host.shutdown(HANG).await;
}
