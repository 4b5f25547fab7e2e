//! The helpers that ask nothing of other processes' pids. One test, because it counts this process's descriptors.

use std::fs::File;
use std::panic::catch_unwind;
use std::process::{Command, Stdio};
use std::time::Duration;

use bgt_testkit::{Ledger, Resources, Scratch, bad, from_hex, python, skip, to_hex, under_wine, wait_until};

const SOON: Duration = Duration::from_secs(20);

fn fails(start: &Resources) -> bool {
    catch_unwind(|| Resources::assert_back_to(start, 0, Duration::from_millis(10))).is_err()
}

#[test]
fn helpers_tell_the_truth() {
    let scratch = Scratch::new();

    // The first file, child and panic (its backtrace) may make the runtime open something for good.
    assert!(catch_unwind(|| panic!("on purpose")).is_err());
    let (program, args) = bad(["exit", "0"]);
    drop(File::create(scratch.path("warm")).expect("a file"));
    assert!(Command::new(&program).args(&args).status().expect("bad-child runs").success());

    let start = Resources::now();
    let file = File::create(scratch.path("leak")).expect("a file");
    assert!(fails(&start), "an open file was not noticed: {start:?} and {:?}", Resources::now());
    drop(file);
    Resources::assert_back_to(&start, 0, SOON);

    if cfg!(target_os = "linux") {
        let mut child =
            Command::new(&program).args(&args).stdin(Stdio::null()).spawn().expect("bad-child runs");
        let zombie = || Resources::now().zombies > start.zombies;
        assert!(wait_until(SOON, zombie), "a zombie was not noticed");
        assert!(fails(&start));
        child.wait().expect("its end");
        Resources::assert_back_to(&start, 1, SOON);

        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || stopped.recv());
        assert!(fails(&start), "a thread was not noticed");
        drop(stop);
        let _ = thread.join();
        Resources::assert_back_to(&start, 0, SOON);
    }

    let ledger = Ledger::at(scratch.path("ledger"));
    assert!(ledger.lines().is_empty());
    ledger.append("mine");
    let (program, args) = bad(["append", &scratch.text("ledger"), "the child's"]);
    let mut child = Command::new(program).args(args).spawn().expect("bad-child runs");
    assert_eq!(ledger.wait_for_lines(2, SOON), ["mine", "the child's"]);
    child.wait().expect("its end");
    assert!(catch_unwind(|| ledger.wait_for_lines(3, Duration::ZERO)).is_err());

    assert_eq!(from_hex(&to_hex(b"\x00\xfea")), b"\x00\xfea");
    assert!(!under_wine() || cfg!(windows));
    match python() {
        Some(path) => assert!(path.is_absolute(), "{path:?}"),
        None => skip!("helpers_tell_the_truth: python", "there is no Python 3 here"),
    }
    let folder = scratch.dir().to_owned();
    drop(scratch);
    assert!(!folder.exists());
}
