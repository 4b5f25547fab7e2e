//! What a pool of scripts does when things change, go wrong, or end.
#![cfg(feature = "process")]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bgt_pool::{
    BuildError, Command, CommandError, Error, Exit, Isolation, Output, PoolError, Redirect, ScriptError,
    ScriptPool, ScriptPoolBuilder,
};
use bgt_testkit::{Other, Scratch, assert_gone, read_pids, wait_for_pids};
use support::{HANG, soon};

const WARM: [Isolation; 2] = [Isolation::Zygote, Isolation::Prestarted];

/// The warm ways of this system; none, and a word why, without Python.
fn ways(test: &str) -> Vec<Isolation> {
    if bgt_testkit::python().is_none() {
        bgt_testkit::skip!(test, "there is no Python here");
        return Vec::new();
    }
    WARM.into_iter().filter(|way| *way != Isolation::Zygote || cfg!(target_os = "linux")).collect()
}

fn write(scratch: &Scratch, name: &str, source: &str) -> PathBuf {
    let path = scratch.path(name);
    std::fs::write(&path, source).unwrap();
    // So that another change shows: the clock of the file system is coarse.
    let before = std::time::SystemTime::now() - Duration::from_secs(60);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
    path
}

fn pool(script: &Path, way: Isolation) -> ScriptPoolBuilder {
    let dont = |command: Command| command.env("PYTHONDONTWRITEBYTECODE", "1");
    ScriptPool::builder(script).isolation(way).size(2).spare(1).command(dont)
}

async fn text(pool: &ScriptPool, args: &[&str]) -> Result<String, Error> {
    Ok(soon(pool.run(args).into_future()).await?.stdout_text().trim_end().to_owned())
}

async fn gone(pids: Vec<u32>) {
    tokio::task::spawn_blocking(move || assert_gone(&pids, HANG)).await.unwrap();
}

#[tokio::test]
async fn each_run_has_a_process_of_its_own_and_nothing_of_another() {
    let scratch = Scratch::new();
    let source = "import json, os\njson.seen = getattr(json, 'seen', 0) + 1\nprint(json.seen, os.getpid())\n";
    for way in ways("each_run_has_a_process_of_its_own_and_nothing_of_another") {
        let pool = pool(&write(&scratch, "a.py", source), way).preload(["json"]).build().unwrap();
        let (one, two) = (text(&pool, &[]).await.unwrap(), text(&pool, &[]).await.unwrap());
        assert!(one.starts_with("1 ") && two.starts_with("1 ") && one != two, "{one} {two}");
        assert_eq!(pool.warmth().isolation, way);
    }
}

#[tokio::test]
async fn a_changed_script_or_module_is_noticed() {
    let scratch = Scratch::new();
    for way in ways("a_changed_script_or_module_is_noticed") {
        let script = write(&scratch, "a.py", "import part\nprint('one', part.PART)\n");
        write(&scratch, "part.py", "PART = 1\n");
        let folder = scratch.dir().to_owned();
        let pool = pool(&script, way).command(|c| c.env("PYTHONPATH", folder)).preload(["part"]);
        let pool = pool.build().unwrap();
        soon(pool.warm()).await.unwrap();
        assert_eq!(text(&pool, &[]).await.unwrap(), "one 1", "{way}");
        write(&scratch, "a.py", "import part\nprint('and another', part.PART)\n");
        assert_eq!(text(&pool, &[]).await.unwrap(), "and another 1", "{way}");
        write(&scratch, "part.py", "PART = 22\n");
        assert_eq!(text(&pool, &[]).await.unwrap(), "and another 22", "{way}");
        assert_eq!(pool.warmth().isolation, way);
    }
}

