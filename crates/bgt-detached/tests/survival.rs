//! kill −9 of the host with programs in flight: they are found again, followed to their exact end, stopped like any other.
//!
//! The host is another process, which is this program again; so are the shims.
#![cfg(all(feature = "process", feature = "sqlite"))]

mod support;

use std::path::Path;
use std::time::Duration;

use bgt_detached::{
    Builder, Command, Detached, Entry, Exit, From, Job, Run, RunEventKind, RunFilter, RunId, Status, Stop,
};
use bgt_testkit::{Ledger, Other, Scratch, assert_gone, bad, hear, read_pids, role, say, wait_until};
use support::{HANG, ended};

/// Other hosts take over after so long.
const LEASE: Duration = Duration::from_millis(300);

/// A host whose shims are this program again.
fn builder() -> Builder {
    let shim = ["plays_a_shim", "--exact", "--ignored", "--nocapture", "--test-threads=1"];
    Builder::new().lease(LEASE).shim(std::env::current_exe().unwrap(), shim)
}

async fn open(scratch: &Scratch) -> Detached {
    builder().open(scratch.path("runs.db")).await.expect("a host")
}

/// What a shim does is up to the library; all that is ours is this line.
#[test]
#[ignore = "started as a shim"]
fn plays_a_shim() {
    bgt_detached::shim_entry();
}

/// As the first line of an async `main`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started as a shim"]
async fn plays_a_shim_within_a_runtime() {
    bgt_detached::shim_entry();
}

/// Accepts what it is told, and works until it is killed or told to end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "plays another process"]
async fn plays_the_host() {
    let Some(role) = role() else { return };
    let (how, path) = role.split_once(' ').unwrap();
    let builder = if how == "alone" { builder().without_shim() } else { builder() };
    let host = builder.open(path).await.unwrap();
    say("up");
    while let Some(verbs) = hear() {
        let (program, args) = bad(verbs.split('\t'));
        let command = Command::new(program).args(args).stop(Stop::default());
        let job = Job::program(command);
        let job = if how == "again" { job.rerun_lost() } else { job };
        let id = host.detach(job).await.unwrap();
        say(&id.to_string());
    }
    host.shutdown(HANG).await;
}

struct Host(Other);

impl Host {
    fn start(scratch: &Scratch, how: &str) -> Self {
        let mut host = Other::start("plays_the_host", format!("{how} {}", scratch.text("runs.db")));
        assert_eq!(host.hear(), "up");
        Self(host)
    }

    fn detach(&mut self, verbs: &[&str]) -> RunId {
        self.0.say(&verbs.join("\t"));
        self.0.hear().parse().unwrap()
    }
}

fn started(ledger: &Ledger, lines: usize) {
    let _ = ledger.wait_for_lines(lines, HANG);
}

async fn assert_readopted(run: &Run) {
    let history = run.history(0, 100).await.unwrap();
    let adopted = history.iter().filter(|event| event.kind == RunEventKind::Adopted).count();
    assert!(adopted >= 1, "{history:?}");
    let attempts = run.attempts().await.unwrap();
    assert_eq!(attempts.len(), 1, "{attempts:?}");
}

