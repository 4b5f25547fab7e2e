//! All processes of one boot agree on when and which it is.

mod support;

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use bgt_sys::{boot_id, since_boot};
use bgt_testkit::{Scratch, under_wine, wait_until};
use support::SOON;

const NAME: &str = "processes_agree_on_the_boot";
/// Makes this test the other process: the file for what it sees.
const SEEN: &str = "BGT_TEST_BOOT_SEEN";

#[test]
fn processes_agree_on_the_boot() {
    if let Ok(seen) = std::env::var(SEEN) {
        std::fs::write(seen, format!("{} {:?}", since_boot().as_nanos(), boot_id())).expect("it is told");
        return;
    }
    let scratch = Scratch::new();
    let seen = scratch.path("seen");
    let before = since_boot();
    let other = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", NAME])
        .env(SEEN, &seen)
        .stdout(Stdio::null())
        .status()
        .expect("this test starts again");
    let after = since_boot();
    assert!(other.success(), "{other}");
    let seen = std::fs::read_to_string(seen).expect("what it saw");
    let (time, id) = seen.split_once(' ').expect("two things");
    let time = Duration::from_nanos(time.parse().expect("a number"));
    assert!(before <= time && time <= after, "{before:?}, there {time:?}, {after:?}");
    assert_eq!(id, format!("{:?}", boot_id()));
}

#[test]
fn the_boot_has_an_id() {
    match boot_id() {
        Some(id) => assert!(id.len() >= 36 && id.chars().all(|c| c.is_ascii_graphic()), "{id:?}"),
        None if under_wine() => bgt_testkit::skip!("the_boot_has_an_id", "Wine 8 does not count its boots"),
        None => panic!("the system does not tell"),
    }
}

#[test]
fn time_goes_on_and_never_back_in_any_thread() {
    let last = Mutex::new(since_boot());
    let began = *last.lock().expect("no panic");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    let mut last = last.lock().expect("no panic");
                    let now = since_boot();
                    assert!(now >= *last, "{now:?} after {last:?}");
                    *last = now;
                }
            });
        }
    });
    assert!(wait_until(SOON, || since_boot() > began), "it stands still at {began:?}");
}
