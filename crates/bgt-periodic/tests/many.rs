//! Ten thousand schedules, and years of some hundreds.

mod support;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bgt_periodic::{
    ManualClock, Misfire, Outcome, Overlap, Running, Schedule, Scheduler, TaskError, Tick, task_fn, with_tick,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_of_one_instant_are_each_fired_once() {
    let clock = ManualClock::new();
    let scheduler = Scheduler::builder().engine(clock.clone()).build();
    let (sender, mut ticks) = tokio::sync::mpsc::unbounded_channel();
    let mut handles = Vec::new();
    for n in 0..10_000 {
        let sender = sender.clone();
        let job = with_tick(move |tick: Tick| {
            let _ = sender.send((n, tick));
            task_fn("count", |_cx| async { Ok(()) })
        });
        handles.push(scheduler.add(format!("customer-{n}"), Schedule::cron("0 * * * *"), job).await.unwrap());
    }
    clock.settled().await;
    clock.advance(Duration::from_secs(3600));
    let mut fired = HashSet::new();
    while fired.len() < 10_000 {
        let (n, tick) = ticks.recv().await.unwrap();
        assert!(fired.insert(n), "{n} is fired again: {tick:?}");
        assert_eq!(tick.missed, 0);
    }
    assert_eq!(scheduler.stop(Running::Finish, support::HANG).await.left, 0);
    assert!(ticks.try_recv().is_err());
    assert!(handles.iter().all(|handle| handle.statistics().succeeded == 1));
}

/// P17, through the scheduler itself: time goes in leaps, the clock is set, schedules are paused, tasks fail, panic and take long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn years_of_trouble_fire_no_time_twice_and_account_for_all() {
    let schedules: usize =
        std::env::var("BGT_SIMULATED_SCHEDULES").map_or(100, |n| n.parse().expect("a number"));
    let mut random = fastrand::Rng::with_seed(17);
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    let clock = ManualClock::at(start);
    let scheduler = Scheduler::builder().engine(clock.clone()).build();
    let ledger: Arc<Mutex<HashMap<usize, Vec<Tick>>>> = Arc::default();
    let mut handles = Vec::new();
    for n in 0..schedules {
        let pattern = ["30 2 * * *", "0 */8 * * *", "15 1 * * SUN", "0 0 L * *"][n % 4];
        let zone = ["America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC"][n / 4 % 4];
        let overlap =
            [Overlap::Skip, Overlap::Allow(2), Overlap::Queue(2), Overlap::Replace][random.usize(0..4)];
        let misfire =
            [Misfire::Skip, Misfire::Once { grace: Duration::from_secs(86_400) }, Misfire::All { cap: 3 }]
                [random.usize(0..3)];
        let schedule = Schedule::cron(pattern).zone(zone).overlap(overlap).misfire(misfire);
        let ledger = ledger.clone();
        let job = with_tick(move |tick: Tick| {
            let turn = {
                let mut ledger = ledger.lock().unwrap();
                let ticks = ledger.entry(n).or_default();
                ticks.push(tick);
                ticks.len()
            };
            assert!(turn % 11 != 0, "a factory that panics");
            task_fn("trouble", move |_cx| async move {
                match turn % 7 {
                    1 => Err(TaskError::msg("failed")),
                    2 => panic!("panicked"),
                    3 => {
                        tokio::task::yield_now().await;
                        Ok(())
                    }
                    _ => Ok(()),
                }
            })
        });
        handles.push((pattern, zone, scheduler.add(format!("schedule-{n}"), schedule, job).await.unwrap()));
    }
    // Ten years in leaps of up to a month. What is fired twice, or is not accounted for, is found below.
    let mut wall = start;
    let end = start + Duration::from_secs(10 * 365 * 86_400);
    while wall < end {
        let leap = Duration::from_secs(random.u64(0..30 * 86_400));
        clock.settled().await;
        clock.advance(leap);
        wall += leap;
        if random.u32(0..4) == 0 {
            let back = Duration::from_secs(random.u64(0..3 * 3600));
            clock.settled().await;
            clock.set_wall(wall - back);
            wall -= back;
        }
        if random.u32(0..4) == 0 {
            let (_, _, handle) = &handles[random.usize(0..handles.len())];
            handle.pause();
            clock.settled().await;
            handle.resume_and_catch_up();
        }
    }
    clock.settled().await;
    for (_, _, handle) in &handles {
        handle.idle().await;
    }
    let ledger = ledger.lock().unwrap();
    let mut fired = 0;
    for (n, (pattern, zone, handle)) in handles.iter().enumerate() {
        let ticks = ledger.get(&n).map(Vec::as_slice).unwrap_or_default();
        let times: HashSet<SystemTime> = ticks.iter().map(|tick| tick.scheduled_at).collect();
        assert_eq!(times.len(), ticks.len(), "{} fires a time twice", handle.name());
        let statistics = handle.statistics();
        assert_eq!(statistics.runs, ticks.len() as u64, "{statistics:?}");
        let stood_for: u64 = ticks.iter().map(|tick| tick.missed).sum();
        let answered = statistics.runs + stood_for + statistics.skipped.total();
        // From the start to the latest time that the clock has shown.
        let next = handle.next(1)[0];
        let slots = Schedule::cron(*pattern).zone(zone).next(start, 20_000).unwrap();
        let slots = slots.iter().take_while(|slot| **slot < next).count() as u64;
        // Those that a skipped or replaced firing stood for are not counted a second time.
        let skipped_for = slots.saturating_sub(answered);
        assert!(answered <= slots, "{} has {answered} answers for {slots} times", handle.name());
        assert!(
            skipped_for == 0 || statistics.skipped.total() > statistics.skipped.missed,
            "{}: {skipped_for} of {slots} times have no answer: {statistics:?}",
            handle.name(),
        );
        assert!(!matches!(
            handle.history()[0].outcome,
            Outcome::Skipped { reason: bgt_periodic::Skipped::Stopped, .. }
        ));
        fired += statistics.runs;
    }
    assert!(fired > 20 * schedules as u64, "only {fired} firings");
}
