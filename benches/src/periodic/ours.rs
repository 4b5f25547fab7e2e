//! Ours.

use std::sync::Arc;
use std::time::Duration;

use bgt_periodic::{Schedule, Scheduler, Tick, task_fn, with_tick};

use super::{Firings, Held, Making, Pattern};

/// The finest of the rivals fires every second; ours is not later for firing more often.
pub(super) fn one(firings: Arc<Firings>) -> Making {
    Box::pin(async move {
        let scheduler = Scheduler::new();
        let job = with_tick(move |tick: Tick| {
            firings.fired(tick.scheduled_at);
            task_fn("tell", |_cx| async { Ok(()) })
        });
        let schedule = Schedule::every(Duration::from_millis(50)).aligned();
        scheduler.add("one", schedule, job).await?;
        Ok(Box::new(scheduler) as Held)
    })
}

pub(super) fn many(count: usize, firings: Arc<Firings>) -> Making {
    Box::pin(async move {
        let scheduler = Scheduler::new();
        for n in 0..count {
            let firings = firings.clone();
            let job = task_fn("tell", move |_cx| {
                firings.fired_this_second();
                async { Ok(()) }
            });
            scheduler.add(format!("schedule-{n}"), Schedule::cron("* * * * * *"), job).await?;
        }
        Ok(Box::new(scheduler) as Held)
    })
}

pub(super) fn add(count: usize, pattern: Pattern) -> Making {
    Box::pin(async move {
        let scheduler = Scheduler::new();
        for n in 0..count {
            let job = task_fn("nothing", |_cx| async { Ok(()) });
            scheduler.add(format!("schedule-{n}"), Schedule::cron(pattern.of(n)), job).await?;
        }
        Ok(Box::new(scheduler) as Held)
    })
}

/// Every second, all of them.
pub(super) async fn seconds(count: usize) -> crate::Result<Scheduler> {
    let scheduler = Scheduler::new();
    for n in 0..count {
        let job = task_fn("nothing", |_cx| async { Ok(()) });
        scheduler.add(format!("schedule-{n}"), Schedule::cron("* * * * * *"), job).await?;
    }
    Ok(scheduler)
}
