//! P9 to P12: how runs of functions end, and what the caller learns.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bgt_simple::{
    Cancel, CancelReason, Context, DeadlinePassed, ErrorKind, Event, EventKind, Observer, Panicked, Progress,
    Retry, Runs, Status, TaskError, run, task_fn,
};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

/// Fails so many times, then answers the attempt's number.
fn fails(times: u32) -> impl bgt_simple::Task<Output = u32> {
    task_fn("fails", move |cx: Context| async move {
        if cx.attempt() <= times {
            Err(TaskError::msg(format!("attempt {}", cx.attempt())))
        } else {
            Ok(cx.attempt())
        }
    })
}

#[tokio::test]
async fn a_success_has_a_report() {
    let report = run(task_fn("two", |_cx| async { Ok(2) })).report().await;
    assert_eq!((&*report.name, report.attempts, report.status()), ("two", 1, Status::Succeeded));
    assert!(report.is_success() && report.retried.is_empty());
    assert_eq!(report.result.unwrap(), 2);
}

#[tokio::test]
async fn a_failure_says_which_run_which_attempt_and_why() {
    let report = run(fails(9)).report().await;
    let error = report.result.unwrap_err();
    assert_eq!((error.run_id(), error.task(), error.attempt()), (report.id, "fails", 1));
    assert_eq!((error.kind(), error.status()), (ErrorKind::Failed, Status::Failed));
    assert!(format!("{error:#}").ends_with(": attempt 1"), "{error:#}");
}

#[tokio::test(start_paused = true)]
async fn retries_follow_the_policy_and_are_all_in_the_report() {
    let retry = Retry::attempts(4).backoff(SECOND, 10 * SECOND).without_jitter();
    let start = Instant::now();
    let report = run(fails(3)).retry(retry.clone()).report().await;
    assert_eq!(start.elapsed(), (1 + 2 + 4) * SECOND);
    assert_eq!((report.attempts, report.result.unwrap()), (4, 4));
    let story: Vec<_> = report.retried.iter().map(|failure| (failure.attempt, &*failure.message)).collect();
    assert_eq!(story, [(1, "attempt 1"), (2, "attempt 2"), (3, "attempt 3")]);

    let error = run(fails(4)).retry(retry).await.unwrap_err();
    assert_eq!((error.attempt(), error.kind()), (4, ErrorKind::Failed));
}

#[tokio::test(start_paused = true)]
async fn a_retry_never_passes_the_deadline_of_the_whole() {
    let retry = Retry::attempts(100).backoff(SECOND, SECOND).without_jitter();
    let start = Instant::now();
    let error = run(fails(100)).retry(retry).deadline(SECOND * 7 / 2).await.unwrap_err();
    assert_eq!((error.attempt(), start.elapsed()), (4, 3 * SECOND));
    assert_eq!(error.kind(), ErrorKind::Failed, "the last failure says more than that time was up");
}

#[tokio::test]
async fn what_cannot_help_is_not_retried() {
    let tries = AtomicU32::new(0);
    let fatal = task_fn("fatal", |_cx| async {
        tries.fetch_add(1, Ordering::Relaxed);
        Err::<(), _>(TaskError::msg("no such customer").fatal())
    });
    let error = run(&fatal).retry(Retry::attempts(5)).await.unwrap_err();
    assert_eq!((error.kind(), tries.load(Ordering::Relaxed)), (ErrorKind::Fatal, 1));
    let error = run(&fatal).retry(Retry::attempts(0)).await.unwrap_err();
    assert_eq!((error.kind(), error.attempt(), tries.load(Ordering::Relaxed)), (ErrorKind::Invalid, 0, 1));
}

