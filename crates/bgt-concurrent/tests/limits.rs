//! Limits are never exceeded, nothing starves, and every item is reported once, whatever fails, panics, is cancelled or
//! halts when.

mod support;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bgt_concurrent::{
    Cancel, Context, Halt, Halted, Item, Limits, Needs, Retry, Status, TaskError, batch, task_fn,
};
use proptest::prelude::*;
use support::Gauge;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

#[derive(Clone, Debug)]
struct Job {
    gpu: u64,
    mem: u64,
    group: u8,
    ms: u64,
    end: u8,
}

#[derive(Clone, Debug)]
struct Plan {
    jobs: Vec<Job>,
    most: usize,
    per_group: usize,
    lookahead: usize,
    buffer: usize,
    in_order: bool,
    read: bool,
    halt: u8,
    cancel_running: bool,
    cancel_at: Option<u64>,
    deadline: Option<u64>,
    retry: bool,
}

fn plan() -> impl Strategy<Value = Plan> {
    let job = (0..4u64, 0..=8u64, 0..4u8, 0..40u64, 0..20u8).prop_map(|(gpu, mem, group, ms, end)| Job {
        gpu,
        mem,
        group,
        ms,
        end,
    });
    let numbers = (1..6usize, 1..4usize, 0..20usize, 0..20usize);
    let switches = any::<(bool, bool, bool, bool)>();
    let ends =
        (0..8u8, proptest::option::weighted(0.2, 0..300u64), proptest::option::weighted(0.2, 0..300u64));
    (proptest::collection::vec(job, 0..60), numbers, switches, ends).prop_map(
        |(jobs, (most, per_group, lookahead, buffer), (in_order, read, cancel_running, retry), ends)| {
            let (halt, cancel_at, deadline) = ends;
            Plan {
                jobs,
                most,
                per_group,
                lookahead,
                buffer,
                in_order,
                read,
                halt,
                cancel_running,
                cancel_at,
                deadline,
                retry,
            }
        },
    )
}

fn halt(plan: &Plan) -> Halt {
    let halt = match plan.halt {
        0 => Halt::on_first_failure(),
        1 => Halt::after(5),
        2 => Halt::after_share(0.3).at_least(10),
        _ => Halt::never(),
    };
    if plan.cancel_running { halt.cancel_running() } else { halt }
}

/// Counts what the tasks themselves see.
#[derive(Clone, Default)]
struct Seen {
    all: Gauge,
    gpu: Gauge,
    mem: Gauge,
    groups: Arc<Mutex<HashMap<u8, Gauge>>>,
    started: Arc<Mutex<HashSet<u64>>>,
}

