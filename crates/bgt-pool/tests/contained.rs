//! What users wrote panics, waits, or asks the pool in the middle: the pool keeps its books and serves on. On paused time.

mod support;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::Poll;
use std::time::Duration;

use bgt_pool::{
    Backoff, Manager, ObjectMetrics, Pool, PoolBuilder, PoolError, RecycleResult, Retired, factory,
};
use support::{Plant, settled};

/// A test that would hang without it.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(3600), future).await.expect("it hangs")
}

/// Where the first few times end in a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    Drop,
    Detach,
    Recycle,
    Broken,
    Worn,
}

#[derive(Clone)]
struct Mine {
    place: Where,
    left: Arc<AtomicU32>,
}

impl Mine {
    fn step_on(&self, place: Where) {
        let left = |n: u32| n.checked_sub(1);
        if place == self.place && self.left.fetch_update(SeqCst, SeqCst, left).is_ok() {
            panic!("stepped on")
        }
    }
}

struct Thing(Mine);

impl Drop for Thing {
    fn drop(&mut self) {
        self.0.step_on(Where::Drop);
    }
}

impl Manager for Mine {
    type Type = Thing;
    type Error = std::io::Error;

    async fn create(&self) -> Result<Thing, std::io::Error> {
        Ok(Thing(self.clone()))
    }

    async fn recycle(&self, _: &mut Thing, _: &ObjectMetrics) -> RecycleResult<std::io::Error> {
        self.step_on(Where::Recycle);
        Ok(())
    }

    fn detach(&self, _: &mut Thing) {
        self.step_on(Where::Detach);
    }
}

fn mined(place: Where, times: u32) -> (Mine, PoolBuilder<Mine>) {
    let mine = Mine { place, left: Arc::new(AtomicU32::new(times)) };
    let builder = Pool::builder(mine.clone())
        .broken(|thing| {
            thing.0.step_on(Where::Broken);
            false
        })
        .worn(|thing| {
            thing.0.step_on(Where::Worn);
            false
        });
    (mine, builder)
}

