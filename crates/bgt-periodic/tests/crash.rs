//! kill −9: what was begun is lost or fired again, as the policy says; what another host can fire, it fires, once.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bgt_periodic::{
    Cause, Misfire, NewHost, Overlap, Running, Schedule, Scheduler, Skipped, Status, Tick, task_fn, with_tick,
};
use bgt_store::{SlotStore, SqliteStore, Store};
use bgt_testkit::{Other, Scratch, hear, role, say};
use tokio::sync::mpsc::unbounded_channel;

const HANG: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_millis(300);
const EVERY: Duration = Duration::from_millis(20);

async fn open(path: &Path) -> (SqliteStore, Scheduler) {
    let sqlite = SqliteStore::open(path).await.expect("a store that opens");
    let store: Arc<dyn Store> = Arc::new(sqlite.clone());
    (sqlite, Scheduler::builder().store_as(store, NewHost::new("host").lease(LEASE)).build())
}

fn millis(time: SystemTime) -> u128 {
    time.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_millis()
}

/// Begins with one slot, says which, and never ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process"]
async fn begins() {
    let Some(path) = role() else { return };
    let (_store, scheduler) = open(Path::new(&path)).await;
    let job = with_tick(|tick: Tick| {
        say(&millis(tick.scheduled_at).to_string());
        task_fn("endless", |_cx| std::future::pending::<Result<(), bgt_periodic::TaskError>>())
    });
    let soon = SystemTime::now() + Duration::from_millis(50);
    let _handle = scheduler.add("once", Schedule::at(soon), job).await.expect("a schedule");
    // Until it is killed.
    let _ = tokio::task::spawn_blocking(hear).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_is_lost_or_fired_again_as_the_policy_says() {
    for fires_again in [false, true] {
        let folder = Scratch::new();
        let path = folder.path("runs.db");
        let mut other = Other::start("begins", path.as_os_str());
        let slot: u128 = other.hear().parse().expect("a slot");
        assert!(other.kill().is_empty(), "it is fired once");

        let (sqlite, scheduler) = open(&path).await;
        let (sender, mut ticks) = unbounded_channel();
        let job = with_tick(move |tick: Tick| {
            let _ = sender.send(tick);
            task_fn("tell", |_cx| async { Ok(()) })
        });
        let schedule = Schedule::cron("@yearly");
        let schedule = if fires_again { schedule.fire_again_after_a_crash() } else { schedule };
        let handle = scheduler.add("once", schedule, job).await.unwrap();
        if fires_again {
            let tick = ticks.recv().await.unwrap();
            assert_eq!((millis(tick.scheduled_at), tick.cause), (slot, Cause::Recovered));
        } else {
            let lost = || handle.statistics().skipped.lost == 1;
            assert!(bgt_testkit::wait_until(HANG, lost), "{:?}", handle.statistics());
            let reason = match handle.history()[0].outcome {
                bgt_periodic::Outcome::Skipped { reason, .. } => reason,
                ref other => panic!("{other:?}"),
            };
            assert_eq!(reason, Skipped::Lost);
        }
        scheduler.stop(Running::Finish, HANG).await;
        assert!(ticks.try_recv().is_err(), "and not once more");
        let slots = sqlite.slots("once", 10).await.unwrap();
        let status = if fires_again { Status::Succeeded } else { Status::Lost };
        assert_eq!((slots.len(), millis(slots[0].at), slots[0].status), (1, slot, Some(status)));
        sqlite.close().await;
    }
}

/// Fires every slot that it can get, and says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process"]
async fn fires() {
    let Some(path) = role() else { return };
    let (store, scheduler) = open(Path::new(&path)).await;
    let job = with_tick(|tick: Tick| {
        say(&millis(tick.scheduled_at).to_string());
        task_fn("tell", |_cx| async { Ok(()) })
    });
    let schedule = Schedule::every(EVERY)
        .overlap(Overlap::Allow(1000))
        .misfire(Misfire::All { cap: 1000 })
        .history(1000);
    scheduler.add("both", schedule, job).await.expect("a schedule");
    tokio::task::spawn_blocking(hear).await.expect("a thread");
    scheduler.stop(Running::Finish, HANG).await;
    store.close().await;
    say("end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_fire_each_slot_once_also_when_one_is_killed() {
    let folder = Scratch::new();
    let path = folder.path("runs.db");
    let start = || Other::start("fires", path.as_os_str());
    let (mut killed, mut survivor) = (start(), start());
    let mut fired: HashMap<u128, u32> = HashMap::new();
    let note = |fired: &mut HashMap<u128, u32>, slot: &str| {
        *fired.entry(slot.parse().expect("a slot")).or_default() += 1;
    };
    // Both are at work, then one is not any more.
    for _ in 0..20 {
        note(&mut fired, &killed.hear());
        note(&mut fired, &survivor.hear());
    }
    killed.kill().iter().for_each(|slot| note(&mut fired, slot));
    for _ in 0..60 {
        note(&mut fired, &survivor.hear());
    }
    survivor.say("end");
    loop {
        match survivor.hear().as_str() {
            "end" => break,
            slot => note(&mut fired, slot),
        }
    }
    survivor.end();
    assert!(fired.values().all(|times| *times == 1), "{fired:?}");

    // Every time from the first to the last is accounted for: fired, or lost with the host that had begun it.
    let store = SqliteStore::open(&path).await.unwrap();
    let slots = store.slots("both", 1000).await.unwrap();
    let known: HashMap<u128, Option<Status>> =
        slots.iter().map(|slot| (millis(slot.at), slot.status)).collect();
    let (first, last) = (*known.keys().min().unwrap(), *known.keys().max().unwrap());
    for slot in (first..=last).step_by(EVERY.as_millis() as usize) {
        let status = known.get(&slot).unwrap_or_else(|| panic!("nobody has claimed slot {slot}"));
        if !fired.contains_key(&slot) {
            assert!(*status != Some(Status::Succeeded), "slot {slot} has succeeded and was never fired");
        }
        assert!(status.is_some(), "slot {slot} is left open");
    }
    let succeeded = known.values().filter(|status| **status == Some(Status::Succeeded)).count();
    assert!(succeeded >= 90, "{succeeded} of {} slots succeeded", known.len());
    store.close().await;
}
