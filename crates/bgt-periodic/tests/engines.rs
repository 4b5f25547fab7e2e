//! One suite for all engines: what rings may differ, what is fired may not.

use std::time::{Duration, SystemTime};

use bgt_periodic::{
    Engine, ManualClock, Native, Running, Schedule, ScheduleHandle, Scheduler, Tick, task_fn, with_tick,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const SECOND: Duration = Duration::from_secs(1);

/// An engine under test.
struct Bench {
    scheduler: Scheduler,
    /// Of a clock that has to be moved.
    clock: Option<ManualClock>,
}

impl Bench {
    fn of(engine: impl Engine) -> Self {
        Self { scheduler: Scheduler::builder().engine(engine).build(), clock: None }
    }

    fn manual() -> Self {
        let clock = ManualClock::new();
        Self { clock: Some(clock.clone()), ..Self::of(clock) }
    }

    fn now(&self) -> SystemTime {
        self.clock.as_ref().map_or_else(SystemTime::now, |clock| clock.now().wall)
    }

    async fn add(&self, name: &str, schedule: Schedule) -> (ScheduleHandle, UnboundedReceiver<Tick>) {
        let (sender, ticks) = unbounded_channel();
        let job = with_tick(move |tick: Tick| {
            let _ = sender.send(tick);
            task_fn("tell", |_cx| async { Ok(()) })
        });
        (self.scheduler.add(name, schedule, job).await.expect("a schedule that is added"), ticks)
    }

    /// The next tick, whenever it comes.
    async fn next(&self, ticks: &mut UnboundedReceiver<Tick>) -> Tick {
        if let Some(clock) = &self.clock {
            clock.settled().await;
            clock.advance(SECOND);
        }
        ticks.recv().await.expect("a schedule that goes on")
    }
}

fn is_whole(time: SystemTime) -> bool {
    time.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").subsec_nanos() == 0
}

async fn an_interval_is_on_its_grid_and_never_early(bench: &Bench) {
    let (handle, mut ticks) = bench.add("interval", Schedule::every(SECOND)).await;
    let first = handle.next(1)[0];
    let mut last = None;
    for _ in 0..3 {
        let tick = bench.next(&mut ticks).await;
        assert!(tick.fired_at >= tick.scheduled_at, "{tick:?} is early");
        assert!(last < Some(tick.scheduled_at), "{tick:?} comes again");
        let off = tick.scheduled_at.duration_since(first).unwrap_or_default().subsec_micros();
        // The wall clock may be slewed against the steady one.
        assert!(!(5_000..995_000).contains(&off), "{tick:?} is off the grid by {off} µs");
        last = Some(tick.scheduled_at);
    }
}

async fn a_pattern_fires_each_of_its_times_once(bench: &Bench) {
    let (_handle, mut ticks) =
        bench.add("pattern", Schedule::cron("* * * * * *").zone("Asia/Kathmandu")).await;
    let mut last = bench.next(&mut ticks).await;
    for _ in 0..2 {
        let tick = bench.next(&mut ticks).await;
        assert!(is_whole(tick.scheduled_at) && tick.fired_at >= tick.scheduled_at, "{tick:?}");
        let passed = tick.scheduled_at.duration_since(last.scheduled_at).expect("one after the other");
        assert_eq!(passed, SECOND * u32::try_from(tick.missed + 1).expect("few"), "{last:?} {tick:?}");
        last = tick;
    }
}

async fn an_earlier_time_wakes_who_waits_for_a_later_one(bench: &Bench) {
    let (_later, mut never) = bench.add("later", Schedule::every(SECOND * 3600)).await;
    let (handle, mut ticks) = bench.add("sooner", Schedule::after_completion(SECOND)).await;
    bench.next(&mut ticks).await;
    handle.idle().await;
    bench.next(&mut ticks).await;
    assert!(never.try_recv().is_err());
}

async fn a_single_time_fires_once(bench: &Bench) {
    let seconds = bench.now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs() + 1;
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let (handle, mut ticks) = bench.add("once", Schedule::at(at)).await;
    assert_eq!(bench.next(&mut ticks).await.scheduled_at, at);
    handle.idle().await;
    assert!(handle.next(1).is_empty() && bench.scheduler.get("once").is_none());
}

async fn a_pause_is_silent_and_then_it_goes_on(bench: &Bench) {
    let (handle, mut ticks) = bench.add("paused", Schedule::every(SECOND)).await;
    let (_other, mut others) = bench.add("other", Schedule::every(SECOND)).await;
    handle.pause();
    bench.next(&mut others).await;
    bench.next(&mut others).await;
    assert!(ticks.try_recv().is_err());
    handle.resume();
    bench.next(&mut ticks).await;
    handle.idle().await;
    assert_eq!(handle.statistics().skipped.total(), 0);
}

async fn a_stopped_scheduler_is_silent(bench: &Bench) {
    let (_handle, mut ticks) = bench.add("stopped", Schedule::every(SECOND)).await;
    bench.next(&mut ticks).await;
    bench.scheduler.stop(Running::Finish, SECOND * 60).await;
    while ticks.try_recv().is_ok() {}
    // All that could send has gone with the schedule.
    drop(_handle);
    if let Some(clock) = &bench.clock {
        clock.advance(SECOND * 5);
    }
    assert!(ticks.recv().await.is_none());
}

/// A test of each case for an engine.
macro_rules! conformance {
    ($engine:ident, $bench:expr, $($case:ident),* $(,)?) => {
        mod $engine {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(&$bench).await;
                }
            )*
        }
    };
    ($engine:ident, $bench:expr) => {
        conformance!(
            $engine, $bench,
            an_interval_is_on_its_grid_and_never_early,
            a_pattern_fires_each_of_its_times_once,
            an_earlier_time_wakes_who_waits_for_a_later_one,
            a_single_time_fires_once,
            a_pause_is_silent_and_then_it_goes_on,
            a_stopped_scheduler_is_silent,
        );
    };
}

conformance!(manual, Bench::manual());
conformance!(native, Bench::of(Native::new()));
#[cfg(feature = "tokio-cron")]
conformance!(tokio_cron, Bench::of(jobs().await));

#[cfg(feature = "tokio-cron")]
async fn jobs() -> bgt_periodic::TokioCron {
    let jobs = tokio_cron_scheduler::JobScheduler::new().await.expect("a job scheduler");
    jobs.start().await.expect("a job scheduler that starts");
    bgt_periodic::TokioCron::new(jobs)
}

#[cfg(feature = "tokio-cron")]
#[tokio::test]
async fn what_tokio_cron_cannot_do_is_refused_with_the_way_out() {
    let scheduler = Scheduler::builder().engine(jobs().await).build();
    for schedule in [
        Schedule::every(Duration::from_millis(250)),
        Schedule::after_completion(Duration::from_millis(1500)),
        Schedule::at(SystemTime::UNIX_EPOCH + Duration::from_millis(4_102_444_800_500)),
    ] {
        let job = task_fn("t", |_cx| async { Ok(()) });
        let refused = scheduler.add("fine", schedule, job).await.unwrap_err().to_string();
        assert!(
            refused.contains("tokio-cron-scheduler") && refused.contains("use whole seconds"),
            "{refused}"
        );
    }
}
