//! Turns, fairness and cancellation of `Limits`.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bgt_core::{Limits, LimitsError, Needs};
use proptest::prelude::*;

fn gpu(n: u64) -> Needs {
    Needs::new().with("gpu", n)
}

async fn pending<F: Future>(future: &mut std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

#[tokio::test]
async fn needs_that_can_never_be_met_are_refused_by_name() {
    let limits = Limits::new().with("gpu", 2);
    let error = limits.acquire(&gpu(3)).await.unwrap_err();
    assert_eq!(error, LimitsError::TooLarge { resource: "gpu".into(), needed: 3, capacity: 2 });
    let error = limits.acquire(&Needs::new().with("tpu", 1)).await.unwrap_err();
    assert!(error.to_string().contains("\"tpu\"") && error.to_string().contains("gpu"), "{error}");
}

#[tokio::test]
async fn a_large_need_is_not_starved_and_others_pass_where_they_may() {
    let limits = Limits::new().with("gpu", 2).with("net", 1);
    let held = limits.acquire(&gpu(1)).await.unwrap();
    let needs = (gpu(2), gpu(1), Needs::new().with("net", 1));
    let mut large = pin!(limits.acquire(&needs.0));
    let mut small = pin!(limits.acquire(&needs.1));
    let mut other = pin!(limits.acquire(&needs.2));
    assert!(pending(&mut large).await);
    assert!(pending(&mut small).await, "one GPU is free, but the large one was first");
    assert!(!pending(&mut other).await, "nobody before it waits for the net");
    drop(held);
    let large = large.await.unwrap();
    assert!(pending(&mut small).await);
    drop(large);
    let _small = small.await.unwrap();
}

#[tokio::test]
async fn what_is_given_back_piece_by_piece_is_kept_for_who_was_first() {
    let limits = Limits::new().with("gpu", 2).with("net", 1);
    let (one, two) = (limits.acquire(&gpu(1)).await.unwrap(), limits.acquire(&gpu(1)).await.unwrap());
    let needs = (gpu(2), gpu(1), Needs::new().with("net", 1));
    let _net = limits.acquire(&needs.2).await.unwrap();
    let mut large = pin!(limits.acquire(&needs.0));
    let mut small = pin!(limits.acquire(&needs.1));
    // Somebody further back waits for something else, so all of the queue is looked through.
    let mut other = pin!(limits.acquire(&needs.2));
    assert!(pending(&mut large).await && pending(&mut small).await && pending(&mut other).await);
    drop(one);
    assert!(pending(&mut small).await, "one GPU is free, but the large one was first");
    drop(two);
    let large = large.await.unwrap();
    assert!(pending(&mut small).await);
    drop(large);
    drop(small.await.unwrap());
    assert_eq!(limits.available("gpu"), Some(2));
}

#[tokio::test]
async fn a_dropped_wait_leaves_the_queue_and_lets_the_next_go() {
    let limits = Limits::new().with("gpu", 2);
    let _held = limits.acquire(&gpu(1)).await.unwrap();
    let needs = (gpu(2), gpu(1));
    let mut small = pin!(limits.acquire(&needs.1));
    {
        let mut large = pin!(limits.acquire(&needs.0));
        assert!(pending(&mut large).await);
        assert!(pending(&mut small).await);
    }
    let _small = small.await.unwrap();
    assert_eq!(limits.available("gpu"), Some(0));
}

#[tokio::test]
async fn a_permit_granted_to_nobody_comes_back() {
    let limits = Limits::new().with("gpu", 1);
    let held = limits.acquire(&gpu(1)).await.unwrap();
    let need = gpu(1);
    {
        let mut waiting = pin!(limits.acquire(&need));
        assert!(pending(&mut waiting).await);
        drop(held); // granted to `waiting`, which is dropped without looking
    }
    assert_eq!(limits.available("gpu"), Some(1));
}

#[tokio::test]
async fn a_capacity_that_grows_serves_those_who_wait() {
    let limits = Limits::new().with("gpu", 2);
    let _held = limits.acquire(&gpu(1)).await.unwrap();
    let need = gpu(2);
    let mut waiting = pin!(limits.acquire(&need));
    assert!(pending(&mut waiting).await);
    let grown = limits.clone().with("gpu", 1);
    assert!(!pending(&mut waiting).await);
    assert_eq!(grown.available("gpu"), Some(2), "its permit was dropped with the answer");
}

#[tokio::test]
async fn a_capacity_past_the_largest_number_stays_there() {
    let limits = Limits::new().with("mem", u64::MAX);
    let permit = limits.acquire(&Needs::new().with("mem", 10)).await.unwrap();
    let limits = limits.with("mem", 20);
    assert_eq!(limits.available("mem"), Some(u64::MAX - 10));
    drop(permit);
    assert_eq!(limits.available("mem"), Some(u64::MAX));
}

#[tokio::test]
async fn a_newcomer_that_fits_does_not_pass_who_wants_the_same() {
    let limits = Limits::new().with("gpu", 2).with("net", 1);
    let _held = limits.acquire(&gpu(1)).await.unwrap();
    let needs =
        (gpu(2), Needs::new().with("gpu", 1).with("net", 1), Needs::new().with("gpu", 0).with("net", 1));
    let mut large = pin!(limits.acquire(&needs.0));
    assert!(pending(&mut large).await);
    let mut both = pin!(limits.acquire(&needs.1));
    assert!(pending(&mut both).await, "the large one wants a GPU too");
    let mut net = pin!(limits.acquire(&needs.2));
    assert!(pending(&mut net).await, "the one before wants the net too");
    assert!(!pending(&mut pin!(limits.acquire(&gpu(0)))).await, "who needs nothing waits for nobody");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn limits_are_never_exceeded_and_everybody_gets_a_turn(
        jobs in proptest::collection::vec((0..4u64, 0..=8u64, 0..20u64, any::<bool>()), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let limits = Limits::new().with("gpu", 3).with("mem", 8);
            let (gpus, mem) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
            let served = Arc::new(Mutex::new(0));
            let mut expected = 0;
            let mut tasks = tokio::task::JoinSet::new();
            for (g, m, ms, gives_up) in jobs {
                let (limits, gpus, mem, served) = (limits.clone(), gpus.clone(), mem.clone(), served.clone());
                expected += u32::from(!gives_up);
                tasks.spawn(async move {
                    let needs = Needs::new().with("gpu", g).with("mem", m);
                    let permit = if gives_up {
                        tokio::time::timeout(Duration::from_millis(1), limits.acquire(&needs)).await.ok()
                    } else {
                        Some(limits.acquire(&needs).await)
                    };
                    let Some(Ok(_permit)) = permit else { return };
                    assert!(gpus.fetch_add(g, Ordering::SeqCst) + g <= 3);
                    assert!(mem.fetch_add(m, Ordering::SeqCst) + m <= 8);
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    gpus.fetch_sub(g, Ordering::SeqCst);
                    mem.fetch_sub(m, Ordering::SeqCst);
                    if !gives_up {
                        *served.lock().unwrap() += 1;
                    }
                });
            }
            while let Some(result) = tasks.join_next().await {
                result.unwrap();
            }
            assert_eq!(*served.lock().unwrap(), expected);
            assert_eq!((limits.available("gpu"), limits.available("mem")), (Some(3), Some(8)));
        });
    }
}
