//! What the tests of this crate share.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::time::Duration;

use bgt_process::{Command, Stop};

/// The misbehaving child as a command.
pub(crate) fn bad(verbs: &[&str]) -> Command {
    let (program, args) = bgt_testkit::bad(verbs.iter().copied());
    Command::new(program).args(args)
}

/// The misbehaving child, writing down its own process id and those of its descendants.
pub(crate) fn bad_with_pids(pids: &std::path::Path, verbs: &[&str]) -> Command {
    let mut all = vec!["pids-to", pids.to_str().unwrap(), "then"];
    all.extend(verbs);
    bad(&all)
}

/// A stop policy short enough for tests.
pub(crate) fn quick() -> Stop {
    Stop::default().grace(Duration::from_millis(300)).drain(Duration::from_millis(300))
}

/// Far beyond every deadline of these tests: reaching it is a hang, not slowness.
pub(crate) const HANG: Duration = Duration::from_secs(60);
