//! Hosts that have less than others: few descriptors, no `/proc`, no folder for temporary files, no pidfds, another runtime.

mod support;

use bgt_process::Background;
use bgt_simple::run;
use bgt_testkit::{Scratch, assert_gone, wait_for_pids};
use support::{HANG, bad_with_pids, quick};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// Polls it on this runtime until the program runs, and hands it back.
fn begun<F: Future + Unpin>(runtime: &Runtime, mut run: F, pids: &std::path::Path, tree: usize) -> F {
    let pids = pids.to_owned();
    runtime.block_on(async {
        let started = tokio::task::spawn_blocking(move || wait_for_pids(&pids, tree, HANG));
        tokio::select! {
            _ = &mut run => panic!("it ended before it was moved"),
            started = started => drop(started),
        }
    });
    run
}

#[test]
fn a_run_is_finished_by_another_runtime_than_it_was_begun_by() {
    let scratch = Scratch::new();
    let (pids, go) = (scratch.path("pids"), scratch.text("go"));
    let command = bad_with_pids(&pids, &["print", "one", "then", "wait-file", &go, "then", "print", "two"]);
    let (first, second) = (runtime(), runtime());
    let run = begun(&first, Box::pin(async { run(command).await }), &pids, 1);
    std::fs::write(&go, "").unwrap();
    let output = second.block_on(async { timeout(HANG, run).await }).expect("a hang").unwrap();
    assert_eq!(output.stdout_text().lines().collect::<Vec<_>>(), ["one", "two"]);
}

#[test]
fn a_run_whose_runtime_has_gone_ends_with_an_error_and_leaves_nothing() {
    let scratch = Scratch::new();
    let pids = scratch.path("pids");
    let command = bad_with_pids(&pids, &["stubborn-grandchild", "60", "then", "ignore-term", "then", "hang"]);
    let (first, second) = (runtime(), runtime());
    let run = begun(&first, Box::pin(async { run(command.stop(quick())).await }), &pids, 2);
    drop(first);
    let ended = second.block_on(async { timeout(HANG, run).await }).expect("a hang");
    assert!(ended.is_err(), "{ended:?}");
    assert_gone(&wait_for_pids(&pids, 2, HANG), HANG);
}

#[test]
fn two_runtimes_do_not_disturb_each_other() {
    let scratch = Scratch::new();
    let (pids, stays) = (scratch.path("pids"), runtime());
    let goes = Builder::new_current_thread().enable_all().build().unwrap();
    // What the whole process shares, the looks at all processes and the reaping, is no runtime's.
    let leaver = if cfg!(target_vendor = "apple") { "closed-grandchild" } else { "daemon" };
    let leaves = move |pids: &std::path::Path, then: &[&str]| {
        let command = bad_with_pids(pids, &[&[leaver, "60", "then"], then].concat());
        command.background(Background::Search).stop(quick())
    };
    let (stdin, writer) = bgt_process::Stdin::live();
    let command = leaves(&pids, &["read-stdin"]).stdin(stdin);
    let lives = stays.spawn(async move { run(command).await });
    let family = wait_for_pids(&pids, 2, HANG);
    let others = scratch.path("others");
    for _ in 0..3 {
        let command = leaves(&others, &["exit", "0"]);
        assert!(goes.block_on(async { run(command).await }).unwrap().leaked);
    }
    // One that is in the middle of it, too.
    let dropped = leaves(&others, &["hang"]);
    drop(begun(&goes, Box::pin(async { run(dropped).await }), &others, 8));
    drop(goes);
    assert_gone(&wait_for_pids(&others, 8, HANG), HANG);
    drop(writer);
    let output = stays.block_on(async { timeout(HANG, lives).await }).expect("a hang").unwrap().unwrap();
    assert!(output.success() && output.leaked);
    assert_gone(&family, HANG);
}

#[cfg(unix)]
mod narrow {
    use std::time::Duration;

