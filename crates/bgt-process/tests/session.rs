//! A program that is talked to: bytes both ways, and no survivor however the conversation ends.

mod support;

use std::time::Duration;

use bgt_process::{Command, CommandError, Exit, Redirect, Secret, Session, SessionOutput, Stop};
use bgt_testkit::{Scratch, Sentinel, assert_gone, wait_for_pids};
use support::{HANG, bad, bad_with_pids, quick};
use tokio::time::timeout;

async fn soon<F: Future>(future: F) -> F::Output {
    timeout(HANG, future).await.expect("it hangs")
}

/// Reads until the line `ready` is among what came.
async fn ready(stdout: &mut SessionOutput) {
    let mut all = Vec::new();
    while !all.ends_with(b"ready\n") {
        all.extend(soon(stdout.next()).await.expect("it lives"));
    }
}

async fn text(output: &mut SessionOutput) -> String {
    let mut all = Vec::new();
    while let Some(piece) = soon(output.next()).await {
        all.extend(piece);
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test]
async fn what_is_written_comes_back_and_the_end_of_input_ends_it() {
    let Session { mut stdin, mut stdout, mut stderr, mut program, .. } =
        soon(bad(&["read-stdin", "then", "eprint", "done", "then", "exit", "3"]).session()).await.unwrap();
    let large = "x".repeat(300_000);
    let (written, read) = tokio::join!(
        async {
            for text in ["one\n", &large, "\ntwo\n"] {
                stdin.write_all(text.as_bytes()).await.unwrap();
            }
            drop(stdin);
            large.len() + 9
        },
        text(&mut stdout)
    );
    assert_eq!(read.len(), written);
    assert!(read.starts_with("one\nxx") && read.ends_with("xx\ntwo\n"));
    assert_eq!(text(&mut stderr).await, "done\n");
    assert_eq!(stderr.take_tail(), "done");
    soon(program.ended()).await.unwrap();
    assert_eq!(soon(program.kill()).await.unwrap(), Exit::Code(3));
}

#[tokio::test]
async fn dropped_killed_or_stopped_the_whole_tree_is_gone() {
    let mut sentinel = Sentinel::start();
    for end in ["drop", "kill", "stop"] {
        let scratch = Scratch::new();
        let pids = scratch.path("pids");
        let verbs = ["ignore-term", "then", "stubborn-grandchild", "300", "then", "ready", "then", "hang"];
        let command = bad_with_pids(&pids, &verbs).stop(quick());
        let mut session = soon(command.session()).await.unwrap();
        ready(&mut session.stdout).await;
        let pids = wait_for_pids(&pids, 2, HANG);
        match end {
            "drop" => drop(session),
            "kill" => assert!(!soon(session.program.kill()).await.unwrap().success()),
            _ => assert!(!soon(session.program.stop()).await.unwrap().success()),
        }
        assert_gone(&pids, HANG);
    }
    sentinel.assert_alive();
}

#[tokio::test]
async fn a_program_that_obeys_is_not_killed() {
    if cfg!(windows) {
        bgt_testkit::skip!(
            "a_program_that_obeys_is_not_killed",
            "a Windows program without a console cannot be asked"
        );
        return;
    }
    let command = bad(&["on-term-exit", "7", "then", "ready", "then", "hang"]).grace(HANG);
    let mut session = soon(command.session()).await.unwrap();
    ready(&mut session.stdout).await;
    assert_eq!(soon(session.program.stop()).await.unwrap(), Exit::Code(7));
}

#[tokio::test]
async fn a_grandchild_is_ended_when_the_program_has_ended_by_itself() {
    let scratch = Scratch::new();
    let pids = scratch.path("pids");
    let command = bad_with_pids(&pids, &["quiet-grandchild", "300", "then", "exit", "0"]);
    let mut session = soon(command.session()).await.unwrap();
    soon(session.program.ended()).await.unwrap();
    let pids = wait_for_pids(&pids, 2, HANG);
    assert!(soon(session.program.kill()).await.unwrap().success());
    assert_gone(&pids, HANG);
}

#[cfg(not(target_vendor = "apple"))] // There nobody is found who has left.
#[tokio::test]
async fn who_has_left_is_ended_too_where_the_command_searches() {
    let scratch = Scratch::new();
    let pids = scratch.path("pids");
    let command = bad_with_pids(&pids, &["own-group-grandchild", "300", "then", "exit", "0"]);
    let mut session = soon(command.background(bgt_process::Background::Search).session()).await.unwrap();
    soon(session.program.ended()).await.unwrap();
    let pids = wait_for_pids(&pids, 2, HANG);
    assert!(soon(session.program.kill()).await.unwrap().success());
    assert_gone(&pids, HANG);
}

#[tokio::test]
async fn writing_to_a_program_that_reads_no_more_is_an_error() {
    let mut session = soon(bad(&["exit", "0"]).session()).await.unwrap();
    soon(session.program.ended()).await.unwrap();
    // On Windows the first write may still be taken by the pipe.
    let error = loop {
        if let Err(error) = soon(session.stdin.write_all(&[b'x'; 1000])).await {
            break error;
        }
    };
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn secrets_are_shown_neither_in_the_tail_nor_in_text() {
    let command = bad(&["eprint", "token hunter2 refused"]).env_secret("TOKEN", Secret::literal("hunter2"));
    let mut session = soon(command.session()).await.unwrap();
    let printed = text(&mut session.stderr).await;
    assert_eq!(printed.trim(), "token hunter2 refused");
    assert_eq!(session.stderr.shown(printed.trim().as_bytes()), "token *** refused");
    assert_eq!(session.stderr.take_tail(), "token *** refused");
    assert_eq!(session.stderr.take_tail(), "");
}

#[tokio::test]
async fn memory_is_told_while_the_program_lives() {
    let session =
        soon(bad(&["alloc", "64", "then", "ready", "then", "hang"]).stop(Stop::at_once()).session()).await;
    let mut session = session.unwrap();
    ready(&mut session.stdout).await;
    let told = session.program.resident_memory();
    assert_eq!(told.is_some(), cfg!(any(target_os = "linux", windows)));
    assert!(told.is_none_or(|bytes| (64 << 20..1 << 30).contains(&bytes)), "{told:?}");
}

#[tokio::test]
async fn streams_that_go_elsewhere_are_refused_before_anything_starts() {
    for (command, wanted) in [
        (Command::new("x").stdin("text"), "stdin"),
        (Command::new("x").stdout(Redirect::Null), "stdout"),
        (Command::new("x").combine_output(), "stdout"),
    ] {
        match command.session().await {
            Err(CommandError::SessionStream { stream }) => assert_eq!(stream, wanted),
            other => panic!("{other:?}"),
        }
    }
    let missing = Command::new("no-such-program").session().await;
    assert!(matches!(missing, Err(CommandError::ProgramNotFound { .. })), "{missing:?}");
}

#[tokio::test]
async fn python_code_is_run_by_the_interpreter_of_a_script() {
    if bgt_testkit::python().is_none() {
        bgt_testkit::skip!("python_code_is_run_by_the_interpreter_of_a_script", "there is no Python here");
        return;
    }
    let command = Command::python("import sys\nprint(sys.argv[1:], flush=True)").args(["a", "it's"]);
    let output =
        soon(async { bgt_simple::run(command).deadline(Duration::from_secs(60)).await }).await.unwrap();
    assert_eq!(output.stdout_text().trim(), r#"['a', "it's"]"#);
}
