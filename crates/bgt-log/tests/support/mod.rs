//! What the tests of files share.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test program uses its part")]

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bgt_log::{Chunk, Entry, FileError, From, Keep, Line, Log, LogFiles, LogReader, Sink, Source};
use proptest::prelude::*;

pub use bgt_testkit::{Other, hear, role, say};

/// Far beyond any slowness.
pub const SOON: Duration = Duration::from_secs(60);

pub fn chunk(source: Source, bytes: impl Into<Vec<u8>>) -> Chunk {
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_234_567_890_123);
    Chunk { source, at, bytes: bytes.into().into() }
}

pub fn keeping(bytes: usize) -> Keep {
    Keep::bytes(bytes)
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