    use bgt_process::{CommandError, Output};
    use bgt_testkit::{Other, hear, role, say, skip};

    use super::*;
    use crate::support::bad;

    /// This program again, by way of a shell that first takes something away.
    fn host_without(takes: &str, test: &str, role: &str) -> std::process::Command {
        let script = format!("{takes} && exec \"$0\" \"$@\"");
        Other::command_through(&["/bin/sh", "-c", &script], test, role)
    }

    #[test]
    fn with_few_descriptors_what_does_not_fit_is_refused_and_the_rest_runs() {
        let mut host =
            Other::of(host_without("ulimit -n 64", "narrow::plays_a_host_of_64_descriptors", "x")).unwrap();
        let told = host.hear();
        let (ran, refused) = told.split_once(' ').unwrap();
        let (ran, refused): (usize, usize) = (ran.parse().unwrap(), refused.parse().unwrap());
        assert!(ran >= 5 && refused >= 5 && ran + refused == 60, "{told}");
        host.end();
    }

    #[tokio::test]
    #[ignore = "plays another process"]
    async fn plays_a_host_of_64_descriptors() {
        let Some(_) = role() else { return };
        let mut runs = tokio::task::JoinSet::new();
        // Each lives until all have been begun, or refused.
        let (all, _) = tokio::sync::broadcast::channel::<()>(1);
        for _ in 0..60 {
            let (stdin, writer) = bgt_process::Stdin::live();
            let mut begun = all.subscribe();
            runs.spawn(async move {
                let mut run = Box::pin(async { run(bad(&["read-stdin"]).stdin(stdin)).await });
                tokio::select! {
                    refused = &mut run => refused,
                    _ = begun.recv() => {
                        drop(writer);
                        run.await
                    }
                }
            });
        }
        let mut results: Vec<Result<Output, bgt_process::Error>> = Vec::new();
        let mut all = Some(all);
        while let Some(result) = timeout(HANG, runs.join_next()).await.expect("a hang") {
            results.push(result.expect("no panic"));
            // Those who are refused answer at once, the others wait for this.
            if results.len() >= 5 {
                all = None;
            }
        }
        drop(all);
        let (ran, refused): (Vec<_>, Vec<_>) = results.iter().partition(|result| result.is_ok());
        for error in &refused {
            let error = error.as_ref().unwrap_err();
            assert!(matches!(error.find(), Some(CommandError::Spawn { .. })), "{error:?}");
        }
        // And it is none the worse for it.
        assert!(run(bad(&["exit", "0"])).await.unwrap().success());
        say(&format!("{} {}", ran.len(), refused.len()));
        let _ = hear();
    }

    #[test]
    fn without_proc_and_without_a_folder_for_temporary_files_everything_ends_all_the_same() {
        let test = "narrow::plays_a_host_without_proc";
        let scratch = Scratch::new();
        let role = format!("{}\n{}", bgt_testkit::bad_child().display(), scratch.dir().display());
        let takes = "mount -t tmpfs none /proc && export TMPDIR=/no/such/folder";
        let script = format!("{takes} && exec \"$0\" \"$@\"");
        let wrapper = ["unshare", "--mount", "--map-root-user", "/bin/sh", "-c", &script];
        let tried = std::process::Command::new("unshare")
            .args(["--mount", "--map-root-user", "/bin/sh", "-c", "mount -t tmpfs none /proc"])
            .output();
        if !tried.is_ok_and(|tried| tried.status.success()) {
            skip!("without_proc_everything_ends_all_the_same", "no mount namespace can be had here");
            return;
        }
        let mut host = Other::of(Other::command_through(&wrapper, test, &role)).unwrap();
        assert_eq!(host.hear(), "done");
        host.end();
        for (pids, count) in [("deadline", 2), ("leaver", 1)] {
            let pids = bgt_testkit::read_pids(scratch.path(pids));
            assert_eq!(pids.len(), count);
            assert_gone(&pids, HANG);
        }
    }