/// A `ms` of the plan takes one `unit`.
async fn check(plan: Plan, unit: Duration) {
    let ms = move |ms: u64| unit * u32::try_from(ms).expect("small");
    let seen = Seen::default();
    let cancel = Cancel::new();
    let items: Vec<_> = plan
        .jobs
        .clone()
        .into_iter()
        .zip(0u64..)
        .map({
            let seen = seen.clone();
            move |(job, index)| {
                let (seen, inner) = (seen.clone(), job.clone());
                let task = task_fn("job", move |cx: Context| {
                    let (job, seen) = (inner.clone(), seen.clone());
                    let first = cx.attempt() == 1;
                    assert!(!first || seen.started.lock().unwrap().insert(index), "{index} ran twice");
                    let group = seen.groups.lock().unwrap().entry(job.group).or_default().clone();
                    async move {
                        let _inside = (
                            seen.all.enter(1),
                            seen.gpu.enter(job.gpu),
                            seen.mem.enter(job.mem),
                            group.enter(1),
                        );
                        if job.ms > 0 {
                            sleep(ms(job.ms)).await;
                        }
                        match job.end {
                            0..4 => Err(TaskError::msg("failed")),
                            4 => panic!("panicked"),
                            5 => {
                                cx.cancelled().await;
                                Err(TaskError::msg("stopped"))
                            }
                            6 => std::future::pending().await,
                            _ => Ok(index),
                        }
                    }
                });
                let needs = Needs::new().with("gpu", job.gpu).with("mem", job.mem);
                Item::new(task).group(job.group.to_string()).needs(needs).deadline(ms(500))
            }
        })
        .collect();
    let all = items.len() as u64;
    let limits = Limits::new().with("gpu", 3).with("mem", 8);
    let mut tasks = batch(items)
        .max_concurrent(plan.most)
        .limits(&limits)
        .per_group(plan.per_group)
        .lookahead(plan.lookahead)
        .buffer(plan.buffer)
        .halt(halt(&plan))
        .cancel(&cancel);
    if plan.in_order {
        tasks = tasks.in_order();
    }
    if plan.retry {
        tasks = tasks.retry(Retry::attempts(2));
    }
    if let Some(deadline) = plan.deadline {
        tasks = tasks.deadline(ms(deadline + 1));
    }
    if let Some(at) = plan.cancel_at {
        tokio::spawn(async move {
            sleep(ms(at)).await;
            cancel.cancel();
        });
    }
    let mut heard: HashMap<u64, Status> = HashMap::new();
    let report = if plan.read {
        let mut results = tasks.start().await.unwrap();
        let mut last = None;
        while let Some(finished) = results.next().await {
            assert!(
                !plan.in_order || last.is_none_or(|last| last < finished.index),
                "{} is late",
                finished.index
            );
            last = Some(finished.index);
            let status = finished.report.status();
            assert!(heard.insert(finished.index, status).is_none(), "{} was reported twice", finished.index);
        }
        results.report().await
    } else {
        tasks.await.unwrap()
    };
    let counts = report.counts;
    assert_eq!(
        (counts.ended(), counts.running, counts.waiting, counts.already_done),
        (all, 0, 0, 0),
        "{report}"
    );
    let started = seen.started.lock().unwrap().clone();
    assert_eq!(counts.skipped, all - started.len() as u64, "what never ran is skipped: {report}");
    if plan.read {
        for status in [Status::Succeeded, Status::Failed, Status::TimedOut, Status::Cancelled] {
            let times = heard.values().filter(|heard| **heard == status).count() as u64;
            assert_eq!(times, counts.of(status), "{status}: {report}");
        }
        let skipped = heard.iter().filter(|(_, status)| **status == Status::Skipped);
        assert!(skipped.clone().all(|(index, _)| !started.contains(index)));
        assert!(skipped.count() as u64 <= counts.skipped);
        assert!(started.iter().all(|index| heard.contains_key(index)), "what ran was not reported");
    }
    if report.halted.is_none() {
        assert_eq!((counts.skipped, counts.cancelled), (0, 0), "{report}");
    }
    if plan.cancel_at.is_none() && plan.deadline.is_none() && plan.halt > 2 {
        assert!(report.halted.is_none(), "nobody starves, nothing stops: {report}");
    }
    assert!(seen.all.most() <= plan.most as u64 && seen.gpu.most() <= 3 && seen.mem.most() <= 8);
    assert!(seen.groups.lock().unwrap().values().all(|group| group.most() <= plan.per_group as u64));
    assert!(report.peak <= plan.most as u64);
    assert_eq!(seen.all.now(), 0);
    assert_eq!((limits.available("gpu"), limits.available("mem")), (Some(3), Some(8)), "all was given back");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn no_limit_is_exceeded_nothing_starves_and_each_item_is_reported_once(plan in plan()) {
        quiet();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(check(plan, Duration::from_millis(1)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// The same with several lanes, on a clock that goes on by itself.
    #[test]
    fn the_same_holds_on_several_threads(plan in plan(), threads in 2..5usize) {
        quiet();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_time().build().unwrap();
        let end = async { tokio::time::timeout(Duration::from_secs(120), check(plan, Duration::from_micros(50))).await };
        runtime.block_on(end).expect("it stands still");
    }
}

/// Tasks that panic are part of it, and would tell the world.
fn quiet() {
    std::panic::set_hook(Box::new(|panic| {
        if panic.payload().downcast_ref() != Some(&"panicked") {
            eprintln!("{panic}");
        }
    }));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_can_never_fit_is_refused_and_the_others_run() {
    let limits = Limits::new().with("gpu", 2);
    let items = [1, 3, 2].map(|gpus| {
        Item::new(task_fn("render", |_cx| async { Ok(()) })).needs(Needs::new().with("gpu", gpus))
    });
    let report = batch(items).limits(&limits).await.unwrap();
    assert_eq!((report.counts.succeeded, report.counts.failed), (2, 1));
    assert!(
        report.failures[0].message.contains("3 of resource \"gpu\" can never fit"),
        "{}",
        report.failures[0]
    );
    assert_eq!((report.failures[0].index, report.failures[0].attempts), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_resource_keeps_no_other_from_working() {
    let limits = Limits::new().with("gpu", 1);
    // One holds the GPU for long, many wait for it, and one at the end needs none.
    let ended = Arc::new(Mutex::new(Vec::new()));
    let items: Vec<_> = (0..20)
        .map(|n| {
            let ended = ended.clone();
            let task = task_fn("n", move |_cx| {
                let ended = ended.clone();
                async move {
                    sleep(Duration::from_secs(1)).await;
                    ended.lock().unwrap().push(n);
                    Ok(())
                }
            });
            Item::new(task).needs(Needs::new().with("gpu", u64::from(n < 19)))
        })
        .collect();
    let report = batch(items).max_concurrent(2).limits(&limits).await.unwrap();
    assert!(report.is_success());
    assert!(ended.lock().unwrap()[..2].contains(&19), "{ended:?}");
    assert_eq!(report.elapsed, Duration::from_secs(19));
}

#[tokio::test(start_paused = true)]
async fn starts_keep_to_the_rate() {
    let began = Instant::now();
    let starts = Arc::new(Mutex::new(Vec::new()));
    let seen = starts.clone();
    let tasks = (0..10).map(move |_| {
        let seen = seen.clone();
        task_fn("n", move |_cx| {
            seen.lock().unwrap().push(began.elapsed().as_millis());
            async { Ok(()) }
        })
    });
    batch(tasks).max_concurrent(10).start_rate(4, Duration::from_secs(1)).await.unwrap();
    let mut starts = starts.lock().unwrap().clone();
    starts.sort_unstable();
    assert_eq!(starts, (0..10).map(|n| n * 250).collect::<Vec<u128>>());
}

#[tokio::test]
async fn a_halt_leaves_what_runs_or_cancels_it_and_skips_the_rest() {
    for cancels in [false, true] {
        let (running, fail) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, wait) = (running.clone(), fail.clone());
        let items = (0..1000).map(move |n| {
            let (tell, wait) = (tell.clone(), wait.clone());
            task_fn("n", move |cx: Context| {
                let (tell, wait) = (tell.clone(), wait.clone());
                async move {
                    if n == 0 {
                        tell.notified().await;
                        return Err(TaskError::msg("the first to fail"));
                    }
                    tell.notify_one();
                    tokio::select! {
                        _ = cx.cancelled() => Err(TaskError::msg("stopped")),
                        () = wait.notified() => Ok(()),
                    }
                }
            })
        });
        let halt = Halt::on_first_failure();
        let halt = if cancels { halt.cancel_running() } else { halt };
        let mut results = batch(items).max_concurrent(2).halt(halt).start().await.unwrap();
        let first = results.next().await.unwrap();
        assert_eq!((first.index, first.report.status()), (0, Status::Failed));
        fail.notify_one();
        // What was pulled by then is skipped, and may be told earlier.
        let second = loop {
            let next = results.next().await.unwrap();
            if next.index == 1 {
                if let Some(error) = next.report.result.as_ref().err() {
                    let text = format!("{error:#}");
                    assert!(text.contains("what it belongs to was halted"), "{text}");
                }
                break next.report.status();
            }
            assert_eq!(next.report.status(), Status::Skipped);
        };
        assert_eq!(second, if cancels { Status::Cancelled } else { Status::Succeeded });
        let report = results.report().await;
        assert_eq!((report.counts.skipped, report.counts.ended()), (998, 1000));
        assert!(matches!(report.halted, Some(Halted::Failures { failed: 1, .. })), "{report}");
    }
}

#[tokio::test]
async fn a_group_without_a_limit_is_refused_as_needs_are() {
    let task = || Item::new(task_fn("fetch", |_cx| async { Ok(()) }));
    let report = batch([task().group("example.org"), task()]).await.unwrap();
    assert_eq!((report.counts.succeeded, report.counts.failed), (1, 1));
    assert!(report.failures[0].message.contains("\"example.org\""), "{report}");
    assert!(report.failures[0].message.contains("Batch::per_group"), "{report}");
    let error = report.require_success().unwrap_err();
    assert!(
        error.to_string().contains("the first: item 0: ") && error.to_string().contains("per_group"),
        "{error}"
    );
}
