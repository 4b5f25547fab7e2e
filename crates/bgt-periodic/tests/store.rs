//! Slots that are claimed in a store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bgt_periodic::{
    Cause, ManualClock, Misfire, NewHost, Outcome, Overlap, Running, Schedule, ScheduleError, ScheduleHandle,
    Scheduler, Skipped, Status, Tick, task_fn, with_tick,
};
use bgt_store::{Adopt, MemoryStore, NewRun, SqliteStore, Store};
use bgt_testkit::{Scratch, wait_until};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const HOUR: Duration = Duration::from_secs(3600);
const HANG: Duration = Duration::from_secs(60);

struct Host {
    scheduler: Scheduler,
    handle: ScheduleHandle,
    ticks: UnboundedReceiver<Tick>,
}

async fn host(store: &Arc<dyn Store>, clock: &ManualClock, schedule: Schedule) -> Host {
    let scheduler = Scheduler::builder().engine(clock.clone()).store(store.clone()).build();
    let (sender, ticks) = unbounded_channel();
    let job = with_tick(move |tick: Tick| {
        let _ = sender.send(tick);
        task_fn("tell", |_cx| async { Ok(()) })
    });
    let handle = scheduler.add("sync", schedule, job).await.unwrap();
    Host { scheduler, handle, ticks }
}

/// A database on disk, which somebody else can lock.
struct Disk {
    store: Arc<dyn Store>,
    sqlite: SqliteStore,
    outsider: rusqlite::Connection,
    _folder: Scratch,
}

impl Disk {
    async fn new() -> Self {
        let folder = Scratch::new();
        let path = folder.path("runs.db");
        let sqlite = SqliteStore::builder(&path).patience(Duration::from_millis(20)).open().await.unwrap();
        let outsider = rusqlite::Connection::open(&path).unwrap();
        Self { store: Arc::new(sqlite.clone()), sqlite, outsider, _folder: folder }
    }

    fn lock(&self) {
        self.outsider.execute_batch("BEGIN IMMEDIATE").unwrap();
    }

    fn unlock(&self) {
        self.outsider.execute_batch("COMMIT").unwrap();
    }
}

fn hourly() -> Schedule {
    Schedule::cron("@hourly")
}

#[tokio::test]
async fn a_slot_is_claimed_and_then_finished_as_it_ended() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let clock = ManualClock::new();
    let mut host = host(&store, &clock, hourly()).await;
    let due = host.handle.next(1)[0];
    clock.settled().await;
    clock.advance(HOUR);
    host.ticks.recv().await.unwrap();
    let slots = store.slots("sync", 10).await.unwrap();
    assert_eq!((slots.len(), slots[0].at), (1, due), "claimed before it is fired");
    host.scheduler.stop(Running::Finish, HANG).await;
    assert_eq!(store.slots("sync", 10).await.unwrap()[0].status, Some(Status::Succeeded));
}

#[tokio::test]
async fn two_hosts_fire_each_slot_once() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    // Each has a clock of its own that shows the same.
    let clocks = [ManualClock::new(), ManualClock::new()];
    let mut hosts = [host(&store, &clocks[0], hourly()).await, host(&store, &clocks[1], hourly()).await];
    for _ in 0..50 {
        for (clock, host) in clocks.iter().zip(&hosts) {
            clock.settled().await;
            clock.advance(HOUR);
            clock.settled().await;
            host.handle.idle().await;
        }
    }
    for host in &hosts {
        host.scheduler.stop(Running::Finish, HANG).await;
    }
    let mut fired: HashMap<_, u32> = HashMap::new();
    for host in &mut hosts {
        while let Ok(tick) = host.ticks.try_recv() {
            *fired.entry(tick.scheduled_at).or_default() += 1;
        }
    }
    assert_eq!(fired.len(), 50);
    assert!(fired.values().all(|times| *times == 1), "{fired:?}");
    let elsewhere: u64 = hosts.iter().map(|host| host.handle.statistics().skipped.elsewhere).sum();
    assert_eq!(elsewhere, 50);
}

