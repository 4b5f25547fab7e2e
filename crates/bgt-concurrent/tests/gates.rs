//! Gates hold back, let one through, and say so.
#![cfg(feature = "gates")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use bgt_concurrent::{BatchError, Cancel, Context, Gate, Halted, Reading, Task, TaskError, batch, task_fn};
use support::Gauge;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

const MIB: u64 = 1 << 20;

fn second(gauge: &Gauge) -> impl Task<Output = ()> + use<> {
    let gauge = gauge.clone();
    task_fn("second", move |_cx: Context| {
        let inside = gauge.enter(1);
        async move {
            sleep(Duration::from_secs(1)).await;
            drop(inside);
            Ok(())
        }
    })
}

#[tokio::test(start_paused = true)]
async fn while_a_gate_is_closed_one_task_runs_at_a_time_and_the_report_says_for_how_long() {
    let (gauge, (_send, readings)) = (Gauge::default(), watch::channel(Some(Reading::new(0.95, 0))));
    let inner = gauge.clone();
    let began = Instant::now();
    let report = batch((0..5).map(move |_| second(&inner)))
        .max_concurrent(4)
        .gate(Gate::cpu_below(0.9))
        .readings(readings)
        .await
        .unwrap();
    assert!(report.is_success());
    assert_eq!((gauge.most(), began.elapsed()), (1, Duration::from_secs(5)));
    assert_eq!(report.gated, Duration::from_secs(4), "the last was not held back any more");
    assert!(report.to_string().contains("held back by a gate for 4"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_opens_lets_all_through_and_only_past_its_margin() {
    let (gauge, (send, readings)) = (Gauge::default(), watch::channel(None));
    let (started, mut starts) = mpsc::unbounded_channel();
    let inner = gauge.clone();
    let tasks = (0..3).map(move |_| {
        let (started, inner) = (started.clone(), inner.clone());
        task_fn("endless", move |cx: Context| {
            let inside = inner.enter(1);
            started.send(()).unwrap();
            async move {
                cx.cancelled().await;
                drop(inside);
                Err::<(), _>(TaskError::msg("stopped"))
            }
        })
    });
    let starting = tokio::spawn(
        batch(tasks).max_concurrent(3).gate(Gate::free_memory_above(1000 * MIB)).readings(readings).start(),
    );
    sleep(Duration::from_secs(1)).await;
    assert!(starts.is_empty(), "there is no reading yet");
    send.send(Some(Reading::new(0.0, 500 * MIB))).unwrap();
    let results = starting.await.unwrap().unwrap();
    starts.recv().await.unwrap();
    send.send(Some(Reading::new(0.0, 1050 * MIB))).unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(gauge.now(), 1, "above the limit, but not by the margin");
    send.send(Some(Reading::new(0.0, 1101 * MIB))).unwrap();
    for _ in 0..2 {
        starts.recv().await.unwrap();
    }
    assert_eq!(gauge.now(), 3);
    results.cancel();
    assert_eq!(results.report().await.counts.cancelled, 3);
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_refuses_is_an_error_before_anything_runs_and_a_halt_later() {
    let (gauge, (send, readings)) = (Gauge::default(), watch::channel(Some(Reading::new(0.0, 5))));
    let gate = Gate::free_memory_above(10).refuse();
    let inner = gauge.clone();
    let tasks = move || {
        let inner = inner.clone();
        (0..5).map(move |_| second(&inner))
    };
    let error = batch(tasks()).gate(gate).readings(readings.clone()).await.unwrap_err();
    let BatchError::Gate(closed) = &error else { panic!("{error}") };
    assert!(
        closed.to_string().contains("free memory is 5 bytes")
            && closed.to_string().contains("above 10 bytes")
    );
    assert_eq!(gauge.most(), 0);

    send.send(Some(Reading::new(0.0, 50))).unwrap();
    let mut results = batch(tasks()).max_concurrent(2).gate(gate).readings(readings).start().await.unwrap();
    sleep(Duration::from_millis(500)).await;
    send.send(Some(Reading::new(0.0, 5))).unwrap();
    assert!(results.next().await.unwrap().report.is_success());
    let report = results.report().await;
    assert_eq!((report.counts.succeeded, report.counts.skipped), (2, 3), "what ran came to its end");
    assert!(matches!(report.halted, Some(Halted::Gate(_))), "{report}");
}

#[tokio::test]
async fn the_machine_is_measured_and_a_limit_that_it_cannot_meet_lets_one_through_at_a_time() {
    if bgt_testkit::under_wine() {
        return bgt_testkit::skip!(
            "the_machine_is_measured_and_a_limit_that_it_cannot_meet_lets_one_through_at_a_time",
            "Wine does not have the performance counters that the load of the processors is read from"
        );
    }
    let gauge = Arc::new(Gauge::default());
    let inner = gauge.clone();
    let tasks = (0..3).map(move |_| {
        let inner = inner.clone();
        task_fn("yield", move |_cx| {
            let inside = inner.enter(1);
            async move {
                tokio::task::yield_now().await;
                drop(inside);
                Ok(())
            }
        })
    });
    // Two gates, and both are measured: an error would name what was read.
    let report = batch(tasks)
        .max_concurrent(3)
        .gate(Gate::free_memory_above(u64::MAX))
        .gate(Gate::cpu_below(1.0))
        .await
        .unwrap();
    assert!(report.is_success() && gauge.most() == 1, "{report}");
    let error = batch([second(&gauge)]).gate(Gate::free_memory_above(u64::MAX).refuse()).await.unwrap_err();
    let BatchError::Gate(closed) = &error else { panic!("{error}") };
    let read: u64 = closed.reading.trim_end_matches(" bytes").parse().unwrap();
    assert!(read > MIB, "{closed}");
}

#[tokio::test(start_paused = true)]
async fn while_there_is_no_reading_one_task_runs_at_a_time() {
    let (gauge, (send, readings)) = (Gauge::default(), watch::channel(Some(Reading::new(0.0, 5))));
    let inner = gauge.clone();
    let tasks = (0..3).map(move |_| second(&inner));
    let gate = Gate::free_memory_above(10);
    let mut results = batch(tasks).max_concurrent(3).gate(gate).readings(readings).start().await.unwrap();
    send.send(None).unwrap();
    drop(send);
    while results.next().await.is_some() {}
    assert_eq!((gauge.most(), results.report().await.counts.succeeded), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_waits_for_a_reading_ends_with_its_sender_its_deadline_or_its_cancellation() {
    let gauge = Gauge::default();
    let waiting = |readings| {
        let inner = gauge.clone();
        batch((0..3).map(move |_| second(&inner))).gate(Gate::cpu_below(0.5)).readings(readings)
    };
    let (send, readings) = watch::channel(None);
    let passed = waiting(readings.clone()).deadline(Duration::from_secs(5)).await.unwrap();
    assert_eq!((passed.counts.skipped, passed.counts.ended()), (3, 3), "{passed}");
    let cancel = Cancel::new();
    cancel.cancel();
    assert_eq!(waiting(readings.clone()).cancel(&cancel).await.unwrap().counts.skipped, 3);
    drop(send);
    let error = waiting(readings).await.unwrap_err();
    assert!(matches!(error, BatchError::NoReading), "{error}");
    assert_eq!(gauge.most(), 0);
}
