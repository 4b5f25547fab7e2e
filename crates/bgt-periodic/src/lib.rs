//! Tasks on a schedule: intervals and cron with time zones, on time, for years.
//!
//! ```
//! use bgt_periodic::{Running, Schedule, Scheduler, task_fn};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_periodic::ScheduleError> {
//! let scheduler = Scheduler::new();
//! let clean_up = task_fn("clean up", |_cx| async { Ok(()) });
//! let nightly = Schedule::cron("30 2 * * *").zone("America/New_York");
//! let cleaning = scheduler.add("clean up", nightly, clean_up).await?;
//! println!("{}, next at {:?}", cleaning.describe(), cleaning.next(3));
//!
//! cleaning.run_now().expect("nothing of it is running");
//! cleaning.idle().await;
//! assert_eq!(cleaning.statistics().succeeded, 1);
//!
//! scheduler.stop(Running::Finish, Duration::from_secs(10)).await;
//! # Ok(()) }
//! ```
//!
//! **What is guaranteed.** A schedule does not stop because its task failed, panicked, took too long, or an observer or a
//! store has a fault. No time is fired twice, unless [`fire_again_after_a_crash`](Schedule::fire_again_after_a_crash) says so.
//! After a suspend, a step of the clock, a pause or a restart the times that were
//! missed are made up for as [`Misfire`] says, with a cap. Where the clocks skip or repeat a local time,
//! [`Schedule`] documents which. Bad input is refused when a schedule is added, before anything runs.
//!
//! **What is not.** The machine is not woken from sleep. A time of the past hours that comes again, because the clock was
//! set back by up to three hours, is not fired again, and nothing else is until the clock is where it was; intervals do not
//! go by that clock. What is kept in memory is gone at a restart: give the scheduler a store (feature `store`).
//!
//! **Neighbours.** Each firing is a run of `bgt-simple`, which is the crate for running a task once. The records of a store are
//! `bgt-store`'s.
//!
//! Types that come from `bgt-core` and `bgt-process` are re-exported here; their examples say those names, write
//! `bgt_periodic` instead. Schedules need a tokio runtime with its time and I/O drivers enabled.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod burst;
#[cfg(feature = "store")]
mod claims;
mod cron;
mod describe;
mod driver;
mod engine;
mod entry;
mod error;
mod firing;
mod handle;
mod heap;
mod jitter;
mod job;
mod nanos;
#[cfg(feature = "store")]
mod overdue;
mod plan;
mod rules;
mod schedule;
mod scheduler;
mod shared;
mod statistics;
mod tick;
mod trigger;
mod zone;

pub use bgt_simple::*;
#[cfg(feature = "sqlite")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlite")))]
pub use bgt_store::SqliteStore;
#[cfg(feature = "store")]
#[cfg_attr(docsrs, doc(cfg(feature = "store")))]
pub use bgt_store::{MemoryStore, NewHost, SlotStore, Store, StoreError};
#[cfg(feature = "tokio-cron")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio-cron")))]
pub use engine::TokioCron;
pub use engine::{Alarm, Engine, ManualClock, Native, Now};
pub use error::{NotRun, ScheduleError};
pub use handle::{Running, ScheduleHandle};
pub use job::{Job, WithTick, with_tick};
pub use rules::{Misfire, Overlap};
pub use schedule::Schedule;
pub use scheduler::{Scheduler, SchedulerBuilder, Stopped};
pub use statistics::{Lateness, Outcome, Record, Skipped, SkippedCounts, Statistics};
pub use tick::{Cause, Tick};