#[tokio::test]
async fn after_a_restart_the_misfire_policy_decides() {
    for (misfire, expected) in [
        (Misfire::Skip, vec![]),
        (Misfire::Once { grace: HOUR }, vec![2]),
        (Misfire::All { cap: 2 }, vec![0, 0]),
    ] {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let clock = ManualClock::new();
        let mut first = host(&store, &clock, hourly().misfire(misfire)).await;
        clock.settled().await;
        clock.advance(HOUR);
        first.ticks.recv().await.unwrap();
        first.scheduler.stop(Running::Finish, HANG).await;
        drop(first);
        clock.advance(HOUR * 3 + HOUR / 2);
        let mut second = host(&store, &clock, hourly().misfire(misfire)).await;
        let mut missed = Vec::new();
        for _ in &expected {
            let tick = second.ticks.recv().await.unwrap();
            assert_eq!(tick.cause, Cause::CatchUp, "{misfire:?}");
            missed.push(tick.missed);
        }
        clock.settled().await;
        second.scheduler.stop(Running::Finish, HANG).await;
        assert_eq!(missed, expected, "{misfire:?}");
        assert!(second.ticks.try_recv().is_err());
    }
}

#[tokio::test]
async fn what_the_overlap_skips_is_finished_as_skipped() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let clock = ManualClock::new();
    let scheduler = Scheduler::builder().engine(clock.clone()).store(store.clone()).build();
    let endless = task_fn("endless", |_cx| std::future::pending::<Result<(), bgt_periodic::TaskError>>());
    let handle = scheduler.add("sync", hourly().overlap(Overlap::Skip), endless).await.unwrap();
    let mut skipped = 0;
    while skipped < 2 {
        clock.settled().await;
        clock.advance(HOUR);
        clock.settled().await;
        tokio::task::yield_now().await;
        skipped = handle.statistics().skipped.overlap;
    }
    scheduler.stop(Running::Cancel, HANG).await;
    let mut ends: Vec<_> =
        store.slots("sync", 10).await.unwrap().into_iter().rev().map(|slot| slot.status).collect();
    ends.truncate(2);
    assert_eq!(ends, [Some(Status::Cancelled), Some(Status::Skipped)]);
}

#[tokio::test]
async fn a_host_that_was_taken_over_from_registers_again() {
    let lease_clock = bgt_store::ManualClock::new();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::with_clock(lease_clock.clone()));
    let clock = ManualClock::new();
    let mut here = host(&store, &clock, hourly()).await;
    clock.settled().await;
    clock.advance(HOUR);
    here.ticks.recv().await.unwrap();
    here.handle.idle().await;
    // The lease is over, and somebody else has noticed.
    let other = store.register(NewHost::new("other")).await.unwrap();
    store.enqueue(vec![NewRun::new("t", "")]).await.unwrap();
    lease_clock.advance(Duration::from_secs(16));
    store.heartbeat(other, vec![]).await.unwrap();
    lease_clock.advance(Duration::from_secs(16));
    store.heartbeat(other, vec![]).await.unwrap();
    store.adopt(Adopt::new(other, 10)).await.unwrap();
    for _ in 0..2 {
        clock.settled().await;
        clock.advance(HOUR);
        here.ticks.recv().await.unwrap();
    }
    here.scheduler.stop(Running::Finish, HANG).await;
    assert!(store.slots("sync", 10).await.unwrap().iter().all(|slot| slot.status == Some(Status::Succeeded)));
}

