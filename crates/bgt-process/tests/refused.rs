//! P7, P22: what is wrong is refused before anything runs, by name and with the way out; secrets are never shown.

mod support;

use bgt_core::ErrorKind;
use bgt_process::{Command, CommandError, Redirect, Secret, Stdin};
use bgt_simple::{Retry, run};
use bgt_testkit::Scratch;
use support::bad;

#[tokio::test]
async fn bad_input_is_refused_by_name() {
    let scratch = Scratch::new();
    let (there, text) = (scratch.path("ran"), scratch.path("notes.txt"));
    std::fs::write(&text, "not a program").unwrap();
    let touch = || bad(&["touch", there.to_str().unwrap()]);
    let cases: Vec<(Command, &str)> = vec![
        (Command::new(""), "empty"),
        (Command::new("no-such-program-here"), "no-such-program-here"),
        (Command::new("./no-such-folder/program"), "no-such-folder"),
        (Command::new(scratch.dir()), "folder"),
        (Command::new(&text), "notes.txt"),
        (Command::script("no-such-script.py"), "no-such-script.py"),
        (Command::script(""), "empty"),
        (Command::script(&text), "notes.txt"),
        (Command::script(scratch.dir()), "it is a folder"),
        (Command::new("a\0b"), "NUL"),
        (touch().arg("a\0b"), "argument 3"),
        (touch().env("NAME", "a\0b"), "NAME"),
        (touch().env("", "x"), "environment variable"),
        (touch().env("A=B", "x"), "A=B"),
        (touch().current_dir("/no-such-folder"), "no-such-folder"),
        (touch().current_dir(&text), "notes.txt"),
        (touch().env_secret("TOKEN", Secret::from_env("BGT_TEST_NOT_SET")), "BGT_TEST_NOT_SET"),
        (touch().stdin(Stdin::file("no-such-input")), "no-such-input"),
        (touch().stdin(Stdin::file(scratch.dir())), "stdin"),
        (touch().stdout(Redirect::file("/no-such-folder/out")), "no-such-folder"),
        (touch().interpreter("python3"), "\"python3\""),
        (Command::script(&text).interpreter("a\0b"), "the interpreter"),
        (touch().env("BGT_TREE", "mine"), "BGT_TREE"),
        (touch().env_remove("BGT_TREE"), "BGT_TREE"),
    ];
    for (command, named) in cases {
        let error = run(&command).retry(Retry::attempts(3)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{command:?}: {error:?}");
        assert_eq!(error.attempt(), 1, "{error:?}");
        assert!(format!("{error:#}").contains(named), "{named} is not in: {error:#}");
        assert!(error.find::<CommandError>().is_some());
    }
    assert!(!there.exists(), "something ran");
}

#[tokio::test]
async fn a_folder_that_is_missing_is_named() {
    let error = bad(&["exit", "0"]).current_dir("/no/such/folder").plan().await.unwrap_err();
    let path = std::path::absolute("/no/such/folder").unwrap();
    assert!(error.to_string().contains(&format!("{path:?}")), "{error}");
}

#[tokio::test]
async fn the_reason_of_a_refusal_is_its_source() {
    let source = |error: CommandError| std::error::Error::source(&error).map(ToString::to_string);
    let error = bad(&["exit", "0"]).current_dir("/no-such-folder").plan().await.unwrap_err();
    assert!(matches!(error, CommandError::BadCurrentDir { .. }), "{error}");
    assert!(source(error).is_some());
    let command = bad(&["exit", "0"]).interpreter("sh");
    let error = command.plan().await.unwrap_err();
    assert!(matches!(error, CommandError::InterpreterWithoutScript { .. }), "{error}");
    let error = Command::script("x").interpreter("a\0b").plan().await.unwrap_err();
    assert!(matches!(error, CommandError::Nul { .. }), "{error}");
    let error = Command::new("x").env("BGT_TREE", "mine").plan().await.unwrap_err();
    assert!(matches!(error, CommandError::ReservedVariable { .. }), "{error}");
}

/// Runs itself once more, in a folder that is gone.
#[cfg(unix)]
#[tokio::test]
async fn a_host_without_a_current_folder_is_told_so() {
    const HERE: &str = "BGT_TEST_FOLDER_IS_GONE";
    if std::env::var_os(HERE).is_some() {
        for result in [Command::new("/bin/sh").plan().await, Command::script("x.py").plan().await] {
            let error = result.unwrap_err();
            assert!(matches!(error, CommandError::BadCurrentDir { .. }), "{error:?}");
        }
        Command::new("/bin/sh").current_dir("/").plan().await.unwrap();
        return;
    }
    let scratch = Scratch::new();
    let again = Command::new("/bin/sh")
        .args(["-c", "mkdir gone && cd gone && rmdir ../gone && exec \"$0\" --exact \"$1\""])
        .arg(std::env::current_exe().unwrap())
        .arg("a_host_without_a_current_folder_is_told_so")
        .env(HERE, "1")
        .current_dir(scratch.dir());
    let output = run(again.unchecked()).await.unwrap();
    assert!(output.success() && output.stdout_text().contains("1 passed"), "{}", output.stdout_text());
}

#[cfg(unix)]
#[tokio::test]
async fn too_much_for_the_system_is_said_with_its_size() {
    let one = bad(&["exit", "0"]).arg("x".repeat(200 << 10));
    let all = bad(&["exit", "0"]).args(vec!["x".repeat(3 << 10); 1 << 10]);
    let variables = (0..1 << 10).map(|i| (format!("BGT_TEST_{i}"), "x".repeat(3 << 10)));
    let variables = bad(&["exit", "0"]).env_clear().envs(variables);
    for (command, least) in [(one, 200 << 10), (all, 3 << 20), (variables, 3 << 20)] {
        if cfg!(not(target_os = "linux")) && least < 1 << 20 {
            continue;
        }
        let error = run(command).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let Some(CommandError::TooLong { bytes, .. }) = error.find() else { panic!("{error:?}") };
        assert!((least..least + (1 << 20)).contains(bytes), "{bytes}");
        assert!(format!("{error:#}").contains("stdin"), "{error:#}");
    }
}

#[tokio::test]
async fn a_changed_path_is_where_a_bare_name_is_looked_up() {
    let child = bgt_testkit::bad_child();
    let folder = child.parent().unwrap();
    let command = Command::new("bad-child").args(["print", "found"]).env("PATH", folder);
    assert_eq!(run(command).await.unwrap().stdout_text(), "found\n");
    let variables =
        run(Command::new("bad-child").arg("env-all").env_clear().env("PATH", folder)).await.unwrap();
    let mut variables: Vec<String> = variables.stdout_text().lines().map(str::to_owned).collect();
    // What Windows itself adds, and our marker of the tree.
    variables.retain(|line| {
        let name = bgt_testkit::from_hex(line.split('=').next().unwrap());
        !(name == b"BGT_TREE" || cfg!(windows) && name != b"PATH")
    });
    assert_eq!(variables.len(), 1, "{variables:?}");
    let error = run(Command::new("bad-child").env("PATH", "/no/such/folder")).await.unwrap_err();
    assert!(format!("{error:#}").contains("/no/such/folder"), "{error:#}");
}

#[tokio::test]
async fn secrets_reach_the_program_and_nobody_else() {
    let secret = "s3cr3t-hunter2";
    let command = bad(&["env", "TOKEN", "then", "eprint", "refused", "then", "exit", "1"])
        .env_secret("TOKEN", Secret::literal(secret))
        .env("SHOWN", "shown");
    let error = run(&command).await.unwrap_err();
    assert_eq!(bgt_process::Output::from_error(&error).unwrap().stdout_text().trim(), secret);
    let printed = bad(&["echo-args"]).arg_secret(Secret::literal(secret));
    let leaky = bad(&["eprint", secret, "then", "exit", "1"]).env_secret("TOKEN", Secret::literal(secret));
    let leaky = run(leaky).await.unwrap_err();
    for text in [
        format!("{command:?}"),
        format!("{error:?}"),
        format!("{printed:?}"),
        command.plan().await.unwrap().to_string(),
        run(&command).dry_run().await.unwrap(),
        format!("{leaky:?}"),
    ] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(leaky.tail().unwrap().contains("***"), "{leaky:?}");
    assert!(format!("{command:?}").contains("shown"));
}

#[tokio::test]
async fn a_secret_path_is_not_printed_where_a_program_is_not_found() {
    let command = Command::new("no-such-program").env_secret("PATH", Secret::literal("/private/hunter2"));
    let error = run(command).await.unwrap_err();
    assert!(matches!(error.find(), Some(CommandError::ProgramNotFound { .. })), "{error:?}");
    let text = format!("{error:#} {error:?}");
    assert!(text.contains("PATH (***)") && !text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_secret_that_the_capture_cuts_is_not_shown_by_its_rest() {
    let secret = "s3cr3t-hunter2";
    for inside in ["s3cr3t", "s3cr3t-hunter2-and-more"] {
        let command = bad(&["eprint", secret, "then", "eprint", "refused", "then", "exit", "1"])
            .env_secret("SHORT", Secret::literal(inside))
            .env_secret("TOKEN", Secret::literal(secret))
            // "er2" of the secret, and the last line.
            .capture(bgt_process::Capture::tail(12));
        let error = run(command).await.unwrap_err();
        assert_eq!(error.tail(), Some("***\nrefused"), "{error:?}");
    }
}

#[tokio::test]
async fn a_dry_run_starts_nothing() {
    let scratch = Scratch::new();
    let there = scratch.path("ran");
    let command =
        bad(&["touch", there.to_str().unwrap()]).env("A", "1").env_remove("B").current_dir(scratch.dir());
    let plan = command.plan().await.unwrap();
    assert!(plan.program.is_absolute());
    assert_eq!(plan.args, ["touch", there.to_str().unwrap()]);
    assert_eq!(plan.current_dir, scratch.dir());
    assert_eq!(plan.env, [("A".into(), Some("1".into())), ("B".into(), None)]);
    assert_eq!(run(&command).dry_run().await.unwrap(), plan.to_string());
    assert!(!there.exists());
}
