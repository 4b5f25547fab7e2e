//! R1: scripts are run by the interpreter that belongs to them.

mod support;

use std::path::PathBuf;

#[cfg(unix)]
use bgt_process::Secret;
use bgt_process::{Command, CommandError};
use bgt_simple::run;
use bgt_testkit::{Scratch, python, skip};

fn script(scratch: &Scratch, name: &str, text: &str) -> PathBuf {
    let path = scratch.path(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[cfg(unix)]
fn executable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

async fn stdout(command: Command) -> String {
    run(command).await.unwrap().stdout_text().replace("\r\n", "\n")
}

#[tokio::test]
async fn python_by_its_real_path() {
    let Some(real) = python() else {
        return skip!("python_by_its_real_path", "there is no Python here");
    };
    let scratch = Scratch::new();
    let path = script(&scratch, "a script.py", "import sys\nprint(sys.argv[1:], sys.executable)\n");
    let command = Command::script(&path).args(["ä b", "--x=1"]);
    let plan = command.plan().await.unwrap();
    assert_eq!(plan.program, real, "a shim, and not what is behind it");
    assert_eq!(stdout(command).await, format!("['ä b', '--x=1'] {}\n", real.display()));
}

#[tokio::test]
async fn the_active_virtual_environment_comes_first() {
    let Some(real) = python() else {
        return skip!("the_active_virtual_environment_comes_first", "there is no Python here");
    };
    let scratch = Scratch::new();
    let venv = scratch.path("venv");
    run(Command::new(real).args(["-m", "venv", "--without-pip"]).arg(&venv)).await.unwrap();
    let path = script(&scratch, "prefix.py", "import sys\nprint(sys.prefix)\n");
    let command = Command::script(path).env("VIRTUAL_ENV", &venv);
    assert_eq!(stdout(command).await, format!("{}\n", venv.display()));
}

#[tokio::test]
async fn other_interpreters_by_extension() {
    let scratch = Scratch::new();
    for (name, text, program) in [
        ("hello.js", "console.log('hello', process.argv[2])", "node"),
        ("hello.mjs", "console.log('hello', process.argv[2])", "node"),
        ("hello.rb", "puts \"hello #{ARGV[0]}\"", "ruby"),
        ("hello.pl", "print \"hello $ARGV[0]\\n\"", "perl"),
        ("hello.ps1", "Write-Output \"hello $($args[0])\"", "pwsh"),
        ("hello.sh", "echo hello $1", "sh"),
    ] {
        let path = script(&scratch, name, text);
        if bgt_testkit::under_wine() && program == "pwsh" {
            skip!(format!("other_interpreters_by_extension ({name})"), "Wine's PowerShell is an empty shell");
            continue;
        }
        if Command::new(program).plan().await.is_err() {
            skip!(format!("other_interpreters_by_extension ({name})"), format!("there is no {program} here"));
            // Windows brings a PowerShell of its own, under another name.
            if !(cfg!(windows) && program == "pwsh") {
                let error = Command::script(path).plan().await.unwrap_err();
                assert!(matches!(error, CommandError::NoInterpreter { .. }), "{error}");
            }
            continue;
        }
        assert_eq!(stdout(Command::script(path).arg("world")).await, "hello world\n", "{name}");
    }
}

#[tokio::test]
async fn a_chosen_interpreter() {
    let Some(real) = python() else {
        return skip!("a_chosen_interpreter", "there is no Python here");
    };
    let scratch = Scratch::new();
    let path = script(&scratch, "task.txt", "print('by choice')");
    assert_eq!(stdout(Command::script(&path).interpreter(real)).await, "by choice\n");
    let error = Command::script(path).interpreter("no-such-interpreter").plan().await.unwrap_err();
    assert!(error.to_string().contains("no-such-interpreter"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn by_shebang_executable_or_not() {
    let scratch = Scratch::new();
    for (name, text) in [
        ("plain", "#!/bin/sh\necho hello $1"),
        ("args", "#!/bin/sh -e\necho hello $1"),
        ("env", "#!/usr/bin/env sh\necho hello $1"),
        ("env-S", "#!/usr/bin/env -S sh -e\necho hello $1"),
        ("fancy.sh", "#!/usr/bin/perl\nprint \"hello $ARGV[0]\\n\""),
    ] {
        let path = script(&scratch, name, text);
        assert_eq!(stdout(Command::script(path).arg("world")).await, "hello world\n", "{name}");
    }
    let path = script(&scratch, "gone", "#!/no/such/interpreter\n");
    let error = Command::script(path).plan().await.unwrap_err();
    assert!(error.to_string().contains("/no/such/interpreter"), "{error}");
}

/// Stands for a version manager's shim, in front of Perl: counts how often it is asked, and passes everything on.
#[cfg(unix)]
fn counting_shim(scratch: &Scratch, folder: &str) -> PathBuf {
    let bin = scratch.path(folder);
    std::fs::create_dir_all(&bin).unwrap();
    let asked = scratch.path("asked");
    let text = format!("#!/bin/sh\necho x >>{}\nexec /usr/bin/perl \"$@\"\n", asked.display());
    let shim = script(scratch, &format!("{folder}/perl"), &text);
    executable(&shim);
    bin
}

#[cfg(unix)]
#[tokio::test]
async fn a_shim_is_asked_once_and_a_broken_one_is_named() {
    let scratch = Scratch::new();
    let bin = counting_shim(&scratch, "shims");
    let path = script(&scratch, "x.pl", "print \"$^X\\n\"");
    let command = || Command::script(&path).env("PATH", &bin);
    let mut runs = tokio::task::JoinSet::new();
    for i in 0..8 {
        // A folder for every job: the answer is the same in all of them.
        let folder = scratch.path(format!("job-{i}"));
        std::fs::create_dir(&folder).unwrap();
        runs.spawn(stdout(command().current_dir(folder)));
    }
    assert_eq!(runs.join_all().await, ["/usr/bin/perl\n"; 8]);
    assert_eq!(stdout(command()).await, "/usr/bin/perl\n");
    assert_eq!(scratch.read("asked"), "x\n");
    // What chooses the version has changed.
    std::fs::write(scratch.path(".perl-version"), "5.36").unwrap();
    stdout(command().current_dir(scratch.path("job-0"))).await;
    assert_eq!(scratch.read("asked"), "x\nx\n");

    let shim = script(&scratch, "shims/ruby", "#!/bin/sh\necho 'version 9 is not installed' >&2\nexit 1\n");
    executable(&shim);
    let path = script(&scratch, "x.rb", "");
    let error = Command::script(&path).env("PATH", &bin).plan().await.unwrap_err();
    assert!(matches!(error, CommandError::BrokenShim { .. }), "{error}");
    assert!(error.to_string().contains("version 9 is not installed"), "{error}");

    script(&scratch, "shims/ruby", "#!/bin/sh\necho \"no such version: $TOKEN\"\n");
    let command = Command::script(path).env("PATH", &bin);
    let error = command.env_secret("TOKEN", Secret::literal("hunter2")).plan().await.unwrap_err();
    assert!(error.to_string().contains("no such version: ***"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_wrapper_is_used_as_it_is() {
    let scratch = Scratch::new();
    let (bin, shims) = (counting_shim(&scratch, "bin"), counting_shim(&scratch, "shims"));
    let path = script(&scratch, "x.pl", "print \"$^X\\n\"");
    // It is in no version manager's folder: it may set up what the interpreter needs.
    let plan = Command::script(&path).env("PATH", &bin).plan().await.unwrap();
    assert_eq!(plan.program, bin.join("perl"));
    // It was named.
    let plan = Command::script(&path).interpreter(shims.join("perl")).plan().await.unwrap();
    assert_eq!(plan.program, shims.join("perl"));
    assert!(!scratch.path("asked").exists(), "it was asked");
}

#[cfg(unix)]
#[tokio::test]
async fn relative_interpreters_become_absolute() {
    let scratch = Scratch::new();
    let bin = counting_shim(&scratch, "venv/bin");
    std::fs::rename(bin.join("perl"), bin.join("python")).unwrap();
    // As the system has it: from where the program is to run.
    let path = script(&scratch, "x", "#!venv/bin/python\n");
    let plan = Command::script(&path).current_dir(scratch.dir()).plan().await.unwrap();
    assert_eq!(plan.program, bin.join("python"));

    // Like all relative paths of a command: from the host's current folder.
    let up = "../".repeat(std::env::current_dir().unwrap().components().count());
    let relative = format!("{up}{}", scratch.text("venv").trim_start_matches('/'));
    let path = script(&scratch, "x.py", "");
    let plan = Command::script(&path).env("VIRTUAL_ENV", relative).current_dir("/").plan().await.unwrap();
    assert!(plan.program.is_absolute() && plan.program.ends_with("venv/bin/python"), "{plan}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_freshly_written_program_is_not_busy() {
    let scratch = Scratch::new();
    let child = bgt_testkit::bad_child();
    let mut runs = tokio::task::JoinSet::new();
    for i in 0..40 {
        let path = scratch.path(format!("fresh-{i}"));
        let child = child.clone();
        runs.spawn(async move {
            std::fs::copy(child, &path).unwrap();
            run(Command::new(path).args(["exit", "0"])).await
        });
    }
    for result in runs.join_all().await {
        result.unwrap();
    }
}

#[tokio::test]
async fn batch_files_on_windows_only() {
    let scratch = Scratch::new();
    let path = script(&scratch, "hello.bat", "@echo off\r\necho hello %~1\r\n");
    if cfg!(windows) {
        assert_eq!(stdout(Command::script(&path).arg("world")).await.trim_end(), "hello world");
        let error = run(Command::script(&path).arg("a\r\nb")).await.unwrap_err();
        assert!(matches!(error.find(), Some(CommandError::BatchArguments { .. })), "{error:?}");
    } else {
        let error = Command::script(&path).plan().await.unwrap_err();
        assert!(matches!(error, CommandError::NoInterpreter { .. }), "{error}");
    }
}
