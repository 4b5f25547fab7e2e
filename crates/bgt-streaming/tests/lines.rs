//! P3, P21: what a program prints arrives while it runs, numbered and complete.
#![cfg(feature = "process")]

mod support;

use std::time::Duration;

use bgt_streaming::{From, LineEnd, ProgressFrom, Retry, Source, start, stream};
use bgt_testkit::{Scratch, to_hex};
use support::{all, bad, keep_bytes, line};

#[tokio::test]
async fn a_line_is_there_before_the_program_goes_on() {
    let scratch = Scratch::new();
    let (go, on) = (scratch.text("go"), scratch.text("on"));
    let verbs = ["print", "out", "then", "wait-file", &go, "then", "eprint", "err", "then", "wait-file", &on];
    let run = start(bad(&verbs));
    let mut events = run.subscribe(From::Start);
    let first = line(&mut events).await;
    assert_eq!(
        (first.seq, first.source, &*first.text(), first.end),
        (1, Source::Stdout, "out", LineEnd::Newline)
    );
    std::fs::write(go, "").unwrap();
    let second = line(&mut events).await;
    assert_eq!((second.seq, second.source, &*second.text()), (2, Source::Stderr, "err"));
    assert!(second.at >= first.at);
    std::fs::write(on, "").unwrap();
    assert!(all(events).await.lines().is_empty());
    assert!(run.await.unwrap().exit.success());
}

