//! Everything at once for a long time: nothing is lost, nobody survives, and nothing grows.

mod host;
mod plan;
mod work;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bgt_detached::Builder;
use bgt_orchestrator::Orchestrator;
use bgt_pool::WorkerPool;
use bgt_simple::Command;
use bgt_testkit::{Ledger, Other, Resources, Scratch, assert_gone, read_pids, role, wait_until};
use tokio::task::JoinSet;

use crate::Result;
use plan::Kill;
use work::{Expected, Field, HANG};

/// Runs for as many minutes as the first word says, by the seed that is the second.
#[must_use]
pub fn main() -> ExitCode {
    let done = if bgt_pool::is_worker() {
        bgt_pool::serve(|(ledger, line): (PathBuf, String)| {
            Ledger::at(ledger).append(&line);
            Ok::<_, std::convert::Infallible>(line)
        })
        .map_err(Into::into)
    } else {
        started()
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn started() -> Result {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        // Else the threads that wait in the file system's name come and go for ten seconds.
        .thread_keep_alive(Duration::from_millis(100))
        .enable_all()
        .build()?;
    if let Some(folder) = role() {
        return runtime.block_on(host::play(Path::new(&folder)));
    }
    let words: Vec<_> = std::env::args().skip(1).collect();
    let [minutes, seed] = words.as_slice() else { return Err("call it by `cargo xtask soak`".into()) };
    let time = Duration::from_secs_f64(minutes.parse::<f64>()? * 60.0);
    runtime.block_on(soak(time, seed.parse()?))
}

/// What a soak came to.
#[derive(Default)]
struct Total {
    rounds: u64,
    steps: u64,
    lines: u64,
    repeated: u64,
    children: u64,
    hosts_killed: u64,
    workers_killed: u64,
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rounds, steps, lines, repeated, children, hosts_killed, workers_killed } = self;
        write!(
            f,
            "{rounds} rounds, {steps} steps; {lines} lines in the ledger, {repeated} of them again after a kill; {children} \
             children; killed: {hosts_killed} hosts, {workers_killed} workers, {rounds} children"
        )
    }
}

async fn soak(time: Duration, seed: u64) -> Result {
    let (start, mut total) = (Instant::now(), Total::default());
    let mut told = start;
    println!("soak: {:.1} minutes, seed {seed}", time.as_secs_f64() / 60.0);
    // What a first round leaves warm, such as the threads of the runtime, is no leak.
    stage(seed, 0..1, Duration::MAX, &mut Total::default(), &mut told).await?;
    let (before, resident_before) = (settled(None).await, resident());
    stage(seed, 1..u64::MAX, time, &mut total, &mut told).await?;
    let (after, resident_after) = (settled(Some(before)).await, resident());
    println!("soak: {total}; {:.0?}", start.elapsed());
    println!("soak: ledger complete; 0 lost, 0 programs done twice, 0 survivors, 0 stuck");
    println!("soak: at the start {before:?}");
    println!("soak: at the end   {after:?}");
    if let (Some(then), Some(now)) = (resident_before, resident_after) {
        println!("soak: resident {then:.1} MiB after the first round, {now:.1} MiB at the end");
        // Histories fill until they are full; what grows for ever passes this within half an hour.
        if now > then + 32.0 {
            return Err(format!("memory grew from {then:.1} to {now:.1} MiB").into());
        }
    }
    Resources::assert_back_to(&before, 0, Duration::ZERO);
    Ok(())
}

/// Rounds one after the other through one orchestrator, until the time is over; then everything is ended.
async fn stage(
    seed: u64,
    rounds: std::ops::Range<u64>,
    time: Duration,
    total: &mut Total,
    told: &mut Instant,
) -> Result {
    let (start, scratch) = (Instant::now(), Scratch::new());
    let asks = Builder::new().without_workers();
    let bgt = Orchestrator::open_with(asks, scratch.path("runs.db")).await?;
    let workers = WorkerPool::builder(Command::new(std::env::current_exe()?)).says_ready(true);
    let pool = bgt.worker_pool(workers.size(2).min_idle(1))?;
    let mut host = new_host(scratch.dir())?;
    for number in rounds {
        let files = Scratch::new();
        let field = Field {
            bgt: bgt.clone(),
            pool: pool.clone(),
            ledger: Ledger::at(files.path("ledger")),
            pids: files.text("pids"),
        };
        let outcome = round(seed, number, &field, &mut host, scratch.dir(), total).await;
        outcome.map_err(|error| format!("seed {seed}, round {number}: {error}"))?;
        if told.elapsed() > Duration::from_secs(10) {
            *told = Instant::now();
            let (left, now) = (time.saturating_sub(start.elapsed()), Resources::now());
            let resident = resident().unwrap_or(0.0);
            println!("soak: {:.0?} left; {total}; {} descriptors, {resident:.1} MiB", left, now.open_fds);
        }
        if start.elapsed() >= time {
            break;
        }
    }
    tokio::task::spawn_blocking(|| host.end()).await?;
    let end = bgt.shutdown(HANG).await;
    if end.is_clean() { Ok(()) } else { Err(format!("not clean at the end: {end}").into()) }
}

