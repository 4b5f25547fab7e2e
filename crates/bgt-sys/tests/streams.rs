//! Bytes go through untouched, all of them, and in order.

mod support;

use std::fs::File;
use std::io::ErrorKind;

use bgt_sys::{Input, Output, SpawnOptions};
use bgt_testkit::Scratch;
use support::{exit_code, read_to_end, start, start_with, text, write_all};

#[tokio::test]
async fn stdout_and_stderr_are_apart() {
    let spawned = start(&["print", "out", "then", "eprint", "err"]);
    assert_eq!(text(&spawned.stdout.expect("a pipe")).await, "out\n");
    assert_eq!(text(&spawned.stderr.expect("a pipe")).await, "err\n");
    assert!(spawned.stdin.is_none());
}

#[tokio::test]
async fn combined_output_keeps_the_exact_order() {
    let options = SpawnOptions { stderr: Output::Combined, ..SpawnOptions::default() };
    let spawned = start_with(&["alternate", "4000"], options);
    assert!(spawned.stderr.is_none());
    let expected: String =
        (1..=4000).map(|line| format!("{line} {}\n", if line % 2 == 1 { "out" } else { "err" })).collect();
    assert!(text(&spawned.stdout.expect("a pipe")).await == expected, "lines are lost or out of order");
}

#[tokio::test]
async fn a_flood_arrives_whole() {
    let mut spawned = start(&["flood", "8M"]);
    let all = read_to_end(spawned.stdout.as_ref().expect("a pipe")).await;
    assert_eq!(all.len(), 8 << 20);
    assert!(all.chunks(64).all(|line| line == &all[..64]), "bytes are out of place");
    assert_eq!(exit_code(&mut spawned.child).await, 0);
}

#[tokio::test]
async fn what_was_written_before_the_exit_is_there_after_it() {
    for _ in 0..20 {
        let mut spawned = start(&["line", "9000", "then", "exit", "3"]);
        assert_eq!(exit_code(&mut spawned.child).await, 3);
        let all = read_to_end(spawned.stdout.as_ref().expect("a pipe")).await;
        assert_eq!(all.len(), 9001);
    }
}

#[tokio::test]
async fn bytes_need_not_be_text() {
    let spawned = start(&["hex", "00ff0a0d1a", "then", "ehex", "fe"]);
    assert_eq!(read_to_end(&spawned.stdout.expect("a pipe")).await, b"\x00\xff\x0a\x0d\x1a");
    assert_eq!(read_to_end(&spawned.stderr.expect("a pipe")).await, b"\xfe");
}

#[tokio::test]
async fn the_end_of_output_is_0_however_often_one_asks() {
    let spawned = start(&["print", "x"]);
    let pipe = spawned.stdout.expect("a pipe");
    read_to_end(&pipe).await;
    for _ in 0..3 {
        assert_eq!(support::read(&pipe).await, b"");
    }
}

#[tokio::test]
async fn a_closed_stdout_ends_before_the_program() {
    if bgt_testkit::under_wine() {
        let name = "a_closed_stdout_ends_before_the_program";
        bgt_testkit::skip!(name, "the console host of Wine 8 inherits the program's streams");
        return;
    }
    let mut spawned = start(&["print", "x", "then", "close-stdout", "then", "hang"]);
    assert_eq!(text(spawned.stdout.as_ref().expect("a pipe")).await, "x\n");
    assert_eq!(spawned.child.reap().expect("a look"), None);
}

#[tokio::test]
async fn nothing_yet_is_not_the_end() {
    let spawned = start(&["ready", "then", "hang"]);
    let pipe = spawned.stdout.as_ref().expect("a pipe");
    support::ready(pipe).await;
    // Twice: what is known to be readable may be known only from the last time.
    let mut answers = [0; 2].map(|_| pipe.try_read(&mut [0; 10]));
    let error = answers[1].as_mut().expect_err("there is nothing");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    spawned.child.kill().expect("it can be killed");
}