/// A store that cannot be asked: not fired without a claim, which would fire it twice; not given up, which would lose it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_locked_a_slot_waits_and_then_fires_once() {
    let disk = Disk::new().await;
    let clock = ManualClock::new();
    let mut here = host(&disk.store, &clock, hourly()).await;
    disk.lock();
    clock.settled().await;
    clock.advance(HOUR);
    let handle = here.handle.clone();
    assert!(wait_until(HANG, || handle.statistics().store_faults >= 2), "{:?}", here.handle.statistics());
    assert!(here.ticks.try_recv().is_err(), "it was fired without a claim");
    disk.unlock();
    let tick = here.ticks.recv().await.unwrap();
    // By the clock of this test it is at its time still.
    assert_eq!((tick.cause, tick.missed), (Cause::Scheduled, 0));
    here.scheduler.stop(Running::Finish, HANG).await;
    let slots = disk.store.slots("sync", 10).await.unwrap();
    assert_eq!((slots.len(), slots[0].status), (1, Some(Status::Succeeded)));
    disk.sqlite.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_stays_locked_costs_the_slot_and_not_the_schedule() {
    let disk = Disk::new().await;
    let clock = ManualClock::new();
    let mut here = host(&disk.store, &clock, hourly().misfire(Misfire::Skip)).await;
    disk.lock();
    clock.settled().await;
    clock.advance(HOUR);
    let handle = here.handle.clone();
    assert!(wait_until(HANG, || handle.statistics().store_faults >= 1));
    clock.advance(HOUR / 2);
    assert!(wait_until(HANG, || handle.statistics().skipped.store_fault == 1), "{:?}", handle.statistics());
    assert!(matches!(handle.history()[0].outcome, Outcome::Skipped { reason: Skipped::StoreFault, .. }));
    disk.unlock();
    clock.settled().await;
    clock.advance(HOUR / 2);
    here.ticks.recv().await.unwrap();
    here.scheduler.stop(Running::Finish, HANG).await;
    disk.sqlite.close().await;
}

#[tokio::test]
async fn what_hosts_cannot_agree_upon_is_refused_or_kept_in_memory() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let scheduler = Scheduler::builder().store(store.clone()).build();
    let pause = Schedule::after_completion(HOUR);
    let odd = Schedule::every(Duration::from_micros(1500));
    for schedule in [&pause, &odd] {
        let job = task_fn("t", |_cx| async { Ok(()) });
        let refused = scheduler.add("x", schedule.clone(), job).await.unwrap_err();
        assert!(matches!(refused, ScheduleError::Unsupported { .. }), "{refused}");
        assert!(refused.to_string().contains("in_memory"), "{refused}");
    }
    let handle = scheduler.add("x", pause.in_memory(), task_fn("t", |_cx| async { Ok(()) })).await.unwrap();
    handle.run_now().unwrap();
    handle.idle().await;
    assert!(store.slots("x", 10).await.unwrap().is_empty());
    // All hosts mean the same times.
    let quarter =
        scheduler.add("q", Schedule::every(HOUR / 4), task_fn("t", |_cx| async { Ok(()) })).await.unwrap();
    let next = quarter.next(1)[0].duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(next.as_millis() % (HOUR / 4).as_millis(), 0);
}

#[tokio::test]
async fn old_slots_are_forgotten() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let clock = ManualClock::new();
    let mut host = host(&store, &clock, hourly()).await;
    for _ in 0..260 {
        clock.settled().await;
        clock.advance(HOUR);
        host.ticks.recv().await.unwrap();
        host.handle.idle().await;
    }
    host.scheduler.stop(Running::Finish, HANG).await;
    let kept = store.slots("sync", 1000).await.unwrap().len();
    assert!((100..=150).contains(&kept), "{kept} slots are kept");
}

