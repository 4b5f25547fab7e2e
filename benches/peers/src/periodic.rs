//! Other crates that fire on time, as their documentation recommends.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bgt_benches::periodic::{Firings, Held, Making, Pattern, Rival};
use tokio_cron_scheduler::{Job, JobScheduler};

/// All of them.
pub const RIVALS: &[Rival] =
    &[Rival { name: "tokio-cron-scheduler", one: Some(one), many: Some(many), add: Some(add) }];

/// Stops when it is dropped: what it spawned goes on otherwise until the runtime ends.
struct Stops(JobScheduler);

impl Drop for Stops {
    fn drop(&mut self) {
        let mut jobs = self.0.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn(async move { jobs.shutdown().await }));
        }
    }
}

/// Of its default of 200 jobs it holds back, those beyond are lost when all are due at once (its issue 61): of ten thousand, 225
/// were fired. So this is with room for all.
const ROOM: usize = 20_000;

async fn started() -> bgt_benches::Result<JobScheduler> {
    let jobs = JobScheduler::new_with_channel_size(ROOM).await?;
    jobs.start().await?;
    Ok(jobs)
}

/// Every second, its finest. The latest whole second is the one that a firing is for.
fn one(firings: Arc<Firings>) -> Making {
    Box::pin(async move {
        let jobs = started().await?;
        let job = Job::new("* * * * * *", move |_id, _jobs| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            firings.fired(SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs()));
        })?;
        jobs.add(job).await?;
        Ok(Box::new(Stops(jobs)) as Held)
    })
}

fn many(count: usize, firings: Arc<Firings>) -> Making {
    Box::pin(async move {
        let jobs = JobScheduler::new_with_channel_size(ROOM).await?;
        for _ in 0..count {
            let firings = firings.clone();
            jobs.add(Job::new("* * * * * *", move |_id, _jobs| firings.fired_this_second())?).await?;
        }
        jobs.start().await?;
        Ok(Box::new(Stops(jobs)) as Held)
    })
}

fn add(count: usize, pattern: Pattern) -> Making {
    Box::pin(async move {
        let jobs = started().await?;
        for n in 0..count {
            // Its patterns begin with the second.
            jobs.add(Job::new(format!("0 {}", pattern.of(n)), |_id, _jobs| {})?).await?;
        }
        Ok(Box::new(Stops(jobs)) as Held)
    })
}
