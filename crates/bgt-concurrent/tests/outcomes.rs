//! Whatever becomes of one task, the others are not disturbed, and each is reported once.

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bgt_concurrent::{
    BatchError, BatchFailed, Cancel, CancelReason, Context, ErrorKind, Event, EventKind, Halted, Item,
    Observer, Pattern, Retry, Runs, Status, Task, TaskError, batch, batch_stream, task_fn,
};
use futures_util::StreamExt;
use support::Gauge;
use tokio::sync::Notify;
use tokio::time::sleep;

/// One of each way to end.
fn mixed(n: u64) -> Box<dyn Task<Output = u64>> {
    Box::new(task_fn("mixed", move |_cx: Context| async move {
        match n % 5 {
            0 => Ok(n),
            1 => Err(TaskError::msg("no").with_tail("last words")),
            2 => panic!("item {n}"),
            3 => std::future::pending().await,
            _ => {
                sleep(Duration::from_millis(n)).await;
                Ok(n)
            }
        }
    }))
}

#[tokio::test(start_paused = true)]
async fn failures_panics_and_overruns_disturb_no_other() {
    let report =
        batch((0..50).map(mixed)).max_concurrent(3).task_deadline(Duration::from_secs(1)).await.unwrap();
    let counts = report.counts;
    assert_eq!((counts.succeeded, counts.failed, counts.timed_out), (20, 20, 10));
    assert_eq!((counts.ended(), counts.running, counts.waiting), (50, 0, 0));
    assert!(report.halted.is_none() && !report.is_success());
    assert_eq!(report.failures.len(), 30);
    let of = |index: u64| report.failures.iter().find(|failure| failure.index == index).unwrap();
    assert!(of(1).message.contains("no") && of(1).tail.as_deref() == Some("last words"));
    assert!(of(2).message.contains("panicked") && of(2).message.contains("item 2"), "{}", of(2));
    assert_eq!((of(2).kind, of(3).kind), (ErrorKind::Panicked, ErrorKind::TimedOut));
    let BatchFailed(report) = report.require_success().unwrap_err();
    assert_eq!(report.peak, 3);
}

#[tokio::test(start_paused = true)]
async fn results_come_as_they_end_or_in_the_order_of_the_input() {
    let items = || {
        [30, 10, 20].map(|ms| {
            let task = task_fn("wait", move |_cx| async move {
                sleep(Duration::from_millis(ms)).await;
                Ok(ms)
            });
            Item::new(task).key(ms.to_string())
        })
    };
    let results = batch(items()).max_concurrent(3).start().await.unwrap();
    let found: Vec<_> = results
        .map(|one| (one.index, one.key.unwrap().to_string(), one.report.result.unwrap()))
        .collect()
        .await;
    assert_eq!(found, [(1, "10".to_owned(), 10), (2, "20".to_owned(), 20), (0, "30".to_owned(), 30)]);
    let results = batch(items()).max_concurrent(3).in_order().start().await.unwrap();
    let found: Vec<_> = results.map(|one| one.report.result.unwrap()).collect().await;
    assert_eq!(found, [30, 10, 20]);
}

#[tokio::test]
async fn the_reader_of_a_million_small_functions_gets_each_once() {
    let mut results = batch((0..100_000u64).map(|n| task_fn("n", move |_cx| async move { Ok(n) })))
        .max_concurrent(8)
        .in_order()
        .start()
        .await
        .unwrap();
    let mut next = 0;
    while let Some(finished) = results.next().await {
        assert_eq!((finished.index, finished.report.result.unwrap()), (next, next));
        next += 1;
    }
    assert_eq!(next, 100_000);
    assert_eq!(results.report().await.counts.succeeded, 100_000);
}

/// Two lanes that each pull many: a later item must not have a place that an earlier one waits for.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_order_several_lanes_never_wait_for_each_other() {
    for buffer in [1, 64] {
        let tasks = (0..50_000u64).map(|n| {
            task_fn("n", move |_cx| async move {
                if n % 100 == 0 {
                    tokio::task::yield_now().await;
                }
                Ok(n)
            })
        });
        let mut results = batch(tasks).max_concurrent(8).buffer(buffer).in_order().start().await.unwrap();
        let all = async {
            for n in 0..50_000 {
                assert_eq!(results.next().await.expect("each").report.result.unwrap(), n);
            }
        };
        tokio::time::timeout(Duration::from_secs(120), all).await.expect("it stands still");
        assert!(results.report().await.is_success());
    }
}