const ALL: [Where; 5] = [Where::Drop, Where::Detach, Where::Recycle, Where::Broken, Where::Worn];

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_users_reaches_no_caller_and_costs_no_place() {
    for place in ALL {
        let (mine, builder) = mined(place, 3);
        let pool = builder.size(1).build().unwrap();
        for n in 0..20 {
            let lease = soon(pool.acquire()).await.unwrap_or_else(|error| panic!("{place:?}, {n}: {error}"));
            if n % 2 == 0 {
                lease.release();
            } else {
                drop(lease);
            }
            settled().await;
        }
        assert_eq!(mine.left.load(SeqCst), 0, "{place:?} was never reached");
        let metrics = pool.metrics();
        assert_eq!((metrics.in_use, metrics.live, metrics.queued), (0, 0, 0), "{place:?}: {metrics:?}");
        assert_eq!(metrics.made, metrics.retired_in_all(), "{place:?}: {metrics:?}");
        assert_eq!(soon(pool.drain(Duration::from_secs(1))).await.left, 0, "{place:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_users_does_not_end_the_keeper() {
    for place in ALL {
        let (mine, builder) = mined(place, 3);
        let age = Duration::from_secs(60);
        let pool = builder.size(4).min_idle(3).max_age(age).jitter(0.0).build().unwrap();
        soon(pool.warm()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(600)).await;
        let metrics = pool.metrics();
        assert!(metrics.retired(Retired::Age) >= 20, "{place:?}: {metrics:?}");
        assert_eq!((metrics.idle, metrics.in_use), (3, 0), "{place:?}: {metrics:?}");
        if place != Where::Recycle {
            // Nobody has asked for one, so nobody has looked at one that is handed out again.
            assert_eq!(mine.left.load(SeqCst), 0, "{place:?} was never reached");
        }
        soon(pool.drain(Duration::from_secs(1))).await;
        assert_eq!(pool.metrics().live, 0, "{place:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_whose_look_panics_is_broken() {
    for place in [Where::Broken, Where::Worn] {
        let (_, builder) = mined(place, 1);
        let pool = builder.size(1).build().unwrap();
        soon(pool.acquire()).await.unwrap().release();
        assert_eq!(pool.metrics().retired(Retired::Broken), 1, "{place:?}");
    }
}

#[tokio::test]
async fn a_look_may_ask_the_pool() {
    let pool: Arc<OnceLock<Pool<Plant>>> = Arc::default();
    let looks = Arc::new(AtomicU64::new(0));
    let look = {
        let (pool, looks) = (pool.clone(), looks.clone());
        move || {
            looks.fetch_add(1, SeqCst);
            pool.get().is_some_and(|pool| pool.metrics().live > 100)
        }
    };
    let (broken, worn) = (look.clone(), look);
    let builder = Pool::builder(Plant::default()).size(4).min_idle(2).broken(move |_| broken());
    let built = builder.worn(move |_| worn()).build().unwrap();
    pool.set(built.clone()).unwrap();
    // Within a lock it would wait for itself, and keep this thread.
    let done = tokio::spawn(async move {
        built.warm().await.unwrap();
        drop(built.acquire().await.unwrap());
        built.warm().await.unwrap();
    });
    soon(done).await.unwrap();
    assert!(looks.load(SeqCst) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_while_the_keeper_looks_gets_what_is_looked_at() {
    let (begun, begins) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let (looks_left, goes_on) = (Arc::new(AtomicU32::new(0)), Mutex::new(goes_on));
    let left = looks_left.clone();
    let look = move |_: &support::Thing| {
        if left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)) == Ok(1) {
            begun.send(()).unwrap();
            let _ = goes_on.lock().unwrap().recv();
        }
        false
    };
    let pool = Pool::builder(Plant::default()).size(3).broken(look).build().unwrap();
    let (first, second) = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    first.release();
    settled().await;
    // One that is dropped is looked at once more; then the keeper hears of it, and looks at the first.
    looks_left.store(2, SeqCst);
    drop(second);
    tokio::task::spawn_blocking(move || begins.recv().unwrap()).await.unwrap();
    let mut caller = std::pin::pin!(pool.acquire());
    let waits = std::future::poll_fn(|cx| Poll::Ready(caller.as_mut().poll(cx).is_pending())).await;
    go_on.send(()).unwrap();
    soon(async {
        if waits {
            caller.await.unwrap().release();
        }
    })
    .await;
    assert_eq!((waits, pool.metrics().made), (true, 2), "another one was made in its place");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_it_to_be_warm_sees_what_comes_back() {
    let pool = Pool::builder(Plant::default()).size(1).min_idle(1).build().unwrap();
    soon(pool.warm()).await.unwrap();
    let lease = pool.acquire().await.unwrap();
    let warm = tokio::spawn({
        let pool = pool.clone();
        async move { soon(pool.warm()).await }
    });
    settled().await;
    assert!(!warm.is_finished(), "nothing is idle");
    lease.release();
    warm.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn as_many_are_idle_while_others_are_in_use() {
    let pool = Pool::builder(Plant::default()).size(5).min_idle(2).build().unwrap();
    soon(pool.warm()).await.unwrap();
    let mut leases = Vec::new();
    for (idle, live) in [(2, 3), (2, 4), (2, 5), (1, 5), (0, 5)] {
        leases.push(soon(pool.acquire()).await.unwrap());
        settled().await;
        let metrics = pool.metrics();
        assert_eq!((metrics.idle, metrics.live), (idle, live), "{} are in use", leases.len());
    }
    for lease in leases {
        lease.release();
    }
}

#[tokio::test(start_paused = true)]
async fn the_longest_times_are_times_too() {
    let plant = Plant::default();
    let backoff = Backoff::default().base(Duration::MAX).cap(Duration::MAX).trip(1);
    let builder = Pool::builder(plant.clone()).size(1).max_age(Duration::MAX).jitter(0.0);
    let builder = builder.idle_timeout(Duration::MAX).backoff(backoff);
    let pool = builder.create_deadline(Duration::MAX).queue_deadline(Duration::MAX).build().unwrap();
    soon(pool.acquire()).await.unwrap().release();
    plant.break_all();
    drop(pool.acquire().await.unwrap());
    plant.fail(true);
    assert!(matches!(soon(pool.acquire()).await, Err(PoolError::Create { .. })));
    assert!(matches!(soon(pool.acquire()).await, Err(PoolError::CrashLoop { .. })));
    soon(pool.drain(Duration::MAX)).await;
}

#[tokio::test(start_paused = true)]
async fn an_ordinary_end_is_no_failure() {
    let plant = Plant::default();
    plant.slow(Duration::from_secs(60));
    let pool = Pool::builder(plant.clone()).size(4).min_idle(2).build().unwrap();
    settled().await;
    assert_eq!(pool.metrics().making, 2);
    soon(pool.drain(Duration::ZERO)).await;
    let metrics = pool.metrics();
    assert_eq!((metrics.making, metrics.not_made, metrics.live), (0, 0, 0), "{metrics:?}");
    assert_eq!(plant.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_drain_serves_those_who_wait_with_what_there_is() {
    let pool = Pool::builder(Plant::default()).size(1).build().unwrap();
    let lease = pool.acquire().await.unwrap();
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.acquire().await.map(bgt_pool::Lease::release) })
        })
        .collect();
    settled().await;
    let draining = tokio::spawn({
        let pool = pool.clone();
        async move { pool.drain(Duration::from_secs(60)).await }
    });
    settled().await;
    lease.release();
    for caller in waiting {
        soon(caller).await.unwrap().unwrap();
    }
    assert_eq!(soon(draining).await.unwrap().left, 0);
    let metrics = pool.metrics();
    assert_eq!((metrics.made, metrics.live, metrics.retired(Retired::Drained)), (1, 0, 1), "{metrics:?}");
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_hears_how_many_others_wait() {
    let plant = Plant::default();
    plant.slow(Duration::from_secs(3600));
    let pool = Pool::builder(plant).size(1).queue_deadline(Duration::from_secs(1)).build().unwrap();
    let acquire = || {
        let pool = pool.clone();
        tokio::spawn(async move { pool.acquire().await.map(drop) })
    };
    // The first has its turn, and waits for a slow maker; the others wait for their turn.
    let (first, second, third) = (acquire(), acquire(), acquire());
    for (caller, others) in [(first, 2), (second, 1), (third, 0)] {
        match caller.await.unwrap() {
            Err(PoolError::QueueDeadline { depth, .. }) => assert_eq!(depth, others),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_is_open_tells_nobody_that_it_is_shut_down() {
    let down = || async {
        tokio::task::yield_now().await;
        Err::<u32, _>(std::io::Error::other("no"))
    };
    let wait = Duration::from_micros(20);
    for _ in 0..100 {
        let backoff = Backoff::default().base(wait).cap(wait).trip(1);
        let pool = Pool::builder(factory(down)).size(64).backoff(backoff).build().unwrap();
        let acquire = || {
            let pool = pool.clone();
            tokio::spawn(async move { pool.acquire().await.map(drop) })
        };
        let callers: Vec<_> = (0..64).map(|_| acquire()).collect();
        for caller in callers {
            let told = caller.await.unwrap();
            assert!(matches!(told, Err(PoolError::Create { .. } | PoolError::CrashLoop { .. })), "{told:?}");
        }
    }
}