#[tokio::test]
async fn a_program_outlives_its_host_and_its_exit_is_exact() {
    let scratch = Scratch::new();
    let (ledger, go) = (Ledger::at(scratch.path("ledger")), scratch.text("go"));
    let mut host = Host::start(&scratch, "shim");
    let id = host.detach(&[
        "append",
        &scratch.text("ledger"),
        "begun",
        "then",
        "wait-file",
        &go,
        "then",
        "exit",
        "37",
    ]);
    started(&ledger, 1);
    let _ = host.0.kill();

    let host = open(&scratch).await;
    let run = host.run(id);
    // It is found while it runs, and not when it has ended.
    let found = async {
        while !run.history(0, 100).await.unwrap().iter().any(|event| event.kind == RunEventKind::Adopted) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(HANG, found).await.expect("somebody who takes over");
    assert_eq!(run.status().await.unwrap(), Status::Running);
    std::fs::write(&go, "").unwrap();
    assert_eq!(ended(&run).await.status, Status::Failed);
    assert_eq!(run.program_end().await.unwrap().exit, Some(Exit::Code(37)));
    assert_eq!(ledger.lines(), ["begun"]);
    assert_readopted(&run).await;
}

#[tokio::test]
async fn a_program_runs_under_a_shim_that_begins_within_a_runtime() {
    let scratch = Scratch::new();
    let shim = ["plays_a_shim_within_a_runtime", "--exact", "--ignored", "--nocapture", "--test-threads=1"];
    let builder = Builder::new().shim(std::env::current_exe().unwrap(), shim);
    let host = builder.open(scratch.path("runs.db")).await.unwrap();
    let (program, args) = bad(["exit", "37"]);
    let id = host.detach(Command::new(program).args(args)).await.unwrap();
    ended(&host.run(id)).await;
    assert_eq!(host.run(id).program_end().await.unwrap().exit, Some(Exit::Code(37)));
    host.shutdown(HANG).await;
}

#[tokio::test]
async fn one_that_ended_while_nobody_was_there_is_reported_exactly() {
    let scratch = Scratch::new();
    let (ledger, go) = (Ledger::at(scratch.path("ledger")), scratch.text("go"));
    let mut host = Host::start(&scratch, "shim");
    let text = scratch.text("ledger");
    let id =
        host.detach(&["append", &text, "begun", "then", "wait-file", &go, "then", "append", &text, "done"]);
    started(&ledger, 1);
    let _ = host.0.kill();
    std::fs::write(&go, "").unwrap();
    started(&ledger, 2);
    // Its shim has written it down by the time that its lock is free.
    let lock = scratch.path(format!("runs.db.d/{id}/1/exit"));
    assert!(wait_until(HANG, || lock.exists()));

    let host = open(&scratch).await;
    assert_eq!(ended(&host.run(id)).await.status, Status::Succeeded);
    assert_eq!(host.run(id).program_end().await.unwrap().exit, Some(Exit::Code(0)));
    assert_readopted(&host.run(id)).await;
}

#[tokio::test]
async fn its_output_goes_on_from_the_same_line() {
    let scratch = Scratch::new();
    let (ledger, go) = (Ledger::at(scratch.path("ledger")), scratch.text("go"));
    let mut host = Host::start(&scratch, "shim");
    let text = scratch.text("ledger");
    let id = host.detach(&[
        "print",
        "one",
        "then",
        "print",
        "two",
        "then",
        "append",
        &text,
        "begun",
        "then",
        "wait-file",
        &go,
        "then",
        "print",
        "three",
    ]);
    started(&ledger, 1);
    let watcher = builder().without_workers().open(scratch.path("runs.db")).await.unwrap();
    let mut output = watcher.run(id).output(From::Start).await.unwrap();
    for expected in ["one", "two"] {
        assert_eq!(line(output.next().await.unwrap()), expected);
    }
    let seen = output.seq();
    drop((output, watcher));
    let _ = host.0.kill();

    let host = open(&scratch).await;
    let mut output = host.run(id).output(From::After(seen)).await.unwrap();
    std::fs::write(&go, "").unwrap();
    assert_eq!(line(output.next().await.unwrap()), "three");
    assert_eq!(output.next().await.unwrap(), None);
    assert_eq!(ended(&host.run(id)).await.status, Status::Succeeded);
}

fn line(entry: Option<Entry>) -> String {
    match entry {
        Some(Entry::Line(line)) => line.text().into_owned(),
        other => panic!("no line: {other:?}"),
    }
}

#[tokio::test]
async fn one_that_was_found_again_is_cancelled_like_any_other() {
    let scratch = Scratch::new();
    let (ledger, pids) = (Ledger::at(scratch.path("ledger")), scratch.text("pids"));
    let mut host = Host::start(&scratch, "shim");
    let text = scratch.text("ledger");
    let id = host.detach(&[
        "pids-to",
        &pids,
        "then",
        "quiet-grandchild",
        "600",
        "then",
        "append",
        &text,
        "begun",
        "then",
        "hang",
    ]);
    started(&ledger, 1);
    let _ = host.0.kill();
    // Asked while there is nobody to do it: the wish is kept.
    let asks = builder().without_workers().open(scratch.path("runs.db")).await.unwrap();
    assert_eq!(asks.run(id).cancel().await.unwrap(), Status::Running);
    let host = open(&scratch).await;
    assert_eq!(ended(&host.run(id)).await.status, Status::Cancelled);
    assert_gone(&read_pids(&pids), HANG);
}

#[tokio::test]
async fn a_program_whose_shim_was_killed_is_lost_and_nothing_of_it_is_left() {
    let scratch = Scratch::new();
    let (ledger, pids) = (Ledger::at(scratch.path("ledger")), scratch.text("pids"));
    let mut host = Host::start(&scratch, "shim");
    let id =
        host.detach(&["pids-to", &pids, "then", "append", &scratch.text("ledger"), "begun", "then", "hang"]);
    started(&ledger, 1);
    let program = program(&scratch, id);
    let _ = host.0.kill();
    kill_shim(&scratch, id);
    let host = open(&scratch).await;
    let record = ended(&host.run(id)).await;
    assert_eq!(record.status, Status::Lost, "{record:?}");
    assert!(record.error.unwrap().contains("shim was killed") || !bgt_testkit::alive(program));
    assert_gone(&read_pids(&pids), HANG);
}

// The ledger is waited for by the thread of the test, so the host needs another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_that_was_said_a_lost_program_is_started_again() {
    let scratch = Scratch::new();
    let (ledger, go) = (Ledger::at(scratch.path("ledger")), scratch.text("go"));
    let mut host = Host::start(&scratch, "again");
    let id = host.detach(&["append", &scratch.text("ledger"), "begun", "then", "wait-file", &go]);
    started(&ledger, 1);
    let _ = program(&scratch, id);
    let _ = host.0.kill();
    kill_shim(&scratch, id);
    let host = open(&scratch).await;
    started(&ledger, 2);
    std::fs::write(&go, "").unwrap();
    let record = ended(&host.run(id)).await;
    assert_eq!((record.status, record.attempt), (Status::Succeeded, 2), "{record:?}");
    let attempts = host.run(id).attempts().await.unwrap();
    assert_eq!(attempts[0].status, Some(Status::Lost));
}

