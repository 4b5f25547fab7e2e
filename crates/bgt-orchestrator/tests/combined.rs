//! Patterns together: failures in one of them while the others go on. R14, R15, R19.
#![cfg(feature = "full")]

mod support;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bgt_orchestrator::concurrent::batch;
use bgt_orchestrator::detached::{Builder, Job};
use bgt_orchestrator::periodic::{ManualClock, Schedule, ScheduleHandle, Scheduler};
use bgt_orchestrator::pool::{Pool, PoolBuilder, WorkerPool, factory};
use bgt_orchestrator::streaming::{From, StreamEvent};
use bgt_orchestrator::{
    Context, EventKind, Heard, Orchestrator, Pattern, RunQuery, Status, Task, TaskError, async_trait, task_fn,
};
use bgt_testkit::Scratch;
use support::{HANG, bad, ends, soon};

/// How something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Error,
    Panic,
    Crash,
    Hang,
}

const FAULTS: [Fault; 4] = [Fault::Error, Fault::Panic, Fault::Crash, Fault::Hang];
/// For what hangs; nothing is measured by it.
const SHORT: Duration = Duration::from_millis(30);

/// A task that goes well, or wrong in this way.
struct Work(Option<Fault>);

#[async_trait]
impl Task for Work {
    type Output = ();

    fn name(&self) -> Cow<'_, str> {
        "work".into()
    }

    async fn run(&self, cx: Context) -> Result<(), TaskError> {
        match self.0 {
            None => bad(["print", "fine"]).run(cx).await.map(drop),
            Some(Fault::Error) => Err(TaskError::msg("injected")),
            Some(Fault::Panic) => panic!("injected"),
            Some(Fault::Crash) => bad(["eprint", "injected", "then", "abort"]).run(cx).await.map(drop),
            Some(Fault::Hang) => std::future::pending().await,
        }
    }
}

/// Everything on one orchestrator.
struct House {
    bgt: Orchestrator,
    workers: WorkerPool,
    sevens: Pool<bgt_orchestrator::pool::Factory<MakeSeven>>,
    schedules: BTreeMap<&'static str, ScheduleHandle>,
}

type MakeSeven = fn() -> std::future::Ready<Result<u64, std::io::Error>>;

fn sevens() -> PoolBuilder<bgt_orchestrator::pool::Factory<MakeSeven>> {
    let make: MakeSeven = || std::future::ready(Ok(7));
    Pool::builder(factory(make)).name("sevens").size(2)
}

impl House {
    async fn open(scratch: &Scratch) -> Self {
        let functions =
            Builder::new().without_shim().function("work", |cx: Context, fault: Option<u8>| async move {
                let fault = fault.map(|fault| FAULTS[usize::from(fault)]);
                Work(fault).run(cx).await
            });
        let bgt = Orchestrator::builder()
            .held_events(1 << 14)
            .detached(functions)
            .scheduler(Scheduler::builder().engine(ManualClock::new()))
            .open(scratch.path("runs.db"))
            .await
            .unwrap();
        let workers = WorkerPool::builder(bad(["worker"])).name("workers").size(2).grace(SHORT);
        let workers = bgt.worker_pool(workers).unwrap();
        let sevens = bgt.pool(sevens()).unwrap();
        let mut schedules = BTreeMap::new();
        for (name, fault) in [
            ("fine", None),
            ("Error", Some(Fault::Error)),
            ("Panic", Some(Fault::Panic)),
            ("Crash", Some(Fault::Crash)),
            ("Hang", Some(Fault::Hang)),
        ] {
            let mut hourly = Schedule::cron("@hourly");
            if fault == Some(Fault::Hang) {
                hourly = hourly.deadline(SHORT);
            }
            schedules.insert(name, bgt.periodic(name, hourly, Work(fault)).await.unwrap());
        }
        Self { bgt, workers, sevens, schedules }
    }

    /// One run by each pattern, all at the same time; that of the victim goes wrong.
    async fn round(&self, victim: Option<(Pattern, Fault)>) -> BTreeMap<Pattern, bool> {
        let fault = |of: Pattern| victim.filter(|(pattern, _)| *pattern == of).map(|(_, fault)| fault);
        let (simple, streaming, concurrent, detached, periodic, pooled) = tokio::join!(
            self.simple(fault(Pattern::Simple)),
            self.streaming(fault(Pattern::Streaming)),
            self.concurrent(fault(Pattern::Concurrent)),
            self.detached(fault(Pattern::Detached)),
            self.periodic(fault(Pattern::Periodic)),
            self.pooled(fault(Pattern::Pooled)),
        );
        BTreeMap::from([
            (Pattern::Simple, simple),
            (Pattern::Streaming, streaming),
            (Pattern::Concurrent, concurrent),
            (Pattern::Detached, detached),
            (Pattern::Periodic, periodic),
            (Pattern::Pooled, pooled),
        ])
    }

