//! P3, P4: every byte is read, kept within the limits, counted, and untouched.

mod support;

use std::time::Duration;

use bgt_core::ErrorKind;
use bgt_process::{Capture, Command, Encoding, Redirect};
use bgt_simple::run;
use bgt_testkit::Scratch;
use support::bad;

#[tokio::test]
async fn a_flood_is_cut_in_the_middle_and_counted() {
    let command = bad(&["flood", "20M", "then", "print", "the end"]).capture(Capture::new(1000, 100));
    let output = run(command).await.unwrap();
    let (head, tail) = output.stdout.head_and_tail();
    assert_eq!((head.len(), tail.len()), (1000, 100));
    assert!(tail.ends_with(b"the end\n"));
    assert_eq!(output.stdout.total(), 20 * 1024 * 1024 + 8);
}

#[tokio::test]
async fn nothing_is_lost_of_what_fits_on_both_streams_at_once() {
    let output = run(bad(&["flood", "5M", "then", "eflood", "5M", "then", "flood", "1M"])).await.unwrap();
    assert!(output.stdout.is_complete() && output.stderr.is_complete());
    assert_eq!((output.stdout.total(), output.stderr.total()), (6 << 20, 5 << 20));
    assert!(output.stdout.as_bytes().chunks(64).all(|line| line == &output.stdout.as_bytes()[..64]));
}

#[tokio::test]
async fn bytes_are_untouched() {
    let output = run(bad(&["hex", "00ff0a0d0afe80", "then", "ehex", "c3"])).await.unwrap();
    assert_eq!(output.stdout.as_bytes(), b"\x00\xff\n\r\n\xfe\x80");
    assert_eq!(output.stderr_text(), "\u{fffd}");
}

#[tokio::test]
async fn text_is_what_the_encoding_says_and_bytes_are_bytes() {
    // "für" in UTF-16, with a mark in front, on both streams.
    let verbs = ["hex", "fffe6600fc007200", "then", "ehex", "6600fc007200", "then", "exit", "3"];
    let output = run(bad(&verbs).encoding(Encoding::Utf16).unchecked()).await.unwrap();
    assert_eq!((&*output.stdout_text(), &*output.stderr_text()), ("für", "für"));
    assert_eq!(output.stdout.as_bytes(), b"\xff\xfef\0\xfc\0r\0");
    let error = run(bad(&verbs).encoding(Encoding::Utf16)).await.unwrap_err();
    assert_eq!(error.tail(), Some("für"));
}

#[cfg(windows)]
#[tokio::test]
async fn what_the_systems_own_programs_print_is_in_the_code_page_of_consoles() {
    let cmd = Command::new("cmd").args(["/c", "echo", "für"]);
    let output = run(cmd.encoding(Encoding::Console)).await.unwrap();
    assert_eq!(output.stdout_text().trim_end(), "für", "{:?}", output.stdout.as_bytes());
}

#[tokio::test]
async fn a_line_of_ten_megabytes_and_no_final_newline() {
    let output = run(bad(&["line", "10M", "then", "no-newline", "x"])).await.unwrap();
    assert_eq!(output.stdout.total(), (10 << 20) + 2);
    assert!(output.stdout.is_complete() && output.stdout.as_bytes().ends_with(b"x\nx"));
}

#[tokio::test]
async fn combined_output_keeps_the_exact_order() {
    let output = run(bad(&["alternate", "2000"]).combine_output()).await.unwrap();
    let lines: Vec<String> = output.stdout_text().lines().map(str::to_owned).collect();
    let expected: Vec<String> =
        (1..=2000).map(|n| format!("{n} {}", if n % 2 == 1 { "out" } else { "err" })).collect();
    assert_eq!(lines, expected);
    assert_eq!(output.stderr.total(), 0);
}

#[tokio::test]
async fn output_goes_to_files_and_nowhere() {
    let scratch = Scratch::new();
    let (out, err) = (scratch.path("out"), scratch.path("err"));
    let command = bad(&["print", "one", "then", "eprint", "two"]);
    let command = command.stdout(Redirect::file(&out)).stderr(Redirect::append(&err));
    for _ in 0..2 {
        let output = run(&command).await.unwrap();
        assert_eq!((output.stdout.total(), output.stderr.total()), (0, 0));
    }
    assert_eq!((scratch.read("out"), scratch.read("err")), ("one\n".to_owned(), "two\ntwo\n".to_owned()));
    let both = command.stdout(Redirect::file(&out)).combine_output();
    run(both).await.unwrap();
    assert_eq!(scratch.read("out"), "one\ntwo\n");
    run(bad(&["print", "x"]).stdout(Redirect::Null).combine_output()).await.unwrap();
}

