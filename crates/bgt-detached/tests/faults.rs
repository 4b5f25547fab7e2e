//! The system refuses: no space, no permission. What was accepted waits until it does not.
//!
//! Every fault is the system's own. What needs another user or a mount of its own runs in a process of its own.
#![cfg(all(unix, feature = "process", feature = "sqlite"))]

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command as System, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bgt_detached::{Builder, Command, Context, Exit, FaultKind, Job, Page, RunFilter, Status};
use bgt_testkit::{Ledger, Other, Scratch, assert_gone, bad, read_pids, role, skip};
use support::{HANG, ended};
use tokio::sync::Semaphore;

fn builder() -> Builder {
    let shim = ["plays_a_shim", "--exact", "--ignored", "--nocapture", "--test-threads=1"];
    Builder::new().lease(Duration::from_secs(1)).shim(std::env::current_exe().unwrap(), shim)
}

#[test]
#[ignore = "started as a shim"]
fn plays_a_shim() {
    bgt_detached::shim_entry();
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = System::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a test through another program; whether that could be done.
fn run_through(wrapper: &[&str], test: &str) -> bool {
    let exe = std::env::current_exe().unwrap();
    if !succeeds(wrapper[0], &[&wrapper[1..], &[exe.to_str().unwrap(), "--list"]].concat()) {
        return false;
    }
    Other::of(Other::command_through(wrapper, test, "alone")).expect("what has just run").end();
    true
}

fn job(verbs: &[&str]) -> Job {
    let (program, args) = bad(verbs.iter().copied());
    Job::program(Command::new(program).args(args))
}

#[test]
fn on_a_full_disk_nothing_that_was_accepted_is_lost_and_the_service_answers() {
    let name = "on_a_full_disk_nothing_that_was_accepted_is_lost_and_the_service_answers";
    let ways: [&[&str]; 2] =
        [&["unshare", "--mount", "--"], &["unshare", "--user", "--map-root-user", "--mount", "--"]];
    let scratch = Scratch::new();
    let mount = format!("mount -t tmpfs tmpfs {0} && umount {0}", scratch.dir().display());
    let may = |way: &&[&str]| succeeds(way[0], &[&way[1..], &["sh", "-c", &mount]].concat());
    if !ways.into_iter().find(may).is_some_and(|way| run_through(way, "on_a_small_disk")) {
        skip!(name, "nothing may be mounted here");
    }
}

/// To the last byte.
fn fill(ballast: &Path) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(ballast).unwrap();
    for size in [64 << 10, 4 << 10, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

#[ignore = "needs a mount namespace of its own"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_small_disk() {
    if role().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let disk = scratch.text("disk");
    fs::create_dir(&disk).unwrap();
    assert!(succeeds("mount", &["-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", &disk]));
    let (path, ballast) = (Path::new(&disk).join("runs.db"), Path::new(&disk).join("ballast"));
    let (ledger, begun, gate) =
        (Ledger::at(scratch.path("ledger")), Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (tell, through) = (begun.clone(), gate.clone());
    let host = builder()
        .queue("programs", 1)
        .function("waits", move |_cx: Context, text: String| {
            let (tell, through) = (tell.clone(), through.clone());
            async move {
                tell.add_permits(1);
                through.acquire().await?.forget();
                Ok(text.len())
            }
        })
        .open(&path)
        .await
        .unwrap();

    // At work, and waiting behind it, when the disk fills up.
    let (lines, pids, go) = (scratch.text("ledger"), scratch.text("pids"), scratch.text("go"));
    let verbs =
        ["pids-to", &pids, "then", "append", &lines, "first", "then", "wait-file", &go, "then", "exit", "7"];
    let program = host.detach(job(&verbs).queue("programs")).await.unwrap();
    let next = host.detach(job(&["append", &lines, "next"]).queue("programs")).await.unwrap();
    let function = host.detach(Job::call("waits", "abc")).await.unwrap();
    begun.acquire().await.unwrap().forget();
    let _ = ledger.wait_for_lines(1, HANG);
    fill(&ballast);

    let mut accepted = Vec::new();
    let refused = loop {
        match host.detach(Job::call("waits", &*"x".repeat(64 << 10))).await {
            Ok(id) => accepted.push(id),
            Err(error) => break error,
        }
    };
    let fault = refused.fault().unwrap_or_else(|| panic!("no fault: {refused:?}"));
    assert_eq!(fault.kind(), FaultKind::Full, "{refused:?}");
    assert!(refused.to_string().contains("make room"), "{refused}");
    // Both end, and there is no room to say so.
    gate.add_permits(100);
    fs::write(&go, "").unwrap();
    assert_gone(&read_pids(Path::new(&pids)), HANG);
    assert!(!Path::new(&disk).join(format!("runs.db.d/{program}/1/exit")).exists());
    assert_eq!(host.run(program).status().await.unwrap(), Status::Running);
    assert_eq!(host.run(next).status().await.unwrap(), Status::Queued);
    let page = host.list(RunFilter::new(), Page::first(1000)).await.unwrap();
    assert_eq!(page.runs.len(), 3 + accepted.len());

    fs::remove_file(&ballast).unwrap();
    assert_eq!(ended(&host.run(program)).await.status, Status::Failed);
    assert_eq!(host.run(program).program_end().await.unwrap().exit, Some(Exit::Code(7)));
    for id in [next, function].into_iter().chain(accepted) {
        assert_eq!(ended(&host.run(id)).await.status, Status::Succeeded);
    }
    assert_eq!(ledger.lines(), ["first", "next"]);
    host.shutdown(HANG).await;
}

#[test]
fn where_nothing_may_be_written_nothing_is_opened_and_what_was_accepted_waits() {
    let name = "where_nothing_may_be_written_nothing_is_opened_and_what_was_accepted_waits";
    if Scratch::new().dir().metadata().unwrap().uid() != 0 {
        Other::start("without_permission", "alone").end();
        return;
    }
    let wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    if !run_through(&wrapper, "without_permission") {
        skip!(name, "permissions mean nothing to root, and this program cannot be run as somebody else");
    }
}

#[ignore = "needs a user to whom permissions mean something"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_permission() {
    if role().is_none() {
        return;
    }
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let scratch = Scratch::new();
    let folder = scratch.path("folder");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("runs.db");
    mode(&folder, 0o500);
    let error = builder().open(&path).await.expect_err("no file can be made");
    assert_eq!(error.fault().unwrap().kind(), FaultKind::ReadOnly, "{error:?}");
    assert!(error.to_string().contains("check the permissions"), "{error}");

    mode(&folder, 0o700);
    let host = builder().function("work", |_cx: Context, (): ()| async { Ok(()) }).open(&path).await.unwrap();
    let ledger = Ledger::at(scratch.path("ledger"));
    mode(host.folder(), 0o500);
    let program = host.detach(job(&["append", &scratch.text("ledger"), "begun"])).await.unwrap();
    for _ in 0..3 {
        let function = host.detach(Job::call("work", &())).await.unwrap();
        assert_eq!(ended(&host.run(function)).await.status, Status::Succeeded);
    }
    assert!(!host.run(program).status().await.unwrap().is_final());
    assert!(ledger.lines().is_empty());
    mode(host.folder(), 0o700);
    let record = ended(&host.run(program)).await;
    assert_eq!((record.status, record.attempt), (Status::Succeeded, 1), "{record:?}");
    assert_eq!(ledger.lines(), ["begun"]);
    host.shutdown(HANG).await;
}
