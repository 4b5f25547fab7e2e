//! P17: a schedule goes on, whatever becomes of its firings.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bgt_periodic::{
    Cause, Event, ManualClock, Misfire, Observer, Outcome, Overlap, Pattern, Retry, Runs, Schedule,
    Scheduler, Skipped, Status, TaskError, TaskFn, Tick, task_fn, with_tick,
};
use support::{Fired, all, ticks};

const MINUTE: Duration = Duration::from_secs(60);

fn every_minute() -> Schedule {
    Schedule::cron("* * * * *")
}

#[tokio::test]
async fn a_tick_says_which_time_it_is_for() {
    let clock = ManualClock::new();
    let Fired { mut ticks, handle, .. } = ticks(&clock, "minutes", every_minute()).await;
    let first = handle.next(1)[0];
    clock.advance(MINUTE + Duration::from_millis(20));
    let tick = ticks.recv().await.unwrap();
    assert_eq!((&*tick.schedule, tick.scheduled_at, tick.missed), ("minutes", first, 0));
    assert_eq!((tick.cause, tick.lateness()), (Cause::Scheduled, Duration::from_millis(20)));
    handle.idle().await;
    let lateness = handle.statistics().lateness;
    assert_eq!((lateness.last, lateness.max, lateness.count), (tick.lateness(), tick.lateness(), 1));
}

#[tokio::test]
async fn every_interval_is_on_its_grid_however_late_it_is_looked_at() {
    let clock = ManualClock::new();
    let schedule = Schedule::every(Duration::from_millis(250));
    let Fired { mut ticks, handle, .. } = ticks(&clock, "health", schedule).await;
    let first = handle.next(1)[0];
    for (late, at, missed) in [(255, 0, 0), (245, 1, 0), (1100, 5, 3)] {
        clock.advance(Duration::from_millis(late));
        let tick = ticks.recv().await.unwrap();
        let scheduled_at = first + Duration::from_millis(250) * at;
        assert_eq!((tick.scheduled_at, tick.missed, tick.cause), (scheduled_at, missed, Cause::Scheduled));
    }
}

#[tokio::test]
async fn setting_the_clock_moves_no_interval() {
    let clock = ManualClock::new();
    let Fired { mut ticks, handle, .. } = ticks(&clock, "steady", Schedule::every(MINUTE)).await;
    for days in [-400_i64, 400] {
        let wall = handle.next(1)[0] - MINUTE;
        let step = Duration::from_secs(days.unsigned_abs() * 86_400);
        clock.set_wall(if days < 0 { wall - step } else { wall + step });
        clock.settled().await;
        assert!(ticks.try_recv().is_err(), "nothing is due");
        clock.advance(MINUTE);
        assert_eq!(ticks.recv().await.unwrap().cause, Cause::Scheduled);
    }
}

#[tokio::test]
async fn a_clock_set_back_a_little_fires_nothing_twice_and_a_lot_is_a_correction() {
    let clock = ManualClock::new();
    let Fired { mut ticks, handle, .. } = ticks(&clock, "minutes", every_minute()).await;
    let start = handle.next(1)[0] - MINUTE;
    clock.advance(MINUTE * 2);
    let tick = ticks.recv().await.unwrap();
    assert_eq!((tick.scheduled_at, tick.missed), (start + MINUTE * 2, 1));
    clock.set_wall(start);
    clock.settled().await;
    clock.advance(MINUTE * 2 + Duration::from_secs(59));
    clock.settled().await;
    assert!(ticks.try_recv().is_err(), "those times have been fired");
    clock.advance(Duration::from_secs(1));
    assert_eq!(ticks.recv().await.unwrap().scheduled_at, start + MINUTE * 3);
    // The machine had started with a clock of years to come.
    let years_ago = start - Duration::from_secs(3 * 365 * 86_400);
    clock.set_wall(years_ago);
    clock.settled().await;
    clock.advance(MINUTE);
    assert_eq!(ticks.recv().await.unwrap().scheduled_at, years_ago + MINUTE);
}

