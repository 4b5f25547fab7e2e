//! What most services do beside their work, on a schedule: `cargo run --example maintenance`, with `-- forever` until Ctrl-C.
//!
//! Old files are cleaned up, finished runs are forgotten, statistics are logged, the system's health is looked at. These are
//! examples to copy and not a module of the crate: what is old, what is healthy and where it is told differs with every
//! service, and the code is shorter than its options would be.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bgt_orchestrator::periodic::{Misfire, Running, Schedule, Scheduler, SqliteStore, Store};
use bgt_orchestrator::{ErrorKind, Orchestrator, Runs, Status, Task, TaskError, task_fn};
use bgt_store::Retention;
use sysinfo::System;

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("bgt-maintenance-{}", std::process::id()));
    let temporary = folder.join("temporary");
    std::fs::create_dir_all(&temporary)?;
    let old = std::fs::File::create(temporary.join("old.tmp"))?;
    old.set_modified(SystemTime::now() - 30 * DAY)?;
    std::fs::write(temporary.join("new.tmp"), "still of use")?;

    // With a store, a clean-up that was due while the service was down is made up for, and of several hosts one does it.
    let store = SqliteStore::open(folder.join("runs.db")).await?;
    let bgt = Orchestrator::new().scheduled_by(Scheduler::builder().store(Arc::new(store.clone())));

    let nightly = Schedule::cron("30 2 * * *").local_zone().jitter(Duration::from_secs(600));
    let nightly = nightly.misfire(Misfire::Once { grace: DAY / 2 }).deadline(Duration::from_secs(3600));
    let often = Schedule::every(Duration::from_secs(1)).in_memory();
    let schedules = [
        bgt.periodic("clean up old files", nightly.clone(), clean_up(temporary.clone(), 7 * DAY)).await?,
        bgt.periodic("prune finished runs", nightly, prune(Arc::new(store.clone()), 30 * DAY)).await?,
        bgt.periodic("log statistics", often.clone(), log_statistics(bgt.runs().clone())).await?,
        bgt.periodic("check system health", often, check_health(0.02)).await?,
    ];
    for schedule in &schedules {
        println!("{:<22}{}", schedule.name(), schedule.describe());
    }
    println!();
    // Nobody waits for the night here.
    for schedule in &schedules {
        schedule.run_now()?;
    }

    if std::env::args().nth(1).is_some_and(|word| word == "forever") {
        tokio::signal::ctrl_c().await?;
    } else {
        tokio::time::sleep(Duration::from_millis(2500)).await;
    }
    bgt.scheduler().stop(Running::Finish, Duration::from_secs(10)).await;
    store.close().await;

    println!();
    for schedule in &schedules {
        let counts = schedule.statistics();
        println!(
            "{:<22}{} runs, {} failed, {:?} late at most",
            schedule.name(),
            counts.runs,
            counts.failed,
            counts.lateness.max
        );
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Removes the files of a folder that nobody has written to for so long.
fn clean_up(folder: PathBuf, age: Duration) -> impl Task {
    task_fn("clean up", move |_cx| {
        let folder = folder.clone();
        async move {
            // Of a folder of many files this takes a while, and blocks.
            let removed = tokio::task::spawn_blocking(move || remove_older(&folder, age)).await??;
            println!("clean up: {removed} old files removed");
            Ok(())
        }
    })
}

fn remove_older(folder: &Path, age: Duration) -> std::io::Result<u64> {
    let mut removed = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let is_old = metadata.modified()?.elapsed().is_ok_and(|since| since > age);
        if metadata.is_file() && is_old {
            std::fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Forgets runs that ended so long ago, a thousand at a time.
fn prune(store: Arc<dyn Store>, age: Duration) -> impl Task {
    task_fn("prune", move |_cx| {
        let store = store.clone();
        async move {
            let mut pruned = 0;
            loop {
                let old = Retention::new().ended_before(SystemTime::now() - age);
                match store.prune(old, 1000).await?.len() {
                    0 => break,
                    some => pruned += some,
                }
            }
            println!("prune: {pruned} finished runs forgotten");
            Ok(())
        }
    })
}

/// Says what became of the latest runs.
fn log_statistics(runs: Runs) -> impl Task {
    task_fn("statistics", move |_cx| {
        let recent = runs.recent();
        let succeeded = recent.iter().filter(|run| run.status == Status::Succeeded).count();
        println!("statistics: of the latest {} runs {succeeded} succeeded", recent.len());
        async { Ok(()) }
    })
}

/// Fails while less than this part of the memory is free: failed runs are what an alarm looks at.
fn check_health(least: f64) -> impl Task {
    task_fn("health", move |_cx| async move {
        let mut system = System::new();
        system.refresh_memory();
        let free = system.available_memory() as f64 / system.total_memory().max(1) as f64;
        println!("health: {:.0} % of the memory is free", free * 100.0);
        if free < least {
            return Err(TaskError::msg(format!("only {:.1} % of the memory is free", free * 100.0))
                .with_kind(ErrorKind::Failed));
        }
        Ok(())
    })
}