#[tokio::test]
async fn without_a_shim_a_program_is_lost_with_its_host_and_does_not_live_on() {
    let scratch = Scratch::new();
    let (ledger, pids) = (Ledger::at(scratch.path("ledger")), scratch.text("pids"));
    let mut host = Host::start(&scratch, "alone");
    let id =
        host.detach(&["pids-to", &pids, "then", "append", &scratch.text("ledger"), "begun", "then", "hang"]);
    started(&ledger, 1);
    let _ = program(&scratch, id);
    let _ = host.0.kill();
    let host = open(&scratch).await;
    assert_eq!(ended(&host.run(id)).await.status, Status::Lost);
    assert_gone(&read_pids(&pids), HANG);
}

#[tokio::test]
async fn a_host_that_shuts_down_hands_its_programs_over_at_once() {
    let scratch = Scratch::new();
    let (ledger, go) = (Ledger::at(scratch.path("ledger")), scratch.text("go"));
    let mut host = Host::start(&scratch, "shim");
    let id = host.detach(&[
        "append",
        &scratch.text("ledger"),
        "begun",
        "then",
        "wait-file",
        &go,
        "then",
        "exit",
        "5",
    ]);
    started(&ledger, 1);
    host.0.end();
    let host = open(&scratch).await;
    std::fs::write(&go, "").unwrap();
    assert_eq!(ended(&host.run(id)).await.status, Status::Failed);
    assert_eq!(host.run(id).program_end().await.unwrap().exit, Some(Exit::Code(5)));
    assert_eq!(ledger.lines(), ["begun"]);
}

