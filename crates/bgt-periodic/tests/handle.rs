//! What a handle does and says.

mod support;

use std::time::{Duration, SystemTime};

use bgt_periodic::{
    Cause, Engine, ManualClock, Misfire, Outcome, Overlap, Schedule, ScheduleError, Scheduler, task_fn,
};
use support::{Fired, all, ticks};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_paused_schedule_is_silent_and_resumes_with_what_comes_next() {
    let clock = ManualClock::new();
    let schedule = Schedule::cron("* * * * *").misfire(Misfire::All { cap: 10 });
    let Fired { mut ticks, handle, .. } = ticks(&clock, "minutes", schedule).await;
    for (catches_up, expected) in [(false, 0), (true, 3)] {
        handle.pause();
        assert!(handle.is_paused() && handle.describe().ends_with("paused"));
        clock.advance(MINUTE * 3 + Duration::from_secs(10));
        clock.settled().await;
        assert!(ticks.try_recv().is_err());
        if catches_up {
            handle.resume_and_catch_up();
        } else {
            handle.resume();
        }
        let mut fired = Vec::new();
        while fired.len() < expected {
            fired.push(ticks.recv().await.unwrap());
        }
        assert!(fired.iter().all(|tick| tick.cause == Cause::CatchUp), "{fired:?}");
        clock.advance(Duration::from_secs(50));
        let tick = ticks.recv().await.unwrap();
        assert_eq!(tick.cause, Cause::Scheduled);
        assert!(all(&mut ticks).is_empty());
    }
}

#[tokio::test]
async fn run_now_fires_beside_the_times_also_when_paused() {
    let clock = ManualClock::new();
    let Fired { mut ticks, handle, .. } = ticks(&clock, "minutes", Schedule::cron("* * * * *")).await;
    handle.pause();
    let (before, run) = (handle.next(1), handle.run_now().unwrap());
    let tick = ticks.recv().await.unwrap();
    assert_eq!((tick.cause, tick.run), (Cause::Manual, run));
    assert_eq!(handle.next(1), before);
    handle.idle().await;
    assert_eq!((handle.statistics().succeeded, handle.statistics().lateness.count), (1, 0));
}

#[tokio::test]
async fn run_now_says_why_not() {
    let clock = ManualClock::new();
    let scheduler = Scheduler::builder().engine(clock).build();
    let endless = task_fn("endless", |_cx| std::future::pending::<Result<(), bgt_periodic::TaskError>>());
    let handle = scheduler.add("endless", Schedule::cron("@daily"), endless).await.unwrap();
    handle.run_now().unwrap();
    let refused = handle.run_now().unwrap_err();
    assert_eq!(refused.to_string(), "not run now: an earlier one is running");
    handle.cancel_running();
    handle.idle().await;
    assert_eq!(handle.statistics().cancelled, 1);
    handle.run_now().unwrap();
}

#[tokio::test]
async fn next_foretells_what_is_fired_jitter_included() {
    let clock = ManualClock::new();
    let schedule = Schedule::cron("@hourly").jitter(Duration::from_secs(600));
    let Fired { mut ticks, handle, .. } = ticks(&clock, "spread", schedule.clone()).await;
    let next = handle.next(3);
    let plain = schedule.next(next[0] - Duration::from_secs(3600), 1).unwrap()[0];
    let jitter = next[0].duration_since(plain).unwrap();
    assert!(jitter > Duration::ZERO && jitter < Duration::from_secs(600), "{jitter:?}");
    let mut now = plain - Duration::from_secs(3600);
    for due in next {
        clock.advance(due.duration_since(now).unwrap() - Duration::from_nanos(100));
        clock.settled().await;
        assert!(ticks.try_recv().is_err(), "it is not time yet");
        clock.advance(Duration::from_nanos(100));
        let tick = ticks.recv().await.unwrap();
        assert_eq!((tick.fired_at, tick.scheduled_at), (due, due - jitter));
        now = due;
    }
}

#[tokio::test]
async fn what_is_made_up_for_is_not_delayed_again() {
    let clock = ManualClock::new();
    let schedule = Schedule::cron("@hourly").jitter(Duration::from_secs(600));
    let Fired { mut ticks, scheduler: _scheduler, .. } = ticks(&clock, "spread", schedule).await;
    clock.advance(MINUTE * (8 * 60 + 20));
    let woken = clock.now().wall;
    let tick = ticks.recv().await.unwrap();
    assert_eq!((tick.cause, tick.missed, tick.fired_at), (Cause::CatchUp, 7, woken));
}

