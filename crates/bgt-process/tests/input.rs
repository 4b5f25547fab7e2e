//! What a program is given: stdin in all its forms, and its priority.

mod support;

use bgt_core::Retry;
use bgt_process::{Command, CommandError, Priority, Redirect, Stdin};
use bgt_simple::run;
use bgt_testkit::Scratch;
use support::{HANG, bad};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

#[tokio::test]
async fn without_stdin_there_is_nothing_to_read() {
    assert_eq!(run(bad(&["count-stdin"])).await.unwrap().stdout_text(), "0\n");
}

#[tokio::test]
async fn many_bytes_go_in_while_many_come_out() {
    let bytes: Vec<u8> = (0..8 << 20).map(|i: u32| (i % 251) as u8).collect();
    let output =
        timeout(HANG, run(bad(&["read-stdin"]).stdin(bytes.clone()))).await.expect("a deadlock").unwrap();
    assert!(output.stdout.as_bytes() == bytes);
}

#[tokio::test]
async fn a_program_that_does_not_read_is_not_disturbed() {
    let output = run(bad(&["no-stdin", "then", "print", "fine"]).stdin(vec![0; 1 << 20])).await.unwrap();
    assert_eq!(output.stdout_text(), "fine\n");
    let output = run(
        bad(&["read-some", "10", "then", "close-stdin", "then", "print", "fine"]).stdin(vec![0; 1 << 20])
    );
    assert!(output.await.unwrap().stdout_text().ends_with("fine\n"));
}

#[tokio::test]
async fn a_file_is_read_anew_at_each_run() {
    let scratch = Scratch::new();
    let path = scratch.path("in");
    let command = bad(&["count-stdin"]).stdin(Stdin::file(&path));
    for text in ["abc", "abcdef"] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(run(&command).await.unwrap().stdout_text().trim(), text.len().to_string());
    }
}

#[tokio::test]
async fn a_live_writer_talks_until_it_is_dropped() {
    let (stdin, mut writer) = Stdin::live();
    let running = tokio::spawn(async move { run(bad(&["read-stdin"]).stdin(stdin)).await });
    for word in ["one ", "two ", "three"] {
        writer.write_all(word.as_bytes()).await.unwrap();
    }
    drop(writer);
    let output = timeout(HANG, running).await.expect("stdin was not closed").unwrap().unwrap();
    assert_eq!(output.stdout_text(), "one two three");
}

#[tokio::test]
async fn a_live_writer_hears_that_the_program_has_ended() {
    let (stdin, mut writer) = Stdin::live();
    run(bad(&["exit", "0"]).stdin(stdin)).await.unwrap();
    let error = loop {
        if let Err(error) = writer.write_all(&[0; 1 << 16]).await {
            break error;
        }
    };
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_live_stdin_is_for_one_attempt() {
    let (stdin, writer) = Stdin::live();
    drop(writer);
    let command = bad(&["exit", "1"]).stdin(stdin);
    let error = run(command).retry(Retry::attempts(3)).await.unwrap_err();
    assert!(matches!(error.find(), Some(CommandError::StdinUsed)), "{error:?}");
    assert_eq!(error.attempt(), 2);
}

#[cfg(unix)]
#[tokio::test]
async fn a_named_pipe_is_waited_for_and_no_longer_than_the_deadline() {
    let scratch = Scratch::new();
    let (lonely, fifo) = (scratch.path("lonely"), scratch.path("fifo"));
    run(Command::new("mkfifo").args([&lonely, &fifo])).await.unwrap();
    let deadline = std::time::Duration::from_millis(100);
    let run_lonely = run(bad(&["count-stdin"]).stdin(Stdin::file(lonely))).deadline(deadline);
    let error = timeout(HANG, run_lonely).await.expect("the open hangs").unwrap_err();
    assert_eq!(error.kind(), bgt_core::ErrorKind::TimedOut);

    let command = bad(&["count-stdin"]).stdin(Stdin::file(&fifo));
    let writing = std::thread::spawn(move || std::fs::write(fifo, "abc"));
    let counted = timeout(HANG, run(command)).await.expect("the open hangs").unwrap();
    writing.join().unwrap().unwrap();
    assert_eq!(counted.stdout_text(), "3\n");
}

/// The descriptors of this process that are open on a file.
#[cfg(target_os = "linux")]
fn open_on(path: &std::path::Path) -> usize {
    let fds = std::fs::read_dir("/proc/self/fd").unwrap();
    fds.filter(|fd| std::fs::read_link(fd.as_ref().unwrap().path()).is_ok_and(|file| file == path)).count()
}

/// Once a blocking open in a thread of its own: it outlived the run, and took the data of the next writer.
#[cfg(unix)]
#[tokio::test]
async fn named_pipes_that_nobody_opens_leave_nothing_behind_and_steal_nothing() {
    let scratch = Scratch::new();
    let (input, output) = (scratch.path("input"), scratch.path("output"));
    run(Command::new("mkfifo").args([&input, &output])).await.unwrap();
    let start = bgt_testkit::Resources::now();
    let mut runs = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let deadline = std::time::Duration::from_millis(50);
        runs.spawn(run(bad(&["count-stdin"]).stdin(Stdin::file(&input))).deadline(deadline).into_future());
        let to = Redirect::file(&output);
        runs.spawn(run(bad(&["print", "x"]).stdout(to)).deadline(deadline).into_future());
    }
    for result in timeout(HANG, runs.join_all()).await.expect("an open hangs") {
        assert_eq!(result.unwrap_err().kind(), bgt_core::ErrorKind::TimedOut);
    }
    // Less than the 40 runs; the other tests of this file hold something too.
    bgt_testkit::Resources::assert_back_to(&start, 15, HANG);
    #[cfg(target_os = "linux")]
    assert_eq!((open_on(&input), open_on(&output)), (0, 0));

    let path = input.clone();
    let writing = std::thread::spawn(move || std::fs::write(path, "abc"));
    let counted = run(bad(&["count-stdin"]).stdin(Stdin::file(&input)));
    assert_eq!(timeout(HANG, counted).await.expect("a hang").unwrap().stdout_text(), "3\n");
    writing.join().unwrap().unwrap();
    let path = output.clone();
    let reading = std::thread::spawn(move || std::fs::read_to_string(path));
    let printed = run(bad(&["print", "x"]).stdout(Redirect::file(&output)));
    timeout(HANG, printed).await.expect("a hang").unwrap();
    assert_eq!(reading.join().unwrap().unwrap(), "x\n");
}

