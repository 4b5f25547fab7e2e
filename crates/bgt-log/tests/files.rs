//! What is written to files, and read from them alone or together with memory.
#![cfg(feature = "files")]

mod support;

use std::fs::{self, OpenOptions};
use std::io::Write;

use bgt_core::RunId;
use bgt_log::{Entry, From, Keep, LineEnd, Log, LogFiles, LogReader, Retention, Sink, Source};
use bgt_testkit::Scratch;
use proptest::prelude::*;
use support::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_written_is_read_back_from_every_number_on(
        chunks in chunks(), keep in 1..2000_usize, segment in 1..5000_u64,
    ) {
        let scratch = Scratch::new();
        runtime().block_on(async {
            let files = LogFiles::at(scratch.path("run")).segment_bytes(segment);
            let (memory, log) = (Log::new(), open(keeping(keep), &files).await);
            for (source, bytes) in chunks {
                memory.write(chunk(source, bytes.clone())).await.unwrap();
                log.write(chunk(source, bytes)).await.unwrap();
            }
            memory.finish();
            log.finish();
            log.flush().await.unwrap();
            let all = held(&memory, From::Start).await;
            for seen in 0..=all.len() {
                let (alone, is_finished) = read(files.folder(), From::After(seen as u64)).await.unwrap();
                prop_assert!(is_finished);
                prop_assert!(alone == all[seen..], "alone, after {seen}");
                prop_assert!(held(&log, From::After(seen as u64)).await == all[seen..], "after {seen}");
            }
            let extent = log.extent();
            prop_assert_eq!((extent.first, extent.written), (1, Some(extent.last)));
            prop_assert!(log.file_error().is_none());
            Ok(())
        })?;
    }

    #[test]
    fn no_file_ends_in_the_middle_of_a_record(chunks in chunks(), segment in 1..5000_u64) {
        let scratch = Scratch::new();
        runtime().block_on(async {
            let files = LogFiles::at(scratch.path("run")).segment_bytes(segment);
            let log = open(Keep::default(), &files).await;
            for (source, bytes) in chunks {
                log.write(chunk(source, bytes)).await.unwrap();
            }
        });
        let mut next = 1;
        for file in segments(&scratch.path("run")) {
            prop_assert_eq!(first(&file), next);
            let bytes = fs::read(&file).unwrap();
            prop_assert_eq!(bytes.last(), Some(&b'\n'));
            let records = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            prop_assert!(bytes.len() as u64 <= segment || records == 1);
            next += records;
        }
    }
}

#[tokio::test]
async fn a_folder_is_continued_with_the_next_number() {
    let scratch = Scratch::new();
    let files = LogFiles::at(scratch.path("a").join("b")).segment_bytes(120);
    for round in 0..5_u64 {
        let log = open(keeping(1), &files).await;
        assert_eq!(log.extent().last, round * 3);
        write(&log, "one\ntwo\nthree").await;
        log.finish();
        log.flush().await.unwrap();
        let all = lines(held(&log, From::Start).await);
        assert_eq!(all.len() as u64, (round + 1) * 3);
        assert_eq!(lines(read(files.folder(), From::Start).await.unwrap().0), all);
        assert!(all.iter().enumerate().all(|(n, line)| line.seq == n as u64 + 1));
        assert_eq!(all.last().unwrap().end, LineEnd::Eof);
    }
    // To open it is not to continue it: it still says that it has ended.
    drop(open(Keep::default(), &files).await);
    let (_, is_finished) = read(files.folder(), From::Now).await.unwrap();
    assert!(is_finished);
}

#[tokio::test]
async fn a_torn_record_is_not_there_yet_and_is_cut_off_by_the_next_writer() {
    let scratch = Scratch::new();
    let files = LogFiles::at(scratch.path("run"));
    write(&open(Keep::default(), &files).await, "one\ntwo\n").await;
    let file = files.folder().join("00000000000000000001.log");
    let whole = fs::read(&file).unwrap();
    for torn in ["2", "2009-02-13T23:31:30.123000000Z stdout F thr", "\0\0\0\0"] {
        OpenOptions::new().append(true).open(&file).unwrap().write_all(torn.as_bytes()).unwrap();
        let (entries, is_finished) = read(files.folder(), From::Start).await.unwrap();
        assert_eq!((entries.len(), is_finished), (2, false));

        let log = open(Keep::default(), &files).await;
        write(&log, "three\n").await;
        let all = lines(read(files.folder(), From::Start).await.unwrap().0);
        assert_eq!(all.iter().map(|line| &*line.bytes).collect::<Vec<_>>(), [b"one", &b"two"[..], b"three"]);
        fs::write(&file, &whole).unwrap();
    }
}

#[tokio::test]
async fn a_record_that_nobody_can_read_is_a_gap_of_one() {
    let scratch = Scratch::new();
    let files = LogFiles::at(scratch.path("run"));
    let log = open(Keep::default(), &files).await;
    write(&log, "one\ntwo\nthree\n").await;
    let file = files.folder().join("00000000000000000001.log");
    let damaged = fs::read_to_string(&file).unwrap().replace("stdout F two", "\0\0\0\0");
    fs::write(&file, damaged).unwrap();
    let (entries, _) = read(files.folder(), From::Start).await.unwrap();
    let Entry::Gap(gap) = &entries[1] else { panic!("{entries:?}") };
    assert_eq!((entries.len(), gap.first, gap.last, gap.bytes), (3, 2, 2, None));
}