#[tokio::test]
async fn a_single_time_is_fired_once_and_then_forgotten() {
    let clock = ManualClock::new();
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600 + 90);
    let Fired { mut ticks, handle, scheduler } = ticks(&clock, "once", Schedule::at(at)).await;
    assert_eq!((handle.next(5), scheduler.schedules().len()), (vec![at], 1));
    clock.advance(Duration::from_secs(90));
    assert_eq!(ticks.recv().await.unwrap().scheduled_at, at);
    handle.idle().await;
    assert!(handle.next(5).is_empty() && scheduler.get("once").is_none());
    assert_eq!(handle.statistics().succeeded, 1);
    // One that has just passed is made up for, one of last year is refused.
    let just_now =
        scheduler.add("late", Schedule::at(at - MINUTE), task_fn("t", |_cx| async { Ok(()) })).await.unwrap();
    clock.advance(Duration::ZERO);
    clock.settled().await;
    just_now.idle().await;
    let history = just_now.history();
    assert!(matches!(history[0].outcome, Outcome::Ran { cause: Cause::CatchUp, .. }), "{history:?}");
    let last_year = Schedule::at(at - MINUTE * 60 * 24 * 365);
    let refused = scheduler.add("past", last_year, task_fn("t", |_cx| async { Ok(()) })).await.unwrap_err();
    assert_eq!(refused.to_string(), "once at 2025-01-01T00:01:30Z never fires: its time has passed");
}

#[tokio::test]
async fn the_history_is_as_long_as_asked_for() {
    let clock = ManualClock::new();
    let schedule = Schedule::cron("* * * * *").history(3);
    let Fired { handle, .. } = ticks(&clock, "minutes", schedule).await;
    let mut last = handle.next(1)[0];
    for _ in 0..5 {
        last = handle.next(1)[0];
        clock.advance(MINUTE);
        clock.settled().await;
        handle.idle().await;
    }
    let history = handle.history();
    assert_eq!((history.len(), history[0].scheduled_at, handle.statistics().runs), (3, last, 5));
}

#[tokio::test]
async fn many_are_known_by_name() {
    let scheduler = Scheduler::new();
    for name in ["b", "a", "c"] {
        scheduler.add(name, Schedule::cron("@daily"), task_fn("t", |_cx| async { Ok(()) })).await.unwrap();
    }
    let names: Vec<_> = scheduler.schedules().iter().map(|schedule| schedule.name().to_owned()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(scheduler.get("b").unwrap().describe(), "every day at 00:00 (UTC)");
    let taken = scheduler.add("b", Schedule::cron("@daily"), task_fn("t", |_cx| async { Ok(()) })).await;
    assert!(matches!(&taken, Err(ScheduleError::Taken { name }) if name == "b"), "{taken:?}");
}

/// P22.
#[tokio::test]
async fn bad_input_is_refused_by_name() {
    let scheduler = Scheduler::new();
    let day = Schedule::cron("@daily");
    for (schedule, words) in [
        (Schedule::cron("61 * * * *"), "\"61 * * * *\""),
        (Schedule::cron("* * * *"), "expected `minute hour day month weekday`"),
        (Schedule::cron(""), "cron pattern \"\""),
        (Schedule::cron("0 0 0 1 1 * 2030"), "\"0 0 0 1 1 * 2030\""),
        (Schedule::cron("0 0 31 2 *"), "no day is like that"),
        (day.clone().zone("Mars/Olympus"), "unknown time zone \"Mars/Olympus\""),
        (day.clone().zone(""), "unknown time zone \"\""),
        (Schedule::every(Duration::ZERO), "an interval of 0ns"),
        (Schedule::every(Duration::MAX), "1 ms to 100 years"),
        (Schedule::after_completion(Duration::from_micros(1)), "an interval of 1µs"),
        (day.clone().overlap(Overlap::Allow(0)), "overlap: allow of 0"),
        (day.clone().overlap(Overlap::Queue(1001)), "overlap: queue of 1001"),
        (day.clone().misfire(Misfire::All { cap: 0 }), "cap of 0"),
        (day.clone().deadline(Duration::ZERO), "deadline of 0"),
        (day.clone().attempt_deadline(Duration::ZERO), "attempt deadline of 0"),
        (day.clone().retry(bgt_periodic::Retry::attempts(0)), "retry of 0 attempts"),
        (day.clone().history(10_001), "history of 10001"),
        (day.clone().jitter(Duration::MAX), "jitter of"),
        (Schedule::at(SystemTime::UNIX_EPOCH), "its time has passed"),
    ] {
        let refused =
            scheduler.add("x", schedule.clone(), task_fn("t", |_cx| async { Ok(()) })).await.unwrap_err();
        assert!(refused.to_string().contains(words), "{refused} has no {words}");
    }
    for name in ["", "a\0b", &"x".repeat(513)] {
        let refused =
            scheduler.add(name, day.clone(), task_fn("t", |_cx| async { Ok(()) })).await.unwrap_err();
        assert!(refused.to_string().contains("use 1 to 512 bytes"), "{refused}");
    }
    assert!(scheduler.schedules().is_empty());
}

#[tokio::test]
async fn jitter_belongs_to_the_name() {
    let clock = ManualClock::new();
    let hourly = Schedule::cron("@hourly").jitter(Duration::from_secs(600));
    let mut next = Vec::new();
    for name in ["a", "b", "a"] {
        let scheduler = Scheduler::builder().engine(clock.clone()).build();
        let handle = scheduler.add(name, hourly.clone(), task_fn("t", |_cx| async { Ok(()) })).await.unwrap();
        next.push(handle.next(1)[0]);
    }
    assert_eq!(next[0], next[2]);
    assert_ne!(next[0], next[1]);
}
