//! Everything at once for a long time: nothing is lost, nobody survives, and nothing grows.

mod books;
mod host;
mod left;
mod plan;
mod work;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bgt_detached::Builder;
use bgt_orchestrator::Orchestrator;
use bgt_pool::WorkerPool;
use bgt_simple::Command;
use bgt_testkit::{Ledger, Other, Resources, Scratch, alive, read_pids, role, wait_until};
use tokio::task::JoinSet;

use crate::Result;
use books::{Books, Judgement};
use plan::Kill;
use work::{Field, HANG, Kills};

/// From so long on a soak that has not killed one of each has not done its work.
const KILLS_ALL: Duration = Duration::from_secs(60);

/// Runs for as many minutes as the first word says, by the seed that is the second.
#[must_use]
pub fn main() -> ExitCode {
    let done = if bgt_pool::is_worker() {
        bgt_pool::serve(|(ledger, line): (PathBuf, String)| {
            Ledger::at(ledger).append(&line);
            // Most of those that are killed are killed here: what they did was done, and nobody has been told.
            std::thread::sleep(Duration::from_millis(5));
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
    children_killed: u64,
    calls_failed: u64,
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rounds, steps, lines, repeated, children, .. } = self;
        let Self { hosts_killed, workers_killed, children_killed, calls_failed, .. } = self;
        write!(
            f,
            "{rounds} rounds, {steps} steps; {lines} lines in the ledger, {repeated} of them again after a kill; {children} \
             children; killed: {hosts_killed} hosts, {workers_killed} workers ({calls_failed} at a call), \
             {children_killed} children"
        )
    }
}

impl Total {
    /// Those of whom none was killed.
    fn spared(&self) -> Vec<&'static str> {
        let killed =
            [(self.hosts_killed, "host"), (self.workers_killed, "worker"), (self.children_killed, "child")];
        killed.into_iter().filter(|(times, _)| *times == 0).map(|(_, whom)| whom).collect()
    }
}

async fn soak(time: Duration, seed: u64) -> Result {
    let (start, mut total, mut books) = (Instant::now(), Total::default(), Books::new());
    let mut told = start;
    println!("soak: {:.1} minutes, seed {seed}", time.as_secs_f64() / 60.0);
    // What a first round leaves warm, such as the threads of the runtime, is no leak.
    stage(seed, 0..1, Duration::MAX, &mut Total::default(), &mut books, &mut told).await?;
    let (before, resident_before) = (settled(None).await, resident());
    if books.faults.first().is_none() {
        stage(seed, 1..u64::MAX, time, &mut total, &mut books, &mut told).await?;
    }
    // Whoever is left might still write: they are looked for before the ledger is judged for the last time.
    let looked = everybody_gone(&mut books).await?;
    let (after, resident_after) = (settled(Some(before)).await, resident());
    let ledger = books.close()?;
    println!("soak: {total}; {:.0?}", start.elapsed());
    let looked =
        if looked { "" } else { " (beside children nobody was looked for: this system does not tell)" };
    let faults = &mut books.faults;
    println!(
        "soak: ledger of all rounds: {} lines, {} lost, {} doubled, {} uncalled for; {} survivors{looked}, {} stuck, {} \
         otherwise wrong",
        ledger.lines,
        ledger.lost,
        ledger.doubled,
        ledger.uncalled_for,
        faults.survivors,
        faults.stuck,
        faults.otherwise
    );
    println!("soak: at the start {before:?}");
    println!("soak: at the end   {after:?}");
    ledger.wrong.into_iter().for_each(|wrong| faults.note(format!("seed {seed}, at the end: {wrong}")));
    // One that has failed has ended before its time.
    if time >= KILLS_ALL && faults.first().is_none() {
        for whom in total.spared() {
            faults.note(format!("in all that time no {whom} was killed: this has shown nothing"));
        }
    }
    if let (Some(then), Some(now)) = (resident_before, resident_after) {
        println!("soak: resident {then:.1} MiB after the first round, {now:.1} MiB at the end");
        // Histories fill until they are full; what grows for ever passes this within half an hour.
        if now > then + 32.0 {
            faults.note(format!("memory grew from {then:.1} to {now:.1} MiB"));
        }
    }
    if let Some(first) = faults.first() {
        return Err(format!("failed; the first of it: {first}").into());
    }
    Resources::assert_back_to(&before, 0, Duration::ZERO);
    Ok(())
}

/// Looks for all whom this soak has started, once everything was ended; whether the system tells.
async fn everybody_gone(books: &mut Books) -> Result<bool> {
    let left = tokio::task::spawn_blocking(|| left::survivors(Duration::from_secs(30))).await?;
    let looked = left.is_some();
    for who in left.into_iter().flatten() {
        books.faults.survivors += 1;
        books.faults.note(format!("still there after everything was ended: {who}"));
    }
    Ok(looked)
}

