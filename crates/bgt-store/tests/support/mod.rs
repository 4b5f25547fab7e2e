//! What the tests of the store in a file share: records to write, faults to recognise, and other processes to meet.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

use std::collections::BTreeSet;
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bgt_store::{
    FaultKind, NewRun, Page, RunEventKind, RunFilter, RunId, RunStore, SqliteStore, Store, StoreError,
};

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

const ROLE: &str = "BGT_STORE_TEST";
const MARK: &str = "@@";

/// What a test that plays another process was started for: nothing, when somebody runs the ignored tests.
pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// In the other process: says something to the test that started it.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{MARK}{line}").and_then(|()| out.flush()).expect("somebody who listens");
}

/// In the other process: waits for a word of the test that started it; `None` when it is gone.
pub fn hear() -> Option<String> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).expect("a stdin that can be read");
    (read > 0).then(|| line.trim().to_owned())
}

/// Another process, that runs an ignored test of this program.
pub struct Other {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Other {
    /// How to start it.
    pub fn command(test: &str, role: &str) -> Command {
        Self::command_through(&[], test, role)
    }

    /// The same through another program, which takes the command as its last arguments.
    pub fn command_through(wrapper: &[&str], test: &str, role: &str) -> Command {
        let exe = std::env::current_exe().expect("this very program");
        let mut command = match wrapper {
            [] => Command::new(exe),
            [program, args @ ..] => {
                let mut command = Command::new(program);
                command.args(args).arg(exe);
                command
            }
        };
        command.args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"]).env(ROLE, role);
        command
    }

    /// Starts it, with this as its [`role`].
    pub fn start(test: &str, role: &str) -> Self {
        Self::of(Self::command(test, role)).expect("this very program")
    }

    /// Starts any program that knows the marks.
    pub fn of(mut command: Command) -> std::io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("a piped stdout"));
        Ok(Self { child, stdin, stdout })
    }

    /// The next thing that it says.
    pub fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).expect("a stdout that can be read");
            assert!(read > 0, "the other process ended: {:?}", self.child.wait());
            if let Some(at) = line.find(MARK) {
                return line[at + MARK.len()..].trim().to_owned();
            }
        }
    }

    /// Tells it something.
    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("not ended yet");
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).expect("somebody who listens");
    }

    /// Lets it end, and asserts that it ended well.
    #[track_caller]
    pub fn end(mut self) {
        drop(self.stdin.take());
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.stdout, &mut rest).expect("a stdout that can be read");
        let status = self.child.wait().expect("a child");
        assert!(status.success(), "the other process failed ({status}):\n{rest}");
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
