//! Firing on time: how late, one and ten thousand at once; what it costs to wait, to be added and to be held.
//!
//! Ours is `bgt_periodic::Scheduler` as it comes. How late a firing is, the task itself says: it looks at the clock as the
//! first thing that it does.

mod adding;
mod bytes;
mod firings;
mod idle;
mod lateness;
mod ours;
mod rival;

use std::process::ExitCode;

use tokio::runtime::Runtime;

pub use firings::Firings;
pub use rival::{Adding, Held, Making, Many, Pattern, Rival};

use crate::{Bench, Result};

/// Whose crates are in `benches/peers`.
const PEERS: [&str; 1] = ["tokio-cron-scheduler"];

/// How many schedules there are at once.
const MANY: usize = 10_000;

/// Measures, against the rivals given and those that need no further crate.
#[must_use]
pub fn suite(rivals: &[Rival]) -> ExitCode {
    Bench::main("periodic", |bench| {
        let rivals = [rival::OWN_CRATES, rivals].concat();
        lateness::one(bench, &rivals)?;
        lateness::many(bench, &rivals)?;
        idle::measure(bench)?;
        adding::measure(bench, &rivals)?;
        bytes::measure(bench)
    })
}

/// As `#[tokio::main]` makes it, with as many threads everywhere.
fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