#[tokio::test]
async fn two_streams_to_one_file_overwrite_nothing() {
    let scratch = Scratch::new();
    let path = scratch.path("both");
    let other = scratch.path("link");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&path, &other).unwrap();
    let other = if cfg!(unix) { other } else { path.clone() };
    let command = bad(&["alternate", "3"]);
    let once = "1 out\n2 err\n3 out\n";
    for (stdout, stderr, twice) in [
        (Redirect::file(&path), Redirect::file(&other), once.to_owned()),
        (Redirect::append(&path), Redirect::append(&other), once.repeat(2)),
        (Redirect::append(&path), Redirect::file(&other), once.to_owned()),
        (Redirect::file(&path), Redirect::append(&other), once.to_owned()),
    ] {
        let _ = std::fs::remove_file(&path);
        let command = command.clone().stdout(stdout).stderr(stderr);
        for _ in 0..2 {
            run(&command).await.unwrap();
        }
        assert_eq!(scratch.read("both"), twice, "{command:?}");
    }
}

#[tokio::test]
async fn a_closed_stdout_is_an_end_of_output_and_not_of_the_program() {
    let output =
        run(bad(&["print", "a", "then", "close-stdout", "then", "eprint", "b", "then", "exit", "4"])
            .ok_exits([4]));
    let output = output.await.unwrap();
    assert_eq!((&*output.stdout_text(), &*output.stderr_text()), ("a\n", "b\n"));
}

#[tokio::test]
async fn a_failure_shows_the_last_lines() {
    let error = run(bad(&["eprint", "first", "then", "eprint", "the reason", "then", "exit", "3"]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed);
    let text = format!("{error:?}");
    assert!(text.contains("exit code 3") && text.contains("the reason"), "{text}");
    let combined =
        run(bad(&["print", "said aloud", "then", "exit", "3"]).combine_output()).await.unwrap_err();
    assert_eq!(combined.tail(), Some("said aloud"));
}

#[tokio::test]
async fn exits_are_judged_as_asked() {
    for (command, accepted) in [
        (bad(&["exit", "1"]), false),
        (bad(&["exit", "1"]).ok_exits([0, 1]), true),
        (bad(&["exit", "2"]).ok_exits([0, 1]), false),
        (bad(&["exit", "200"]).unchecked(), true),
        (bad(&["abort"]).unchecked(), true),
        (bad(&["abort"]).ok_exits([0, 1]), false),
    ] {
        let result = run(&command).await;
        assert_eq!(result.is_ok(), accepted, "{command:?}: {result:?}");
    }
    if cfg!(unix) {
        let output = run(bad(&["signal", "KILL"]).unchecked()).await.unwrap();
        assert_eq!((output.exit.signal(), output.exit.to_string()), (Some(9), "ended by SIGKILL".to_owned()));
    }
}

#[tokio::test]
async fn time_in_the_processor_is_reported_and_memory_is_honest() {
    let output = run(bad(&["spin", "200"])).await.unwrap();
    if bgt_testkit::under_wine() {
        bgt_testkit::skip!(
            "time_in_the_processor_is_reported_and_memory_is_honest",
            "Wine 8 counts neither the time of a job nor its memory"
        );
        return;
    }
    let used = output.usage.user.unwrap() + output.usage.system.unwrap();
    assert!(used >= Duration::from_millis(100), "{used:?}");
    assert!(output.elapsed >= Duration::from_millis(150), "{:?}", output.elapsed);
    let small = run(bad(&["exit", "0"])).await.unwrap().usage.peak_memory;
    let large = run(bad(&["alloc", "300"])).await.unwrap().usage.peak_memory;
    if cfg!(unix) {
        // More than this test ever had, so it is the child's own; less would be the host's.
        assert!(large.is_some_and(|bytes| bytes >= 300 << 20), "{large:?}");
        assert_eq!(small, None);
    }
}

#[tokio::test]
async fn a_thousand_lines_from_a_real_program() {
    if cfg!(windows) {
        bgt_testkit::skip!("a_thousand_lines_from_a_real_program", "seq is a Unix program");
        return;
    }
    let output = run(Command::new("seq").arg("1000")).await.unwrap();
    assert_eq!(output.stdout_text().lines().count(), 1000);
}
