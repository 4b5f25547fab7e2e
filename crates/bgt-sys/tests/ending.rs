//! The end of a program: seen, told exactly, and no sooner than it is there.

mod support;

use bgt_sys::{Asked, Input, Outcome, Priority, Signal, SpawnOptions};
use support::{end, exit_code, ready, soon, start, start_with, text, write_all};

#[tokio::test]
async fn the_exit_code_is_exact() {
    // 259 is what Windows answers for a program that runs.
    let codes: &[i32] = if cfg!(windows) { &[0, 1, 3, 255, 259, -1] } else { &[0, 1, 3, 255] };
    for code in codes {
        let mut spawned = start(&["exit", &code.to_string()]);
        assert_eq!(exit_code(&mut spawned.child).await, *code);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_signal_is_exact() {
    for (name, number) in [("KILL", 9), ("TERM", 15), ("SEGV", 11)] {
        let mut spawned = start(&["signal", name]);
        let Outcome::Signal { number: told, .. } = end(&mut spawned.child).await.outcome else {
            panic!("{name} is no exit code");
        };
        assert_eq!(told, number);
        assert_eq!(bgt_sys::signal_name(told), Some(format!("SIG{name}").as_str()));
    }
}

#[tokio::test]
async fn the_end_can_be_awaited_again_and_before_reaping() {
    let mut spawned = start(&["exit", "7"]);
    for _ in 0..3 {
        soon(spawned.child.ended()).await.expect("the end is seen");
    }
    assert_eq!(exit_code(&mut spawned.child).await, 7);
}

#[tokio::test]
async fn a_wait_that_was_cancelled_loses_no_end() {
    let mut spawned = start(&["ready", "then", "wait-file", "never", "then", "exit", "7"]);
    ready(spawned.stdout.as_ref().expect("a pipe")).await;
    for _ in 0..50 {
        tokio::select! {
            biased;
            _ = spawned.child.ended() => panic!("it runs"),
            () = tokio::task::yield_now() => {}
        }
    }
    spawned.child.kill().expect("it can be killed");
    end(&mut spawned.child).await;
}

#[tokio::test]
async fn who_stands_back_is_not_brought_forward() {
    // Told once more while it waits, and before it looks.
    let back = SpawnOptions { stdin: Input::Pipe, priority: Priority::Idle, ..SpawnOptions::default() };
    let mut spawned = start_with(&["read-some", "1", "then", "priority"], back);
    spawned.child.set_priority(Priority::Low).expect("it is there");
    write_all(spawned.stdin.as_ref().expect("a pipe"), b"x").await.expect("it reads");
    let told = text(spawned.stdout.as_ref().expect("a pipe")).await;
    assert_eq!(told.trim(), if cfg!(windows) { "idle" } else { "19" });
    assert_eq!(exit_code(&mut spawned.child).await, 0);
    // One that has ended cannot be told, and need not be.
    let mut spawned = start(&["exit", "0"]);
    soon(spawned.child.ended()).await.expect("the end is seen");
    spawned.child.set_priority(Priority::Idle).expect("nothing to do");
    assert_eq!(exit_code(&mut spawned.child).await, 0);
}

#[tokio::test]
async fn a_program_that_runs_has_no_status() {
    let mut spawned = start(&["ready", "then", "hang"]);
    ready(spawned.stdout.as_ref().expect("a pipe")).await;
    assert_eq!(spawned.child.reap().expect("a look"), None);
    spawned.child.kill().expect("it can be killed");
    let ended = end(&mut spawned.child).await;
    assert_ne!(ended.outcome, Outcome::Code(0));
}

#[tokio::test]
async fn killing_what_has_ended_keeps_its_exit_code() {
    let mut spawned = start(&["exit", "7"]);
    soon(spawned.child.ended()).await.expect("the end is seen");
    spawned.child.kill().expect("a look");
    assert_eq!(exit_code(&mut spawned.child).await, 7);
    spawned.child.kill().expect("nothing to kill is no error");
}

#[tokio::test]
async fn user_time_is_told() {
    let mut spawned = start(&["spin", "200"]);
    let usage = end(&mut spawned.child).await.usage;
    if bgt_testkit::under_wine() && usage.user.is_none() {
        bgt_testkit::skip!("user_time_is_told", "Wine 8 counts none for jobs");
        return;
    }
    let user = usage.user.expect("user time is known everywhere");
    assert!(user.as_millis() >= 100, "{user:?}");
    assert!(usage.system.is_some());
}

#[tokio::test]
async fn peak_memory_is_absent_or_true() {
    let mut spawned = start(&["alloc", "200"]);
    let peak = end(&mut spawned.child).await.usage.peak_memory;
    if bgt_testkit::under_wine() && peak.is_none() {
        bgt_testkit::skip!("peak_memory_is_absent_or_true", "Wine 8 forgets it when a program ends");
        return;
    }
    let peak = peak.expect("200 MiB are more than this test itself has");
    assert!((200..400).contains(&(peak >> 20)), "{peak} bytes");
}

#[tokio::test]
async fn what_has_ended_is_not_asked() {
    let mut spawned = start(&["exit", "0"]);
    soon(spawned.child.ended()).await.expect("the end is seen");
    assert_eq!(spawned.child.ask(Signal::Terminate).expect("a look"), Asked::Ended);
    end(&mut spawned.child).await;
    assert_eq!(spawned.child.ask(Signal::Terminate).expect("a look"), Asked::Ended);
}

#[cfg(unix)]
#[tokio::test]
async fn a_polite_program_ends_its_own_way() {
    for signal in [Signal::Terminate, Signal::Interrupt, Signal::Hangup] {
        let mut spawned = start(&["on-term-exit", "5", "then", "ready", "then", "hang"]);
        ready(spawned.stdout.as_ref().expect("a pipe")).await;
        assert_eq!(spawned.child.ask(signal).expect("it can be asked"), Asked::Delivered);
        assert_eq!(exit_code(&mut spawned.child).await, 5);
    }
}

#[cfg(windows)]
#[tokio::test]
async fn without_a_console_to_share_nobody_can_be_asked() {
    let mut spawned = start(&["on-term-exit", "5", "then", "ready", "then", "hang"]);
    ready(spawned.stdout.as_ref().expect("a pipe")).await;
    assert_eq!(spawned.child.ask(Signal::Terminate).expect("a look"), Asked::Undeliverable);
    assert_eq!(spawned.child.reap().expect("a look"), None, "nor does it hurt");
}

#[cfg(windows)]
#[tokio::test]
async fn a_polite_program_that_shares_the_console_ends_its_own_way() {
    let options = SpawnOptions { console_window: true, ..Default::default() };
    let mut spawned = start_with(&["on-term-exit", "5", "then", "ready", "then", "hang"], options);
    ready(spawned.stdout.as_ref().expect("a pipe")).await;
    if spawned.child.ask(Signal::Terminate).expect("a look") == Asked::Undeliverable {
        let name = "a_polite_program_that_shares_the_console_ends_its_own_way";
        bgt_testkit::skip!(name, "the tests run without a console");
        return;
    }
    assert_eq!(exit_code(&mut spawned.child).await, 5);
}

#[tokio::test]
async fn what_cannot_start_is_an_error() {
    let mut command = std::process::Command::new(std::env::temp_dir().join("bgt-no-such-program"));
    let error = bgt_sys::spawn(&mut command, &SpawnOptions::default()).expect_err("there is no such program");
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
}

#[cfg(windows)]
#[tokio::test]
async fn a_batch_file_is_a_program() {
    let scratch = bgt_testkit::Scratch::new();
    let path = scratch.path("script.cmd");
    std::fs::write(&path, "@echo [%1]\r\n@exit /b 6\r\n").expect("a script");
    let mut command = std::process::Command::new(&path);
    let mut spawned = bgt_sys::spawn(command.arg("a & b"), &SpawnOptions::default()).expect("it starts");
    let said = text(spawned.stdout.as_ref().expect("a pipe")).await;
    assert_eq!(said.trim_end(), "[\"a & b\"]");
    assert_eq!(exit_code(&mut spawned.child).await, 6);

    let error = bgt_sys::spawn(command.arg("a\nb"), &SpawnOptions::default()).expect_err("cannot be escaped");
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{error}");
}