    #[tokio::test]
    #[ignore = "plays another process"]
    async fn plays_a_host_without_proc() {
        let Some(role) = role() else { return };
        assert!(!std::path::Path::new("/proc/self").exists());
        let (child, scratch) = role.split_once('\n').unwrap();
        // Not the misbehaving child, which cannot start itself again here.
        let shell = |script: &str| {
            bgt_process::Command::new("/bin/sh").args(["-c", script]).current_dir(scratch).stop(quick())
        };
        let plain = bgt_process::Command::new(child).args(["print", "x", "then", "exit", "0"]);
        let output = run(plain).await.unwrap();
        assert!(output.stdout_text() == "x\n" && !output.leaked);
        let habit = "trap '' TERM; echo $$ >deadline; sleep 60 & echo $! >>deadline; wait";
        let stopped = timeout(HANG, run(shell(habit)).deadline(Duration::from_millis(500))).await;
        let error = stopped.expect("a hang").unwrap_err();
        assert_eq!(error.kind(), bgt_core::ErrorKind::TimedOut, "{error:?}");
        let leaver = "sleep 60 >/dev/null 2>&1 & echo $! >leaver";
        let output = timeout(HANG, run(shell(leaver))).await.expect("a hang").unwrap();
        assert!(output.leaked);
        say("done");
        let _ = hear();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn where_the_system_refuses_pidfds_ends_are_exact_and_trees_are_ended() {
        let child = bgt_testkit::bad_child();
        let wrapper = [child.to_str().unwrap(), "no-pidfds"];
        let scratch = Scratch::new();
        let test = "narrow::plays_a_host_without_pidfds";
        let mut host = Other::of(Other::command_through(&wrapper, test, scratch.dir())).unwrap();
        assert_eq!(host.hear(), "done");
        host.end();
        for pids in ["deadline", "dropped", "left"] {
            let pids = bgt_testkit::read_pids(scratch.path(pids));
            assert_eq!(pids.len(), 2);
            assert_gone(&pids, HANG);
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    #[ignore = "plays another process"]
    async fn plays_a_host_without_pidfds() {
        let Some(scratch) = role() else { return };
        let path = |name: &str| std::path::Path::new(&scratch).join(name);
        assert!(std::fs::read_to_string("/proc/self/status").unwrap().contains("\nSeccomp:\t2\n"));
        for code in [0, 3, 255] {
            let verbs = ["print", "x", "then", "exit", &code.to_string()];
            let output = timeout(HANG, run(bad(&verbs).unchecked())).await.expect("a hang").unwrap();
            assert_eq!((output.exit.code(), &*output.stdout_text()), (Some(code), "x\n"));
        }
        let deaf = ["ignore-term", "then", "stubborn-grandchild", "60", "then", "hang"];
        let command = bad_with_pids(&path("deadline"), &deaf).stop(quick());
        let stopped = timeout(HANG, run(command).deadline(Duration::from_millis(500))).await;
        assert_eq!(stopped.expect("a hang").unwrap_err().kind(), bgt_core::ErrorKind::TimedOut);
        let running = tokio::spawn(run(bad_with_pids(&path("dropped"), &deaf).stop(quick())).into_future());
        let pids = path("dropped");
        tokio::task::spawn_blocking(move || wait_for_pids(pids, 2, HANG)).await.unwrap();
        let open = std::fs::read_dir("/proc/self/fd").unwrap();
        let mut open = open.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok());
        assert!(!open.any(|link| link.to_string_lossy().contains("pidfd")));
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        let left = bad_with_pids(&path("left"), &["closed-grandchild", "60", "then", "exit", "0"]);
        assert!(timeout(HANG, run(left)).await.expect("a hang").unwrap().leaked);
        say("done");
        let _ = hear();
    }
}