#[tokio::test(start_paused = true)]
async fn as_long_as_nobody_reads_no_more_is_pulled_than_there_is_room_for() {
    for (in_order, with_limits) in [(false, false), (true, false), (false, true), (true, true)] {
        let pulled = Arc::new(AtomicU64::new(0));
        let counted = pulled.clone();
        let tasks = std::iter::from_fn(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            Some(task_fn("n", |_cx| async { Ok(()) }))
        });
        let limits = bgt_concurrent::Limits::new().with("gpu", 2);
        let endless = batch(tasks).max_concurrent(2).buffer(3);
        let endless = if in_order { endless.in_order() } else { endless };
        // Also where items wait for resources, and may be looked at ahead.
        let endless = if with_limits { endless.limits(&limits) } else { endless };
        let mut results = endless.start().await.unwrap();
        // Time that is paused goes on only when there is nothing left to do.
        sleep(Duration::from_secs(1)).await;
        assert!(pulled.load(Ordering::SeqCst) <= 5, "{pulled:?}");
        for n in 0..100 {
            assert_eq!(results.next().await.unwrap().index, n);
        }
        sleep(Duration::from_secs(1)).await;
        assert!((100..=105).contains(&pulled.load(Ordering::SeqCst)), "{pulled:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn failed_attempts_are_tried_again_and_counted() {
    let tries = Arc::new(AtomicU64::new(0));
    let (flaky, patient) = (tries.clone(), tries.clone());
    let one = task_fn("flaky", move |cx: Context| {
        flaky.fetch_add(1, Ordering::SeqCst);
        async move { if cx.attempt() < 3 { Err(TaskError::msg("not yet")) } else { Ok(()) } }
    });
    let report = batch([one]).retry(Retry::attempts(3)).await.unwrap();
    assert_eq!((report.counts.succeeded, report.retries, tries.load(Ordering::SeqCst)), (1, 2, 3));
    let other = task_fn("patient", move |_cx: Context| {
        patient.fetch_add(1, Ordering::SeqCst);
        async move { Err::<(), _>(TaskError::msg("never")) }
    });
    let report = batch([Item::new(other).retry(Retry::never())]).retry(Retry::attempts(9)).await.unwrap();
    assert_eq!((report.counts.failed, report.retries, tries.load(Ordering::SeqCst)), (1, 0, 4));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_of_an_item_goes_before_that_of_all() {
    let endless = || task_fn("endless", |_cx| std::future::pending::<Result<(), TaskError>>());
    let items = [Item::new(endless()).deadline(Duration::from_secs(7)), Item::new(endless())];
    let mut results = batch(items)
        .max_concurrent(2)
        .task_deadline(Duration::from_secs(1))
        .in_order()
        .start()
        .await
        .unwrap();
    assert_eq!(results.next().await.unwrap().report.elapsed, Duration::from_secs(7));
    assert_eq!(results.next().await.unwrap().report.elapsed, Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn past_the_deadline_of_the_whole_what_runs_times_out_and_what_waits_is_skipped() {
    let tasks = vec![task_fn("endless", |_cx| std::future::pending::<Result<(), TaskError>>()); 10];
    let report = batch(tasks).max_concurrent(3).deadline(Duration::from_secs(5)).await.unwrap();
    assert_eq!((report.counts.timed_out, report.counts.skipped, report.counts.ended()), (3, 7, 10));
    assert!(matches!(report.halted, Some(Halted::Cancelled(CancelReason::Deadline))), "{report}");
    assert_eq!(report.elapsed, Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn past_the_deadline_of_the_whole_what_waits_for_its_next_attempt_times_out_with_its_failure() {
    let tasks = [task_fn("flaky", |_cx| async { Err::<(), _>(TaskError::msg("the server is asleep")) })];
    let slow = Retry::attempts(2).backoff(Duration::from_secs(60), Duration::from_secs(60)).without_jitter();
    let report = batch(tasks).retry(slow).deadline(Duration::from_secs(1)).await.unwrap();
    assert_eq!(report.counts.timed_out, 1, "{report}");
    assert!(report.failures[0].message.contains("the server is asleep"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn cancelling_asks_waits_and_skips_the_rest() {
    for switch in 0..2 {
        let switches = [Cancel::new(), Cancel::new()];
        let started = Arc::new(Notify::new());
        let tell = started.clone();
        let polite = (0..10).map(move |_| {
            let tell = tell.clone();
            task_fn("polite", move |cx: Context| {
                tell.notify_one();
                async move {
                    cx.cancelled().await;
                    sleep(Duration::from_secs(1)).await;
                    Err::<(), _>(TaskError::msg("saved and stopped"))
                }
            })
        });
        let running = batch(polite).max_concurrent(1).cancel(&switches[0]).cancel(&switches[1]).into_future();
        let running = tokio::spawn(running);
        started.notified().await;
        switches[switch].cancel_because(CancelReason::Shutdown);
        let report = running.await.unwrap().unwrap();
        assert_eq!((report.counts.cancelled, report.counts.skipped), (1, 9), "{report}");
        assert!(matches!(report.halted, Some(Halted::Cancelled(CancelReason::Shutdown))), "{report}");
        assert_eq!(report.elapsed, Duration::from_secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_cancel_skips_the_grace_period() {
    let started = Arc::new(Notify::new());
    let tell = started.clone();
    let stubborn = task_fn("stubborn", move |cx: Context| {
        tell.notify_one();
        async move {
            cx.cancelled().await;
            std::future::pending::<Result<(), TaskError>>().await
        }
    });
    let mut results = batch([stubborn.stop_budget(Duration::from_secs(60))]).start().await.unwrap();
    started.notified().await;
    results.cancel();
    results.cancel();
    let finished = results.next().await.unwrap();
    assert_eq!((finished.report.status(), finished.report.elapsed), (Status::Cancelled, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_drained_starts_no_more_and_lets_end_what_runs() {
    let (drain, ran) = (Cancel::new(), Arc::new(AtomicU64::new(0)));
    let items = (0..10).map({
        let (drain, ran) = (drain.clone(), ran.clone());
        move |_| {
            let (drain, ran) = (drain.clone(), ran.clone());
            task_fn("item", move |_cx| {
                let (drain, ran) = (drain.clone(), ran.clone());
                async move {
                    drain.cancel_because(CancelReason::Shutdown);
                    // Paused time goes on when nobody has anything to do: by then the switch has been heard.
                    sleep(Duration::from_secs(1)).await;
                    ran.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                }
            })
        }
    });
    let report = batch(items).max_concurrent(2).drain_on(&drain).await.unwrap();
    assert_eq!((report.counts.succeeded, report.counts.skipped), (2, 8), "{report}");
    assert_eq!(ran.load(Ordering::SeqCst), 2);
    assert!(matches!(report.halted, Some(Halted::Cancelled(CancelReason::Shutdown))));
}

#[tokio::test]
async fn a_batch_that_was_drained_before_it_started_starts_nothing() {
    let drain = Cancel::new();
    drain.cancel();
    let items = (0..3).map(|_| task_fn("never", |_cx| async { Ok(()) }));
    let report = batch(items).drain_on(&drain).await.unwrap();
    assert_eq!((report.counts.succeeded, report.counts.skipped), (0, 3), "{report}");
}

#[tokio::test]
async fn cancelled_before_it_starts_nothing_is_pulled() {
    let cancel = Cancel::new();
    cancel.cancel();
    let pulled = Arc::new(AtomicU64::new(0));
    let counted = pulled.clone();
    let tasks = (0..3).map(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        task_fn("never", |_cx| async { Ok(()) })
    });
    let report = batch(tasks).cancel(&cancel).await.unwrap();
    assert_eq!((report.counts.skipped, report.counts.ended()), (3, 3));
    assert_eq!(pulled.load(Ordering::SeqCst), 0);
}

/// Small functions are pulled several at a time: those that were pulled with the one that fails are told of too. The
/// one that fails is the first, from the thousandth on, that has others pulled with it: how many are pulled is for the
/// clock of the machine to say.
#[tokio::test]
async fn a_halt_tells_of_everything_that_was_pulled() {
    let (pulled, fails) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(u64::MAX)));
    let (counted, failed) = (pulled.clone(), fails.clone());
    let tasks = (0..1_000_000u64).map(move |n| {
        counted.store(n + 1, Ordering::SeqCst);
        let (pulled, fails) = (counted.clone(), failed.clone());
        task_fn("n", move |_cx| {
            let is_one = n >= 1_000 && pulled.load(Ordering::SeqCst) > n + 1;
            if is_one {
                fails.store(n, Ordering::SeqCst);
            }
            async move { if is_one { Err(TaskError::msg("no")) } else { Ok(()) } }
        })
    });
    let halt = bgt_concurrent::Halt::on_first_failure();
    let mut results = batch(tasks).max_concurrent(1).buffer(2_000_000).halt(halt).start().await.unwrap();
    let mut heard = std::collections::BTreeMap::new();
    while let Some(finished) = results.next().await {
        let told = heard.insert(finished.index, finished.report.status());
        assert_eq!(told, None, "{} was told of twice", finished.index);
    }
    let (pulled, fails) = (pulled.load(Ordering::SeqCst), fails.load(Ordering::SeqCst));
    assert!(fails != u64::MAX, "nothing was ever pulled with another, so this shows nothing");
    let expected = (0..pulled).map(|n| match n.cmp(&fails) {
        std::cmp::Ordering::Less => (n, Status::Succeeded),
        std::cmp::Ordering::Equal => (n, Status::Failed),
        std::cmp::Ordering::Greater => (n, Status::Skipped),
    });
    assert!(heard.into_iter().eq(expected), "{fails} failed, {pulled} were pulled");
    let counts = results.report().await.counts;
    assert_eq!((counts.succeeded, counts.failed, counts.skipped), (fails, 1, 1_000_000 - fails - 1));
}

#[tokio::test]
async fn dropping_the_handle_or_the_future_ends_what_runs() {
    for as_future in [false, true] {
        let gauge = Gauge::default();
        let (inside, started) = (gauge.clone(), Arc::new(Notify::new()));
        let tell = started.clone();
        let tasks = (0..4).map(move |_| {
            let (inside, tell) = (inside.clone(), tell.clone());
            task_fn("endless", move |_cx| {
                let inside = inside.enter(1);
                tell.notify_one();
                async move {
                    std::future::pending::<()>().await;
                    drop(inside);
                    Ok(())
                }
            })
        });
        let tasks = batch(tasks).max_concurrent(1);
        if as_future {
            let running = tokio::spawn(tasks.into_future());
            started.notified().await;
            running.abort();
            assert!(running.await.unwrap_err().is_cancelled());
        } else {
            let results = tasks.start().await.unwrap();
            started.notified().await;
            drop(results);
        }
        while gauge.now() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(gauge.most(), 1);
    }
}

#[test]
fn when_the_runtime_is_gone_the_reader_hears_of_the_end() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let tasks = (0..10).map(|_| task_fn("endless", |_cx| std::future::pending::<Result<(), TaskError>>()));
    let results = runtime.block_on(async move { batch(tasks).max_concurrent(3).start().await }).unwrap();
    runtime.shutdown_timeout(Duration::from_secs(60));
    let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let report = other.block_on(results.report());
    assert!(matches!(report.halted, Some(Halted::RuntimeGone)), "{report}");
    assert_eq!((report.counts.ended(), report.counts.running), (10, 0), "{report}");
}

#[tokio::test]
async fn a_source_that_panics_has_ended_and_what_came_before_is_run() {
    const DAMAGED: u64 = 50_000;
    let tasks = (0..100_000u64).map(|n| {
        assert!(n < DAMAGED, "row {n} is damaged");
        // Some wait, so that not all is done when it happens.
        task_fn("n", move |_cx| async move {
            if n % 1000 == 0 {
                tokio::task::yield_now().await;
            }
            Ok(())
        })
    });
    let report = batch(tasks).max_concurrent(10).await.unwrap();
    assert_eq!((report.counts.succeeded, report.counts.ended()), (DAMAGED, DAMAGED), "{report}");
    let Some(Halted::Source(panicked)) = &report.halted else { panic!("{report}") };
    assert!(panicked.message.contains("row 50000 is damaged"));
    assert!(!report.is_success());
}

#[tokio::test]
async fn destructors_and_names_that_panic_are_contained() {
    struct Bomb(bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.0 || std::thread::panicking(), "the destructor");
        }
    }
    #[bgt_concurrent::async_trait]
    impl Task for Bomb {
        type Output = Bomb;
        fn name(&self) -> std::borrow::Cow<'_, str> {
            panic!("the name")
        }
        async fn run(&self, _cx: Context) -> Result<Bomb, TaskError> {
            Ok(Bomb(self.0))
        }
    }
    let report = batch((0..40).map(|n| Bomb(n % 2 == 0))).max_concurrent(2).await.unwrap();
    assert_eq!((report.counts.succeeded, report.counts.ended()), (40, 40));
}

#[tokio::test]
async fn a_slow_stream_is_waited_for_and_an_endless_one_is_cancelled() {
    let (send, receive) = tokio::sync::mpsc::channel::<u64>(1);
    let stream =
        futures_util::stream::unfold(receive, |mut receive| async { Some((receive.recv().await?, receive)) });
    let tasks = stream.map(|n| task_fn("n", move |_cx| async move { Ok(n) }));
    let mut results = batch_stream(tasks).max_concurrent(4).start().await.unwrap();
    for n in 0..100 {
        send.send(n).await.unwrap();
        assert_eq!(results.next().await.unwrap().report.result.unwrap(), n);
    }
    // The stream is not at its end, and never will be.
    results.cancel();
    assert!(results.next().await.is_none());
    assert!(matches!(results.report().await.halted, Some(Halted::Cancelled(CancelReason::Caller))));
    drop(send);
}

#[derive(Default)]
struct Notes(Mutex<Vec<Event>>);

impl Observer for Notes {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// Stops a batch as soon as a run of it begins: before its first attempt.
struct Stops(Cancel);

impl Observer for Stops {
    fn event(&self, event: &Event) {
        if matches!(event.kind, EventKind::Started) {
            self.0.cancel();
        }
    }
}

#[tokio::test]
async fn one_that_is_stopped_before_its_first_attempt_never_ran() {
    let cancel = Cancel::new();
    let ran = Arc::new(AtomicU64::new(0));
    let counted = ran.clone();
    let tasks = (0..3).map(move |_| {
        let counted = counted.clone();
        task_fn("t", move |_cx| {
            counted.fetch_add(1, Ordering::SeqCst);
            async { Ok(()) }
        })
    });
    let report = batch(tasks).cancel(&cancel).observer(Arc::new(Stops(cancel.clone()))).await.unwrap();
    assert_eq!(
        (ran.load(Ordering::SeqCst), report.counts.skipped, report.counts.ended()),
        (0, 3, 3),
        "{report}"
    );
}

#[tokio::test]
async fn observers_hear_of_each_item_also_of_those_that_were_refused() {
    let (notes, runs) = (Arc::new(Notes::default()), Runs::new());
    let tasks = ["good", "bad"].map(|name| {
        let item = Item::new(task_fn(name, |_cx| async { Ok(()) }));
        if name == "bad" { item.needs(bgt_concurrent::Needs::new().with("gpu", 1)) } else { item }
    });
    let report = batch(tasks).observer(notes.clone()).observer(Arc::new(runs.clone())).await.unwrap();
    assert_eq!((report.counts.succeeded, report.counts.failed), (1, 1));
    let ended =
        notes.0.lock().unwrap().iter().filter(|event| matches!(event.kind, EventKind::Ended { .. })).count();
    assert_eq!((ended, runs.recent().len(), runs.active().len()), (2, 2, 0));
    assert!(runs.recent().iter().all(|run| run.pattern == Pattern::Concurrent));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_name_before_anything_is_pulled() {
    let tasks = || std::iter::from_fn(|| -> Option<Item<Box<dyn Task<Output = ()>>>> { panic!("pulled") });
    let limits = bgt_concurrent::Limits::new().with("gpu", 1);
    let gpus = |n| bgt_concurrent::Needs::new().with("gpu", n);
    for (batch, words) in [
        (batch(tasks()).max_concurrent(0), "0"),
        (batch(tasks()).per_group(0), "group"),
        (batch(tasks()).start_rate(0, Duration::from_secs(1)), "0 in 1s"),
        (batch(tasks()).start_rate(1, Duration::ZERO), "1 in 0ns"),
        (batch(tasks()).halt(bgt_concurrent::Halt::after_share(2.0)), "a share of 2"),
        (batch(tasks()).halt(bgt_concurrent::Halt::after(0)), "after 0 failures"),
        (batch(tasks()).needs(gpus(1)), "gpu=1"),
        (batch(tasks()).start_rate(u32::MAX, Duration::from_nanos(1)), "4294967295 in 1ns"),
        (batch(tasks()).deadline(Duration::ZERO), "the deadline of a batch is 0"),
        (batch(tasks()).task_deadline(Duration::ZERO), "the deadline of a task of a batch is 0"),
    ] {
        let error = batch.await.unwrap_err();
        assert!(matches!(error, BatchError::Invalid { .. }) && error.to_string().contains(words), "{error}");
    }
    let error = batch(tasks()).retry(Retry::attempts(0)).await.unwrap_err();
    assert!(matches!(error, BatchError::Retry(_)), "{error}");
    let error = batch(tasks()).limits(&limits).needs(gpus(2)).await.unwrap_err();
    let BatchError::Needs(cause) = error else { panic!("{error}") };
    assert!(cause.to_string().contains("\"gpu\"") && cause.to_string().contains('1'), "{cause}");
}

#[tokio::test]
async fn nothing_to_do_is_done() {
    let report = batch(Vec::<Box<dyn Task<Output = ()>>>::new()).await.unwrap();
    assert!(report.is_success() && report.counts.ended() == 0);
}