#[tokio::test]
async fn the_oldest_files_are_removed_when_there_is_too_much() {
    let scratch = Scratch::new();
    let files = LogFiles::at(scratch.path("run")).segment_bytes(1000).quota_bytes(5000);
    let (memory, log) = (Log::new(), open(keeping(1), &files).await);
    for n in 0..1000 {
        let line = format!("line {n}\n");
        write(&memory, &line).await;
        write(&log, &line).await;
        let total: u64 = segments(files.folder()).iter().map(|file| file.metadata().unwrap().len()).sum();
        assert!(total <= 5000, "{total}");
    }
    memory.finish();
    log.finish();
    log.flush().await.unwrap();
    let all = lines(held(&memory, From::Start).await);
    let (entries, _) = read(files.folder(), From::Start).await.unwrap();
    let oldest = first(&segments(files.folder())[0]);
    assert!(assert_these_but_for_gaps(&entries, &all) == oldest - 1 && oldest > 800, "{oldest}");
    assert_eq!(log.extent().first, oldest);
    // With memory and files together there is one gap, too.
    let entries = held(&log, From::Start).await;
    assert_eq!(assert_these_but_for_gaps(&entries, &all), oldest - 1);
    assert_eq!(entries.iter().filter(|entry| matches!(entry, Entry::Gap(_))).count(), 1);
}

#[tokio::test]
async fn a_dropped_write_has_taken_its_chunk_and_tears_nothing() {
    let scratch = Scratch::new();
    let files = LogFiles::at(scratch.path("run")).segment_bytes(3000);
    let log = open(keeping(1), &files).await;
    for n in 0..300 {
        let write = log.write(chunk(Source::Stdout, format!("line {n}\n")));
        // Once polled, as often as not too soon.
        tokio::select! { biased; _ = write => {}, () = std::future::ready(()) => {} }
    }
    log.finish();
    log.flush().await.unwrap();
    let all = lines(read(files.folder(), From::Start).await.unwrap().0);
    let texts: Vec<_> = all.iter().map(|line| line.text().into_owned()).collect();
    assert_eq!(texts, (0..300).map(|n| format!("line {n}")).collect::<Vec<_>>());
}

#[test]
fn a_runtime_that_is_dropped_in_between_loses_nothing() {
    let scratch = Scratch::new();
    let files = LogFiles::at(scratch.path("run"));
    let runtime = runtime();
    let log = runtime.block_on(open(Keep::default(), &files));
    runtime.block_on(async {
        for n in 0..100 {
            let write = log.write(chunk(Source::Stdout, format!("line {n}\n")));
            tokio::select! { biased; _ = write => {}, () = std::future::ready(()) => {} }
        }
    });
    drop(runtime);
    // Nobody is left to write it but this thread.
    log.finish();
    let (entries, is_finished) = support::runtime().block_on(read(files.folder(), From::Start)).unwrap();
    assert_eq!((entries.len(), is_finished), (100, true));
}

#[tokio::test]
async fn what_is_no_log_is_refused() {
    let scratch = Scratch::new();
    let error = LogReader::open(scratch.path("nowhere"), From::Start).await.unwrap_err();
    assert_eq!((error.kind(), error.path()), (std::io::ErrorKind::NotFound, &*scratch.path("nowhere")));
    fs::write(scratch.path("file"), "").unwrap();
    let error = Log::with_files(Keep::default(), LogFiles::at(scratch.path("file"))).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot create the folder "), "{error}");
}

#[tokio::test]
async fn a_sweep_removes_runs_that_are_too_much_and_nothing_else() {
    let scratch = Scratch::new();
    let base = scratch.path("logs");
    let retention = Retention::new().max_bytes(0);
    assert_eq!(retention.sweep(&base, |_| false).await.unwrap().runs, 0);
    let runs = [RunId::new(), RunId::new()];
    for run in runs {
        write(&open(Keep::default(), &LogFiles::of_run(&base, run)).await, "line\n").await;
    }
    fs::create_dir(base.join("mine")).unwrap();
    fs::write(base.join(RunId::new().to_string()), "no folder").unwrap();

    let swept = retention.sweep(&base, move |run| run == runs[1]).await.unwrap();
    assert_eq!((swept.runs, swept.bytes, swept.left), (1, 45, 45));
    assert_eq!(fs::read_dir(&base).unwrap().count(), 3);
    assert!(!base.join(runs[0].to_string()).exists());
    assert_eq!(Retention::new().sweep(&base, |_| false).await.unwrap().runs, 0);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_them() {
    use std::os::unix::fs::PermissionsExt;

    let scratch = Scratch::new();
    let files = LogFiles::at(scratch.path("run")).segment_bytes(1);
    write(&open(Keep::default(), &files).await, "one\ntwo\n").await;
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(files.folder()), 0o700);
    assert_eq!(segments(files.folder()).iter().map(|file| mode(file)).collect::<Vec<_>>(), [0o600, 0o600]);
}