// The ledger is waited for by the thread of the test, so the host needs another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_is_kept_by_the_shim_when_the_host_is_gone() {
    let scratch = Scratch::new();
    let (ledger, pids) = (Ledger::at(scratch.path("ledger")), scratch.text("pids"));
    let (program, args) =
        bad(["pids-to", &pids, "then", "append", &scratch.text("ledger"), "begun", "then", "hang"]);
    let host = open(&scratch).await;
    let job = Job::program(Command::new(program).args(args)).attempt_deadline(Duration::from_secs(2));
    let id = host.detach(job).await.unwrap();
    started(&ledger, 1);
    // As good as a kill: nothing is written, nothing is awaited.
    drop(host);
    assert_gone(&read_pids(&pids), HANG);
    let host = open(&scratch).await;
    assert_eq!(ended(&host.run(id)).await.status, Status::TimedOut);
    assert_eq!(host.count(RunFilter::new()).await.unwrap().values().sum::<u64>(), 1);
}

/// Two names of one file, such as `current/runs.db` of a deploy, are the same records and the same runs.
#[cfg(unix)]
#[tokio::test]
async fn a_host_that_opens_the_records_by_another_name_finds_the_programs_all_the_same() {
    let scratch = Scratch::new();
    let (ledger, go) = (Ledger::at(scratch.path("ledger")), scratch.text("go"));
    let mut host = Host::start(&scratch, "shim");
    let id = host.detach(&[
        "append",
        &scratch.text("ledger"),
        "begun",
        "then",
        "wait-file",
        &go,
        "then",
        "exit",
        "7",
    ]);
    started(&ledger, 1);
    let _ = host.0.kill();
    let elsewhere = Scratch::new();
    std::os::unix::fs::symlink(scratch.path("runs.db"), elsewhere.path("alias.db")).unwrap();
    let host = builder().open(elsewhere.path("alias.db")).await.unwrap();
    let run = host.run(id);
    let found = async {
        while !run.history(0, 100).await.unwrap().iter().any(|event| event.kind == RunEventKind::Adopted) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(HANG, found).await.expect("somebody who takes over");
    std::fs::write(&go, "").unwrap();
    assert_eq!(ended(&run).await.status, Status::Failed);
    assert_eq!(run.program_end().await.unwrap().exit, Some(Exit::Code(7)));
    assert_eq!(ledger.lines(), ["begun"]);
}

/// Somebody has cleaned up too well: what ran there is lost, and is not started once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_whose_folder_was_removed_is_lost_and_not_started_again() {
    let scratch = Scratch::new();
    let (ledger, go) = (Ledger::at(scratch.path("ledger")), scratch.text("go"));
    let (program, args) = bad(["append", &scratch.text("ledger"), "begun", "then", "wait-file", &go]);
    let host = open(&scratch).await;
    let id = host.detach(Job::program(Command::new(program).args(args))).await.unwrap();
    started(&ledger, 1);
    let folder = scratch.path(format!("runs.db.d/{id}"));
    if let Err(error) = std::fs::remove_dir_all(&folder) {
        bgt_testkit::skip!(
            "a_program_whose_folder_was_removed_is_lost_and_not_started_again",
            format!("the system keeps what is in use: {error}")
        );
        std::fs::write(&go, "").unwrap();
        assert!(ended(&host.run(id)).await.status.is_final());
        return;
    }
    std::fs::write(&go, "").unwrap();
    let record = ended(&host.run(id)).await;
    assert_eq!(record.status, Status::Lost, "{record:?}");
    assert!(record.error.as_ref().unwrap().contains("folder"), "{record:?}");
    assert_eq!(ledger.lines(), ["begun"]);
}

