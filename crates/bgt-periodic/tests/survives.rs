//! What a schedule survives of its users' code and of its surroundings, and what can always be stopped.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bgt_periodic::{
    Alarm, CancelReason, Context, Engine, ManualClock, Native, Now, Overlap, Running, Schedule,
    ScheduleError, Scheduler, Status, Task, TaskError, task_fn, with_tick,
};
use support::HANG;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

fn often() -> Schedule {
    Schedule::every(Duration::from_millis(5))
}

/// A task that says each time that it runs.
fn beats() -> (impl Task<Output = ()> + 'static, UnboundedReceiver<()>) {
    let (sender, beats) = unbounded_channel();
    let beat = task_fn("beat", move |_cx| {
        let _ = sender.send(());
        async { Ok(()) }
    });
    (beat, beats)
}

/// It says when it begins, ignores that it is asked to stop, and says when it is gone.
struct Stubborn {
    begun: UnboundedSender<()>,
    budget: Duration,
}

#[async_trait]
impl Task for Stubborn {
    type Output = ();

    fn name(&self) -> std::borrow::Cow<'_, str> {
        "stubborn".into()
    }

    async fn run(&self, cx: Context) -> Result<(), TaskError> {
        let _ = self.begun.send(());
        let _ = cx.cancelled().await;
        std::future::pending().await
    }

    fn stop_budget(&self) -> Duration {
        self.budget
    }
}

fn stubborn() -> (Stubborn, UnboundedReceiver<()>) {
    let (begun, has_begun) = unbounded_channel();
    (Stubborn { begun, budget: Duration::from_secs(3600) }, has_begun)
}

struct PanicsWhenDropped(UnboundedSender<()>);

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
        panic!("dropped");
    }
}

