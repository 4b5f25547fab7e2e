//! What the tests of the store in a file share: records to write, faults to recognise, and other processes to meet.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test program uses its part")]

use std::collections::BTreeSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Command, Stdio};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bgt_store::{
    FaultKind, NewRun, Page, RunEventKind, RunFilter, RunId, RunStore, SqliteStore, Store, StoreError,
};

pub use bgt_testkit::{Other, hear, role, say};

/// Far beyond slowness: who waits for so long waits for ever.
pub const HANG: Duration = Duration::from_secs(60);

/// A store that does not wait long for anybody.
pub async fn open(path: &Path) -> SqliteStore {
    try_open(path).await.expect("a store that opens")
}

pub async fn try_open(path: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::builder(path).patience(Duration::from_millis(200)).open().await
}

/// Writes one run, and answers its id.
pub async fn put(store: &impl Store, name: &str) -> Result<RunId, StoreError> {
    let run = NewRun::new(name, name.to_owned()).label("name", name);
    Ok(store.enqueue(vec![run]).await?[0].id)
}

/// The ids of all runs.
pub async fn ids(store: &impl Store) -> BTreeSet<RunId> {
    let (mut found, mut page) = (BTreeSet::new(), Page::first(1000));
    loop {
        let runs = store.list(RunFilter::new(), page).await.expect("a store that can be read");
        found.extend(runs.runs.iter().map(|run| run.id));
        match runs.next {
            Some(next) => page = Page::after(next, 1000),
            None => return found,
        }
    }
}

/// Asserts that everything that was acknowledged is there, nothing that was never wanted, and each with all its parts.
pub async fn assert_whole(store: &SqliteStore, acknowledged: &[RunId]) {
    let found = ids(store).await;
    for id in acknowledged {
        assert!(found.contains(id), "{id} was acknowledged, and is not there");
    }
    for id in found {
        let run = store.run(id).await.unwrap().unwrap();
        assert!(!store.payload(id).await.unwrap().is_empty(), "{id} has no payload");
        let events = store.events(id, 0, 1000).await.unwrap();
        assert_eq!(events[0].kind, RunEventKind::Queued, "{id}");
        assert_eq!(events.len(), run.events as usize, "{id}");
        let by_label = RunFilter::new().label("name", run.labels["name"].clone());
        let found = store.list(by_label, Page::first(1000)).await.unwrap();
        assert!(found.runs.contains(&run), "{id} is not found by its label");
    }
    assert_eq!(integrity(store.path()), "ok");
}

/// What SQLite says of the file. Through SQLite: to open and close a file in any other way would take the locks that this
/// process holds on it.
pub fn integrity(path: &Path) -> String {
    let connection = rusqlite::Connection::open(path).expect("a database that opens");
    connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("an answer")
}

#[track_caller]
pub fn kind(error: &StoreError) -> FaultKind {
    error.fault().unwrap_or_else(|| panic!("no fault: {error:?}")).kind()
}

/// Asserts that it is this fault of this file, and that it says what to do.
#[track_caller]
pub fn assert_fault(error: &StoreError, expected: FaultKind, path: &Path, way_out: &str) {
    assert_eq!(kind(error), expected, "{error:?}");
    assert_eq!(error.fault().unwrap().path(), path);
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "does not name the file: {text}");
    assert!(text.contains(way_out), "does not say {way_out:?}: {text}");
}

/// Asserts that the error has a cause, and answers what all its causes say.
#[track_caller]
pub fn cause(error: &StoreError) -> String {
    let mut causes = Vec::new();
    let mut next = std::error::Error::source(error);
    while let Some(error) = next {
        causes.push(error.to_string());
        next = error.source();
    }
    assert!(!causes.is_empty(), "no cause: {error:?}");
    causes.join(": ")
}

/// The file beside a database that ends so.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Whether a program can be run with these arguments, and succeeds.
pub fn succeeds(program: &str, args: &[&str]) -> bool {
    let quiet = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

/// Runs a test in another process, under another user or with another limit; whether that could be done.
pub fn run_through(wrapper: &[&str], test: &str) -> bool {
    let exe = std::env::current_exe().expect("this program");
    let exe = exe.to_str().expect("a target folder in Unicode");
    let [program, args @ ..] = wrapper else { panic!("no wrapper") };
    // A container may forbid the wrapper, or that other user may not read the target folder.
    if !succeeds(program, &[args, &[exe, "--list"]].concat()) {
        return false;
    }
    Other::of(Other::command_through(wrapper, test, "alone")).expect("what has just run").end();
    true
}

/// Polls so many times without waiting for anything, then drops.
pub fn poll_and_drop<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Some(answer);
        }
    }
    None
}