/// A minute of a schedule of seconds without its store: one claim at a time, and the policy of the moment when it answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_for_the_store_is_answered_by_the_policy_when_it_is_back() {
    let minute = Duration::from_secs(60);
    for (misfire, expected) in [
        (Misfire::Skip, vec![(minute, Cause::Scheduled, 0)]),
        (Misfire::Once { grace: HOUR }, vec![(minute, Cause::Scheduled, 5)]),
        (
            Misfire::All { cap: 2 },
            vec![
                (minute * 2 / 3, Cause::CatchUp, 0),
                (minute * 5 / 6, Cause::CatchUp, 0),
                (minute, Cause::Scheduled, 0),
            ],
        ),
    ] {
        let disk = Disk::new().await;
        let clock = ManualClock::new();
        let schedule = Schedule::every(minute / 6).overlap(Overlap::Queue(10)).misfire(misfire);
        let mut here = host(&disk.store, &clock, schedule).await;
        disk.lock();
        let start = here.handle.next(1)[0] - minute / 6;
        for _ in 0..6 {
            clock.settled().await;
            clock.advance(minute / 6);
        }
        clock.settled().await;
        let (handle, before) = (here.handle.clone(), here.handle.statistics().store_faults);
        // It has been asked with all of them waiting.
        assert!(
            wait_until(HANG, || handle.statistics().store_faults >= before + 2),
            "{:?}",
            handle.statistics()
        );
        disk.unlock();
        for (after, cause, missed) in expected {
            let tick = here.ticks.recv().await.unwrap();
            let told = (tick.scheduled_at.duration_since(start).unwrap(), tick.cause, tick.missed);
            assert_eq!(told, (after, cause, missed), "{misfire:?}");
        }
        here.handle.idle().await;
        here.scheduler.stop(Running::Finish, HANG).await;
        assert!(here.ticks.try_recv().is_err(), "{misfire:?}");
        assert_eq!(here.handle.statistics().misfires, 5, "{misfire:?}");
        disk.sqlite.close().await;
    }
}

/// Older ones that still wait would count as forgotten, and never be fired.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_to_the_forgetting_of_old_slots() {
    let disk = Disk::new().await;
    let clock = ManualClock::new();
    let schedule = Schedule::every(Duration::from_secs(1))
        .overlap(Overlap::Queue(1000))
        .misfire(Misfire::All { cap: 1000 });
    let mut here = host(&disk.store, &clock, schedule).await;
    disk.lock();
    for _ in 0..300 {
        clock.settled().await;
        clock.advance(Duration::from_secs(1));
    }
    clock.settled().await;
    disk.unlock();
    let mut last = None;
    for _ in 0..300 {
        let tick = here.ticks.recv().await.unwrap();
        assert!(last.replace(tick.scheduled_at) < Some(tick.scheduled_at), "the oldest first");
    }
    here.scheduler.stop(Running::Finish, HANG).await;
    assert_eq!(here.handle.statistics().skipped.total(), 0, "{:?}", here.handle.statistics());
    disk.sqlite.close().await;
}

#[tokio::test]
async fn a_single_time_that_was_missed_is_forgotten() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let clock = ManualClock::new();
    let start = bgt_periodic::Engine::now(&clock).wall;
    let here = host(&store, &clock, Schedule::at(start + HOUR).misfire(Misfire::Skip)).await;
    clock.settled().await;
    clock.advance(HOUR * 2);
    clock.settled().await;
    assert!(here.scheduler.get("sync").is_none());
    assert_eq!(here.handle.statistics().skipped.missed, 1);
}

/// A stop has its time, and the host is not gone as long as something that it has begun is under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_a_store_that_is_locked_and_takes_nothing_back() {
    let disk = Disk::new().await;
    let clock = ManualClock::new();
    let scheduler = Scheduler::builder().engine(clock.clone()).store(disk.store.clone()).build();
    let (begun, mut has_begun) = unbounded_channel();
    let go_on = Arc::new(tokio::sync::Notify::new());
    let held = go_on.clone();
    let job = task_fn("held", move |_cx| {
        let (begun, go_on) = (begun.clone(), held.clone());
        async move {
            let _ = begun.send(());
            go_on.notified().await;
            Ok(())
        }
    });
    let handle = scheduler.add("sync", hourly(), job).await.unwrap();
    clock.settled().await;
    clock.advance(HOUR);
    has_begun.recv().await.unwrap();
    disk.lock();
    go_on.notify_one();
    handle.idle().await;
    let stopped = scheduler.stop(Running::Finish, Duration::from_millis(100)).await;
    assert_eq!(stopped.left, 1, "its end is not written down");
    disk.unlock();
    for _ in 0.. {
        if disk.store.slots("sync", 1).await.unwrap()[0].status == Some(Status::Succeeded) {
            break;
        }
        tokio::task::yield_now().await;
    }
    disk.sqlite.close().await;
}
