//! A process that closes any descriptor of a file loses all its POSIX locks on it. `SQLite` locks this way, so whoever
//! looks at its files must not open them: <https://www.sqlite.org/howtocorrupt.html>, 2.2.
#![cfg(unix)]

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use bgt_sys::{create_private, file_id};
use bgt_testkit::Scratch;
use rustix::fs::{FlockOperation, fcntl_lock};

const NAME: &str = "neither_a_look_nor_a_refusal_takes_a_lock_away";
/// Makes this test the other process: the file that it tries to lock.
const TRY: &str = "BGT_TEST_LOCKS_TRY";
/// What the other process answers; not what a test answers that failed.
const FREE: i32 = 40;
const LOCKED: i32 = 41;

#[test]
fn neither_a_look_nor_a_refusal_takes_a_lock_away() {
    if let Some(path) = std::env::var_os(TRY) {
        std::process::exit(if lock(&open(Path::new(&path))) { FREE } else { LOCKED });
    }
    let scratch = Scratch::new();
    let path = scratch.path("state");
    create_private(&path).unwrap();
    assert!(!is_locked(&path));
    let held = open(&path);
    assert!(lock(&held));
    assert!(is_locked(&path));

    file_id(&path).unwrap();
    assert!(is_locked(&path), "file_id has taken the lock away");

    assert_eq!(create_private(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert!(is_locked(&path), "create_private has taken the lock away");

    // The trap is there, and the other process sees it.
    drop(File::open(&path).unwrap());
    assert!(!is_locked(&path));
    drop(held);
}

/// The one that creates the file closes it while the other, who was told that it exists, locks it. Without the calls
/// waiting for each other some of those locks are lost.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[test]
fn who_comes_second_keeps_the_lock_when_the_first_has_created() {
    let scratch = Scratch::new();
    for round in 0..1_000 {
        let path = scratch.path(round.to_string());
        let start = std::sync::Barrier::new(2);
        let come = || {
            start.wait();
            let refused = create_private(&path).err()?;
            assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
            let file = open(&path);
            assert!(lock(&file));
            Some(file)
        };
        let (one, other) = std::thread::scope(|scope| {
            let (one, other) = (scope.spawn(come), scope.spawn(come));
            (one.join().expect("no panic"), other.join().expect("no panic"))
        });
        let second = one.xor(other).expect("one of them creates it");
        assert!(still_has(&second), "lost in round {round}");
        std::fs::remove_file(&path).expect("it can be removed");
    }
}

/// Whether somebody has a POSIX lock on the file, as seen by its open file description, which is somebody else.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn still_has(file: &File) -> bool {
    use std::os::fd::AsRawFd;

    // SAFETY: all zeros are a question about the whole file.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as _;
    // SAFETY: the descriptor is open, and the question lives through the call.
    let answer = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    assert_eq!(answer, 0, "{}", std::io::Error::last_os_error());
    lock.l_type != libc::F_UNLCK as libc::c_short
}

fn open(path: &Path) -> File {
    File::options().read(true).write(true).open(path).expect("it can be opened")
}

/// Whether this process got the lock.
fn lock(file: &File) -> bool {
    match fcntl_lock(file, FlockOperation::NonBlockingLockExclusive).map_err(std::io::Error::from) {
        Ok(()) => true,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::PermissionDenied) => false,
        Err(error) => panic!("no locks here: {error}"),
    }
}

/// Whether this process has the lock, as another one sees it.
fn is_locked(path: &Path) -> bool {
    let other = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", NAME])
        .env(TRY, path)
        .stdout(Stdio::null())
        .status()
        .expect("this test starts again");
    match other.code() {
        Some(FREE) => false,
        Some(LOCKED) => true,
        _ => panic!("the other process: {other}"),
    }
}
