//! The door for programs that are run often.
#![cfg(all(feature = "pooled", feature = "process"))]

use std::path::PathBuf;
use std::time::Duration;

use bgt_orchestrator::pool::{Isolation, PoolError, ScriptPool};
use bgt_orchestrator::{Command, Exit, Orchestrator, Pattern, Status, Stdin};
use bgt_testkit::{Scratch, assert_gone};

const HANG: Duration = Duration::from_secs(60);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, future).await.expect("it hangs")
}

fn write(scratch: &Scratch, source: &str) -> PathBuf {
    let path = scratch.path("a.py");
    std::fs::write(&path, source).unwrap();
    path
}

fn has_python(test: &str) -> bool {
    let has = bgt_testkit::python().is_some();
    if !has {
        bgt_testkit::skip!(test, "there is no Python here");
    }
    has
}

#[tokio::test]
async fn a_script_runs_by_the_best_way_and_is_listed_and_ends_with_the_orchestrator() {
    if !has_python("a_script_runs_by_the_best_way_and_is_listed_and_ends_with_the_orchestrator") {
        return;
    }
    let scratch = Scratch::new();
    let script = write(&scratch, "import sys\nprint(sys.argv[1], file=sys.stderr)\nsys.exit(3)\n");
    let bgt = Orchestrator::new();
    let report = soon(bgt.pooled(Command::script(&script).arg("x").unchecked()).report()).await;
    assert_eq!((report.name.as_ref(), report.status()), ("a.py", Status::Succeeded));
    let output = report.result.unwrap();
    assert_eq!((output.exit, output.stderr_text().trim_end()), (Exit::Code(3), "x"));
    let warmth = &output.warmth;
    assert_eq!((warmth.isolation, &warmth.why), (Isolation::best(), &None));
    assert_eq!(bgt.runs().recent()[0].pattern, Pattern::Pooled);
    // The clone is the same, and so is what is warm.
    let clone = bgt.clone();
    soon(clone.pooled(Command::script(&script).arg("y").unchecked()).into_future()).await.unwrap();
    let metrics = bgt.scripts().metrics();
    assert_eq!((metrics.zygote + metrics.prestarted, metrics.cold), (2, 0));
    let zygotes = bgt.scripts().zygotes();
    drop((bgt, clone));
    tokio::task::spawn_blocking(move || assert_gone(&zygotes, HANG)).await.unwrap();
}

#[tokio::test]
async fn another_program_has_a_place_of_its_own_and_the_way_says_so() {
    let bgt = Orchestrator::new().pooled_by(ScriptPool::builder("a.py").size(1).queue(0)).unwrap();
    let (program, args) = bgt_testkit::bad(["read-stdin"]);
    let (stdin, writer) = Stdin::live();
    let first = bgt.pooled(Command::new(&program).args(&args).stdin(stdin));
    let first = tokio::spawn(first.into_future());
    soon(async {
        while bgt.scripts().metrics().places.in_use == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let error = soon(bgt.pooled(Command::new(&program).args(&args)).into_future()).await.unwrap_err();
    assert!(matches!(error.find(), Some(PoolError::QueueFull { .. })), "{error:?}");
    drop(writer);
    let warmth = soon(first).await.unwrap().unwrap().warmth;
    assert_eq!(warmth.isolation, Isolation::Cold);
    assert!(warmth.why.unwrap().contains("no script for Python"));
}

#[tokio::test]
async fn a_script_runs_cold_where_nothing_can_be_made_warm_and_the_way_says_why() {
    if !has_python("a_script_runs_cold_where_nothing_can_be_made_warm_and_the_way_says_why") {
        return;
    }
    let scratch = Scratch::new();
    let script = write(&scratch, "print('ran')\n");
    let scripts = ScriptPool::builder(&script).preload(["no_such_module"]);
    let bgt = Orchestrator::new().pooled_by(scripts).unwrap();
    let output = soon(bgt.pooled(Command::script(&script)).into_future()).await.unwrap();
    assert_eq!(output.stdout_text().trim_end(), "ran");
    let warmth = output.warmth;
    assert_eq!(warmth.isolation, Isolation::Cold);
    assert!(warmth.why.unwrap().contains("no_such_module"));
}
