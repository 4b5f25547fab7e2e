//! Pools of any resource: who gets one, what goes back, what is made and what is retired. On paused time.

mod support;

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bgt_pool::{
    Backoff, BuildError, Cancel, ErrorKind, Lease, Pool, PoolError, Retired, Retry, TaskError, factory,
};
use support::{Plant, settled};

const MS: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn what_was_used_with_success_is_used_again() {
    let plant = Plant::default();
    let pool = Pool::builder(plant.clone()).size(1).build().unwrap();
    for _ in 0..5 {
        assert_eq!(pool.run(|thing, _cx| async move { Ok(thing.number) }).await.unwrap(), 1);
    }
    let lease = pool.acquire().await.unwrap();
    lease.release();
    let metrics = pool.metrics();
    assert_eq!((metrics.made, metrics.served, metrics.live, metrics.in_use), (1, 6, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_was_left_half_way_is_retired_however_it_was_left() {
    let plant = Plant::default();
    let pool = Pool::builder(plant.clone()).size(1).build().unwrap();
    let failed = pool.run(|_thing, _cx| async { Err::<(), _>(TaskError::msg("half way")) }).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Failed);
    let panicked = pool
        .run(|_thing, _cx| async {
            if true {
                panic!("half way")
            }
            Ok(())
        })
        .await;
    assert_eq!(panicked.unwrap_err().kind(), ErrorKind::Panicked);
    let hang = |thing: Lease<Plant>, _cx| async move {
        std::future::pending::<()>().await;
        Ok(thing.number)
    };
    let late = pool.run(hang).deadline(MS).await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::TimedOut);
    let cancel = Cancel::new();
    let (cancelled, ()) = tokio::join!(async { pool.run(hang).cancel(&cancel).await }, async {
        settled().await;
        cancel.cancel();
    });
    assert_eq!(cancelled.unwrap_err().kind(), ErrorKind::Cancelled);
    let dropped = tokio::time::timeout(MS, async { pool.run(hang).await }).await;
    assert!(dropped.is_err());
    drop(pool.acquire().await.unwrap());
    assert_eq!(pool.metrics().retired(Retired::Abandoned), 6);
    assert_eq!(plant.alive(), 0);
    assert_eq!(pool.run(|thing, _cx| async move { Ok(thing.number) }).await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_fails_and_knows_better_gives_it_back() {
    let pool = Pool::builder(Plant::default()).size(1).build().unwrap();
    for _ in 0..3 {
        let refused = pool.run(|thing, _cx| async move {
            thing.release();
            Err::<(), _>(TaskError::msg("no such row"))
        });
        refused.await.unwrap_err();
    }
    assert_eq!((pool.metrics().made, pool.metrics().live), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_outlives_its_run_never_comes_back() {
    let pool = Pool::builder(Plant::default()).size(1).build().unwrap();
    let (keep, mut kept) = tokio::sync::mpsc::unbounded_channel();
    pool.run(|thing, _cx| {
        let keep = keep.clone();
        async move {
            let _ = keep.send(thing);
            Ok(())
        }
    })
    .await
    .unwrap();
    assert_eq!(pool.metrics().in_use, 1);
    drop(kept.recv().await.unwrap());
    assert_eq!((pool.metrics().in_use, pool.metrics().live), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn each_retry_has_another_resource() {
    let pool = Pool::builder(Plant::default()).size(1).build().unwrap();
    let work = |thing: Lease<Plant>, _cx| async move {
        if thing.number < 3 { Err(TaskError::msg("not this one")) } else { Ok(thing.number) }
    };
    assert_eq!(pool.run(work).retry(Retry::attempts(5)).await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_answers_at_once_with_its_depth() {
    let pool = Pool::builder(Plant::default()).name("small").size(1).queue(2).build().unwrap();
    let lease = pool.acquire().await.unwrap();
    let waiting: Vec<_> = (0..2).map(|_| tokio::spawn(take_and_release(pool.clone()))).collect();
    settled().await;
    match at_once(pool.acquire()).await {
        Err(PoolError::QueueFull { pool, depth }) => assert_eq!((&*pool, depth), ("small", 2)),
        other => panic!("{other:?}"),
    }
    let refused = at_once(pool.run(|_thing, _cx| async { Ok(()) }).into_future());
    let error = refused.await.unwrap_err();
    assert!(matches!(error.find(), Some(PoolError::QueueFull { depth: 2, .. })), "{error:?}");
    assert_eq!((error.kind(), pool.metrics().refused, pool.metrics().queued), (ErrorKind::Start, 2, 2));
    lease.release();
    for waiting in waiting {
        waiting.await.unwrap().unwrap();
    }
    assert_eq!(pool.metrics().queued, 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_queue_only_a_free_resource_serves() {
    let pool = Pool::builder(Plant::default()).size(1).queue(0).build().unwrap();
    let lease = pool.acquire().await.unwrap();
    assert!(matches!(at_once(pool.acquire()).await, Err(PoolError::QueueFull { depth: 0, .. })));
    lease.release();
    pool.acquire().await.unwrap().release();
}

#[tokio::test(start_paused = true)]
async fn waiting_has_its_deadline_in_the_queue_and_before_a_slow_maker() {
    let plant = Plant::default();
    let pool = Pool::builder(plant.clone()).size(1).queue_deadline(50 * MS).build().unwrap();
    let lease = pool.acquire().await.unwrap();
    let began = tokio::time::Instant::now();
    match pool.acquire().await {
        Err(PoolError::QueueDeadline { limit, depth, .. }) => assert_eq!((limit, depth), (50 * MS, 0)),
        other => panic!("{other:?}"),
    }
    assert_eq!(began.elapsed(), 50 * MS);
    drop(lease);
    plant.slow(Duration::from_secs(10));
    assert!(matches!(pool.acquire().await, Err(PoolError::QueueDeadline { .. })));
    assert_eq!((pool.metrics().gave_up, pool.metrics().queued), (2, 0));
    // It goes on being made, for whoever comes next.
    plant.slow(Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(10)).await;
    pool.acquire().await.unwrap().release();
    assert_eq!(pool.metrics().made, 2);
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_is_given_to_who_waits_for_a_slow_maker() {
    // https://github.com/deadpool-rs/deadpool/issues/462
    let plant = Plant::default();
    let pool = Pool::builder(plant.clone()).size(2).build().unwrap();
    let lease = pool.acquire().await.unwrap();
    plant.slow(Duration::from_secs(3600));
    let second = tokio::spawn(take_and_release(pool.clone()));
    settled().await;
    let began = tokio::time::Instant::now();
    lease.release();
    assert_eq!(second.await.unwrap().unwrap(), 1);
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(pool.metrics().making, 1);
}

#[tokio::test(start_paused = true)]
async fn so_many_are_idle_at_any_time() {
    let pool = Pool::builder(Plant::default()).size(4).min_idle(2).build().unwrap();
    pool.warm().await.unwrap();
    assert_eq!((pool.metrics().idle, pool.metrics().live), (2, 2));
    let leases = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    settled().await;
    pool.acquire().await.unwrap().release();
    drop(leases);
    pool.warm().await.unwrap();
    settled().await;
    let metrics = pool.metrics();
    assert!(metrics.idle >= 2 && metrics.live <= 4, "{metrics:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_has_served_often_enough_goes_when_another_is_there() {
    let plant = Plant::default();
    let pool = Pool::builder(plant.clone()).size(1).max_uses(3).jitter(0.0).build().unwrap();
    plant.slow(Duration::from_secs(1));
    let mut used = Vec::new();
    for _ in 0..8 {
        let lease = pool.acquire().await.unwrap();
        used.push(lease.number);
        lease.release();
    }
    // The other one is not there yet, so the first serves on.
    assert_eq!(used, [1; 8]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    settled().await;
    assert_eq!(plant.alive(), 1);
    let lease = pool.acquire().await.unwrap();
    assert_eq!(lease.number, 2);
    lease.release();
    assert_eq!(pool.metrics().retired(Retired::Uses), 1);
    assert!(plant.most() <= 2);
}

/// Says at its end how many the pool counts.
struct Slow {
    pool: Arc<OnceLock<Box<dyn Fn() -> usize + Send + Sync>>>,
    counted: Arc<Mutex<Vec<usize>>>,
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.counted.lock().unwrap().push(self.pool.get().unwrap()());
    }
}

#[tokio::test]
async fn one_that_is_being_dropped_still_counts_so_that_no_other_is_made_beside_it() {
    let (of_pool, counted) = (Arc::new(OnceLock::new()), Arc::new(Mutex::new(Vec::new())));
    let (books, last) = (of_pool.clone(), counted.clone());
    let make = factory(move || {
        let slow = Slow { pool: books.clone(), counted: last.clone() };
        async move { Ok::<_, std::io::Error>(slow) }
    });
    let pool = Pool::builder(make).size(1).build().unwrap();
    let same = pool.clone();
    let _ = of_pool.set(Box::new(move || same.metrics().ending) as Box<dyn Fn() -> usize + Send + Sync>);
    drop(pool.acquire().await.unwrap());
    pool.acquire().await.unwrap().release();
    pool.drain(Duration::from_secs(60)).await;
    assert_eq!(*counted.lock().unwrap(), [1, 1]);
    assert_eq!((pool.metrics().live, pool.metrics().retired_in_all()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn old_ones_are_replaced_one_at_a_time_while_nobody_uses_them() {
    let plant = Plant::default();
    let age = Duration::from_secs(60);
    let pool = Pool::builder(plant.clone()).size(4).min_idle(4).max_age(age).build().unwrap();
    pool.warm().await.unwrap();
    plant.slow(Duration::from_secs(1));
    let mut least = usize::MAX;
    for _ in 0..120 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        least = least.min(plant.alive());
    }
    assert_eq!(least, 4, "one was retired before another was there");
    assert_eq!(plant.most(), 5, "more than one at a time");
    assert!(pool.metrics().retired(Retired::Age) >= 4, "{:?}", pool.metrics());
}

#[tokio::test(start_paused = true)]
async fn who_has_long_been_idle_goes_but_not_the_last_ones() {
    let plant = Plant::default();
    let builder = Pool::builder(plant.clone()).size(4).min_idle(1).idle_timeout(Duration::from_secs(60));
    let pool = builder.build().unwrap();
    let leases = [pool.acquire().await, pool.acquire().await, pool.acquire().await].map(Result::unwrap);
    tokio::time::sleep(Duration::from_secs(300)).await;
    for lease in leases {
        lease.release();
    }
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert!(plant.alive() >= 3);
    tokio::time::sleep(Duration::from_secs(62)).await;
    assert_eq!((plant.alive(), pool.metrics().idle), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn one_that_broke_is_not_handed_out_and_another_takes_its_place() {
    let plant = Plant::default();
    let broken = |thing: &support::Thing| thing.is_broken();
    let pool = Pool::builder(plant.clone()).size(2).min_idle(2).broken(broken).build().unwrap();
    pool.warm().await.unwrap();
    plant.break_all();
    let lease = pool.acquire().await.unwrap();
    assert!(lease.number > 2, "{}", lease.number);
    lease.release();
    pool.warm().await.unwrap();
    settled().await;
    let metrics = pool.metrics();
    assert_eq!((metrics.retired(Retired::Broken), metrics.live), (2, 2), "{metrics:?}");
}

#[tokio::test(start_paused = true)]
async fn the_manager_has_the_last_word_on_what_is_handed_out_again() {
    let plant = Plant::default();
    let pool = Pool::builder(plant.clone()).size(1).check_deadline(10 * MS).build().unwrap();
    pool.acquire().await.unwrap().release();
    plant.refuse(true);
    assert_eq!(take_and_release(pool.clone()).await.unwrap(), 2);
    plant.refuse(false);
    plant.slow_check(Duration::from_secs(3600));
    assert_eq!(take_and_release(pool.clone()).await.unwrap(), 3);
    assert_eq!(pool.metrics().retired(Retired::Broken), 2);
}

#[tokio::test(start_paused = true)]
async fn failures_are_told_then_waited_out_then_told_at_once() {
    let plant = Plant::default();
    let backoff = Backoff::default().base(100 * MS).trip(3);
    let pool = Pool::builder(plant.clone()).size(4).backoff(backoff).build().unwrap();
    plant.fail(true);
    for _ in 0..3 {
        match pool.acquire().await {
            Err(PoolError::Create { source, .. }) => assert_eq!(source.to_string(), "the plant is down"),
            other => panic!("{other:?}"),
        }
    }
    let attempts = plant.attempts();
    match pool.acquire().await {
        Err(PoolError::CrashLoop { failures, retry_in, last, .. }) => {
            assert_eq!(failures, 3);
            assert!(retry_in <= 400 * MS && retry_in >= 200 * MS, "{retry_in:?}");
            assert!(last.contains("the plant is down"), "{last}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(plant.attempts(), attempts, "it was tried although it had tripped");
    assert!(matches!(pool.warm().await, Ok(())), "nothing is to be idle");
    tokio::time::sleep(400 * MS).await;
    assert!(matches!(pool.acquire().await, Err(PoolError::Create { .. })));
    assert!(matches!(pool.acquire().await, Err(PoolError::CrashLoop { failures: 4, .. })));
    plant.fail(false);
    tokio::time::sleep(Duration::from_secs(1)).await;
    pool.acquire().await.unwrap().release();
    plant.fail(true);
    drop(pool.acquire().await);
    assert!(matches!(pool.acquire().await, Err(PoolError::Create { .. })), "a success has closed it");
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_cannot_keep_any_idle_says_so_and_does_not_spin() {
    let plant = Plant::default();
    plant.fail(true);
    let pool = Pool::builder(plant.clone()).size(4).min_idle(2).build().unwrap();
    assert!(matches!(pool.warm().await, Err(PoolError::CrashLoop { .. })));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(plant.attempts() < 60, "{} attempts in ten minutes", plant.attempts());
    plant.fail(false);
    tokio::time::sleep(Duration::from_secs(60)).await;
    pool.warm().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn making_one_has_a_deadline_and_may_panic() {
    let plant = Plant::default();
    let pool = Pool::builder(plant.clone()).size(1).create_deadline(Duration::from_secs(1)).build().unwrap();
    plant.slow(Duration::from_secs(3600));
    assert!(matches!(pool.acquire().await, Err(PoolError::CreateDeadline { .. })));
    plant.slow(Duration::ZERO);
    plant.panic(true);
    assert!(matches!(pool.acquire().await, Err(PoolError::CreateAbandoned { .. })));
    plant.panic(false);
    pool.acquire().await.unwrap().release();
}

#[tokio::test(start_paused = true)]
async fn a_drain_serves_those_who_are_there_and_nobody_else() {
    let plant = Plant::default();
    let pool = Pool::builder(plant.clone()).size(1).build().unwrap();
    let lease = pool.acquire().await.unwrap();
    let queued = tokio::spawn(take_and_release(pool.clone()));
    settled().await;
    let draining = tokio::spawn({
        let pool = pool.clone();
        async move { pool.drain(Duration::from_secs(60)).await }
    });
    settled().await;
    assert!(matches!(pool.acquire().await, Err(PoolError::Closed { .. })));
    lease.release();
    queued.await.unwrap().unwrap();
    assert_eq!(draining.await.unwrap().left, 0);
    assert_eq!((plant.alive(), pool.metrics().live), (0, 0));
    assert!(matches!(pool.acquire().await, Err(PoolError::Closed { .. })));
    assert!(matches!(pool.warm().await, Err(PoolError::Closed { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_drain_stops_runs_at_its_deadline_and_counts_who_is_left() {
    let plant = Plant::default();
    let pool = Pool::builder(plant.clone()).size(2).build().unwrap();
    let lease = pool.acquire().await.unwrap();
    let endless = tokio::spawn({
        let pool = pool.clone();
        async move { pool.run(|_thing, _cx| std::future::pending::<Result<(), TaskError>>()).await }
    });
    settled().await;
    let began = tokio::time::Instant::now();
    let drained = pool.drain(Duration::from_secs(1)).await;
    assert!(began.elapsed() <= Duration::from_millis(1101), "{:?}", began.elapsed());
    assert_eq!(drained.left, 1);
    let stopped = endless.await.unwrap().unwrap_err();
    assert_eq!(stopped.cancel_reason(), Some(bgt_pool::CancelReason::Shutdown));
    assert_eq!(plant.alive(), 1);
    lease.release();
    assert_eq!(plant.alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_last_clone_ends_what_is_idle_and_leases_end_by_themselves() {
    let plant = Plant::default();
    let pool = Pool::builder(plant.clone()).size(3).min_idle(2).build().unwrap();
    pool.warm().await.unwrap();
    let lease = pool.acquire().await.unwrap();
    settled().await;
    drop(pool.clone());
    assert!(plant.alive() >= 2);
    drop(pool);
    settled().await;
    assert_eq!(plant.alive(), 1);
    lease.release();
    assert_eq!(plant.alive(), 0);
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_by_name() {
    let builder = || Pool::builder(Plant::default()).size(2);
    assert!(matches!(builder().size(0).build(), Err(BuildError::NoSize)));
    let too_many = builder().min_idle(3).build();
    assert!(matches!(too_many, Err(BuildError::MinIdle { min_idle: 3, size: 2 })));
    for jitter in [-0.1, 1.1, f64::NAN] {
        assert!(matches!(builder().jitter(jitter).build(), Err(BuildError::Jitter { .. })));
    }
    for (zero, name) in [
        (builder().max_uses(0), "max_uses"),
        (builder().max_age(Duration::ZERO), "max_age"),
        (builder().idle_timeout(Duration::ZERO), "idle_timeout"),
        (builder().create_deadline(Duration::ZERO), "create_deadline"),
        (builder().queue_deadline(Duration::ZERO), "queue_deadline"),
    ] {
        match zero.build() {
            Err(BuildError::Zero { what }) => assert_eq!(what, name),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn without_a_runtime_there_is_no_pool() {
    let pool = Pool::builder(factory(|| async { Ok::<_, std::io::Error>(1) })).build();
    assert!(matches!(pool, Err(BuildError::NoRuntime)));
}

async fn take_and_release(pool: Pool<Plant>) -> Result<u64, PoolError> {
    let lease = pool.acquire().await?;
    let number = lease.number;
    lease.release();
    Ok(number)
}

/// On paused time nothing else lets any of it pass.
async fn at_once<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(MS, future).await.expect("it waits")
}

#[tokio::test(start_paused = true)]
async fn a_look_at_a_pool_does_not_keep_it() {
    let plant = Plant::default();
    let pool = Pool::builder(plant.clone()).size(1).min_idle(1).build().unwrap();
    pool.warm().await.unwrap();
    let look = pool.downgrade();
    assert_eq!(look.upgrade().unwrap().metrics().live, 1);
    drop(pool);
    assert!(look.upgrade().is_none());
    settled().await;
    assert_eq!(plant.alive(), 0);
}
