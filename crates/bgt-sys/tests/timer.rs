//! Times are waited for: never less, and a wait that is given up costs nothing.

use std::time::{Duration, SystemTime};

use bgt_sys::{Timer, steady};

#[tokio::test]
async fn a_time_of_either_clock_is_reached_by_waiting_for_it() {
    let mut timer = Timer::new().unwrap();
    let wall = SystemTime::now() + Duration::from_millis(20);
    while SystemTime::now() < wall {
        timer.until(Some(wall), None).await.unwrap();
    }
    let then = steady() + Duration::from_millis(20);
    while steady() < then {
        timer.until(None, Some(then)).await.unwrap();
    }
}

#[tokio::test]
async fn the_earlier_of_both_counts_and_what_has_passed_is_not_waited_for() {
    let mut timer = Timer::new().unwrap();
    let (far_wall, far) =
        (SystemTime::now() + Duration::from_secs(3600), steady() + Duration::from_secs(3600));
    timer.until(Some(far_wall), Some(Duration::ZERO)).await.unwrap();
    timer.until(Some(SystemTime::UNIX_EPOCH), Some(far)).await.unwrap();
    timer.until(Some(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), None).await.unwrap();
    let then = steady() + Duration::from_millis(10);
    while steady() < then {
        timer.until(Some(far_wall), Some(then)).await.unwrap();
    }
}

#[tokio::test]
async fn a_wait_that_was_given_up_is_forgotten() {
    let mut timer = Timer::new().unwrap();
    let soon = steady() + Duration::from_millis(30);
    tokio::select! {
        biased;
        () = std::future::ready(()) => {}
        _ = timer.until(None, Some(soon)) => unreachable!("it is later"),
    }
    // The old time comes, and nobody waits for it any more: only the new one is of interest.
    let later = soon + Duration::from_millis(30);
    while steady() < later {
        timer.until(None, Some(later)).await.unwrap();
    }
    timer.until(None, Some(later)).await.unwrap();
}

#[tokio::test]
async fn the_same_time_can_be_waited_for_again() {
    let mut timer = Timer::new().unwrap();
    let past = steady();
    for _ in 0..3 {
        timer.until(None, Some(past)).await.unwrap();
    }
}
