//! The system refuses: no space, no permission, no descriptors, no larger files.
//!
//! Every fault is the system's own. What needs another user, a limit or a mount of its own runs in a process of its own.
#![cfg(all(feature = "sqlite", unix))]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use bgt_store::{FaultKind, NewRun, Page, RunFilter, RunId, RunStore, SqliteStore};
use bgt_testkit::{Scratch, skip};
use support::{
    Other, assert_fault, assert_whole, beside, cause, ids, kind, open, put, role, run_through, succeeds,
    try_open,
};

const PAYLOAD: usize = 8 << 10;

/// 64 callers write until each was refused several times, while somebody reads. Answers what was acknowledged.
async fn fill(store: &SqliteStore, expected: FaultKind) -> Vec<RunId> {
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..64 {
        let store = store.clone();
        callers.spawn(async move {
            let (mut acknowledged, mut refused) = (Vec::new(), 0);
            while refused < 5 {
                let name = format!("{caller} {}", acknowledged.len());
                let run = NewRun::new("x", vec![b'x'; PAYLOAD]).label("name", name);
                match store.enqueue(vec![run]).await {
                    Ok(runs) => acknowledged.push(runs[0].id),
                    Err(error) => {
                        assert_eq!(kind(&error), expected, "{error:?}");
                        refused += 1;
                    }
                }
                let read = store.list(RunFilter::new(), Page::first(1)).await;
                assert!(read.is_ok(), "reads go on: {read:?}");
            }
            acknowledged
        });
    }
    callers.join_all().await.concat()
}

fn is_root(scratch: &Scratch) -> bool {
    scratch.dir().metadata().unwrap().uid() == 0
}

/// Runs a test where it may mount: as root, or as root of a user namespace, where the system allows that.
fn with_mounts(name: &str, test: &str) {
    let ways: [&[&str]; 2] =
        [&["unshare", "--mount", "--"], &["unshare", "--user", "--map-root-user", "--mount", "--"]];
    let scratch = Scratch::new();
    let mount = format!("mount -t tmpfs tmpfs {0} && umount {0}", scratch.dir().display());
    let may = |way: &&[&str]| succeeds(way[0], &[&way[1..], &["sh", "-c", &mount]].concat());
    if !ways.into_iter().find(may).is_some_and(|way| run_through(way, test)) {
        skip!(name, "nothing may be mounted here");
    }
}

#[test]
fn a_full_disk_is_told_to_all_and_nothing_is_lost() {
    with_mounts("a_full_disk_is_told_to_all_and_nothing_is_lost", "on_a_small_disk");
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
    assert!(succeeds("mount", &["-t", "tmpfs", "-o", "size=12m,mode=0700", "tmpfs", &disk]));
    let path = Path::new(&disk).join("runs.db");
    let ballast = Path::new(&disk).join("ballast");
    fs::write(&ballast, vec![0; 3 << 20]).unwrap();

    let store = open(&path).await;
    let mut acknowledged = fill(&store, FaultKind::Full).await;
    assert!(acknowledged.len() > 64, "the disk was full before it began");

    let big = || NewRun::new("big", vec![b'x'; 1 << 20]).label("name", "big");
    let error = store.enqueue(vec![big()]).await.unwrap_err();
    assert_fault(&error, FaultKind::Full, &path, "make room");
    assert!(error.fault().unwrap().is_transient());
    assert!(cause(&error).contains("full"), "{}", cause(&error));
    assert_whole(&store, &acknowledged).await;

    // A backup has no room either, and does not take what is left.
    let backup = Path::new(&disk).join("backup.db");
    let error = store.backup(&backup).await.unwrap_err();
    assert_fault(&error, FaultKind::Full, &backup, "make room");
    assert!(!cause(&error).contains("runs.db"), "blames the wrong file: {}", cause(&error));
    assert!(!backup.exists());

    // Somebody else who opens it hears the same, or can read.
    match try_open(&path).await {
        Ok(second) => {
            assert_whole(&second, &acknowledged).await;
            second.close().await;
        }
        Err(error) => assert_fault(&error, FaultKind::Full, &path, "make room"),
    }

    fs::remove_file(&ballast).unwrap();
    acknowledged.push(store.enqueue(vec![big()]).await.unwrap()[0].id);
    assert_whole(&store, &acknowledged).await;

    // And again, to the end, with the log gone: what it held has no room in the file.
    acknowledged.extend(fill(&store, FaultKind::Full).await);
    store.close().await;
    let store = open(&path).await;
    assert_whole(&store, &acknowledged).await;
    store.close().await;
    assert!(succeeds("umount", &[&disk]));
}

#[test]
fn a_store_without_a_log_on_a_full_disk_keeps_what_it_holds() {
    let name = "a_store_without_a_log_on_a_full_disk_keeps_what_it_holds";
    with_mounts(name, "on_a_small_disk_without_a_log");
}