    async fn simple(&self, fault: Option<Fault>) -> bool {
        let run = self.bgt.simple(Work(fault));
        let run = if fault == Some(Fault::Hang) { run.deadline(SHORT) } else { run };
        told(run.await, fault, Pattern::Simple)
    }

    async fn streaming(&self, fault: Option<Fault>) -> bool {
        let run = self.bgt.streaming(Work(fault));
        let run = if fault == Some(Fault::Hang) { run.deadline(SHORT) } else { run };
        let run = run.start();
        let mut events = run.subscribe(From::Start);
        let mut lines = 0;
        while let Some(event) = events.next().await {
            lines += usize::from(matches!(event, StreamEvent::Line(_)));
        }
        assert!(fault.is_some() || lines == 1, "{lines} lines were watched");
        told(run.await, fault, Pattern::Streaming)
    }

    /// The third of five goes wrong.
    async fn concurrent(&self, fault: Option<Fault>) -> bool {
        let items = (0..5).map(move |n| Work(fault.filter(|_| n == 2)));
        let batch = self.bgt.concurrent(batch(items)).max_concurrent(2);
        let batch = if fault == Some(Fault::Hang) { batch.task_deadline(SHORT * 30) } else { batch };
        let report = batch.await.unwrap();
        let wrong = u64::from(fault.is_some());
        assert_eq!((report.counts.succeeded, report.failures.len() as u64), (5 - wrong, wrong), "{report}");
        assert!(report.failures.iter().all(|failure| failure.index == 2), "{report}");
        report.is_success()
    }

    async fn detached(&self, fault: Option<Fault>) -> bool {
        let number = fault.map(|fault| FAULTS.iter().position(|other| *other == fault).unwrap() as u8);
        let job = Job::call("work", &number);
        let job = if fault == Some(Fault::Hang) { job.attempt_deadline(SHORT) } else { job };
        let id = self.bgt.detached(job).await.unwrap();
        let record = self.bgt.run(id).unwrap().wait().await.unwrap();
        assert_eq!(record.error.is_some(), fault.is_some(), "{record:?}");
        record.status == Status::Succeeded
    }

    async fn periodic(&self, fault: Option<Fault>) -> bool {
        let name = fault.map_or("fine".to_owned(), |fault| format!("{fault:?}"));
        let schedule = &self.schedules[&*name];
        schedule.run_now().unwrap();
        schedule.idle().await;
        let last = &schedule.history()[0];
        // It goes on, whatever became of this one.
        assert_eq!(schedule.next(3).len(), 3);
        format!("{last:?}").contains("Succeeded")
    }

    async fn pooled(&self, fault: Option<Fault>) -> bool {
        let call = match fault {
            None => self.workers.call(["echo", "x"]),
            Some(Fault::Error) => self.workers.call(["fail", "3", "injected"]),
            Some(Fault::Crash) => self.workers.call(["half-exit", "1"]),
            Some(Fault::Hang) => self.workers.call(["half"]).deadline(SHORT),
            Some(Fault::Panic) => {
                let injected = |_seven, _cx| async move {
                    if true {
                        panic!("injected");
                    }
                    Ok(())
                };
                return told(self.sevens.run(injected).await, fault, Pattern::Pooled);
            }
        };
        let fine = self.sevens.run(|seven, _cx| async move { Ok(*seven) }).await;
        assert_eq!(fine.unwrap(), 7);
        told(call.await.map(drop), fault, Pattern::Pooled)
    }
}

