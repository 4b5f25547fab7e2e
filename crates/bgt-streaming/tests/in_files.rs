//! P3, P21: a log in files is followed from any line, however far behind what memory holds, and is read after the run.
#![cfg(all(feature = "files", feature = "process"))]

mod support;

use bgt_streaming::{Entry, From, Log, LogFiles, LogReader, RunId, stream};
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