/// Two faults at once: what is in the removed log has no room in the file, and must not be given up.
#[ignore = "needs a mount namespace of its own"]
#[tokio::test]
async fn on_a_small_disk_without_a_log() {
    if role().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let disk = scratch.text("disk");
    fs::create_dir(&disk).unwrap();
    assert!(succeeds("mount", &["-t", "tmpfs", "-o", "size=6m,mode=0700", "tmpfs", &disk]));
    let path = Path::new(&disk).join("runs.db");
    let ballast = Path::new(&disk).join("ballast");
    fs::write(&ballast, vec![0; 4 << 20]).unwrap();
    let store = open(&path).await;
    let mut acknowledged = fill(&store, FaultKind::Full).await;
    fs::remove_file(beside(&path, "-wal")).unwrap();
    for id in acknowledged.iter().take(5) {
        let error = put(&store, "x").await.unwrap_err();
        assert_fault(&error, FaultKind::Full, &path, "make room");
        let read = store.run(*id).await;
        assert!(read.as_ref().is_ok_and(Option::is_some), "{read:?}");
    }
    fs::remove_file(&ballast).unwrap();
    acknowledged.push(put(&store, "x").await.unwrap());
    assert_whole(&store, &acknowledged).await;
    store.close().await;
    assert!(succeeds("umount", &[&disk]));
}

#[test]
fn a_file_that_may_not_grow_is_a_fault_until_it_may() {
    let name = "a_file_that_may_not_grow_is_a_fault_until_it_may";
    if !succeeds("prlimit", &["--version"]) {
        skip!(name, "there is no prlimit here, to lift a limit again");
        return;
    }
    // In blocks of 512 or 1024 bytes, as the shell has it. The signal would end the process.
    let wrapper = ["sh", "-c", "trap '' XFSZ; ulimit -S -f 2048; exec \"$0\" \"$@\""];
    if !run_through(&wrapper, "with_small_files") {
        skip!(name, "no limit can be set here");
    }
}

#[ignore = "needs a limit on the size of files"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_small_files() {
    if role().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let store = open(&path).await;
    let mut acknowledged = fill(&store, FaultKind::Io).await;
    assert!(acknowledged.len() > 64, "the limit was met before it began");
    let error = put(&store, "x").await.unwrap_err();
    assert_fault(&error, FaultKind::Io, &path, "reading or writing failed");
    cause(&error);
    assert_eq!(ids(&store).await.len(), acknowledged.len());

    let this = std::process::id().to_string();
    assert!(succeeds("prlimit", &["--pid", &this, "--fsize=unlimited"]));
    acknowledged.push(put(&store, "y").await.unwrap());
    assert_whole(&store, &acknowledged).await;
    store.close().await;
    let store = open(&path).await;
    assert_whole(&store, &acknowledged).await;
    store.close().await;
}

#[test]
fn without_descriptors_a_store_in_use_goes_on() {
    let wrapper = ["sh", "-c", "ulimit -S -n 48; exec \"$0\" \"$@\""];
    if !run_through(&wrapper, "with_few_descriptors") {
        skip!("without_descriptors_a_store_in_use_goes_on", "no limit can be set here");
    }
}

#[ignore = "needs a limit on descriptors"]
#[tokio::test]
async fn with_few_descriptors() {
    if role().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let (path, other, backup) =
        (scratch.path("runs.db"), scratch.path("other.db"), scratch.path("backup.db"));
    let store = open(&path).await;
    let mut acknowledged = vec![put(&store, "first").await.unwrap()];

    // From none at all to nearly enough, opening fails in another place each time.
    for free in 0..6 {
        let mut taken = Vec::new();
        while let Ok(file) = fs::File::open("/dev/null") {
            taken.push(file);
        }
        taken.truncate(taken.len() - free);
        match try_open(&other).await {
            Ok(other) => other.close().await,
            Err(error) => {
                assert_fault(&error, FaultKind::Unavailable, &other, "cannot be opened");
                cause(&error);
            }
        }
        match store.backup(&backup).await {
            Ok(()) => fs::remove_file(&backup).unwrap(),
            Err(error) => {
                assert_fault(&error, FaultKind::Unavailable, &backup, "cannot be opened");
                cause(&error);
                assert!(!backup.exists(), "a part of a backup is left");
            }
        }
        acknowledged.push(put(&store, "next").await.unwrap());
        assert_eq!(ids(&store).await.len(), acknowledged.len());
        // Its log was taken away, and a new one cannot be opened.
        fs::remove_file(beside(&path, "-wal")).unwrap();
        match put(&store, "x").await {
            Ok(id) => acknowledged.push(id),
            Err(error) => assert_fault(&error, FaultKind::Unavailable, &path, "cannot be opened"),
        }
        drop(taken);
        acknowledged.push(put(&store, "after").await.unwrap());
        assert_whole(&store, &acknowledged).await;
    }
    let other = open(&other).await;
    put(&other, "x").await.unwrap();
    other.close().await;
    store.close().await;
}

#[test]
fn without_permission_it_is_read_only_until_it_is_not() {
    let name = "without_permission_it_is_read_only_until_it_is_not";
    if !is_root(&Scratch::new()) {
        Other::start("without_permission", "alone").end();
        return;
    }
    let wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    if !run_through(&wrapper, "without_permission") {
        skip!(name, "permissions mean nothing to root, and this program cannot be run as somebody else");
    }
}