/// Whether it succeeded; what did not says by which pattern and why.
fn told(result: Result<(), bgt_orchestrator::Error>, fault: Option<Fault>, pattern: Pattern) -> bool {
    let Err(error) = result else { return true };
    assert_eq!(error.pattern(), pattern, "{error:?}");
    let expected = if fault == Some(Fault::Hang) { Status::TimedOut } else { Status::Failed };
    assert_eq!(error.status(), expected, "{error:?}");
    if matches!(fault, Some(Fault::Error | Fault::Panic)) {
        assert!(format!("{error:#}").contains("injected"), "{error:#}");
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_of_any_kind_in_any_of_the_six_disturbs_none_of_the_others() {
    let scratch = Scratch::new();
    let house = House::open(&scratch).await;
    let mut events = house.bgt.events();
    for victim in Pattern::ALL {
        for fault in FAULTS {
            let results = soon(house.round(Some((victim, fault)))).await;
            for (pattern, succeeded) in &results {
                assert_eq!(*succeeded, *pattern != victim, "{fault:?} in {victim}: {results:?}");
            }
            let results = soon(house.round(None)).await;
            assert!(results.values().all(|succeeded| *succeeded), "after {fault:?} in {victim}: {results:?}");
        }
    }
    // Of each run one begin, one end, and nothing missed.
    let rounds = 48;
    let runs = rounds * (1 + 1 + 5 + 1 + 1 + 2) - 1;
    let mut began = BTreeMap::new();
    let mut over = 0;
    while over < runs {
        match soon(events.next()).await {
            Some(Heard::Event(event)) => match event.kind {
                EventKind::Started => assert_eq!(began.insert(event.run, false), None),
                EventKind::Ended { .. } => {
                    assert_eq!(began.insert(event.run, true), Some(false));
                    over += 1;
                }
                _ => {}
            },
            other => panic!("{other:?} after {over} ends"),
        }
    }
    assert!(house.bgt.find(&RunQuery::new().active()).is_empty());
    let end = soon(house.bgt.shutdown(HANG)).await;
    assert!(end.is_clean(), "{end}");
}

#[tokio::test]
async fn a_schedule_fires_batches_and_goes_on_when_one_of_them_fails() {
    let bgt = Orchestrator::new().scheduled_by(Scheduler::builder().engine(ManualClock::new()));
    let (inner, firings) = (bgt.clone(), Arc::new(AtomicU32::new(0)));
    let nightly = task_fn("nightly", move |_cx| {
        let (bgt, firing) = (inner.clone(), firings.fetch_add(1, Ordering::SeqCst));
        async move {
            let files = (0..4).map(move |n| Work((firing == 0 && n == 1).then_some(Fault::Crash)));
            let report = bgt.concurrent(batch(files)).max_concurrent(2).await.map_err(TaskError::new)?;
            report.require_success().map_err(TaskError::new)?;
            Ok(())
        }
    });
    let schedule = bgt.periodic("nightly", Schedule::cron("@daily"), nightly).await.unwrap();
    for succeeded in [0, 1, 2] {
        schedule.run_now().unwrap();
        soon(schedule.idle()).await;
        let statistics = schedule.statistics();
        assert_eq!((statistics.succeeded, statistics.runs), (succeeded, succeeded + 1));
    }
    let failed = bgt.find(&RunQuery::new().status(Status::Failed));
    let mut patterns: Vec<_> = failed.iter().map(|run| run.pattern).collect();
    patterns.sort_unstable();
    assert_eq!(patterns, [Pattern::Concurrent, Pattern::Periodic]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_asks_warm_workers_and_only_those_whose_worker_crashed_fail() {
    let bgt = Orchestrator::new();
    let pool = bgt.worker_pool(WorkerPool::builder(bad(["worker"])).size(2)).unwrap();
    let asked = pool.clone();
    let calls = (0..20).map(move |n| {
        let words = if n % 5 == 4 {
            ["half-exit", "3"].map(str::to_owned)
        } else {
            ["echo".to_owned(), n.to_string()]
        };
        asked.task(words)
    });
    let report = soon(bgt.concurrent(batch(calls)).max_concurrent(4).into_future()).await.unwrap();
    assert_eq!((report.counts.succeeded, report.counts.failed), (16, 4), "{report}");
    assert!(report.failures.iter().all(|failure| failure.index % 5 == 4), "{report}");
    assert!(soon(bgt.shutdown(HANG)).await.is_clean());
}

#[tokio::test]
async fn a_run_that_is_watched_leaves_its_follow_up_to_a_detached_one() {
    let scratch = Scratch::new();
    let told = Arc::new(AtomicU32::new(0));
    let count = told.clone();
    let notify = move |_cx: Context, epochs: u32| {
        count.fetch_add(epochs, Ordering::SeqCst);
        async move { if epochs == 2 { Err(TaskError::msg("the mail server is down")) } else { Ok(()) } }
    };
    let bgt = Orchestrator::open_with(Builder::new().function("notify", notify), scratch.path("runs.db"));
    let bgt = bgt.await.unwrap();
    let mut events = bgt.events();
    for epochs in [2_u32, 3] {
        let inner = bgt.clone();
        let train = task_fn("train", move |cx: Context| {
            let bgt = inner.clone();
            async move {
                for epoch in 1..=epochs {
                    let _ = cx.emit(bgt_orchestrator::Source::Stdout, format!("epoch {epoch}\n")).await;
                }
                bgt.detached(Job::call("notify", &epochs)).await.map_err(TaskError::new)
            }
        });
        let run = bgt.streaming(train).start();
        let lines = run.watch();
        let id = soon(run.into_future()).await.unwrap();
        assert_eq!(lines.snapshot().lines, u64::from(epochs));
        let status = soon(bgt.run(id).unwrap().wait()).await.unwrap().status;
        assert_eq!(status, if epochs == 2 { Status::Failed } else { Status::Succeeded });
    }
    assert_eq!(told.load(Ordering::SeqCst), 5);
    let mut over = ends(&mut events, 4).await;
    over.sort_unstable();
    let (streamed, notified) = ((Pattern::Streaming, "train"), (Pattern::Detached, "notify"));
    let expected = [
        (streamed.0, streamed.1.to_owned(), Status::Succeeded),
        (streamed.0, streamed.1.to_owned(), Status::Succeeded),
        (notified.0, notified.1.to_owned(), Status::Succeeded),
        (notified.0, notified.1.to_owned(), Status::Failed),
    ];
    assert_eq!(over, expected);
    soon(bgt.shutdown(HANG)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_detaches_functions_that_ask_warm_workers() {
    let scratch = Scratch::new();
    let pool: Arc<std::sync::OnceLock<WorkerPool>> = Arc::default();
    let asked = pool.clone();
    let score = move |_cx: Context, words: Vec<String>| {
        let pool = asked.get().unwrap().clone();
        async move { Ok(pool.call(words).await?.text().into_owned()) }
    };
    let bgt = Orchestrator::builder()
        .detached(Builder::new().function("score", score))
        .scheduler(Scheduler::builder().engine(ManualClock::new()))
        .open(scratch.path("runs.db"))
        .await
        .unwrap();
    pool.set(bgt.worker_pool(WorkerPool::builder(bad(["worker"])).size(1)).unwrap()).unwrap();
    let (sender, mut ids) = tokio::sync::mpsc::unbounded_channel();
    let (inner, firings) = (bgt.clone(), Arc::new(AtomicU32::new(0)));
    let scoring = task_fn("scoring", move |_cx| {
        let (bgt, sender) = (inner.clone(), sender.clone());
        let crashes = firings.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            let words = if crashes { ["half-exit", "1"] } else { ["echo", "good"] };
            let _ = sender.send(bgt.detached(Job::call("score", &words)).await.map_err(TaskError::new)?);
            Ok(())
        }
    });
    let schedule = bgt.periodic("scoring", Schedule::cron("@hourly"), scoring).await.unwrap();
    for expected in [Status::Failed, Status::Succeeded] {
        schedule.run_now().unwrap();
        let id = soon(ids.recv()).await.unwrap();
        let record = soon(bgt.run(id).unwrap().wait()).await.unwrap();
        assert_eq!(record.status, expected, "{record:?}");
    }
    soon(schedule.idle()).await;
    assert_eq!(schedule.statistics().succeeded, 2);
    assert!(soon(bgt.shutdown(HANG)).await.is_clean());
}

#[tokio::test]
async fn who_makes_workers_of_one_name_may_ask_for_those_of_another() {
    let whole: Arc<std::sync::OnceLock<Orchestrator>> = Arc::default();
    let asked = whole.clone();
    let outer = move || {
        assert_eq!(asked.get().unwrap().workers("inner").unwrap().name(), "inner");
        WorkerPool::builder(bad(["worker"]))
    };
    let inner = || WorkerPool::builder(bad(["worker"]));
    let bgt = Orchestrator::builder().workers("outer", outer).workers("inner", inner).build();
    whole.set(bgt.clone()).unwrap();
    // On a thread that may stay behind: what hangs here could not be given up.
    let (sender, name) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        let _inside = runtime.enter();
        let _ = sender.send(bgt.workers("outer").map(|pool| pool.name().to_owned()));
    });
    assert_eq!(soon(name).await.unwrap().unwrap(), "outer");
    let bgt = whole.get().unwrap();
    assert!(bgt.workers("none").unwrap_err().to_string().contains(r#"only "inner", "outer""#));
    assert!(soon(bgt.shutdown(HANG)).await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_slow_is_told_how_much_it_missed_and_slows_nobody() {
    let bgt = Orchestrator::builder().held_events(4).build();
    let mut events = bgt.events();
    for _ in 0..10 {
        bgt.simple(task_fn("quick", |_cx| async { Ok(()) })).await.unwrap();
    }
    // Three of each run: it began, its attempt began, it ended.
    assert!(matches!(events.next().await, Some(Heard::Missed(26))));
    for _ in 0..4 {
        assert!(matches!(events.next().await, Some(Heard::Event(_))));
    }
    drop(bgt);
    assert!(events.next().await.is_none());
}
