//! Calls a second of one caller to one warm worker that echoes.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgt_pool::{Command, WorkerBuilder, WorkerPool};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use super::executor::{Executor, Folder};
use super::runtime;
use crate::pinned::Pinned;
use crate::{Bench, Better, Case, Result, Side};

pub(super) const NAME: &str = "warm_call";

/// What is echoed.
const TEXT: &str = "some text to echo";

const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn measure(bench: &Bench) -> Result {
    let rounds = if bench.is_quick() { 20 } else { 40 };
    // Before the runtime has threads: they and the workers inherit it.
    let _pinned = Pinned::to_one();
    let case = Case { name: NAME, unit: "calls/s", better: Better::Higher, rounds };
    let runtime = &runtime()?;
    against_pipe(bench, &case, runtime)?;
    match bgt_testkit::python() {
        Some(python) => against_executor(bench, &case, runtime, &python),
        None => {
            bench.say("warm_call against process-pool-executor is skipped: there is no Python here");
            Ok(())
        }
    }
}

/// Against the same by hand, with the same compiled worker: this very program.
fn against_pipe(bench: &Bench, case: &Case, runtime: &Runtime) -> Result {
    let calls = 5_000;
    let worker = std::env::current_exe()?;
    let builder = WorkerPool::builder(Command::new(&worker)).says_ready(true);
    let pool = start(runtime, builder)?;
    let pipe = Arc::new(Mutex::new(runtime.block_on(Pipe::start(worker))?));
    let ours = side("ours", None, runtime, calls, || call_pool(pool.clone(), calls));
    let by_hand = side("pipe", Some(0.7), runtime, calls, || call_pipe(pipe.clone(), calls));
    bench.compare(case, ours, vec![by_hand])?;
    runtime.block_on(pool.drain(PATIENCE));
    Ok(())
}

/// Against Python's own pool of processes, with a worker in Python.
fn against_executor(bench: &Bench, case: &Case, runtime: &Runtime, python: &Path) -> Result {
    let calls = 1_000;
    let folder = Folder::new()?;
    let builder = WorkerPool::python("echo:echo");
    let builder = builder.command(|worker| worker.interpreter(python).current_dir(folder.path()));
    let pool = start(runtime, builder)?;
    let mut executor = Executor::start(python, &folder)?;
    let ours = side("ours", None, runtime, calls, || call_pool(pool.clone(), calls));
    let measure = Box::new(|| executor.calls(calls));
    let theirs = Side { name: "process-pool-executor", goal: Some(2.0), measure };
    bench.compare(case, ours, vec![theirs])?;
    runtime.block_on(pool.drain(PATIENCE));
    Ok(())
}

fn start(runtime: &Runtime, builder: WorkerBuilder) -> Result<WorkerPool> {
    runtime.block_on(async {
        let pool = builder.size(1).min_idle(1).build()?;
        pool.warm().await?;
        Ok(pool)
    })
}

fn side<'a, Calls>(
    name: &'static str,
    goal: Option<f64>,
    runtime: &'a Runtime,
    calls: u64,
    call: impl Fn() -> Calls + 'a,
) -> Side<'a>
where
    Calls: Future<Output = Result> + Send + 'static,
{
    let measure = move || {
        let start = Instant::now();
        // In a task, as a service has it.
        runtime.block_on(runtime.spawn(call()))??;
        Ok(calls as f64 / start.elapsed().as_secs_f64())
    };
    Side { name, goal, measure: Box::new(measure) }
}

async fn call_pool(pool: WorkerPool, calls: u64) -> Result {
    for _ in 0..calls {
        check(&pool.call(TEXT).await?.text())?;
    }
    Ok(())
}

async fn call_pipe(pipe: Arc<Mutex<Pipe>>, calls: u64) -> Result {
    let mut pipe = pipe.lock().await;
    for id in 1..=calls {
        check(&pipe.call(id).await?)?;
    }
    Ok(())
}

fn check(text: &str) -> Result {
    if text == TEXT { Ok(()) } else { Err(format!("another echo came: {text}").into()) }
}

/// As people write it: a line there, a line back, the id looked at. No deadline, no queue, and nobody reads stderr.
struct Pipe {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    line: String,
    /// Killed when it is dropped.
    _child: Child,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    request_id: u64,
    exit_code: i32,
    output: String,
}

impl Pipe {
    async fn start(worker: PathBuf) -> Result<Self> {
        let mut command = tokio::process::Command::new(worker);
        command.env("BGT_WORKER", "1").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let stdin = child.stdin.take().ok_or("a child without stdin")?;
        let stdout = BufReader::new(child.stdout.take().ok_or("a child without stdout")?);
        let mut pipe = Self { stdin, stdout, line: String::new(), _child: child };
        pipe.stdout.read_line(&mut pipe.line).await?;
        Ok(pipe)
    }

    async fn call(&mut self, id: u64) -> Result<String> {
        let arguments = serde_json::to_string(&[TEXT])?;
        let request = format!("{{\"requestId\":{id},\"arguments\":{arguments}}}\n");
        self.stdin.write_all(request.as_bytes()).await?;
        self.line.clear();
        self.stdout.read_line(&mut self.line).await?;
        let answer: Answer = serde_json::from_str(&self.line)?;
        if (answer.request_id, answer.exit_code) != (id, 0) {
            return Err(format!("a wrong answer: {}", self.line).into());
        }
        Ok(answer.output)
    }
}
