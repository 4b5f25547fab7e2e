//! Disks that are full, and folders that are taken away. Where a folder in use cannot be removed, there is no such test.
#![cfg(all(unix, feature = "files"))]

mod support;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use bgt_log::{Entry, From, Keep, Log, LogFiles, Sink, Source};
use bgt_testkit::{Scratch, skip, wait_until};
use support::*;

#[tokio::test]
async fn a_folder_that_is_removed_is_made_again() {
    let scratch = Scratch::new();
    let files = small(&scratch.path("run"));
    let log = open(keeping(1), &files).await;
    write(&log, "one\ntwo\n").await;
    fs::remove_dir_all(files.folder()).unwrap();
    write(&log, "three\n").await;
    assert_eq!(log.extent().written, Some(3));
    log.finish();
    log.flush().await.unwrap();
    let (entries, is_finished) = read(files.folder(), From::Start).await.unwrap();
    let [Entry::Gap(gap), Entry::Line(line)] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((gap.first, gap.last, &*line.text(), is_finished), (1, 2, "three", true));
}

#[tokio::test]
async fn a_fault_of_the_files_leaves_the_log_and_is_made_good_from_memory() {
    let scratch = Scratch::new();
    let files = small(&scratch.path("run"));
    let log = open(Keep::default(), &files).await;
    write(&log, "one\n").await;
    // Something else is in the place of the folder: nothing can be made there.
    fs::remove_dir_all(files.folder()).unwrap();
    fs::write(files.folder(), "in the way").unwrap();
    for n in 2..=2000 {
        write(&log, &format!("{}\n", text(n))).await;
    }
    let error = log.file_error().expect("a fault");
    assert_eq!(error.kind(), ErrorKind::NotADirectory);
    assert_eq!(log.extent().written, Some(1));
    assert!(log.flush().await.is_err());

    fs::remove_file(files.folder()).unwrap();
    write(&log, "on again\n").await;
    assert_eq!(log.extent().written, Some(2001));
    log.finish();
    log.flush().await.unwrap();
    assert!(log.file_error().is_some(), "it is kept");
    let all = held(&log, From::Start).await;
    let (entries, is_finished) = read(files.folder(), From::After(1)).await.unwrap();
    assert!(is_finished && entries == all[1..]);
}

#[tokio::test]
async fn what_memory_does_not_hold_until_the_fault_is_gone_is_a_gap() {
    let scratch = Scratch::new();
    let files = small(&scratch.path("run"));
    let (memory, log) = (Log::new(), open(keeping(1), &files).await);
    fs::remove_dir(files.folder()).unwrap();
    fs::write(files.folder(), "in the way").unwrap();
    let line = format!("{}\n", "x".repeat(30_000));
    for n in 1..=200 {
        if n == 180 {
            fs::remove_file(files.folder()).unwrap();
        }
        for log in [&memory, &log] {
            log.write(chunk(Source::Stdout, line.clone())).await.unwrap();
        }
    }
    memory.finish();
    log.finish();
    log.flush().await.unwrap();
    let all = lines(held(&memory, From::Start).await);
    let (entries, _) = read(files.folder(), From::Start).await.unwrap();
    let missing = assert_these_but_for_gaps(&entries, &all);
    // It had waited for a mebibyte of them.
    assert!((130..160).contains(&missing), "{missing}");
    assert_eq!(held(&log, From::Start).await, entries);
}

/// Not a test: writes one line after the other, and says how far files and memory are.
#[test]
#[ignore = "the other process of the test below"]
fn writer_on_a_full_disk() {
    let Some(folder) = role() else { return };
    runtime().block_on(async {
        let log = open(Keep::default(), &LogFiles::at(folder)).await;
        say("here");
        while hear().is_some() {
            for _ in 0..100 {
                let last = log.extent().last;
                write(&log, &format!("{}\n", text(last + 1))).await;
            }
            let extent = log.extent();
            say(&format!("{} {} {}", extent.last, extent.written.unwrap(), log.file_error().is_some()));
        }
    });
}

#[tokio::test]
async fn a_disk_that_is_full_for_a_while_tears_and_loses_nothing() {
    const NAME: &str = "a_disk_that_is_full_for_a_while_tears_and_loses_nothing";
    let scratch = Scratch::new();
    let folder = scratch.path("run");
    // No file may have more than 8 KiB: a write then comes up to that, and the next fails.
    let limited = ["/bin/bash", "-c", "trap '' XFSZ; ulimit -S -f 8; exec \"$0\" \"$@\""];
    if !Path::new(limited[0]).exists()
        || std::process::Command::new("prlimit").arg("--version").output().is_err()
    {
        return skip!(NAME, "there is no bash or no prlimit");
    }
    let mut other = Other::of(Other::command_through(&limited, "writer_on_a_full_disk", &folder)).unwrap();
    other.hear();
    let mut said = String::new();
    let is_full = wait_until(SOON, || {
        other.say("more");
        said = other.hear();
        said.ends_with("true")
    });
    assert!(is_full, "{said}");
    let (entries, _) = read(&folder, From::Start).await.unwrap();
    let words: Vec<_> = said.split(' ').collect();
    assert_eq!((words[0], words[1]), ("100", &*entries.len().to_string()));
    let file = fs::read(segments(&folder)[0].as_path()).unwrap();
    assert!(file.ends_with(b"\n") && file.len() > 7000, "{}", file.len());

    let limit = ["--pid", &other.id().to_string(), "--fsize=unlimited:"];
    assert!(std::process::Command::new("prlimit").args(limit).status().unwrap().success());
    other.say("more");
    assert_eq!(other.hear(), "200 200 true");
    let (entries, _) = read(&folder, From::Start).await.unwrap();
    for (line, seq) in lines(entries).into_iter().zip(1..=200) {
        assert_eq!((line.seq, line.text()), (seq, text(seq).into()));
    }
    assert_eq!(segments(&folder).len(), 1);
}