/// The same while no host was there to see it.
#[tokio::test]
async fn a_program_whose_folder_was_removed_while_no_host_was_there_is_not_started_again() {
    let scratch = Scratch::new();
    let (ledger, go) = (Ledger::at(scratch.path("ledger")), scratch.text("go"));
    let mut host = Host::start(&scratch, "shim");
    let id = host.detach(&["append", &scratch.text("ledger"), "begun", "then", "wait-file", &go]);
    started(&ledger, 1);
    let _ = host.0.kill();
    let removed = std::fs::remove_dir_all(scratch.path(format!("runs.db.d/{id}")));
    std::fs::write(&go, "").unwrap();
    if let Err(error) = removed {
        let name = "a_program_whose_folder_was_removed_while_no_host_was_there_is_not_started_again";
        bgt_testkit::skip!(name, format!("the system keeps what is in use: {error}"));
        assert!(ended(&open(&scratch).await.run(id)).await.status.is_final());
        return;
    }
    let host = open(&scratch).await;
    let record = ended(&host.run(id)).await;
    assert_eq!((record.status, record.attempt), (Status::Lost, 1), "{record:?}");
    assert_eq!(ledger.lines(), ["begun"]);
}

/// The disk gave back something else than what was written: nobody can know how it ended, and it is not run again.
#[tokio::test]
async fn a_program_whose_exit_is_damaged_is_lost() {
    let scratch = Scratch::new();
    let ledger = Ledger::at(scratch.path("ledger"));
    let mut host = Host::start(&scratch, "shim");
    let id = host.detach(&["append", &scratch.text("ledger"), "begun", "then", "sleep", "0.5"]);
    started(&ledger, 1);
    let _ = host.0.kill();
    let exit = scratch.path(format!("runs.db.d/{id}/1/exit"));
    assert!(wait_until(HANG, || exit.exists()), "a shim that writes down how it ended");
    std::fs::write(&exit, "{\"kind\":").unwrap();
    let host = open(&scratch).await;
    let record = ended(&host.run(id)).await;
    assert_eq!((record.status, record.attempt), (Status::Lost, 1), "{record:?}");
    assert_eq!(ledger.lines(), ["begun"]);
}

/// A shim that does not move keeps nobody waiting who says it twice.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_cancel_ends_a_program_also_when_its_shim_is_stopped() {
    let scratch = Scratch::new();
    let (ledger, pids) = (Ledger::at(scratch.path("ledger")), scratch.text("pids"));
    let (program, args) =
        bad(["pids-to", &pids, "then", "append", &scratch.text("ledger"), "begun", "then", "hang"]);
    let host = open(&scratch).await;
    let id = host.detach(Job::program(Command::new(program).args(args))).await.unwrap();
    started(&ledger, 1);
    let shim = pid_in(&scratch.path(format!("runs.db.d/{id}/1/started")));
    let stop = std::process::Command::new("kill").args(["-STOP", &shim.to_string()]).status();
    assert!(stop.unwrap().success());
    let run = host.run(id);
    run.cancel().await.unwrap();
    run.cancel().await.unwrap();
    assert_eq!(ended(&run).await.status, Status::Cancelled);
    assert_gone(&read_pids(&pids), HANG);
}

/// The process of the program, as soon as it is written down.
fn program(scratch: &Scratch, id: RunId) -> u32 {
    pid_in(&scratch.path(format!("runs.db.d/{id}/1/program")))
}

fn kill_shim(scratch: &Scratch, id: RunId) {
    let pid = pid_in(&scratch.path(format!("runs.db.d/{id}/1/started")));
    let shim = bgt_sys::Identity::of(pid).expect("a shim that runs");
    assert!(shim.kill().unwrap());
    assert!(wait_until(HANG, || !shim.is_alive()));
}

fn pid_in(path: &Path) -> u32 {
    let mut pid = None;
    let found = wait_until(HANG, || {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let digits =
            text.split_once("\"pid\":").map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit));
        pid = digits.and_then(|digits| digits.collect::<String>().parse().ok());
        pid.is_some()
    });
    assert!(found, "no pid in {}", path.display());
    pid.unwrap()
}
