//! Writers that are killed, and readers in another process.
#![cfg(feature = "files")]

mod support;

use std::fs;
use std::path::Path;

use bgt_log::{Entry, From, Keep, LogReader};
use bgt_testkit::Scratch;
use support::*;

/// Not a test: writes until it is killed, and says after each line that it is written. At most so many lines as it is told,
/// if it is told.
#[test]
#[ignore = "the other process of the tests below"]
fn writer() {
    let Some(folder) = role() else { return };
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    many.block_on(async {
        let log = open(keeping(100), &small(Path::new(&folder))).await;
        say(&log.extent().last.to_string());
        while let Some(word) = hear() {
            let count = word.trim_end_matches("end").parse().unwrap_or(u64::MAX);
            let last = log.extent().last;
            for seq in (last..).take(usize::try_from(count).unwrap_or(usize::MAX)) {
                write(&log, &format!("{}\n", text(seq + 1))).await;
                say(&(seq + 1).to_string());
            }
            if word.ends_with("end") {
                log.finish();
                log.flush().await.unwrap();
                say("ended");
            }
        }
    });
}

#[test]
fn a_kill_loses_nothing_that_was_written() {
    let scratch = Scratch::new();
    let folder = scratch.path("run");
    let mut last = 0;
    for _ in 0..10 {
        let mut other = Other::start("writer", &folder);
        let continued: u64 = other.hear().parse().unwrap();
        assert!(continued >= last, "{continued} after {last}");
        other.say("many");
        for _ in 0..50 {
            last = other.hear().parse().unwrap();
        }
        for said in other.kill() {
            last = said.parse().unwrap_or(last);
        }
        let (entries, is_finished) = runtime().block_on(read(&folder, From::Start)).unwrap();
        assert!(!is_finished);
        for (entry, seq) in entries.iter().zip(1..) {
            let Entry::Line(line) = entry else { panic!("{entry:?}") };
            assert_eq!((line.seq, line.text()), (seq, text(seq).into()));
        }
        // One more may have been written and not said.
        let written = entries.len() as u64;
        assert!(written == last || written == last + 1, "{written} are there, {last} were said");
    }
}

#[tokio::test]
async fn another_process_is_followed_while_files_are_begun_and_removed() {
    const LINES: u64 = 1500;
    let scratch = Scratch::new();
    let folder = scratch.path("run");
    let mut other = Other::start("writer", &folder);
    other.hear();
    let mut reader = LogReader::follow(&folder, From::Start).await.unwrap();
    let following = tokio::spawn(async move {
        let mut entries = Vec::new();
        while let Some(entry) = reader.next().await.unwrap() {
            entries.push(entry);
        }
        assert!(reader.is_finished() && reader.seq() == LINES);
        entries
    });
    let feeding = tokio::task::spawn_blocking(move || {
        let mut removed = 0;
        for round in 0..15 {
            other.say("100");
            for _ in 0..100 {
                other.hear();
            }
            // A third of the files, from under the reader; not the one that is written.
            let held = segments(&folder);
            for file in held[..held.len() - 1].iter().skip(round % 3).step_by(3) {
                removed += u64::from(fs::remove_file(file).is_ok());
            }
        }
        other.say("0end");
        while other.hear() != "ended" {}
        removed
    });
    let removed = feeding.await.unwrap();
    let entries = tokio::time::timeout(SOON, following).await.expect("the end").unwrap();
    assert!(removed > 5);
    let mut seq = 0;
    for entry in entries {
        match &entry {
            Entry::Line(line) => assert_eq!((line.seq, line.text()), (seq + 1, text(seq + 1).into())),
            Entry::Gap(gap) => assert_eq!(gap.first, seq + 1),
            other => panic!("{other:?}"),
        }
        seq = entry.last();
    }
    assert_eq!(seq, LINES);
}

#[tokio::test]
async fn what_is_added_between_two_looks_is_seen() {
    let scratch = Scratch::new();
    let files = small(&scratch.path("run"));
    let log = open(Keep::default(), &files).await;
    let mut reader = LogReader::follow(files.folder(), From::Now).await.unwrap();
    let following = tokio::spawn(async move {
        let mut seen = 0;
        while let Some(entry) = reader.next().await.unwrap() {
            assert_eq!(entry.last(), seen + 1);
            seen += 1;
        }
        seen
    });
    for n in 1..=200 {
        write(&log, &format!("{}\n", text(n))).await;
        if n % 20 == 0 {
            tokio::task::yield_now().await;
        }
    }
    log.finish();
    assert_eq!(tokio::time::timeout(SOON, following).await.expect("the end").unwrap(), 200);
}