#[tokio::test]
async fn what_cannot_be_preloaded_makes_runs_cold_or_refused_as_chosen() {
    let scratch = Scratch::new();
    for way in ways("what_cannot_be_preloaded_makes_runs_cold_or_refused_as_chosen") {
        let script = write(&scratch, "a.py", "print('ran')\n");
        let patient = pool(&script, way).preload(["no_such_module"]).build().unwrap();
        assert_eq!(text(&patient, &[]).await.unwrap(), "ran");
        let warmth = patient.warmth();
        assert_eq!(warmth.isolation, Isolation::Cold);
        assert!(warmth.why.unwrap().contains("No module named 'no_such_module'"));
        assert!(patient.metrics().not_warmed > 0 && patient.metrics().cold == 1);
        let error: Error = soon(patient.warm()).await.unwrap_err();
        assert!(format!("{error:#}").contains("no_such_module"), "{error}");

        let strict = pool(&script, way).preload(["no_such_module"]).refuse_cold().build().unwrap();
        let error = text(&strict, &[]).await.unwrap_err();
        assert!(matches!(error.find(), Some(ScriptError::NotWarm { .. })), "{error:?}");
        assert!(error.tail().unwrap().contains("Traceback"), "{error:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn an_interpreter_that_vanished_is_a_typed_error_until_it_is_back_or_another() {
    let scratch = Scratch::new();
    for way in ways("an_interpreter_that_vanished_is_a_typed_error_until_it_is_back_or_another") {
        let script = write(&scratch, "a.py", "print('ran')\n");
        let python = scratch.path("python3");
        let real = bgt_testkit::python().unwrap();
        let _ = std::fs::remove_file(&python);
        std::os::unix::fs::symlink(&real, &python).unwrap();
        let pool = pool(&script, way).command(|c| c.interpreter(&python)).refuse_cold().build().unwrap();
        assert_eq!(text(&pool, &[]).await.unwrap(), "ran", "{way}");
        std::fs::remove_file(&python).unwrap();
        let error = text(&pool, &[]).await.unwrap_err();
        assert!(matches!(error.find(), Some(CommandError::ProgramNotFound { .. })), "{error:?}");
        // Another file in its place, as an upgrade leaves it.
        let starter = format!("#!/bin/sh\nexec {} \"$@\"\n", real.display());
        std::fs::write(&python, starter).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&python, executable).unwrap();
        let warmed = pool.metrics().warmed;
        assert_eq!(text(&pool, &[]).await.unwrap(), "ran", "{way}");
        assert!(pool.metrics().warmed > warmed, "{way}: it is the old one");
    }
}

#[tokio::test]
async fn a_zygote_that_was_killed_is_replaced_and_its_children_run_on() {
    let name = "a_zygote_that_was_killed_is_replaced_and_its_children_run_on";
    if !ways(name).contains(&Isolation::Zygote) {
        return;
    }
    let scratch = Scratch::new();
    let source = "import sys\nprint(sys.stdin.readline().upper())\nopen(sys.argv[1], 'w').write('done')\n";
    let script = write(&scratch, "a.py", source);
    let pool = pool(&script, Isolation::Zygote).build().unwrap();
    let (stdin, mut writer) = bgt_pool::Stdin::live();
    let slow = Command::script(&script).arg(scratch.path("done")).stdin(stdin);
    let running = tokio::spawn(pool.run_command(slow).into_future());
    soon(async {
        while pool.metrics().zygote == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let [zygote] = pool.zygotes()[..] else { panic!("{:?}", pool.zygotes()) };
    let killed = std::process::Command::new("kill").args(["-9", &zygote.to_string()]).status().unwrap();
    assert!(killed.success());
    gone(vec![zygote]).await;
    let other = Command::script(&script).arg(scratch.path("other")).stdin("x\n");
    assert_eq!(soon(pool.run_command(other).into_future()).await.unwrap().stdout_text().trim_end(), "X");
    assert_eq!(pool.warmth().isolation, Isolation::Zygote);
    assert_ne!(pool.zygotes(), [zygote]);
    tokio::io::AsyncWriteExt::write_all(&mut writer, b"y\n").await.unwrap();
    let output = soon(running).await.unwrap().unwrap();
    assert_eq!((output.stdout_text().trim_end(), &*scratch.read("done")), ("Y", "done"));
}

/// Begins, says so, and hangs with a child in its group and one that has left it.
#[cfg(unix)]
const FAMILY: &str = r#"
import os, signal, subprocess, sys, time
ledger = sys.argv[1]
def note():
    os.write(os.open(ledger, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644), b"%d\n" % os.getpid())
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    note()
    time.sleep(600)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        note()
        time.sleep(600)
    os._exit(0)
os.wait()
print("begun", flush=True)
note()
time.sleep(600)
"#;

#[cfg(unix)]
#[tokio::test]
async fn what_is_stopped_is_gone_with_all_that_it_started() {
    for way in ways("what_is_stopped_is_gone_with_all_that_it_started") {
        for manner in ["polite", "deaf"] {
            let scratch = Scratch::new();
            let ledger = scratch.path("pids");
            let script = write(&scratch, "a.py", FAMILY);
            let pool = pool(&script, way)
                .command(|c| c.stop(bgt_pool::Stop::default().grace(Duration::from_secs(1))));
            let pool = pool.build().unwrap();
            let cancel = bgt_pool::Cancel::new();
            let run = pool.run([scratch.text("pids").as_str(), manner]).cancel(&cancel);
            let run = tokio::spawn(run.into_future());
            let at = ledger.clone();
            let pids = tokio::task::spawn_blocking(move || wait_for_pids(at, 3, HANG)).await.unwrap();
            cancel.cancel();
            let error = soon(run).await.unwrap().unwrap_err();
            let how = match error.find() {
                Some(CommandError::Stopped { how, output, .. }) => {
                    assert_eq!(output.stdout_text(), "begun\n");
                    *how
                }
                _ => panic!("{error:?}"),
            };
            let obeyed = matches!(how, bgt_pool::StopHow::Obeyed(Exit::Signal { number: 15, .. }));
            assert_eq!(
                (obeyed, how == bgt_pool::StopHow::Killed),
                (manner == "polite", manner == "deaf"),
                "{how:?}"
            );
            if cfg!(target_os = "linux") {
                gone(pids).await;
            }
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_dropped_is_gone_with_all_that_it_started() {
    for way in ways("what_is_dropped_is_gone_with_all_that_it_started") {
        let scratch = Scratch::new();
        let ledger = scratch.path("pids");
        let pool = pool(&write(&scratch, "a.py", FAMILY), way).build().unwrap();
        let run = tokio::spawn(pool.run([scratch.text("pids").as_str(), "deaf"]).into_future());
        let pids = tokio::task::spawn_blocking(move || wait_for_pids(ledger, 3, HANG)).await.unwrap();
        run.abort();
        assert!(soon(run).await.unwrap_err().is_cancelled());
        if cfg!(target_os = "linux") {
            gone(pids).await;
        }
    }
}

#[cfg(target_os = "linux")] // Elsewhere nobody is found who has left.
#[tokio::test]
async fn a_warm_run_stands_back_and_searches_as_its_command_says() {
    let scratch = Scratch::new();
    // Told after its start, it has its priority by the time that it has read something.
    let source = r#"
import os, sys
sys.stdin.read()
print(os.nice(0), flush=True)
if os.fork() == 0:
    os.setsid()
    daemon = os.fork()
    if daemon == 0:
        os.closerange(0, 3)
        os.execv("/bin/sleep", ["sleep", "600"])
    open(sys.argv[1], "w").write(f"{daemon}\n")
    os._exit(0)
os.wait()
"#;
    let host = String::from_utf8(std::process::Command::new("nice").output().unwrap().stdout).unwrap();
    let low = (host.trim().parse::<i32>().unwrap() + 10).min(19);
    for way in ways("a_warm_run_stands_back_and_searches_as_its_command_says") {
        let script = write(&scratch, "a.py", source);
        let ledger = scratch.path(format!("{way:?}"));
        let pool = pool(&script, way).build().unwrap();
        let command = Command::script(&script).arg(&ledger).stdin("x").priority(bgt_pool::Priority::Low);
        let command = command.background(bgt_pool::Background::Search);
        let output = soon(pool.run_command(command).into_future()).await.unwrap();
        assert_eq!(pool.warmth().isolation, way);
        assert_eq!(output.stdout_text().trim_end(), low.to_string(), "{way:?}");
        assert!(output.leaked, "{way:?}");
        gone(read_pids(&ledger)).await;
        // Another run has nothing of it.
        let plain = Command::script(&script).arg(scratch.path("plain")).stdin("x");
        let stop = bgt_pool::Stop::default().grace(Duration::from_millis(10));
        let output = soon(pool.run_command(plain.stop(stop)).into_future()).await.unwrap();
        assert_eq!(output.stdout_text().trim_end(), host.trim(), "{way:?}");
        for left in read_pids(scratch.path("plain")) {
            assert!(bgt_testkit::alive(left), "nobody has searched");
            let _ = std::process::Command::new("kill").args(["-KILL", &left.to_string()]).status();
        }
    }
}

#[tokio::test]
async fn a_deadline_is_the_same_as_in_a_cold_run() {
    let scratch = Scratch::new();
    let source = "import sys, time\nprint('so far', flush=True)\ntime.sleep(600)\n";
    for way in ways("a_deadline_is_the_same_as_in_a_cold_run") {
        let pool = pool(&write(&scratch, "a.py", source), way).build().unwrap();
        soon(pool.warm()).await.unwrap();
        let none: [&str; 0] = [];
        let error = soon(pool.run(none).deadline(Duration::from_secs(1)).into_future()).await.unwrap_err();
        assert_eq!(error.kind(), bgt_pool::ErrorKind::TimedOut);
        assert_eq!(Output::from_error(&error).unwrap().stdout_text().trim_end(), "so far");
    }
}

#[tokio::test]
async fn a_full_queue_answers_at_once() {
    let scratch = Scratch::new();
    let source = "import sys\nprint('ready', flush=True)\nsys.stdin.read()\n";
    for way in ways("a_full_queue_answers_at_once") {
        let script = write(&scratch, "a.py", source);
        let pool = pool(&script, way).size(1).queue(0).build().unwrap();
        let (stdin, writer) = bgt_pool::Stdin::live();
        let first = tokio::spawn(pool.run_command(Command::script(&script).stdin(stdin)).into_future());
        soon(async {
            while pool.metrics().places.in_use == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let error = text(&pool, &[]).await.unwrap_err();
        assert!(matches!(error.find(), Some(PoolError::QueueFull { depth: 0, .. })), "{error:?}");
        drop(writer);
        soon(first).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn streams_go_where_the_command_sends_them() {
    let scratch = Scratch::new();
    let source =
        "import sys\nprint('out', sys.stdin.read())\nsys.stdout.flush()\nprint('err', file=sys.stderr)\n";
    for way in ways("streams_go_where_the_command_sends_them") {
        let script = write(&scratch, "a.py", source);
        std::fs::write(scratch.path("in"), "from a file").unwrap();
        let pool = pool(&script, way).build().unwrap();
        let command = || Command::script(&script);
        let run = |command: Command| soon(pool.run_command(command).into_future());
        let both = run(command().combine_output().stdin("x")).await.unwrap();
        assert_eq!(both.stdout_text().replace("\r\n", "\n"), "out x\nerr\n");
        let none = run(command().stdout(Redirect::Null).stderr(Redirect::Null)).await.unwrap();
        assert_eq!((none.stdout.total(), none.stderr.total()), (0, 0));
        assert_eq!(pool.warmth().isolation, way);
        let out = scratch.path("out");
        let file = command().stdin(bgt_pool::Stdin::file(scratch.path("in"))).stdout(Redirect::file(&out));
        run(file).await.unwrap();
        assert_eq!(scratch.read("out").trim_end(), "out from a file");
        // A prestarted interpreter has its pipes already.
        let expected = if way == Isolation::Zygote { way } else { Isolation::Cold };
        assert_eq!(pool.warmth().isolation, expected);
    }
}

#[tokio::test]
async fn what_is_no_python_script_runs_cold_and_says_so() {
    if ways("what_is_no_python_script_runs_cold_and_says_so").is_empty() {
        return;
    }
    let scratch = Scratch::new();
    let pool = ScriptPool::builder(write(&scratch, "a.py", "")).refuse_cold().build().unwrap();
    let (program, args) = bgt_testkit::bad(["exit", "3"]);
    let output = pool.run_command(Command::new(program).args(args).unchecked());
    assert_eq!(soon(output.into_future()).await.unwrap().exit, Exit::Code(3));
    let warmth = pool.warmth();
    assert_eq!(warmth.isolation, Isolation::Cold);
    assert!(warmth.why.unwrap().contains("no script for Python"));
}

#[tokio::test]
async fn what_cannot_be_is_refused_before_anything_starts() {
    let builder = || ScriptPool::builder("a.py");
    assert!(matches!(builder().size(0).build(), Err(BuildError::NoSize)));
    let zero = builder().warm_deadline(Duration::ZERO).build();
    assert!(matches!(zero, Err(BuildError::Zero { what: "warm_deadline" })));
    let pool = builder().build().unwrap();
    let error = text(&pool, &[]).await.unwrap_err();
    assert!(matches!(error.find(), Some(CommandError::ScriptNotFound { .. })), "{error:?}");
    assert!(pool.warm().await.is_err());
}

#[tokio::test]
async fn a_drained_pool_leaves_nothing_warm() {
    let scratch = Scratch::new();
    for way in ways("a_drained_pool_leaves_nothing_warm") {
        let pool = pool(&write(&scratch, "a.py", "import os\nprint(os.getppid())\n"), way).build().unwrap();
        soon(pool.warm()).await.unwrap();
        text(&pool, &[]).await.unwrap();
        let zygotes = pool.zygotes();
        assert_eq!(soon(pool.drain(HANG)).await.left, 0);
        assert_eq!((pool.zygotes().len(), pool.spares()), (0, 0));
        if !zygotes.is_empty() {
            gone(zygotes).await;
        }
        let error = text(&pool, &[]).await.unwrap_err();
        assert!(matches!(error.find(), Some(PoolError::Closed { .. })), "{error:?}");
    }
}

#[test]
fn nothing_born_of_a_zygote_survives_a_host_that_is_killed() {
    let name = "nothing_born_of_a_zygote_survives_a_host_that_is_killed";
    if !ways(name).contains(&Isolation::Zygote) {
        return;
    }
    let scratch = Scratch::new();
    let ledger = scratch.path("pids");
    let mut host = Other::start("host_with_zygotes", scratch.dir());
    // One that was replaced while its script runs, and the one in its place.
    let mut zygotes = [0; 2];
    for zygote in &mut zygotes {
        *zygote = host.hear().parse().unwrap();
    }
    assert_ne!(zygotes[0], zygotes[1]);
    let mut pids = wait_for_pids(&ledger, 6, HANG);
    pids.extend(zygotes);
    assert!(pids.iter().all(|pid| bgt_testkit::alive(*pid)));
    let _ = host.kill();
    assert_gone(&pids, HANG);
}

#[cfg(unix)]
#[tokio::test]
#[ignore = "the host of another test"]
async fn host_with_zygotes() {
    let Some(folder) = bgt_testkit::role() else { return };
    let folder = PathBuf::from(folder);
    std::fs::write(folder.join("a.py"), FAMILY).unwrap();
    let part = |value: &str| {
        std::fs::write(folder.join("part.py"), value).unwrap();
        let before = std::time::SystemTime::now() - Duration::from_secs(60);
        let file = std::fs::File::options().write(true).open(folder.join("part.py")).unwrap();
        file.set_modified(before).unwrap();
    };
    part("PART = 1\n");
    let pool = pool(&folder.join("a.py"), Isolation::Zygote).command(|c| c.env("PYTHONPATH", &folder));
    let pool = pool.preload(["part"]).build().unwrap();
    let ledger = folder.join("pids");
    let mut runs = Vec::new();
    for (count, change) in [(3, "PART = 22\n"), (6, "")] {
        runs.push(tokio::spawn(pool.run([ledger.as_os_str(), "deaf".as_ref()]).into_future()));
        let at = ledger.clone();
        tokio::task::spawn_blocking(move || wait_for_pids(at, count, HANG)).await.unwrap();
        bgt_testkit::say(&pool.zygotes()[0].to_string());
        part(change);
    }
    for run in runs {
        let _ = run.await;
    }
}

#[tokio::test]
async fn a_run_that_is_dropped_at_any_moment_leaves_nobody() {
    let scratch = Scratch::new();
    let source = "import os, sys, time\nos.write(os.open(sys.argv[1], os.O_APPEND | os.O_CREAT | os.O_WRONLY), \
                  b'%d\\n' % os.getpid())\ntime.sleep(600)\n";
    for way in ways("a_run_that_is_dropped_at_any_moment_leaves_nobody") {
        let ledger = scratch.path(format!("pids of {way}"));
        let pool = pool(&write(&scratch, "a.py", source), way).build().unwrap();
        soon(pool.warm()).await.unwrap();
        for polls in 0..40 {
            let mut run = std::pin::pin!(pool.run([&ledger]).into_future());
            for _ in 0..polls {
                let once =
                    std::future::poll_fn(|cx| std::task::Poll::Ready(run.as_mut().poll(cx).is_ready()));
                assert!(!once.await, "it does not end");
                // Lets the other side do its part: on a runtime of one thread nothing else would.
                tokio::task::yield_now().await;
            }
        }
        // One that is there for certain, so that the check is not one of nobody.
        let run = tokio::spawn(pool.run([&ledger]).into_future());
        let at = ledger.clone();
        tokio::task::spawn_blocking(move || wait_for_pids(at, 1, HANG)).await.unwrap();
        run.abort();
        let _ = soon(run).await;
        gone(read_pids(&ledger)).await;
    }
}