#[ignore = "needs a user to whom permissions mean something"]
#[tokio::test]
async fn without_permission() {
    if role().is_none() {
        return;
    }
    const CHECK: &str = "check the permissions";
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let scratch = Scratch::new();
    let folder = scratch.path("folder");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("runs.db");

    mode(&folder, 0o500);
    let error = try_open(&path).await.expect_err("no file can be made");
    assert_fault(&error, FaultKind::ReadOnly, &path, CHECK);
    cause(&error);
    mode(&folder, 0o700);
    let store = open(&path).await;
    let first = put(&store, "first").await.unwrap();
    let mut acknowledged = vec![first];

    // Nothing is taken from those who have it open; others cannot open it.
    mode(&path, 0o400);
    mode(&folder, 0o500);
    acknowledged.push(put(&store, "second").await.unwrap());
    let error = try_open(&path).await.expect_err("it may not be written");
    assert_fault(&error, FaultKind::ReadOnly, &path, CHECK);
    cause(&error);
    let backup = folder.join("backup.db");
    let error = store.backup(&backup).await.unwrap_err();
    assert_fault(&error, FaultKind::ReadOnly, &backup, CHECK);
    mode(&folder, 0o700);
    mode(&path, 0o600);
    store.close().await;

    // The folder alone, the file alone, when nobody has it open.
    for (mode_of_folder, mode_of_file) in [(0o500, 0o600), (0o700, 0o400), (0o500, 0o400)] {
        mode(&path, mode_of_file);
        mode(&folder, mode_of_folder);
        let before = fs::read(&path).unwrap();
        let error = try_open(&path).await.expect_err("it may not be written");
        assert_fault(&error, FaultKind::ReadOnly, &path, CHECK);
        cause(&error);
        assert!(fs::read(&path).unwrap() == before);
        mode(&folder, 0o700);
        mode(&path, 0o600);
        let store = open(&path).await;
        acknowledged.push(put(&store, "next").await.unwrap());
        store.close().await;
    }
    // Not even to be read.
    mode(&path, 0o000);
    let error = try_open(&path).await.expect_err("it may not be read");
    assert_fault(&error, FaultKind::Unavailable, &path, "the permissions of both");
    cause(&error);
    mode(&path, 0o600);

    // In use: a new connection is needed, and cannot be had.
    let store = open(&path).await;
    fs::remove_file(beside(&path, "-wal")).unwrap();
    mode(&folder, 0o500);
    for _ in 0..2 {
        let error = put(&store, "x").await.unwrap_err();
        assert_fault(&error, FaultKind::ReadOnly, &path, CHECK);
        cause(&error);
    }
    mode(&folder, 0o700);
    acknowledged.push(put(&store, "after").await.unwrap());
    assert_whole(&store, &acknowledged).await;

    // In use, and nobody may look into the folder: it was not removed.
    mode(&folder, 0o000);
    for _ in 0..2 {
        let error = put(&store, "x").await.unwrap_err();
        assert_fault(&error, FaultKind::ReadOnly, &path, CHECK);
        let error = store.run(first).await.unwrap_err();
        assert_fault(&error, FaultKind::ReadOnly, &path, CHECK);
        cause(&error);
    }
    mode(&folder, 0o700);
    acknowledged.push(put(&store, "after").await.unwrap());
    assert_whole(&store, &acknowledged).await;
    store.close().await;
}

#[test]
fn a_read_only_mount_is_read_only() {
    with_mounts("a_read_only_mount_is_read_only", "on_a_read_only_mount");
}

#[ignore = "needs a mount namespace of its own"]
#[tokio::test]
async fn on_a_read_only_mount() {
    if role().is_none() {
        return;
    }
    let scratch = Scratch::new();
    let disk = scratch.text("disk");
    fs::create_dir(&disk).unwrap();
    assert!(succeeds("mount", &["-t", "tmpfs", "tmpfs", &disk]));
    let path = Path::new(&disk).join("runs.db");
    let store = open(&path).await;
    let mut acknowledged = vec![put(&store, "first").await.unwrap()];
    // The system refuses that while a file is open for writing.
    let busy = Command::new("mount").args(["-o", "remount,ro", &disk]).output().unwrap();
    assert!(!busy.status.success());
    acknowledged.push(put(&store, "second").await.unwrap());
    store.close().await;

    assert!(succeeds("mount", &["-o", "remount,ro", &disk]));
    for path in [path.clone(), Path::new(&disk).join("new.db")] {
        let error = try_open(&path).await.expect_err("it may not be written");
        assert_fault(&error, FaultKind::ReadOnly, &path, "check the permissions");
        cause(&error);
    }
    assert!(succeeds("mount", &["-o", "remount,rw", &disk]));
    let store = open(&path).await;
    assert_whole(&store, &acknowledged).await;
    store.close().await;
    assert!(succeeds("umount", &[&disk]));
}