#[tokio::test]
async fn a_refused_run_empties_no_file_and_leaves_the_live_stdin() {
    let scratch = Scratch::new();
    let (out, text) = (scratch.path("out"), scratch.path("text"));
    std::fs::write(&out, "precious").unwrap();
    std::fs::write(&text, "not a program").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&text, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let (stdin, mut writer) = Stdin::live();
    writer.write_all(b"four").await.unwrap();
    drop(writer);
    let counting = bad(&["count-stdin"]).stdin(stdin.clone()).stdout(Redirect::file(&out));
    // A bad file, and a program that the system does not start.
    for refused in [
        counting.clone().stderr(Redirect::file(scratch.dir())),
        counting.clone().stdin(Stdin::file(scratch.path("missing"))),
        counting.clone().stdin(Stdin::file(scratch.dir())),
        Command::new(&text).stdin(stdin),
    ] {
        let error = run(refused).await.unwrap_err();
        assert_eq!(error.kind(), bgt_core::ErrorKind::Invalid, "{error:?}");
        assert!(!matches!(error.find(), Some(CommandError::StdinUsed)), "{error:?}");
    }
    assert_eq!(scratch.read("out"), "precious");
    run(counting).await.unwrap();
    assert_eq!(scratch.read("out"), "4\n");
}

/// It answers when it has read a word, which it is given once it has started: then it has its priority.
async fn priority_of(command: Command) -> String {
    run(command.stdin("x")).await.unwrap().stdout_text().trim().to_owned()
}

#[tokio::test]
async fn a_program_stands_back_as_it_was_told_to_with_all_that_it_starts() {
    let asks = || bad(&["read-some", "1", "then", "priority"]);
    let ours = priority_of(asks()).await;
    let (low, idle) = match ours.parse::<i32>() {
        Ok(ours) => ((ours + 10).min(19).to_string(), "19".to_owned()),
        Err(_) => ("low".to_owned(), "idle".to_owned()),
    };
    assert_eq!(priority_of(asks().priority(Priority::Low)).await, low);
    assert_eq!(priority_of(asks().priority(Priority::Idle)).await, idle);
    // One that has ended before it could be told is no reason to complain.
    run(bad(&["exit", "0"]).priority(Priority::Idle)).await.unwrap();
    let plan = asks().priority(Priority::Low).plan().await.unwrap();
    assert!(plan.to_string().contains(" && nice -n 10 "), "{plan}");
    #[cfg(unix)]
    {
        let shell =
            Command::new("/bin/sh").args(["-c", "read word; /bin/sh -c nice"]).priority(Priority::Idle);
        assert_eq!(run(shell.stdin("go\n")).await.unwrap().stdout_text().trim(), "19");
    }
}