#[tokio::test]
async fn after_a_sleep_the_misfire_policy_holds() {
    let hours = |n: u64| Duration::from_secs(3600 * n);
    for (misfire, fired, skipped) in [
        (Misfire::Skip, 0, 8),
        (Misfire::Once { grace: hours(1) }, 1, 0),
        (Misfire::Once { grace: MINUTE }, 0, 8),
        (Misfire::All { cap: 3 }, 3, 5),
    ] {
        let clock = ManualClock::new();
        let schedule = Schedule::cron("@hourly").misfire(misfire);
        let Fired { mut ticks, handle, .. } = ticks(&clock, "hours", schedule).await;
        clock.advance(hours(8) + MINUTE * 20);
        clock.settled().await;
        handle.idle().await;
        let fired_ticks = all(&mut ticks);
        assert_eq!(fired_ticks.len(), fired, "{misfire:?}");
        assert!(fired_ticks.iter().all(|tick| tick.cause == Cause::CatchUp), "{misfire:?}");
        assert!(fired_ticks.windows(2).all(|two| two[0].scheduled_at < two[1].scheduled_at), "{misfire:?}");
        let statistics = handle.statistics();
        assert_eq!((statistics.misfires, statistics.skipped.missed), (8, skipped), "{misfire:?}");
        // And it goes on.
        clock.advance(MINUTE * 40);
        assert_eq!(ticks.recv().await.unwrap().cause, Cause::Scheduled, "{misfire:?}");
    }
}

#[tokio::test]
async fn what_fails_panics_or_hangs_does_not_stop_the_schedule() {
    let clock = ManualClock::new();
    let scheduler = Scheduler::builder().engine(clock.clone()).build();
    let turn = AtomicU32::new(0);
    let job = with_tick(move |_tick: Tick| {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        assert!(turn % 5 != 4, "the factory panics");
        task_fn("trouble", move |_cx| async move {
            match turn % 5 {
                0 => Ok(()),
                1 => Err(TaskError::msg("no space left")),
                2 => panic!("out of cheese"),
                _ => std::future::pending().await,
            }
        })
    });
    let schedule = every_minute().deadline(Duration::from_millis(5)).history(100);
    let handle = scheduler.add("trouble", schedule, job).await.unwrap();
    for _ in 0..20 {
        clock.advance(MINUTE);
        clock.settled().await;
        handle.idle().await;
    }
    let statistics = handle.statistics();
    assert_eq!((statistics.runs, statistics.succeeded, statistics.failed), (20, 4, 16));
    let mut ends: Vec<_> = handle.history().into_iter().rev().collect();
    ends.truncate(5);
    let ends: Vec<_> = ends
        .into_iter()
        .map(|record| match record.outcome {
            Outcome::Ran { status, error, .. } => (status, error.unwrap_or_default()),
            other => panic!("{other:?}"),
        })
        .collect();
    for ((status, error), (expected, words)) in ends.iter().zip([
        (Status::Succeeded, ""),
        (Status::Failed, "no space left"),
        (Status::Failed, "out of cheese"),
        (Status::TimedOut, "deadline"),
        (Status::Failed, "the factory panics"),
    ]) {
        assert!(*status == expected && error.contains(words), "{status} {error}");
    }
}

struct Bomb;

impl Observer for Bomb {
    fn event(&self, _event: &Event) {
        panic!("an observer that panics");
    }
}

#[tokio::test]
async fn observers_hear_of_runs_and_one_that_panics_disturbs_nobody() {
    let clock = ManualClock::new();
    let runs = Runs::new();
    let builder = Scheduler::builder().engine(clock.clone()).observer(Arc::new(Bomb));
    let scheduler = builder.observer(Arc::new(runs.clone())).build();
    let quick = task_fn("quick", |_cx| async { Ok(7) });
    let handle = scheduler.add("minutes", every_minute(), quick).await.unwrap();
    clock.advance(MINUTE);
    clock.settled().await;
    handle.idle().await;
    let run = &runs.recent()[0];
    assert_eq!((&*run.name, run.pattern, run.status), ("quick", Pattern::Periodic, Status::Succeeded));
    let Outcome::Ran { run: id, .. } = handle.history()[0].outcome else { panic!() };
    assert_eq!(run.id, id);
}

fn fails_twice() -> TaskFn<impl Fn(bgt_periodic::Context) -> std::future::Ready<Result<(), TaskError>>> {
    task_fn("flaky", |cx: bgt_periodic::Context| {
        std::future::ready(if cx.attempt() < 3 { Err(TaskError::msg("not yet")) } else { Ok(()) })
    })
}

#[tokio::test]
async fn a_firing_is_tried_again_as_its_policy_says() {
    let clock = ManualClock::new();
    let scheduler = Scheduler::builder().engine(clock.clone()).build();
    let retry = Retry::attempts(3).backoff(Duration::ZERO, Duration::ZERO);
    let handle = scheduler.add("flaky", every_minute().retry(retry), fails_twice()).await.unwrap();
    clock.advance(MINUTE);
    clock.settled().await;
    handle.idle().await;
    let history = handle.history();
    assert!(
        matches!(history[0].outcome, Outcome::Ran { status: Status::Succeeded, attempts: 3, .. }),
        "{history:?}"
    );
}

