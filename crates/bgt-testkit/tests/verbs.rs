//! The verbs of `bad-child` do what its table says.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use bgt_testkit::{Scratch, bad, to_hex};

fn command<'a>(verbs: impl IntoIterator<Item = &'a str>) -> Command {
    let (program, args) = bad(verbs);
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null());
    command
}

fn run<'a>(verbs: impl IntoIterator<Item = &'a str>) -> Output {
    command(verbs).output().expect("bad-child runs")
}

fn stdout<'a>(verbs: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let output = run(verbs);
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

fn text<'a>(verbs: impl IntoIterator<Item = &'a str>) -> String {
    String::from_utf8(stdout(verbs)).expect("text").replace("\r\n", "\n")
}

#[test]
fn verbs_run_in_order() {
    let output = run(["print", "then", "then", "eprint", "two", "then", "exit", "3"]);
    assert_eq!((output.stdout, output.stderr), (b"then\n".to_vec(), b"two\n".to_vec()));
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_wrong_sequence_runs_nothing_and_lists_the_verbs() {
    for verbs in [
        &["print", "x", "then", "sing"][..],
        &["print", "x", "exit"],
        &["print"],
        &["print", "x", "then"],
        &[],
    ] {
        let output = run(verbs.iter().copied());
        assert_eq!(output.status.code(), Some(64), "{verbs:?}");
        assert!(output.stdout.is_empty(), "{verbs:?}");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains("fork-storm N") && message.contains("echo-args REST..."), "{message}");
    }
    assert_eq!(run(["sleep", "long"]).status.code(), Some(64));
}

#[test]
fn bytes_come_out_as_named() {
    assert_eq!(stdout(["hex", "00ff0a", "then", "no-newline", "end"]), b"\x00\xff\nend");
    assert_eq!(run(["ehex", "fe"]).stderr, b"\xfe");
    assert!(String::from_utf8(stdout(["invalid-utf8"])).is_err());
    assert_eq!(stdout(["ready"]), b"ready\n");
    assert_eq!(stdout(["line", "2K"]), [vec![b'x'; 2048], vec![b'\n']].concat());
}

#[test]
fn a_flood_is_exact_and_checkable() {
    let flood = stdout(["flood", "1000001"]);
    assert_eq!(flood.len(), 1_000_001);
    assert!(flood.chunks(64).all(|line| line == &flood[..line.len()]) && flood[63] == b'\n');
    assert_eq!(run(["eflood", "100K"]).stderr.len(), 100 << 10);
}

#[test]
fn alternating_lines_keep_their_order_in_one_place() {
    let scratch = Scratch::new();
    let file = File::create(scratch.path("both")).expect("a file");
    let mut command = command(["alternate", "200"]);
    command.stdout(file.try_clone().expect("the same file")).stderr(file);
    assert!(command.status().expect("bad-child runs").success());
    let wanted: String =
        (1..=200).map(|n| format!("{n} {}\n", if n % 2 == 1 { "out" } else { "err" })).collect();
    assert_eq!(std::fs::read_to_string(scratch.path("both")).expect("its output"), wanted);
}

#[test]
fn a_broken_pipe_ends_it_with_141_unless_ignored() {
    for (verbs, code) in
        [(&["endless"][..], 141), (&["ignore-pipe", "then", "endless", "then", "exit", "5"], 5)]
    {
        let mut child =
            command(verbs.iter().copied()).stdout(Stdio::piped()).spawn().expect("bad-child runs");
        let mut some = [0; 100];
        child.stdout.take().expect("a pipe").read_exact(&mut some).expect("some lines");
        assert_eq!(child.wait().expect("its end").code(), Some(code), "{verbs:?}");
    }
}

#[test]
fn a_closed_stdout_is_its_end_while_the_child_lives() {
    let mut child =
        command(["print", "x", "then", "close-stdout", "then", "print", "lost", "then", "read-some", "1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bad-child runs");
    let mut got = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut got).expect("the end of output");
    assert_eq!(got, "x\n");
    assert!(child.try_wait().expect("its state").is_none(), "it ended before it was told to");
    child.stdin.take().expect("a pipe").write_all(b"!").expect("it reads");
    assert!(child.wait().expect("its end").success());
}

#[test]
fn stdin_is_read_counted_or_left() {
    let cases: [(&[&str], &str); 4] = [
        (&["read-stdin"], "hello world"),
        (&["count-stdin"], "11\n"),
        (&["read-some", "6", "then", "read-stdin"], "world"),
        (&["no-stdin", "then", "close-stdin", "then", "print", "x"], "x\n"),
    ];
    for (verbs, wanted) in cases {
        let mut child = command(verbs.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bad-child runs");
        // A child that does not read may be gone already.
        let _ = child.stdin.take().expect("a pipe").write_all(b"hello world");
        let output = child.wait_with_output().expect("its output");
        assert_eq!(String::from_utf8_lossy(&output.stdout), wanted, "{verbs:?}");
    }
}

#[test]
fn arguments_arrive_untouched() {
    let hard =
        ["", " ", "a\"b", "C:\\dir\\", "%PATH%", "$HOME", "*", "then", "\u{e4}\u{1f600}", "--flag=1 2"];
    let wanted: String = hard.iter().map(|argument| to_hex(argument) + "\n").collect();
    assert_eq!(text(["echo-args"].into_iter().chain(hard)), wanted);
}

#[test]
fn surroundings_are_told() {
    let scratch = Scratch::new();
    let output = command(["env", "BGT_A", "then", "env", "BGT_B", "then", "env-all", "then", "cwd"])
        .env_clear()
        .env("BGT_A", "value")
        .current_dir(scratch.dir())
        .output()
        .expect("bad-child runs");
    let got = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<&str> = got.lines().collect();
    assert_eq!(lines[..2], ["value", "<unset>"]);
    let pair = format!("{}={}", to_hex("BGT_A"), to_hex("value"));
    assert!(lines.contains(&pair.as_str()), "{got}");
    let cwd = std::fs::canonicalize(lines.last().expect("a last line")).expect("a folder");
    assert_eq!(cwd, std::fs::canonicalize(scratch.dir()).expect("a folder"));
}

#[test]
fn files_are_touched_awaited_and_appended_to() {
    let scratch = Scratch::new();
    let (flag, log) = (scratch.text("flag"), scratch.text("log"));
    let waiting =
        command(["wait-file", &flag, "then", "append", &log, "second"]).spawn().expect("bad-child runs");
    run(["append", &log, "first", "then", "touch", &flag]);
    assert!(waiting.wait_with_output().expect("its end").status.success());
    assert_eq!(std::fs::read_to_string(log).expect("a log"), "first\nsecond\n");
}

#[test]
fn time_and_memory_are_spent() {
    let began = Instant::now();
    assert!(run(["sleep", "0.05", "then", "spin", "50", "then", "alloc", "8"]).status.success());
    assert!(began.elapsed() >= Duration::from_millis(100), "{:?}", began.elapsed());
}

#[test]
fn abort_is_no_exit_code_of_a_success() {
    assert!(!run(["abort"]).status.success());
}
