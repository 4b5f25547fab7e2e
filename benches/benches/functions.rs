//! What the parts of a run cost that wait for nobody, in nanoseconds: no program is started.

#![expect(missing_docs, reason = "criterion's macros make functions without")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bgt_simple::{Retry, RunId, TaskError, run, task_fn};
use criterion::{Criterion, criterion_group, criterion_main};

fn run_id(c: &mut Criterion) {
    let mut group = c.benchmark_group("run_id");
    group.bench_function("new", |b| b.iter(RunId::new));
    let text = RunId::new().to_string();
    group.bench_function("parse", |b| b.iter(|| black_box(&text).parse::<RunId>()));
    group.finish();
}

/// The difference between the two is what the runner adds to a function.
fn no_op(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let _entered = runtime.enter();
    let mut group = c.benchmark_group("no_op");
    group.bench_function("direct", |b| {
        b.iter_custom(|times| runtime.block_on(timed(times, async || Ok::<_, TaskError>(black_box(1)))));
    });
    let task = task_fn("no_op", |_cx| async { Ok(black_box(1)) });
    group.bench_function("run", |b| {
        b.iter_custom(|times| runtime.block_on(timed(times, async || run(&task).await)));
    });
    let retry = || run(&task).retry(Retry::attempts(3)).deadline(Duration::from_secs(60));
    group.bench_function("run_with_deadline_and_retry", |b| {
        b.iter_custom(|times| runtime.block_on(timed(times, async || retry().await)));
    });
    group.finish();
}

async fn timed<T, E: std::fmt::Debug>(times: u64, call: impl AsyncFn() -> Result<T, E>) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        black_box(call().await.expect("a no-op cannot fail"));
    }
    start.elapsed()
}

criterion_group!(functions, run_id, no_op);
criterion_main!(functions);