/// A task that runs until it is told to end, and says that it has begun.
struct Held {
    scheduler: Scheduler,
    handle: bgt_periodic::ScheduleHandle,
    clock: ManualClock,
    begun: tokio::sync::mpsc::UnboundedReceiver<Tick>,
    end: Arc<tokio::sync::Semaphore>,
}

async fn held(schedule: Schedule) -> Held {
    let clock = ManualClock::new();
    let scheduler = Scheduler::builder().engine(clock.clone()).build();
    let (sender, begun) = tokio::sync::mpsc::unbounded_channel();
    let end = Arc::new(tokio::sync::Semaphore::new(0));
    let job = {
        let end = end.clone();
        with_tick(move |tick: Tick| {
            let (sender, end) = (sender.clone(), end.clone());
            task_fn("held", move |cx: bgt_periodic::Context| {
                let (tick, sender, end) = (tick.clone(), sender.clone(), end.clone());
                async move {
                    let _ = sender.send(tick);
                    tokio::select! {
                        permit = end.acquire() => permit?.forget(),
                        reason = cx.cancelled() => return Err(bgt_periodic::Cancelled { reason }.into()),
                    }
                    Ok(())
                }
            })
        })
    };
    let handle = scheduler.add("held", schedule, job).await.unwrap();
    clock.settled().await;
    Held { scheduler, handle, clock, begun, end }
}

impl Held {
    async fn minutes(&self, n: u32) {
        for _ in 0..n {
            self.clock.advance(MINUTE);
            self.clock.settled().await;
        }
    }
}

#[tokio::test]
async fn overlap_skips_and_counts() {
    let mut held = held(every_minute()).await;
    held.minutes(3).await;
    held.begun.recv().await.unwrap();
    held.end.add_permits(1);
    held.handle.idle().await;
    let statistics = held.handle.statistics();
    assert_eq!((statistics.runs, statistics.skipped.overlap, statistics.skipped.total()), (1, 2, 2));
    assert!(matches!(
        held.handle.history()[1].outcome,
        Outcome::Skipped { reason: Skipped::Overlap, count: 1, .. }
    ));
    held.minutes(1).await;
    assert!(held.begun.recv().await.is_some(), "and it goes on");
}

#[tokio::test]
async fn overlap_allows_so_many() {
    let mut held = held(every_minute().overlap(Overlap::Allow(2))).await;
    held.minutes(3).await;
    held.begun.recv().await.unwrap();
    held.begun.recv().await.unwrap();
    assert_eq!((held.handle.statistics().running, held.handle.statistics().skipped.overlap), (2, 1));
    held.end.add_permits(2);
    held.handle.idle().await;
    assert_eq!(held.handle.statistics().succeeded, 2);
}

#[tokio::test]
async fn overlap_queues_in_order() {
    let mut held = held(every_minute().overlap(Overlap::Queue(2))).await;
    let first = held.handle.next(1)[0];
    held.minutes(4).await;
    let statistics = held.handle.statistics();
    assert_eq!((statistics.running, statistics.waiting, statistics.skipped.queue_full), (1, 2, 1));
    held.end.add_permits(3);
    for n in 0..3 {
        assert_eq!(held.begun.recv().await.unwrap().scheduled_at, first + MINUTE * n);
    }
    held.handle.idle().await;
    assert_eq!(held.handle.statistics().succeeded, 3);
}

#[tokio::test]
async fn overlap_replaces_what_runs() {
    let mut held = held(every_minute().overlap(Overlap::Replace)).await;
    held.minutes(1).await;
    held.begun.recv().await.unwrap();
    held.minutes(1).await;
    let second = held.begun.recv().await.unwrap();
    held.end.add_permits(1);
    held.handle.idle().await;
    let statistics = held.handle.statistics();
    assert_eq!((statistics.cancelled, statistics.succeeded), (1, 1), "{:?}", held.handle.history());
    let Outcome::Ran { run, .. } = held.handle.history()[0].outcome else { panic!() };
    assert_eq!(run, second.run);
}

