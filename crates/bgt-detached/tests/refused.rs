//! Jobs that make no sense are refused by the value, before anything is written.
#![cfg(all(feature = "process", feature = "sqlite"))]

use bgt_detached::{Builder, Command, Context, Job, RunFilter, Secret};
use bgt_testkit::{Scratch, bad_child};

#[tokio::test]
async fn a_job_that_makes_no_sense_is_refused_by_the_value_and_nothing_is_written() {
    let scratch = Scratch::new();
    let host = Builder::new()
        .function("known", |_cx: Context, (): ()| async { Ok(()) })
        .open(scratch.path("runs.db"))
        .await
        .unwrap();
    let missing = scratch.text("missing");
    let good = || Command::new(bad_child());
    let known = || Job::call("known", &());
    let long = "x".repeat(513);
    let jobs = [
        (Job::program(Command::new("")), "empty"),
        (Job::program(Command::new(&missing)), "missing"),
        (Job::program(good().current_dir(&missing)), "missing"),
        (Job::program(good().arg("a\0b")), "NUL"),
        (Job::program(good().env_secret("TOKEN", Secret::literal("hunter2"))), "secret"),
        (known().name(""), "name"),
        (known().name(&long), "513"),
        (known().unique_key(""), "unique key"),
        (known().label("", "value"), "label"),
        (known().label("key", &long), "513"),
        (Job::call("known", &"x".repeat(17 << 20)), "payload"),
        (known().delay(std::time::Duration::MAX), "delay"),
    ];
    for (job, word) in jobs {
        let said = format!("{job:?}").chars().take(300).collect::<String>();
        let refused = host.detach(job).await.expect_err(&said);
        let mut text = refused.to_string();
        let mut cause = std::error::Error::source(&refused);
        while let Some(error) = cause {
            text += &format!(": {error}");
            cause = error.source();
        }
        assert!(text.contains(word), "{word:?} is not in {text:?}, of {said}");
        assert!(!text.contains("hunter2") && !said.contains("hunter2"), "{text} {said}");
    }
    // One that makes no sense among others takes them along.
    host.detach_all([known(), known().name("")]).await.unwrap_err();
    assert!(host.count(RunFilter::new()).await.unwrap().is_empty());
    assert_eq!(std::fs::read_dir(host.folder()).unwrap().count(), 0);
}
