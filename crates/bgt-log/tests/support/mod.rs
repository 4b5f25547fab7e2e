//! What the tests of files share.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime};

use bgt_log::{Chunk, Entry, FileError, From, Keep, Line, Log, LogFiles, LogReader, Sink, Source};
use proptest::prelude::*;

/// Far beyond any slowness.
pub const SOON: Duration = Duration::from_secs(60);

pub fn chunk(source: Source, bytes: impl Into<Vec<u8>>) -> Chunk {
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_234_567_890_123);
    Chunk { source, at, bytes: bytes.into().into() }
}

pub fn keeping(bytes: usize) -> Keep {
    let mut keep = Keep::default();
    keep.bytes = bytes;
    keep
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The files of a log, in order.
pub fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The number in the name of a file.
pub fn first(file: &Path) -> u64 {
    file.file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

pub async fn write(log: &Log, text: &str) {
    log.write(chunk(Source::Stdout, text)).await.unwrap();
}

/// All that a log holds; it must be over.
pub async fn held(log: &Log, from: From) -> Vec<Entry> {
    let mut follower = log.subscribe(from);
    let mut entries = Vec::new();
    while let Some(entry) = follower.next().await {
        entries.push(entry);
    }
    entries
}

/// All that files hold now, and whether their writer had finished.
pub async fn read(folder: &Path, from: From) -> Result<(Vec<Entry>, bool), FileError> {
    let mut reader = LogReader::open(folder, from).await?;
    let mut entries = Vec::new();
    while let Some(entry) = reader.next().await? {
        entries.push(entry);
    }
    Ok((entries, reader.is_finished()))
}

pub async fn open(keep: Keep, files: &LogFiles) -> Log {
    Log::with_files(keep, files.clone()).await.unwrap()
}

/// Asserts that these are the lines that were written, but for gaps, and answers with how many are missing.
#[track_caller]
pub fn assert_these_but_for_gaps(entries: &[Entry], all: &[Line]) -> u64 {
    let (mut seq, mut missing) = (0, 0);
    for entry in entries {
        match entry {
            Entry::Line(line) => assert_eq!(*line, all[seq as usize]),
            Entry::Gap(gap) => {
                assert_eq!(gap.first, seq + 1);
                missing += gap.lines();
            }
            other => panic!("{other:?}"),
        }
        assert!(entry.last() > seq, "{entry:?} after {seq}");
        seq = entry.last();
    }
    assert_eq!(seq, all.len() as u64);
    missing
}

pub fn lines(entries: Vec<Entry>) -> Vec<Line> {
    let line = |entry| match entry {
        Entry::Line(line) => line,
        other => panic!("{other:?}"),
    };
    entries.into_iter().map(line).collect()
}

/// What line of the writer has this number.
pub fn text(seq: u64) -> String {
    format!("line {seq} {}", "x".repeat(seq as usize % 97))
}

/// Files of a few dozen lines.
pub fn small(folder: &Path) -> LogFiles {
    LogFiles::at(folder).segment_bytes(4000)
}

/// Chunks of anything, rich in what ends lines.
pub fn chunks() -> impl Strategy<Value = Vec<(Source, Vec<u8>)>> {
    let byte = prop_oneof![4 => Just(b'a'), 2 => Just(b'\n'), 1 => Just(b'\r'), 2 => any::<u8>()];
    let text = prop_oneof![
        12 => proptest::collection::vec(byte, 0..40),
        1 => (60_000..70_000_usize).prop_map(|length| vec![b'x'; length]),
    ];
    let source = prop_oneof![Just(Source::Stdout), Just(Source::Stderr)];
    proptest::collection::vec((source, text), 0..30)
}

const ROLE: &str = "BGT_LOG_TEST";
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

/// Another process, that runs an ignored test of this program. Dropping it kills it.
pub struct Other {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Other {
    /// Starts it, with this as its [`role`]; through another program, which takes the command as its last arguments.
    pub fn start(wrapper: &[&str], test: &str, role: &Path) -> Self {
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
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("this very program");
        let stdin = child.stdin.take().expect("a piped stdin");
        let stdout = BufReader::new(child.stdout.take().expect("a piped stdout"));
        Self { child, stdin, stdout }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
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
        writeln!(self.stdin, "{line}").and_then(|()| self.stdin.flush()).expect("somebody who listens");
    }

    /// Kills it, without a chance to do anything, and answers with what it had said and was not heard yet.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("a process that is not reaped yet");
        let said = self.stdout.by_ref().lines().map_while(Result::ok);
        let said =
            said.filter_map(|line| line.find(MARK).map(|at| line[at + MARK.len()..].trim().to_owned()));
        said.collect()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