fn new_host(folder: &Path) -> Result<Other> {
    let mut host = Other::of(Other::command("soak", folder))?;
    match host.hear().as_str() {
        "up" => Ok(host),
        said => Err(format!("a host said {said:?}").into()),
    }
}

async fn round(
    seed: u64,
    number: u64,
    field: &Field,
    host: &mut Other,
    folder: &Path,
    total: &mut Total,
) -> Result {
    let plan = plan::round(seed, number);
    let mut steps = JoinSet::new();
    for (n, step) in plan.steps.into_iter().enumerate() {
        let (field, key) = (field.clone(), format!("r{number}.{n}"));
        steps.spawn(async move {
            let told = format!("{key} {step:?}");
            match tokio::time::timeout(HANG, field.step(key, step)).await {
                Ok(outcome) => outcome.map_err(|error| format!("{told}: {error}")),
                Err(_) => Err(format!("{told} is stuck")),
            }
        });
        total.steps += 1;
    }
    for (pause, kill) in plan.kills {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        match kill {
            Kill::Host => {
                let new = new_host(folder)?;
                let _ = std::mem::replace(host, new).kill();
                total.hosts_killed += 1;
            }
            Kill::Worker => {
                let pids = field.pool.pids();
                total.workers_killed += u64::from(pids.first().is_some_and(|pid| work::kill(*pid)));
            }
        }
    }
    let mut expected = Vec::new();
    while let Some(outcome) = steps.join_next().await {
        expected.extend(outcome??);
    }
    let pids = read_pids(&field.pids);
    total.children += pids.len() as u64;
    tokio::task::spawn_blocking(move || assert_gone(&pids, HANG)).await?;
    total.rounds += 1;
    let lines = field.ledger.lines();
    total.lines += lines.len() as u64;
    total.repeated += judge(lines, &expected)?;
    Ok(())
}

/// Whether the ledger holds what it must and nothing else; how many lines are there again.
fn judge(lines: Vec<String>, expected: &[Expected]) -> Result<u64> {
    let mut found = BTreeMap::<String, u32>::new();
    lines.into_iter().for_each(|line| *found.entry(line).or_default() += 1);
    let mut repeated = 0;
    for (line, least, most) in expected {
        let times = found.remove(line).unwrap_or(0);
        if times < *least || times > *most {
            return Err(
                format!("`{line}` is {times} times in the ledger, not {least} to {most} times").into()
            );
        }
        repeated += u64::from(times - (*least).min(times));
    }
    match found.first_key_value() {
        None => Ok(repeated),
        Some((line, times)) => {
            Err(format!("`{line}` is {times} times in the ledger, and nobody asked for it").into())
        }
    }
}

/// What is held once everything is ended; threads are a moment behind.
async fn settled(start: Option<Resources>) -> Resources {
    let wait = move || {
        let mut last = Resources::now();
        let _ = wait_until(Duration::from_secs(10), || {
            let now = Resources::now();
            let quiet = now == std::mem::replace(&mut last, now);
            quiet && start.is_none_or(|start| now.open_fds <= start.open_fds && now.threads <= start.threads)
        });
    };
    let _ = tokio::task::spawn_blocking(wait).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    Resources::now()
}

/// In MiB; nothing where the system does not tell.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(resident.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_is_judged_by_what_is_missing_twice_or_uncalled_for() {
        let judge = |lines: &[&str], expected: &[(&str, u32, u32)]| {
            let expected: Vec<_> = expected.iter().map(|(line, a, b)| ((*line).to_owned(), *a, *b)).collect();
            judge(lines.iter().map(|line| (*line).to_owned()).collect(), &expected)
        };
        assert_eq!(judge(&["a", "b", "b"], &[("a", 1, 1), ("b", 1, 3)]).unwrap(), 1);
        for (lines, named) in [(&[][..], "`a` is 0"), (&["a", "a"], "`a` is 2"), (&["a", "c"], "`c` is 1")] {
            assert!(judge(lines, &[("a", 1, 1)]).unwrap_err().to_string().contains(named));
        }
    }
}