#[tokio::test]
async fn what_was_replaced_and_does_not_end_can_be_ended_by_force() {
    let clock = ManualClock::new();
    let scheduler = Scheduler::builder().engine(clock.clone()).build();
    let (sender, mut begun) = tokio::sync::mpsc::unbounded_channel();
    let stubborn = task_fn("stubborn", move |cx: bgt_periodic::Context| {
        let _ = sender.send(());
        async move {
            cx.cancelled().await;
            std::future::pending::<Result<(), TaskError>>().await
        }
    });
    let stubborn = stubborn.stop_budget(MINUTE * 60);
    let handle = scheduler.add("stubborn", every_minute().overlap(Overlap::Replace), stubborn).await.unwrap();
    clock.settled().await;
    clock.advance(MINUTE);
    begun.recv().await.unwrap();
    clock.advance(MINUTE);
    clock.settled().await;
    assert_eq!((handle.statistics().running, handle.statistics().waiting), (1, 1));
    handle.cancel_running();
    begun.recv().await.expect("the one that has waited");
    assert_eq!((handle.statistics().cancelled, handle.statistics().running), (1, 1));
}

#[tokio::test]
async fn what_is_cancelled_is_what_runs_and_not_what_comes_next() {
    let mut held = held(every_minute()).await;
    for n in 1..3 {
        held.minutes(1).await;
        held.begun.recv().await.unwrap();
        held.handle.cancel_running();
        held.handle.idle().await;
        held.minutes(1).await;
        held.begun.recv().await.unwrap();
        held.end.add_permits(1);
        held.handle.idle().await;
        let statistics = held.handle.statistics();
        assert_eq!((statistics.cancelled, statistics.succeeded), (n, n), "{:?}", held.handle.history());
    }
}

#[tokio::test]
async fn after_completion_counts_from_the_end() {
    let mut held = held(Schedule::after_completion(MINUTE)).await;
    held.minutes(1).await;
    held.begun.recv().await.unwrap();
    assert!(held.handle.next(1).is_empty(), "nobody knows yet");
    held.minutes(5).await;
    held.end.add_permits(1);
    held.handle.idle().await;
    assert_eq!(held.handle.statistics().skipped.total(), 0);
    held.clock.advance(MINUTE - Duration::from_millis(1));
    held.clock.settled().await;
    assert!(held.begun.try_recv().is_err());
    held.clock.advance(Duration::from_millis(1));
    held.begun.recv().await.unwrap();
}

#[tokio::test]
async fn stopping_lets_finish_or_asks_and_forces_what_is_left() {
    use bgt_periodic::Running::{Cancel, Finish};
    for (running, permits, succeeded, cancelled) in [(Finish, 1, 1, 0), (Cancel, 0, 0, 1), (Finish, 0, 0, 1)]
    {
        let mut held = held(every_minute().overlap(Overlap::Queue(5))).await;
        held.minutes(3).await;
        held.begun.recv().await.unwrap();
        held.end.add_permits(permits);
        let stopped = held
            .scheduler
            .stop(running, Duration::from_millis(if permits == 0 { 200 } else { 60_000 }))
            .await;
        assert_eq!(stopped.left, 0, "{running:?}");
        let statistics = held.handle.statistics();
        assert_eq!((statistics.succeeded, statistics.cancelled), (succeeded, cancelled), "{running:?}");
        assert_eq!((statistics.skipped.stopped, statistics.waiting), (2, 0), "{running:?}");
        assert!(held.begun.try_recv().is_err(), "nothing starts any more");
        let again = held.scheduler.add("late", every_minute(), fails_twice()).await.unwrap_err();
        assert!(again.to_string().contains("stopped"), "{again}");
    }
}

#[tokio::test]
async fn dropping_the_scheduler_and_its_handles_stops_what_runs() {
    let mut held = held(every_minute()).await;
    held.minutes(1).await;
    held.begun.recv().await.unwrap();
    let Held { scheduler, handle, mut begun, .. } = held;
    drop(scheduler);
    assert_eq!(handle.statistics().running, 1, "a handle holds it");
    drop(handle);
    // The task, and with it the sender, is gone.
    assert!(begun.recv().await.is_none());
}

#[tokio::test]
async fn removing_lets_finish_or_cancels_and_frees_the_name() {
    use bgt_periodic::Running::{Cancel, Finish};
    for (running, succeeded) in [(Finish, 1), (Cancel, 0)] {
        let mut held = held(every_minute()).await;
        held.minutes(1).await;
        held.begun.recv().await.unwrap();
        let removed = held.handle.remove(running);
        assert!(held.scheduler.get("held").is_none() && held.handle.next(1).is_empty());
        if running == Finish {
            held.end.add_permits(1);
        }
        removed.await;
        let statistics = held.handle.statistics();
        assert_eq!((statistics.runs, statistics.succeeded), (1, succeeded));
        assert!(held.handle.run_now().is_err());
        held.scheduler.add("held", every_minute(), fails_twice()).await.unwrap();
    }
}
