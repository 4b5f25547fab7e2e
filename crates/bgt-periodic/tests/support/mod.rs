//! A scheduler whose firings are told to the test.
#![allow(dead_code, reason = "each test program uses some of it")]

use std::time::Duration;

use bgt_periodic::{ManualClock, Schedule, ScheduleHandle, Scheduler, Tick, task_fn, with_tick};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Far beyond slowness.
pub(crate) const HANG: Duration = Duration::from_secs(60);

pub(crate) struct Fired {
    pub(crate) scheduler: Scheduler,
    pub(crate) handle: ScheduleHandle,
    pub(crate) ticks: UnboundedReceiver<Tick>,
}

/// A schedule on this clock whose task says which tick it is, and ends.
pub(crate) async fn ticks(clock: &ManualClock, name: &str, schedule: Schedule) -> Fired {
    let scheduler = Scheduler::builder().engine(clock.clone()).build();
    let (sender, ticks) = unbounded_channel();
    let job = with_tick(move |tick: Tick| {
        let sender = sender.clone();
        task_fn("tell", move |_cx| {
            let _ = sender.send(tick.clone());
            async { Ok(()) }
        })
    });
    let handle = scheduler.add(name, schedule, job).await.unwrap();
    // The first look at the clock is behind.
    clock.settled().await;
    Fired { scheduler, handle, ticks }
}

/// All that came so far.
pub(crate) fn all<T>(from: &mut UnboundedReceiver<T>) -> Vec<T> {
    std::iter::from_fn(|| from.try_recv().ok()).collect()
}
