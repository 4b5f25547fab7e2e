//! Durable commits: how many runs a second a store accepts, from so many concurrent callers.
//!
//! Each caller enqueues one run, waits until it is acknowledged, and goes on with the next. Ours is `SqliteStore` as it
//! comes; the rival, `plain`, is `rusqlite` as people use it first, with the same promise to its callers.

pub(crate) mod disk;
pub(crate) mod folder;
mod plain;
mod queue;
mod throughput;

use std::process::ExitCode;

use bgt_store::Durability;

use crate::Bench;

/// What is measured.
struct Setup {
    name: &'static str,
    callers: usize,
    durability: Durability,
    /// The least ratio that is wanted against `plain`.
    goal: Option<f64>,
}

const SETUPS: &[Setup] = &[
    Setup { name: "full_1", callers: 1, durability: Durability::Full, goal: None },
    Setup { name: "full_16", callers: 16, durability: Durability::Full, goal: None },
    Setup { name: "full_64", callers: 64, durability: Durability::Full, goal: None },
    Setup { name: "full_256", callers: 256, durability: Durability::Full, goal: Some(20.0) },
    Setup { name: "process_1", callers: 1, durability: Durability::Process, goal: None },
    Setup { name: "process_16", callers: 16, durability: Durability::Process, goal: None },
    Setup { name: "process_64", callers: 64, durability: Durability::Process, goal: None },
    Setup { name: "process_256", callers: 256, durability: Durability::Process, goal: None },
];

/// Measures.
#[must_use]
pub fn suite() -> ExitCode {
    Bench::main("store", |bench| {
        for setup in SETUPS.iter().filter(|setup| bench.wants(setup.name)) {
            // Of its own for each case: no file has a past, and nothing fills up.
            let folder = folder::fresh(bench)?;
            let waits_for_the_disk = setup.durability == Durability::Full;
            if waits_for_the_disk {
                disk::report(bench, folder.path(), setup.name, "before")?;
            }
            throughput::measure(bench, folder.path(), setup)?;
            if waits_for_the_disk {
                disk::report(bench, folder.path(), setup.name, "after")?;
            }
        }
        Ok(())
    })
}
