//! Quota on memory and processor time: in force for the whole tree, or said not to be.
//!
//! Where a host may not make cgroups most of these skip: run them as docs/design/launch.md says, in a cgroup that is given
//! to them.

mod support;

use std::sync::Once;
use std::time::Duration;

use bgt_core::{Error, ErrorKind};
use bgt_process::{Command, CommandError, Output, Quota};
use bgt_simple::run;
use bgt_testkit::{Scratch, assert_gone, read_pids, skip, under_wine, wait_for_pids};
use support::{HANG, bad, bad_with_pids, quick};
use tokio::time::timeout;

const MIB: u64 = 1 << 20;

async fn run_within(quota: Quota, command: Command) -> Result<Output, Error> {
    timeout(HANG, run(command.quota(quota))).await.expect("a hang")
}

/// Runs it, or says once for all of these tests why it cannot be tried here.
async fn within(quota: Quota, command: Command) -> Option<Result<Output, Error>> {
    static SAID: Once = Once::new();
    let skipped =
        |why: &dyn std::fmt::Display| SAID.call_once(|| skip!("quota (5 tests of what is in force)", why));
    if under_wine() {
        skipped(&"Wine keeps the limits of a job and does not enforce them");
        return None;
    }
    let ended = run_within(quota, command).await;
    match ended.as_ref().err().and_then(Error::find::<CommandError>) {
        Some(CommandError::QuotaUnavailable { source, .. }) => {
            skipped(source);
            None
        }
        _ => Some(ended),
    }
}

#[tokio::test]
async fn limits_that_no_program_could_run_with_are_refused_before_it_starts() {
    let scratch = Scratch::new();
    let file = scratch.text("file");
    for (quota, named) in [
        (Quota::new().memory(0), "0 bytes"),
        (Quota::new().processors(0.0), "0 processors"),
        (Quota::new().processors(f64::NAN).best_effort(), "NaN processors"),
        (Quota::new().memory(MIB).processors(-1.0), "-1 processors"),
    ] {
        let error = run_within(quota, bad(&["touch", &file])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
        assert!(error.to_string().contains(named) || format!("{error:?}").contains(named), "{error:?}");
        assert!(!scratch.path("file").exists(), "{quota}");
    }
}

#[tokio::test]
async fn a_run_has_its_limits_or_says_that_it_has_not() {
    let quota = Quota::new().memory(512 * MIB).processors(0.5);
    let relaxed = run_within(quota.best_effort(), bad(&["print", "one"])).await.unwrap();
    assert_eq!(relaxed.stdout_text().trim(), "one");
    let scratch = Scratch::new();
    let strict = run_within(quota, bad(&["touch", &scratch.text("file")])).await;
    match (&relaxed.unlimited, strict) {
        (None, Ok(output)) => assert_eq!(output.unlimited, None),
        (Some(why), Err(error)) => {
            let Some(CommandError::QuotaUnavailable { quota: named, source }) = error.find() else {
                panic!("{error:?}")
            };
            assert_eq!((named, &source.to_string()), (&quota, why));
            assert!(!scratch.path("file").exists());
        }
        (why, strict) => panic!("{why:?}, but {strict:?}"),
    }
}

#[tokio::test]
async fn more_memory_than_allowed_ends_the_tree_and_the_error_says_so() {
    let scratch = Scratch::new();
    let pids = scratch.path("pids");
    let verbs = ["daemon", "120", "then", "alloc", "400", "then", "print", "survived"];
    let quota = Quota::new().memory(128 * MIB);
    let Some(ended) = within(quota, bad_with_pids(&pids, &verbs).stop(quick())).await else {
        return;
    };
    let error = ended.unwrap_err();
    let output = Output::from_error(&error).unwrap();
    assert_eq!(output.stdout_text(), "");
    if cfg!(unix) {
        assert!(output.out_of_memory, "{error:?}");
        assert!(format!("{error:?}").contains("its memory limit was reached"), "{error:?}");
    }
    assert_gone(&read_pids(&pids), HANG);
}

#[tokio::test]
async fn what_suffices_is_not_noticed() {
    let quota = Quota::new().memory(256 * MIB).processors(64.0);
    let Some(ended) = within(quota, bad(&["alloc", "16", "then", "print", "fits"])).await else {
        return;
    };
    let output = ended.unwrap();
    assert_eq!((output.stdout_text().trim(), output.out_of_memory, output.leaked), ("fits", false, false));
}

#[tokio::test]
async fn who_may_have_a_tenth_of_a_processor_needs_ten_times_as_long() {
    let quota = Quota::new().processors(0.1);
    let Some(ended) = within(quota, bad(&["spin", "200"])).await else { return };
    // At least: no slowness of the machine makes it less. Whoever has just begun has its first tenth of a second whole.
    let elapsed = ended.unwrap().elapsed;
    assert!(elapsed >= Duration::from_millis(1_000), "{elapsed:?}");
}

#[tokio::test]
async fn nobody_escapes_the_end_of_a_limited_tree() {
    let scratch = Scratch::new();
    let pids = scratch.path("pids");
    let quota = Quota::new().memory(512 * MIB);
    let verbs = ["daemon", "120", "then", "own-group-grandchild", "120", "then", "print", "done"];
    let command = bad_with_pids(&pids, &verbs).stop(quick());
    let Some(ended) = within(quota, command.clone()).await else { return };
    let output = ended.unwrap();
    assert!(output.leaked, "{output:?}");
    assert_gone(&read_pids(&pids), HANG);
    std::fs::remove_file(&pids).unwrap();

    // Dropped: nobody is there to wait, and the group ends all the same.
    let verbs = ["daemon", "120", "then", "hang"];
    let mut dropped = Box::pin(run(bad_with_pids(&pids, &verbs).quota(quota)).into_future());
    let seen = pids.clone();
    let started = tokio::task::spawn_blocking(move || wait_for_pids(&seen, 2, HANG));
    tokio::select! {
        ended = &mut dropped => panic!("{ended:?}"),
        pids = started => {
            drop(dropped);
            assert_gone(&pids.unwrap(), HANG);
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_group_is_left_behind() {
    let quota = Quota::new().memory(512 * MIB);
    let Some(first) = within(quota, bad(&["daemon", "120"])).await else { return };
    assert!(first.unwrap().leaked);
    // The next sweeps what could not be taken away at once.
    for _ in 0..3 {
        run_within(quota, bad(&["print", "one"])).await.unwrap();
    }
    let ours = format!("bgt-{}-", std::process::id());
    let top = std::path::Path::new("/sys/fs/cgroup");
    let folders = std::fs::read_dir(top).unwrap().flatten().map(|entry| entry.file_name());
    let left = folders.filter(|name| name.to_string_lossy().starts_with(&ours)).count();
    // Others of these tests run at the same time.
    assert!(left <= 6, "{left}");
}