/// Rounds one after the other through one orchestrator, until the time is over; then everything is ended.
async fn stage(
    seed: u64,
    rounds: std::ops::Range<u64>,
    time: Duration,
    total: &mut Total,
    books: &mut Books,
    told: &mut Instant,
) -> Result {
    let (start, scratch) = (Instant::now(), Scratch::new());
    let asks = Builder::new().without_workers();
    let bgt = Orchestrator::open_with(asks, scratch.path("runs.db")).await?;
    let worker = Command::new(std::env::current_exe()?).env(left::NAME, &*left::MARK);
    let workers = WorkerPool::builder(worker).says_ready(true);
    let pool = bgt.worker_pool(workers.size(2).min_idle(1))?;
    let mut host = new_host(scratch.dir())?;
    // A search that does not find those who are there would find nobody at the end, too.
    if left::marked().is_some_and(|pids| !pids.contains(&host.id())) {
        return Err("the host that was just started is not found among the processes".into());
    }
    for number in rounds {
        let field = Field {
            bgt: bgt.clone(),
            pool: pool.clone(),
            ledger: books.ledger(),
            pids: books.pids(number),
            kills: Arc::default(),
        };
        round(seed, number, &field, &mut host, scratch.dir(), total, books).await?;
        if books.faults.first().is_some() {
            break;
        }
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
    if tokio::task::spawn_blocking(|| host.end()).await.is_err() {
        books.faults.otherwise += 1;
        books.faults.note("the host did not end in peace, or holds more than at its start".to_owned());
    }
    let end = bgt.shutdown(HANG).await;
    if !end.is_clean() {
        books.faults.otherwise += 1;
        books.faults.note(format!("not clean at the end: {end}"));
    }
    Ok(())
}

fn new_host(folder: &Path) -> Result<Other> {
    let mut command = Other::command("soak", folder);
    command.env(left::NAME, &*left::MARK);
    let mut host = Other::of(command)?;
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
    books: &mut Books,
) -> Result {
    let plan = plan::round(seed, number);
    let at = format!("seed {seed}, round {number}");
    let mut steps = JoinSet::new();
    for (n, step) in plan.steps.into_iter().enumerate() {
        let (field, key) = (field.clone(), format!("r{number}.{n}"));
        steps.spawn(async move {
            let told = format!("{key} {step:?}");
            let outcome = tokio::time::timeout(HANG, field.step(key.clone(), step)).await;
            (key, told, outcome.map(|outcome| outcome.map_err(|error| error.to_string())))
        });
        total.steps += 1;
    }
    let kills = &field.kills;
    for (pause, kill) in plan.kills {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        match kill {
            Kill::Host => {
                let new = new_host(folder)?;
                // Before it: what is done again was done again because of it.
                kills.hosts.fetch_add(1, Ordering::SeqCst);
                let _ = std::mem::replace(host, new).kill();
            }
            Kill::Worker => {
                if field.pool.pids().first().is_some_and(|pid| work::kill(*pid)) {
                    kills.workers.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    }
    let mut expected = Vec::new();
    while let Some(ended) = steps.join_next().await {
        let (key, told, outcome) = ended?;
        let faults = &mut books.faults;
        match outcome {
            Ok(Ok(lines)) => expected.extend(lines),
            Ok(Err(error)) => {
                faults.otherwise += 1;
                faults.failed.push(key);
                faults.note(format!("{at}: {told}: {error}"));
            }
            Err(_) => {
                faults.stuck += 1;
                faults.failed.push(key);
                faults.note(format!("{at}: {told} is stuck"));
            }
        }
    }
    if let Err(what) = no_more_died_than_were_killed(kills) {
        books.faults.otherwise += 1;
        books.faults.note(format!("{at}: {what}"));
    }
    let mut pids = read_pids(&field.pids);
    total.children += pids.len() as u64;
    pids.append(&mut kills.trees());
    for pid in tokio::task::spawn_blocking(move || survivors(pids)).await? {
        books.faults.survivors += 1;
        books.faults.note(format!("{at}: process {pid} is still there"));
    }
    let Judgement { lines, repeated, wrong, .. } = books.judge(number, &expected)?;
    wrong.into_iter().for_each(|wrong| books.faults.note(format!("{at}: {wrong}")));
    let count = |count: &AtomicU32| u64::from(count.load(Ordering::SeqCst));
    total.rounds += 1;
    total.lines += lines;
    total.repeated += repeated;
    total.hosts_killed += count(&kills.hosts);
    total.workers_killed += count(&kills.workers);
    total.children_killed += count(&kills.children);
    total.calls_failed += count(&kills.calls);
    Ok(())
}

fn no_more_died_than_were_killed(kills: &Kills) -> Result<(), String> {
    let (calls, workers) = (kills.calls.load(Ordering::SeqCst), kills.workers.load(Ordering::SeqCst));
    if calls <= workers {
        return Ok(());
    }
    Err(format!("{calls} calls failed because their worker died, and {workers} workers were killed"))
}

/// Those of these processes that do not end; if they are nobody, it says so.
fn survivors(mut pids: Vec<u32>) -> Vec<u32> {
    assert!(!pids.is_empty(), "no child has written who it is");
    wait_until(HANG, || {
        pids.retain(|pid| alive(*pid));
        pids.is_empty()
    });
    pids
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
    fn a_call_may_fail_for_each_worker_that_was_killed_and_for_nothing_else() {
        let judged = |calls, workers| {
            let kills = Kills::default();
            kills.calls.store(calls, Ordering::SeqCst);
            kills.workers.store(workers, Ordering::SeqCst);
            no_more_died_than_were_killed(&kills).is_ok()
        };
        assert!(judged(0, 0) && judged(0, 1) && judged(2, 2));
        assert!(!judged(1, 0) && !judged(3, 2));
    }

    #[test]
    fn whom_nobody_has_killed_is_named() {
        let total = Total { hosts_killed: 1, children_killed: 2, ..Total::default() };
        assert_eq!(total.spared(), ["worker"]);
        assert_eq!(Total { workers_killed: 1, ..total }.spared(), [""; 0]);
    }
}