#[tokio::test]
async fn what_panics_when_it_is_dropped_disturbs_no_other_schedule() {
    let scheduler = Scheduler::new();
    let (beat, mut beats) = beats();
    scheduler.add("beat", often(), beat).await.unwrap();
    let (sender, mut dropped) = unbounded_channel();
    let bomb = PanicsWhenDropped(sender);
    let job = task_fn("bomb", move |_cx| {
        let _bomb = &bomb;
        async { Ok(()) }
    });
    // One that would not be woken for a year, so that only its removal lets go of it.
    let bomb = scheduler.add("bomb", Schedule::cron("@yearly"), job).await.unwrap();
    bomb.remove(Running::Finish).await;
    dropped.try_recv().expect("removed is let go of");
    while beats.try_recv().is_ok() {}
    timeout(HANG, beats.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_task_of_one_tick_that_panics_when_it_is_dropped_does_not_stop_its_schedule() {
    let scheduler = Scheduler::new();
    let (sender, mut dropped) = unbounded_channel();
    let job = with_tick(move |_tick| {
        let bomb = PanicsWhenDropped(sender.clone());
        task_fn("bomb", move |_cx| {
            let _bomb = &bomb;
            async { Ok(()) }
        })
    });
    let bomb = scheduler.add("bomb", often().overlap(Overlap::Queue(2)), job).await.unwrap();
    for _ in 0..5 {
        timeout(HANG, dropped.recv()).await.unwrap().unwrap();
    }
    bomb.remove(Running::Finish).await;
    let statistics = bomb.statistics();
    assert_eq!((statistics.running, statistics.failed), (0, 0), "{statistics:?}");
    assert!(statistics.succeeded >= 5, "{statistics:?}");
}

/// The system's clocks, and a panic in the first waits.
struct Panics(Native, AtomicU32);

#[async_trait]
impl Engine for Panics {
    fn now(&self) -> Now {
        self.0.now()
    }

    async fn until(&self, alarm: Alarm) {
        assert!(self.1.fetch_add(1, Ordering::SeqCst) > 0, "the first wait");
        self.0.until(alarm).await;
    }
}

#[tokio::test]
async fn an_engine_that_panics_does_not_stop_the_schedules() {
    let engine = Panics(Native::new(), AtomicU32::new(0));
    let scheduler = Scheduler::builder().engine(engine).build();
    let (beat, mut beats) = beats();
    scheduler.add("beat", often(), beat).await.unwrap();
    timeout(HANG, beats.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_second_stop_ends_what_the_first_lets_finish() {
    let scheduler = Scheduler::new();
    let (task, mut begun) = stubborn();
    let handle = scheduler.add("stubborn", often(), task).await.unwrap();
    begun.recv().await.unwrap();
    let patient = tokio::spawn(scheduler.stop(Running::Finish, Duration::from_secs(3600)));
    let stopped = scheduler.stop(Running::Cancel, Duration::from_millis(100)).await;
    assert_eq!((stopped.left, handle.statistics().cancelled), (0, 1));
    assert_eq!(timeout(HANG, patient).await.unwrap().unwrap().left, 0);
}

#[tokio::test]
async fn what_was_removed_and_runs_on_is_stopped_with_the_scheduler() {
    for drops in [false, true] {
        let scheduler = Scheduler::new();
        let (mut task, mut begun) = stubborn();
        if drops {
            task.budget = Duration::ZERO;
        }
        let handle = scheduler.add("stubborn", often(), task).await.unwrap();
        begun.recv().await.unwrap();
        drop(handle.remove(Running::Finish));
        if drops {
            drop((scheduler, handle));
        } else {
            assert_eq!(scheduler.stop(Running::Cancel, Duration::from_millis(100)).await.left, 0);
        }
        // The task, and with it the sender, is gone.
        assert!(timeout(HANG, begun.recv()).await.unwrap().is_none());
    }
}

#[test]
fn when_its_runtime_is_gone_nothing_waits_for_ever_and_everybody_is_told() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let scheduler = Scheduler::new();
    let (task, mut begun) = stubborn();
    let first = runtime();
    let handle = first.block_on(async {
        let handle = scheduler.add("stubborn", often().overlap(Overlap::Queue(3)), task).await.unwrap();
        begun.recv().await.unwrap();
        while handle.statistics().waiting < 3 {
            handle.run_now().ok();
        }
        handle
    });
    first.shutdown_background();
    runtime().block_on(async {
        timeout(HANG, handle.idle()).await.expect("nothing runs any more");
        let statistics = handle.statistics();
        assert_eq!((statistics.running, statistics.waiting), (0, 0), "{statistics:?}");
        let error = loop {
            // The one who would have fired it may be about to go.
            match scheduler.add("late", often(), task_fn("late", |_cx| async { Ok(()) })).await {
                Err(error) => break error,
                Ok(handle) => handle.remove(Running::Cancel).await,
            }
        };
        assert!(matches!(error, ScheduleError::RuntimeGone), "{error}");
        assert!(handle.run_now().is_err());
        timeout(HANG, handle.remove(Running::Cancel)).await.unwrap();
    });
}

#[tokio::test]
async fn what_is_replaced_or_removed_hears_that_it_was_halted() {
    let scheduler = Scheduler::new();
    let (sender, mut reasons) = unbounded_channel();
    let job = task_fn("listens", move |cx: Context| {
        let sender = sender.clone();
        async move {
            let reason = cx.cancelled().await;
            let _ = sender.send(reason);
            Ok(())
        }
    });
    let handle = scheduler.add("listens", often().overlap(Overlap::Replace), job).await.unwrap();
    assert_eq!(timeout(HANG, reasons.recv()).await.unwrap(), Some(CancelReason::Halted));
    handle.remove(Running::Cancel).await;
    while let Ok(reason) = reasons.try_recv() {
        assert_eq!(reason, CancelReason::Halted);
    }
}

#[tokio::test]
async fn how_late_a_firing_is_counts_until_it_begins() {
    let clock = ManualClock::new();
    let schedule = Schedule::every(Duration::from_secs(60)).overlap(Overlap::Queue(5));
    let scheduler = Scheduler::builder().engine(clock.clone()).build();
    let (begun, mut has_begun) = unbounded_channel();
    let end = Arc::new(tokio::sync::Semaphore::new(0));
    let held = end.clone();
    let job = task_fn("held", move |_cx| {
        let (end, begun) = (held.clone(), begun.clone());
        async move {
            let _ = begun.send(());
            end.acquire().await.map_err(TaskError::new)?.forget();
            Ok(())
        }
    });
    let handle = scheduler.add("held", schedule, job).await.unwrap();
    clock.settled().await;
    for _ in 0..2 {
        clock.advance(Duration::from_secs(60));
        clock.settled().await;
    }
    has_begun.recv().await.unwrap();
    clock.advance(Duration::from_secs(30));
    clock.settled().await;
    end.add_permits(2);
    handle.idle().await;
    let lateness = handle.statistics().lateness;
    assert_eq!((lateness.count, lateness.last), (2, Duration::from_secs(30)), "{lateness:?}");
    assert!(matches!(
        handle.history()[0].outcome,
        bgt_periodic::Outcome::Ran { status: Status::Succeeded, .. }
    ));
}

#[test]
#[should_panic(expected = "IO is disabled")]
#[cfg_attr(not(target_os = "linux"), ignore = "only the timers of Linux need the driver for I/O")]
fn a_runtime_without_what_is_needed_is_noticed_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _ = runtime.block_on(async {
        Scheduler::new().add("late", often(), task_fn("late", |_cx| async { Ok(()) })).await
    });
}

#[test]
fn what_cannot_be_is_found_without_a_scheduler() {
    let refused = |schedule: Schedule, words: &str| {
        let error = schedule.check().unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert_eq!(schedule.next(std::time::SystemTime::now(), 1).unwrap_err().to_string(), error);
    };
    refused(Schedule::cron("nonsense"), "cron pattern \"nonsense\"");
    refused(Schedule::cron("61 * * * *"), "cron pattern \"61 * * * *\"");
    refused(Schedule::cron("0 0 30 2 *"), "never fires: no day is like that");
    refused(Schedule::cron("@daily").zone("Mars/Olympus"), "unknown time zone \"Mars/Olympus\"");
    let far = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(400 * 366 * 86_400);
    refused(Schedule::at(far), "use a time between the years 1678 and 2261");
}