#[tokio::test]
async fn both_streams_arrive_whole_and_each_in_order() {
    let run = start(bad(&["alternate", "2000"]));
    let heard = all(run.subscribe(From::Start)).await;
    let of = |source| {
        let lines = heard.lines().into_iter().filter(|line| line.source == source);
        lines.map(|line| line.text().into_owned()).collect::<Vec<_>>()
    };
    let expected =
        |first: u32, name| (first..=2000).step_by(2).map(|n| format!("{n} {name}")).collect::<Vec<_>>();
    assert_eq!(of(Source::Stdout), expected(1, "out"));
    assert_eq!(of(Source::Stderr), expected(2, "err"));
    assert!(heard.lines().iter().map(|line| line.seq).eq(1..=2000), "numbered without a gap");
    assert_eq!(heard.summary().lines, 2000);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_kept_as_they_are() {
    let heard = all(start(bad(&["invalid-utf8"])).subscribe(From::Start)).await;
    assert_eq!(&heard.lines()[0].bytes[..], b"before \xff\xfe \xc3( \xf0\x9f after");
    assert!(heard.texts()[0].starts_with("before \u{fffd}"));
}

#[tokio::test]
async fn a_last_line_without_a_newline_is_a_line() {
    let run = start(bad(&["print", "one", "then", "no-newline", "two"]));
    let heard = all(run.subscribe(From::Start)).await;
    assert_eq!(heard.texts(), ["one", "two"]);
    assert_eq!(heard.lines()[1].end, LineEnd::Eof);
    assert_eq!((heard.summary().lines, heard.summary().bytes), (2, 7));
    assert_eq!((run.snapshot().lines, run.snapshot().bytes), (2, 7));
}

#[tokio::test]
async fn an_endless_line_comes_in_parts_that_make_the_whole() {
    let keep = keep_bytes(64 << 20);
    let run = stream(bad(&["line", "10M"])).keep(keep).start();
    let heard = all(run.subscribe(From::Start)).await;
    let lines = heard.lines();
    assert_eq!(lines.iter().map(|line| line.bytes.len()).sum::<usize>(), 10 << 20);
    assert!(lines.iter().all(|line| line.bytes.iter().all(|byte| *byte == b'x')));
    let (last, parts) = lines.split_last().unwrap();
    assert!(parts.len() > 100 && parts.iter().all(|line| line.end == LineEnd::Part));
    assert_eq!(last.end, LineEnd::Newline);
    assert!(heard.gaps().is_empty());
}

#[tokio::test]
async fn a_bar_that_is_drawn_over_is_a_line_each_time() {
    let bar = to_hex("10%\r20%\r30%\r\ndone\n");
    let heard = all(start(bad(&["hex", &bar])).subscribe(From::Start)).await;
    let lines: Vec<_> = heard.lines().iter().map(|line| (line.text().into_owned(), line.end)).collect();
    let expected = [
        ("10%", LineEnd::Return),
        ("20%", LineEnd::Return),
        ("30%", LineEnd::Newline),
        ("done", LineEnd::Newline),
    ];
    assert_eq!(lines, expected.map(|(text, end)| (text.to_owned(), end)));
}

#[tokio::test]
async fn a_step_of_a_bar_is_there_as_soon_as_the_next_one_begins() {
    let scratch = Scratch::new();
    let go = scratch.text("go");
    let run = start(bad(&[
        "hex",
        &to_hex("10%\r20%"),
        "then",
        "wait-file",
        &go,
        "then",
        "hex",
        &to_hex("\r30%\n"),
    ]));
    let mut events = run.subscribe(From::Start);
    assert_eq!(line(&mut events).await.text(), "10%");
    std::fs::write(go, "").unwrap();
    assert_eq!(all(events).await.texts(), ["20%", "30%"]);
}

#[tokio::test]
async fn a_flood_costs_no_more_memory_than_was_allowed_and_the_rest_is_one_gap() {
    let keep = keep_bytes(1 << 20);
    let run = stream(bad(&["flood", "64M"])).keep(keep).start();
    let summary = run.ended().await;
    assert_eq!((summary.lines, summary.bytes), (1 << 20, 64 << 20));
    let heard = all(run.subscribe(From::Start)).await;
    let held = heard.lines().len() as u64;
    assert!(held > 0 && held * 64 <= 1 << 20, "{held} lines held");
    let [gap] = heard.gaps()[..] else { panic!("{:?}", heard.gaps()) };
    assert_eq!((gap.first, gap.lines() + held, gap.bytes), (1, summary.lines, Some(gap.lines() * 64)));
    assert_eq!(run.snapshot().first_held, gap.last + 1);
    // What the caller gets is bounded apart from that, and has head and tail.
    assert_eq!(run.await.unwrap().stdout.total(), 64 << 20);
}

#[tokio::test]
async fn what_closes_its_output_and_lives_on_still_ends_with_all_of_it() {
    let scratch = Scratch::new();
    let go = scratch.text("go");
    let run = start(bad(&[
        "print",
        "one",
        "then",
        "close-stdout",
        "then",
        "eprint",
        "two",
        "then",
        "wait-file",
        &go,
    ]));
    let mut events = run.subscribe(From::Start);
    assert_eq!(line(&mut events).await.text(), "one");
    assert_eq!(line(&mut events).await.text(), "two");
    std::fs::write(go, "").unwrap();
    assert_eq!(all(events).await.summary().lines, 2);
}

#[tokio::test]
async fn python_is_heard_while_it_runs() {
    let Some(python) = bgt_testkit::python() else {
        bgt_testkit::skip!("python_is_heard_while_it_runs", "there is no Python here");
        return;
    };
    // Nothing is flushed by the script, and it goes on only when its first line was heard.
    let script = "import os, sys, time\nprint('one')\nwhile not os.path.exists(sys.argv[1]):\n    time.sleep(0.002)\n\
                  print('two')\n";
    let scratch = Scratch::new();
    std::fs::write(scratch.path("steps.py"), script).unwrap();
    let run =
        start(bgt_streaming::Command::new(python).arg(scratch.path("steps.py")).arg(scratch.path("go")));
    let mut events = run.subscribe(From::Start);
    assert_eq!(line(&mut events).await.text(), "one");
    std::fs::write(scratch.path("go"), "").unwrap();
    assert_eq!(all(events).await.texts(), ["two"]);
}

#[tokio::test]
async fn what_an_attempt_left_open_is_not_joined_with_the_next() {
    let run = stream(bad(&["no-newline", "7/10", "then", "exit", "1"]))
        .retry(Retry::attempts(2).backoff(Duration::ZERO, Duration::ZERO))
        .progress(ProgressFrom::ratio())
        .start();
    let heard = all(run.subscribe(From::Start)).await;
    assert_eq!(heard.texts(), ["7/10", "7/10"]);
    assert!(heard.lines().iter().all(|line| line.end == LineEnd::Eof));
}

#[tokio::test]
async fn the_last_words_of_an_attempt_are_heard_before_the_wait_for_the_next() {
    let hour = Duration::from_secs(3600);
    let run = stream(bad(&["no-newline", "disk full", "then", "exit", "1"]))
        .retry(Retry::attempts(2).backoff(hour, hour).without_jitter())
        .start();
    let mut events = run.subscribe(From::Start);
    assert_eq!(line(&mut events).await.text(), "disk full");
    run.cancel();
    assert_eq!(run.ended().await.attempts, 1);
}