#[tokio::test]
async fn a_panic_is_a_failed_run_with_its_message() {
    fn explode(how: u32) -> u32 {
        match how {
            0 => panic!("plain"),
            1 => panic!("with a number: {how}"),
            _ => std::panic::panic_any(42),
        }
    }
    for (how, message) in [(0, "plain"), (1, "with a number: 1"), (2, "a panic whose message is no text")] {
        let task = task_fn("explode", move |_cx| async move { Ok(explode(how)) });
        let error = run(task).retry(Retry::attempts(3)).await.unwrap_err();
        assert_eq!((error.kind(), error.attempt()), (ErrorKind::Panicked, 1));
        assert_eq!(error.find::<Panicked>().unwrap().message, message);
    }
    let twice = Retry::attempts(2).on([ErrorKind::Panicked]).backoff(Duration::ZERO, Duration::ZERO);
    let error = run(task_fn("explode", |_cx| async { Ok(explode(0)) })).retry(twice).await.unwrap_err();
    assert_eq!(error.attempt(), 2);
}

/// Panics at every call of the trait, and when its future is dropped.
struct Treacherous;

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

#[bgt_simple::async_trait]
impl bgt_simple::Task for Treacherous {
    type Output = ();
    fn name(&self) -> std::borrow::Cow<'_, str> {
        panic!("in name")
    }
    fn stop_budget(&self) -> Duration {
        panic!("in stop_budget")
    }
    async fn run(&self, cx: Context) -> Result<(), TaskError> {
        let _bomb = Bomb;
        let _reason = cx.cancel_reason();
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn panics_in_all_the_other_places_are_contained_too() {
    let error = run(Treacherous).deadline(SECOND).await.unwrap_err();
    assert_eq!((error.task(), error.kind()), ("unnamed", ErrorKind::TimedOut));
    // Dropped in the middle: the bomb goes off inside.
    let dropped = tokio::time::timeout(SECOND, run(Treacherous).report()).await;
    assert!(dropped.is_err());
}

#[tokio::test(start_paused = true)]
async fn deadlines_say_how_long_and_of_what() {
    let endless = || task_fn("endless", |_cx| std::future::pending::<Result<(), TaskError>>());
    let start = Instant::now();
    let error = run(endless()).deadline(2 * SECOND).await.unwrap_err();
    // Never looked at its cancellation, so nothing is waited for.
    assert_eq!((error.kind(), start.elapsed()), (ErrorKind::TimedOut, 2 * SECOND));
    assert_eq!(error.cancel_reason(), Some(CancelReason::Deadline));
    let cause = error.find::<DeadlinePassed>().unwrap();
    assert_eq!((cause.limit, cause.whole), (2 * SECOND, true));

    let retry = Retry::attempts(3).backoff(SECOND, SECOND).without_jitter();
    let start = Instant::now();
    let error = run(endless()).attempt_deadline(SECOND).retry(retry).await.unwrap_err();
    assert_eq!((error.attempt(), start.elapsed()), (3, 5 * SECOND));
    assert!(!error.find::<DeadlinePassed>().unwrap().whole);

    let error = run(endless()).deadline(Duration::ZERO).await.unwrap_err();
    assert_eq!((error.kind(), error.attempt()), (ErrorKind::TimedOut, 0));
    assert!(run(task_fn("quick", |_cx| async { Ok(()) })).deadline(Duration::MAX).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_looks_gets_its_budget_and_may_still_succeed() {
    let careful = |needs: Duration| {
        task_fn("careful", move |cx: Context| async move {
            let reason = cx.cancelled().await;
            sleep(needs).await;
            Ok(reason)
        })
        .stop_budget(3 * SECOND)
    };
    let start = Instant::now();
    assert_eq!(run(careful(2 * SECOND)).deadline(SECOND).await.unwrap(), CancelReason::Deadline);
    assert_eq!(start.elapsed(), 3 * SECOND);

    let start = Instant::now();
    let error = run(careful(9 * SECOND)).deadline(SECOND).await.unwrap_err();
    assert_eq!((error.kind(), start.elapsed()), (ErrorKind::TimedOut, 4 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn what_a_task_answers_when_it_is_stopped_is_the_cause() {
    let task = task_fn("saves", |cx: Context| async move {
        cx.cancelled().await;
        Err::<(), _>(TaskError::msg("saved up to row 17"))
    });
    let error = run(task).deadline(SECOND).retry(Retry::attempts(9)).await.unwrap_err();
    assert_eq!((error.kind(), error.attempt()), (ErrorKind::TimedOut, 1));
    assert!(format!("{error:#}").ends_with(": saved up to row 17"), "{error:#}");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_is_never_retried_and_ends_the_wait_between_attempts() {
    let cancel = Cancel::new();
    let running = tokio::spawn({
        let cancel = cancel.clone();
        async move {
            run(fails(9))
                .retry(Retry::attempts(9).backoff(60 * SECOND, 60 * SECOND).without_jitter())
                .cancel(&cancel)
                .await
        }
    });
    sleep(SECOND).await;
    let start = Instant::now();
    cancel.cancel_because(CancelReason::Shutdown);
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!((error.kind(), error.cancel_reason()), (ErrorKind::Cancelled, Some(CancelReason::Shutdown)));
    assert!(format!("{error:#}").contains("attempt 1"), "the last failure is kept: {error:#}");
}

#[tokio::test(start_paused = true)]
async fn a_second_cancel_does_not_wait_for_the_budget() {
    let cancel = Cancel::new();
    let running = tokio::spawn({
        let cancel = cancel.clone();
        let stubborn = task_fn("stubborn", |cx: Context| async move {
            cx.cancelled().await;
            std::future::pending::<Result<(), TaskError>>().await
        });
        async move { run(stubborn.stop_budget(999 * SECOND)).cancel(&cancel).await }
    });
    sleep(SECOND).await;
    let start = Instant::now();
    cancel.cancel();
    sleep(SECOND).await;
    assert!(!running.is_finished());
    cancel.cancel();
    assert_eq!(running.await.unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(start.elapsed(), SECOND);
}

#[tokio::test]
async fn a_run_inside_a_run_keeps_the_whole_chain() {
    let outer = task_fn("outer", |_cx| async { Ok(run(fails(9)).await?) });
    let error = run(outer).await.unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("task `outer` failed") && text.contains("task `fails` failed"), "{text}");
}

#[derive(Default)]
struct Kept(Mutex<Vec<Event>>);

impl Observer for Kept {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
        assert!(event.kind != EventKind::Started, "an observer that panics disturbs nobody");
    }
}

#[tokio::test(start_paused = true)]
async fn observers_hear_everything_once_and_in_order() {
    let kept = Arc::new(Kept::default());
    let task = task_fn("watched", |cx: Context| async move {
        cx.progress(Progress::of(1, 2));
        if cx.attempt() == 1 { Err(TaskError::msg("no")) } else { Ok(()) }
    });
    let retry = Retry::attempts(2).backoff(SECOND, SECOND).without_jitter();
    let report = run(task).retry(retry).observer(kept.clone()).report().await;
    let events = kept.0.lock().unwrap();
    assert!(events.iter().all(|event| event.run == report.id && &*event.name == "watched"));
    let kinds: Vec<EventKind> = events.iter().map(|event| event.kind.clone()).collect();
    let progress = EventKind::Progress(Progress::of(1, 2));
    assert_eq!(
        kinds,
        [
            EventKind::Started,
            EventKind::AttemptStarted { attempt: 1 },
            progress.clone(),
            EventKind::Retrying { attempt: 1, kind: ErrorKind::Failed, after: SECOND },
            EventKind::AttemptStarted { attempt: 2 },
            progress,
            EventKind::Ended { status: Status::Succeeded },
        ]
    );
}

#[tokio::test]
async fn a_dropped_run_has_ended_for_those_who_watch() {
    let runs = Runs::new();
    let endless = task_fn("endless", |_cx| std::future::pending::<Result<(), TaskError>>());
    {
        let mut running = std::pin::pin!(run(endless).observer(Arc::new(runs.clone())).report());
        let _ =
            std::future::poll_fn(|cx| std::task::Poll::Ready(running.as_mut().poll(cx).is_pending())).await;
        assert_eq!(runs.active()[0].status, Status::Running);
    }
    assert_eq!(runs.active(), []);
    assert_eq!(runs.recent()[0].status, Status::Cancelled);
}

#[tokio::test]
async fn a_dry_run_calls_nothing() {
    let called = AtomicU32::new(0);
    let task = task_fn("charge the card", |_cx| async {
        called.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    let told = run(task).dry_run().await.unwrap();
    assert!(told.contains("charge the card"));
    assert_eq!(called.load(Ordering::Relaxed), 0);
}

#[test]
fn futures_are_send_and_reports_too() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    let task = task_fn("t", |_cx| async { Ok(1) });
    drop(assert_send(run(&task).report()));
    drop(assert_send(IntoFuture::into_future(run(&task))));
}

#[tokio::test]
async fn a_busy_task_cannot_outlast_its_deadline() {
    // Always ready, so tokio's budget is used up whenever the deadline is looked at.
    let busy = task_fn("busy", |_cx| async {
        let permits = tokio::sync::Semaphore::new(1);
        loop {
            drop(permits.acquire().await);
            if false {
                return Ok(());
            }
        }
    });
    let error = run(busy).deadline(Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn any_of_several_switches_stops_the_run() {
    for used in 0..3 {
        let switches = [Cancel::new(), Cancel::new(), Cancel::new()];
        let endless = task_fn("endless", |cx: Context| async move {
            cx.cancelled().await;
            std::future::pending::<Result<(), TaskError>>().await
        });
        let running = tokio::spawn({
            let [a, b, c] = switches.clone();
            async move { run(endless.stop_budget(999 * SECOND)).cancel(&a).cancel(&b).cancel(&c).await }
        });
        sleep(SECOND).await;
        switches[used].cancel_because(CancelReason::Shutdown);
        sleep(SECOND).await;
        assert!(!running.is_finished());
        switches[(used + 1) % 3].force();
        let error = running.await.unwrap().unwrap_err();
        assert_eq!(error.cancel_reason(), Some(CancelReason::Shutdown));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_during_the_last_moments_of_an_attempt_is_followed_by_no_other() {
    let cancel = Cancel::new();
    let slow_to_stop = task_fn("slow to stop", |cx: Context| async move {
        cx.cancelled().await;
        sleep(2 * SECOND).await;
        Err::<(), _>(TaskError::msg("stopped"))
    });
    let running = tokio::spawn({
        let cancel = cancel.clone();
        async move {
            run(slow_to_stop)
                .attempt_deadline(SECOND)
                .retry(Retry::attempts(9))
                .cancel(&cancel)
                .report()
                .await
        }
    });
    sleep(2 * SECOND).await;
    cancel.cancel();
    let report = running.await.unwrap();
    assert_eq!((report.attempts, report.retried), (1, vec![]));
    assert!(report.result.is_err());
}

/// Panics again when its payload is dropped.
struct Vicious;

impl Drop for Vicious {
    fn drop(&mut self) {
        panic!("again");
    }
}

#[tokio::test]
async fn a_panic_whose_payload_panics_is_contained() {
    let task = task_fn("vicious", |_cx| async {
        std::panic::panic_any(Vicious);
        #[expect(unreachable_code, reason = "says what it would have answered")]
        Ok(())
    });
    assert_eq!(run(task).await.unwrap_err().kind(), ErrorKind::Panicked);
}

#[tokio::test]
async fn a_task_cannot_say_that_it_never_ran_nor_speak_after_its_end() {
    let runs = Runs::new();
    let (tell, told) = tokio::sync::oneshot::channel();
    let tell = Mutex::new(Some(tell));
    let task = task_fn("liar", |cx: Context| {
        let tell = tell.lock().unwrap().take();
        async move {
            if let Some(tell) = tell {
                let _ = tell.send(cx.clone());
            }
            cx.notify(EventKind::Ended { status: Status::Lost });
            Err::<(), _>(TaskError::msg("never ran").with_kind(ErrorKind::Skipped))
        }
    });
    let kept = Arc::new(Kept::default());
    let error = run(task).observer(Arc::new(runs.clone())).observer(kept.clone()).await.unwrap_err();
    assert_eq!((error.kind(), runs.recent()[0].status), (ErrorKind::Failed, Status::Failed));
    told.await.unwrap().progress(Progress::count(1));
    let kinds: Vec<_> = kept.0.lock().unwrap().iter().map(|event| event.kind.clone()).collect();
    let expected = [
        EventKind::Started,
        EventKind::AttemptStarted { attempt: 1 },
        EventKind::Ended { status: Status::Failed },
    ];
    assert_eq!(kinds, expected);
}
