//! P3, P10: a stop asks, waits the grace period while it reads on, kills, waits for the real end, then reports.

mod support;

use std::time::Duration;

use bgt_core::{Cancel, CancelReason, ErrorKind, Polite};
use bgt_process::{CommandError, Exit, Output, Stdin, StopHow};
use bgt_simple::run;
use bgt_testkit::{Scratch, wait_until};
use support::{HANG, bad};
use tokio::time::timeout;

/// Runs the command, cancels it when the file is there, and answers its error.
async fn cancelled_when_ready(command: bgt_process::Command, ready: std::path::PathBuf) -> bgt_core::Error {
    let cancel = Cancel::new();
    let running = tokio::spawn({
        let cancel = cancel.clone();
        async move { run(command).cancel(&cancel).await }
    });
    let there = tokio::task::spawn_blocking(move || wait_until(HANG, || ready.exists())).await.unwrap();
    assert!(there, "the child never got ready");
    cancel.cancel();
    timeout(HANG, running).await.expect("the stop hangs").unwrap().unwrap_err()
}

fn how(error: &bgt_core::Error) -> StopHow {
    match error.find::<CommandError>() {
        Some(CommandError::Stopped { reason: CancelReason::Caller, how, .. }) => *how,
        other => panic!("not stopped by the caller: {other:?}"),
    }
}

/// Windows asks nobody who has no console in common with us, and our children have none by default.
fn cannot_ask(test: &str) -> bool {
    if cfg!(windows) {
        bgt_testkit::skip!(test, "no polite signal reaches a program without a console; see docs/gotchas.md");
    }
    cfg!(windows)
}

#[tokio::test]
async fn a_program_that_obeys_has_its_exit_and_its_last_words_kept() {
    if cannot_ask("a_program_that_obeys_has_its_exit_and_its_last_words_kept") {
        return;
    }
    let scratch = Scratch::new();
    let ready = scratch.path("ready");
    let command = bad(&["on-term-exit", "5", "then", "touch", ready.to_str().unwrap(), "then", "hang"]);
    let error = cancelled_when_ready(command, ready).await;
    assert_eq!(how(&error), StopHow::Obeyed(Exit::Code(5)));
    assert_eq!(Output::from_error(&error).unwrap().stdout_text(), "polite\n");
}

#[tokio::test]
async fn output_is_drained_during_the_grace_period() {
    if cannot_ask("output_is_drained_during_the_grace_period") {
        return;
    }
    let scratch = Scratch::new();
    let ready = scratch.path("ready");
    let command = bad(&["on-term-write", "3M", "then", "touch", ready.to_str().unwrap(), "then", "hang"]);
    let error = cancelled_when_ready(command.grace(HANG), ready).await;
    let output = Output::from_error(&error).unwrap();
    assert_eq!(output.stdout.total(), 3 * 1024 * 1024 + 1);
    assert_eq!(how(&error), StopHow::Obeyed(Exit::Code(0)));
}

