//! P3, P21: a log in files is followed from any line, however far behind what memory holds, and is read after the run.
#![cfg(all(feature = "files", feature = "process"))]

mod support;

use bgt_streaming::{Entry, ErrorKind, From, Log, LogFiles, LogReader, ProgressFrom, RunId, stream};
use bgt_testkit::Scratch;
use support::{all, bad, keep_lines};

#[tokio::test]
async fn who_comes_late_gets_from_files_what_memory_gave_up() {
    let scratch = Scratch::new();
    let id = RunId::new();
    let files = LogFiles::of_run(scratch.dir(), id);
    let folder = files.folder().to_path_buf();
    let log = Log::with_files(keep_lines(10), files).await.unwrap();
    let run = stream(bad(&["alternate", "5000"])).id(id).log(log.clone()).start();
    let live = run.subscribe(From::Start);
    assert_eq!(run.ended().await.lines, 5000);
    let mut last = Vec::new();
    for (events, first) in
        [(live, 1), (run.subscribe(From::Start), 1), (run.subscribe(From::After(123)), 124)]
    {
        let heard = all(events).await;
        assert!(heard.gaps().is_empty(), "{:?}", heard.gaps());
        assert!(heard.lines().iter().map(|line| line.seq).eq(first..=5000));
        last = heard.texts().split_off(heard.texts().len() - 2);
    }

    log.flush().await.unwrap();
    drop((run, log));
    let mut reader = LogReader::open(&folder, From::After(4998)).await.unwrap();
    let mut texts = Vec::new();
    while let Some(entry) = reader.next().await.unwrap() {
        let Entry::Line(line) = entry else { panic!("a gap in the files") };
        texts.push(line.text().into_owned());
    }
    assert_eq!(texts, last);
}

#[tokio::test]
async fn a_run_that_goes_on_in_the_files_of_another_counts_and_measures_its_own() {
    let scratch = Scratch::new();
    let files = LogFiles::of_run(scratch.dir(), RunId::new());
    for last in ["10/10", "3/10"] {
        let log = Log::with_files(keep_lines(1), files.clone()).await.unwrap();
        let command = bad(&["print", "1/10", "then", "print", last]);
        let run = stream(command).log(log.clone()).progress(ProgressFrom::ratio()).start();
        let summary = run.ended().await;
        assert_eq!((summary.lines, summary.bytes), (2, 6 + last.len() as u64));
        let snapshot = run.snapshot();
        assert_eq!((snapshot.lines, snapshot.bytes), (2, 6 + last.len() as u64));
        let position: f64 = last.split('/').next().unwrap().parse().unwrap();
        assert_eq!(snapshot.progress.unwrap().progress.position, position);
        log.flush().await.unwrap();
    }
}

#[tokio::test]
async fn a_log_that_is_over_is_refused_before_anything_runs() {
    let scratch = Scratch::new();
    let proof = scratch.text("ran");
    let log = Log::new();
    log.finish();
    let run = stream(bad(&["touch", &proof])).log(log).start();
    assert_eq!(run.ended().await.lines, 0);
    let error = run.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(format!("{error:#}").contains("the log is over"), "{error:#}");
    assert!(!scratch.path("ran").exists());
}