#[tokio::test]
async fn stdin_arrives_whole_and_ends_when_dropped() {
    let options = SpawnOptions { stdin: Input::Pipe, ..SpawnOptions::default() };
    let spawned = start_with(&["count-stdin"], options);
    let stdin = spawned.stdin.expect("a pipe");
    write_all(&stdin, &vec![7; 3 << 20]).await.expect("it reads");
    drop(stdin);
    assert_eq!(text(&spawned.stdout.expect("a pipe")).await, format!("{}\n", 3 << 20));
}

#[tokio::test]
async fn writing_nothing_does_not_end_stdin() {
    let options = SpawnOptions { stdin: Input::Pipe, ..SpawnOptions::default() };
    let spawned = start_with(&["read-stdin"], options);
    let stdin = spawned.stdin.expect("a pipe");
    for part in [&b"a"[..], b"", b"b"] {
        support::soon(stdin.writable()).await.expect("it reads");
        let written = loop {
            match stdin.try_write(part) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    support::soon(stdin.writable()).await.expect("it reads");
                }
                result => break result.expect("it reads"),
            }
        };
        assert_eq!(written, part.len());
    }
    drop(stdin);
    assert_eq!(text(&spawned.stdout.expect("a pipe")).await, "ab");
}

#[tokio::test]
async fn writing_to_nobody_is_a_broken_pipe() {
    let options = SpawnOptions { stdin: Input::Pipe, ..SpawnOptions::default() };
    let mut spawned = start_with(&["no-stdin"], options);
    assert_eq!(exit_code(&mut spawned.child).await, 0);
    let stdin = spawned.stdin.expect("a pipe");
    let error = write_all(&stdin, &vec![7; 1 << 20]).await.expect_err("nobody reads");
    assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{error}");
}

#[tokio::test]
async fn a_program_that_reads_nothing_holds_nobody_up() {
    let options = SpawnOptions { stdin: Input::Pipe, ..SpawnOptions::default() };
    let mut spawned = start_with(&["ready", "then", "hang"], options);
    support::ready(spawned.stdout.as_ref().expect("a pipe")).await;
    let stdin = spawned.stdin.take().expect("a pipe");
    let full = async { write_all(&stdin, &vec![7; 1 << 20]).await };
    let kill = async {
        // The pipe is full when the write does not go on.
        tokio::task::yield_now().await;
        spawned.child.kill().expect("it can be killed");
    };
    let (written, ()) = tokio::join!(full, kill);
    assert_eq!(written.expect_err("nobody reads").kind(), ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn without_input_there_is_an_end_to_read() {
    let spawned = start(&["count-stdin"]);
    assert_eq!(text(&spawned.stdout.expect("a pipe")).await, "0\n");
}

#[tokio::test]
async fn files_are_streams_too() {
    let scratch = Scratch::new();
    let (input, output) = (scratch.path("in"), scratch.path("out"));
    std::fs::write(&input, "from a file\n").expect("a file");
    let options = SpawnOptions {
        stdin: Input::File(File::open(&input).expect("the file")),
        stdout: Output::File(File::create(&output).expect("a file")),
        stderr: Output::Combined,
        ..SpawnOptions::default()
    };
    let mut spawned = start_with(&["read-stdin", "then", "eprint", "err", "then", "print", "out"], options);
    assert!(spawned.stdout.is_none() && spawned.stderr.is_none());
    assert_eq!(exit_code(&mut spawned.child).await, 0);
    assert_eq!(std::fs::read_to_string(&output).expect("text"), "from a file\nerr\nout\n");
}

#[tokio::test]
async fn a_command_that_is_kept_does_not_keep_the_pipes_open() {
    let mut command = support::command(&["print", "x"]);
    for _ in 0..2 {
        let spawned = bgt_sys::spawn(&mut command, &SpawnOptions::default()).expect("it starts");
        assert_eq!(text(&spawned.stdout.expect("a pipe")).await, "x\n");
    }
}

#[tokio::test]
async fn output_to_nowhere_has_no_pipe() {
    let options = SpawnOptions { stdout: Output::Null, stderr: Output::Null, ..SpawnOptions::default() };
    let mut spawned = start_with(&["flood", "1M", "then", "exit", "4"], options);
    assert!(spawned.stdout.is_none() && spawned.stderr.is_none());
    assert_eq!(exit_code(&mut spawned.child).await, 4);
}