#[tokio::test]
async fn a_program_that_does_not_obey_is_killed_after_its_grace_period() {
    let scratch = Scratch::new();
    let ready = scratch.path("ready");
    let command = bad(&["ignore-term", "then", "touch", ready.to_str().unwrap(), "then", "hang"]);
    let error = cancelled_when_ready(command.grace(Duration::from_millis(100)), ready).await;
    let expected = if cfg!(windows) { StopHow::Undeliverable } else { StopHow::Killed };
    assert_eq!(how(&error), expected);
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[tokio::test]
async fn descendants_of_a_shell_that_ends_first_keep_their_grace_period() {
    if cannot_ask("descendants_of_a_shell_that_ends_first_keep_their_grace_period") {
        return;
    }
    // The shell dies of the signal at once; its child needs a moment to save what it has, and gets it.
    let scratch = Scratch::new();
    let (ready, saved) = (scratch.path("ready"), scratch.path("saved"));
    let (ready_text, saved_text) = (ready.to_str().unwrap(), saved.to_str().unwrap());
    let script = format!(
        "sh -c 'trap \"sleep 0.3; echo saved >{saved_text}; exit 0\" TERM; : >{ready_text}; while :; do sleep 0.05; done' & wait"
    );
    let command = bgt_process::Command::new("sh").args(["-c", &script]).grace(HANG);
    cancelled_when_ready(command, ready).await;
    assert_eq!(scratch.read("saved"), "saved\n");
}

#[tokio::test]
async fn programs_with_a_quit_command_are_asked_through_stdin() {
    let scratch = Scratch::new();
    for (polite, stdin, expected) in [
        (Polite::StdinText(b"quit\n".to_vec()), Stdin::Null, "quit\n"),
        (Polite::CloseStdin, Stdin::Null, ""),
        (Polite::StdinText(b"quit\n".to_vec()), "hello\n".into(), "hello\nquit\n"),
    ] {
        let ready = scratch.path("ready");
        let _ = std::fs::remove_file(&ready);
        let verbs = ["touch", ready.to_str().unwrap(), "then", "read-stdin", "then", "exit", "0"];
        let command = bad(&verbs).stdin(stdin).polite(polite.clone()).grace(HANG);
        let cancel = Cancel::new();
        let running = tokio::spawn({
            let (cancel, command) =
                (cancel.clone(), command.stdout(bgt_process::Redirect::file(scratch.path("out"))));
            async move { run(command).cancel(&cancel).await }
        });
        let (wait, out, first) = (ready.clone(), scratch.path("out"), expected.starts_with("hello"));
        let there = tokio::task::spawn_blocking(move || {
            wait_until(HANG, || wait.exists())
                && (!first || wait_until(HANG, || std::fs::read(&out).is_ok_and(|text| !text.is_empty())))
        });
        assert!(there.await.unwrap());
        cancel.cancel();
        let error = timeout(HANG, running).await.expect("the stop hangs").unwrap().unwrap_err();
        assert_eq!(how(&error), StopHow::Obeyed(Exit::Code(0)), "{polite:?}");
        assert_eq!(scratch.read("out"), expected, "{polite:?}");
    }
}

#[tokio::test]
async fn a_stop_through_stdin_needs_a_stdin_that_is_ours() {
    let command = bad(&["exit", "0"]).stdin(Stdin::Inherit).polite(Polite::CloseStdin);
    let error = run(command).await.unwrap_err();
    assert!(matches!(error.find(), Some(CommandError::StopNeedsStdin { .. })), "{error:?}");
}

#[tokio::test]
async fn a_program_that_ended_before_it_was_asked_is_no_cancellation() {
    // The grandchild holds the output, so the run still waits when the cancel comes.
    let scratch = Scratch::new();
    let pids = scratch.path("pids");
    let command = support::bad_with_pids(
        &pids,
        &["quiet-grandchild", "60", "then", "print", "done", "then", "exit", "0"],
    );
    let cancel = Cancel::new();
    let running = tokio::spawn({
        let cancel = cancel.clone();
        async move { run(command.stop(bgt_core::Stop::default().drain(HANG * 10))).cancel(&cancel).await }
    });
    let child =
        tokio::task::spawn_blocking(move || bgt_testkit::wait_for_pids(pids, 2, HANG)).await.unwrap()[0];
    let ended = tokio::task::spawn_blocking(move || wait_until(HANG, || !bgt_testkit::alive(child)));
    assert!(ended.await.unwrap());
    cancel.cancel();
    let output = timeout(HANG, running).await.expect("the drain was waited for").unwrap().unwrap();
    assert_eq!(output.stdout_text(), "done\n");
    assert!(output.leaked);
}

#[tokio::test]
async fn a_policy_may_say_for_ever() {
    let stop = bgt_core::Stop::default().grace(Duration::MAX).drain(Duration::MAX);
    let output = run(bad(&["print", "x"]).stop(stop.clone())).deadline(Duration::MAX).await.unwrap();
    assert_eq!(output.stdout_text(), "x\n");
    let cancel = Cancel::new();
    let running = tokio::spawn({
        let cancel = cancel.clone();
        async move { run(bad(&["hang"]).stop(stop)).cancel(&cancel).await }
    });
    cancel.force();
    let error = timeout(HANG, running).await.expect("a forced stop waits for ever").unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_that_was_paused_goes_on_to_obey() {
    let scratch = Scratch::new();
    let ready = scratch.path("ready");
    let script = format!("trap 'exit 3' TERM; : >{}; kill -STOP $$; sleep 60", ready.display());
    let command = bgt_process::Command::new("sh").args(["-c", &script]).grace(HANG * 10);
    let error = cancelled_when_ready(command, ready).await;
    assert_eq!(how(&error), StopHow::Obeyed(Exit::Code(3)));
}

/// A program that obeys and leaves somebody who does not, and who holds its output: the second request ends the wait for
/// that. It once made the loop spin for ever instead.
#[tokio::test]
async fn a_second_request_ends_the_wait_for_output() {
    for verbs in [
        &["stubborn-grandchild", "60", "then", "on-term-exit", "0", "then", "hang"][..],
        &["stubborn-grandchild", "60", "then", "exit", "0"],
    ] {
        let scratch = Scratch::new();
        let pids = scratch.path("pids");
        let command = support::bad_with_pids(&pids, verbs);
        let command = command.stop(bgt_core::Stop::default().grace(HANG * 10).drain(HANG * 10));
        let cancel = Cancel::new();
        let running = tokio::spawn({
            let cancel = cancel.clone();
            async move { run(command).cancel(&cancel).report().await }
        });
        let ends = verbs.ends_with(&["exit", "0"]);
        let child =
            tokio::task::spawn_blocking(move || bgt_testkit::wait_for_pids(pids, 2, HANG)).await.unwrap()[0];
        let ended = move || wait_until(HANG, || !bgt_testkit::alive(child));
        if !ends {
            cancel.cancel();
        }
        if ends || cfg!(unix) {
            assert!(tokio::task::spawn_blocking(ended).await.unwrap());
        }
        cancel.force();
        let report = timeout(HANG, running).await.expect("it spins").unwrap();
        assert_eq!(report.result.is_ok(), ends);
    }
}

#[tokio::test]
async fn without_a_drain_period_nothing_is_lost_and_nothing_is_called_a_leak() {
    for _ in 0..20 {
        let command = bad(&["flood", "50K", "then", "eflood", "50K"]);
        let output = run(command.stop(bgt_core::Stop::default().drain(Duration::ZERO))).await.unwrap();
        assert_eq!(
            (output.stdout.total(), output.stderr.total(), output.leaked),
            (50 << 10, 50 << 10, false)
        );
    }
}
