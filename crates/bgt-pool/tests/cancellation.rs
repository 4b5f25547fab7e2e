//! Callers that go away at every await they have, and a crowd that does all of it at once: the books are right, and the
//! next caller is served.

mod support;

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bgt_pool::{Pool, TaskError};
use support::{Plant, settled};

/// Every way in which a caller may have to wait.
#[derive(Clone, Copy, Debug)]
struct Way {
    taken: bool,
    slow_maker: bool,
    slow_check: bool,
    warm: bool,
}

fn ways() -> impl Iterator<Item = Way> {
    (0..16).map(|bits| Way {
        taken: bits & 1 != 0,
        slow_maker: bits & 2 != 0,
        slow_check: bits & 4 != 0,
        warm: bits & 8 != 0,
    })
}

#[tokio::test(start_paused = true)]
async fn a_caller_dropped_at_any_await_leaves_nothing_behind() {
    let mut dropped = 0;
    for way in ways() {
        for polls in 0..12 {
            let plant = Plant::default();
            let pool = Pool::builder(plant.clone()).size(1).build().unwrap();
            if way.warm {
                pool.acquire().await.unwrap().release();
            }
            let lease = if way.taken { Some(pool.acquire().await.unwrap()) } else { None };
            if way.slow_maker {
                plant.slow(Duration::from_millis(3));
            }
            if way.slow_check {
                plant.slow_check(Duration::from_millis(2));
            }
            let mut lease = lease;
            {
                let mut call = pin!(async {
                    pool.run(|thing, _cx| async move {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                        Ok::<_, TaskError>(thing.number)
                    })
                    .await
                });
                let mut over = false;
                for poll in 0..polls {
                    if let Poll::Ready(answer) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                        answer.unwrap();
                        over = true;
                        break;
                    }
                    if poll == 2 {
                        if let Some(lease) = lease.take() {
                            lease.release();
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                dropped += usize::from(!over);
            }
            drop(lease);
            // The next one is served, and all is as it should be.
            pool.run(|_thing, _cx| async { Ok(()) }).await.unwrap();
            settled().await;
            let metrics = pool.metrics();
            assert_eq!((metrics.in_use, metrics.queued, metrics.making), (0, 0, 0), "{way:?} {polls}");
            assert_eq!((metrics.live, plant.alive()), (1, 1), "{way:?} {polls} {metrics:?}");
            assert_eq!(metrics.made - metrics.retired_in_all(), 1, "{way:?} {polls} {metrics:?}");
            assert!(plant.most() <= 1, "{way:?} {polls}");
            assert_eq!(pool.drain(Duration::from_secs(1)).await.left, 0, "{way:?} {polls}");
            assert_eq!(plant.alive(), 0);
        }
    }
    assert!(dropped > 60, "only {dropped} calls were cut short");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_that_fails_panics_and_goes_away_never_shares_a_resource() {
    let plant = Plant::default();
    let builder = Pool::builder(plant.clone()).size(4).min_idle(1).max_uses(20).queue(usize::MAX);
    let pool = builder.broken(support::Thing::is_broken).build().unwrap();
    let callers = (0..16u64).map(|caller| {
        let (pool, plant) = (pool.clone(), plant.clone());
        tokio::spawn(async move {
            for round in 0..300u64 {
                let chance = fastrand::u64(..);
                if chance % 97 == 0 {
                    plant.break_all();
                }
                let work = pool.run(move |thing: bgt_pool::Lease<Plant>, _cx| async move {
                    thing.begin();
                    for _ in 0..chance % 5 {
                        tokio::task::yield_now().await;
                    }
                    assert!(chance % 31 != 1, "caller {caller} round {round}");
                    if chance % 7 == 1 {
                        return Err(TaskError::msg("half way"));
                    }
                    thing.end();
                    Ok(())
                });
                if chance % 5 == 0 {
                    let mut work = pin!(work.into_future());
                    for _ in 0..chance % 4 {
                        let poll = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                        if poll.is_ready() {
                            break;
                        }
                        tokio::task::yield_now().await;
                    }
                } else {
                    let _ = work.await;
                }
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    assert_eq!(plant.clashes(), 0);
    assert!(plant.most() <= 5, "{} at once", plant.most());
    assert_eq!(pool.drain(Duration::from_secs(60)).await.left, 0);
    let metrics = pool.metrics();
    assert_eq!((metrics.live, metrics.in_use, metrics.queued, plant.alive()), (0, 0, 0, 0), "{metrics:?}");
    assert_eq!((metrics.made, metrics.retired_in_all()), (plant.made(), plant.made()), "{metrics:?}");
}
