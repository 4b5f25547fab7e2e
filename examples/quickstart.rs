//! Real scripts on real files: `cargo run --example quickstart`. Needs Python 3 and nothing else.
//!
//! It counts the words of this repository's own documents, checks their sums, retries a script that fails once, and
//! ends one that hangs; it watches a training live, with its progress; and it counts the words of many files at once, in a
//! batch that remembers what is done; it runs one on a schedule; it asks warm workers about each document; it leaves one to a
//! process that outlives it; and it lets the orchestrator choose. One table at the end has all of it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgt_orchestrator::concurrent::{BatchReport, Item, MemoryStore, batch};
use bgt_orchestrator::detached::Entry;
use bgt_orchestrator::periodic::{Running, Schedule, ScheduleError, with_tick};
use bgt_orchestrator::pool::WorkerPool;
use bgt_orchestrator::streaming::{From, Level, ProgressFrom, StreamEvent};
use bgt_orchestrator::{
    Command, CommandError, Error, ExecuteError, Orchestrator, Output, Pattern, Report, Request, Requirements,
    Retry, RunQuery, Status, Stdin,
};

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    // In a process that looks after a detached program this never returns.
    bgt_orchestrator::detached::shim_entry();
    tokio::runtime::Runtime::new()?.block_on(tour())
}

async fn tour() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let scripts = repository.join("examples/scripts");
    let word_count = Command::script(scripts.join("word_count.py"));
    if let Err(error @ (CommandError::NoInterpreter { .. } | CommandError::BrokenShim { .. })) =
        word_count.plan().await
    {
        eprintln!(
            "The quickstart runs Python scripts, and there is no Python 3 to run them with.\n  {error}"
        );
        eprintln!("Get it from https://www.python.org/downloads/ or your package manager, then try again.");
        return Ok(ExitCode::FAILURE);
    }

    let bgt = Orchestrator::new();
    let mut table = Table::new();
    for document in documents(&repository)? {
        let name = document.strip_prefix(&repository)?.display().to_string();

        let report = bgt.simple(word_count.clone().arg(&document)).report().await;
        table.row(&report, &name, |output| {
            let counts: HashMap<String, u64> = output.json()?;
            Ok(format!("{} words in {} lines", counts["words"], counts["lines"]))
        });

        let checksum = Command::script(scripts.join("checksum.py")).stdin(Stdin::file(&document));
        let report = bgt.simple(checksum).report().await;
        table.row(&report, &name, |output| Ok(format!("sha256 {}…", &output.stdout_text()[..16])));
    }

    let scratch = std::env::temp_dir().join(format!("bgt-quickstart-{}", std::process::id()));
    let flaky = Command::script(scripts.join("flaky.py")).arg(&scratch);
    let report = bgt.simple(flaky).retry(Retry::attempts(3)).report().await;
    std::fs::remove_file(&scratch)?;
    table.row(&report, "fails once, is tried again", |output| Ok(output.stdout_text().trim().to_owned()));

    let stuck = Command::script(scripts.join("stuck.py")).grace(Duration::from_secs(1));
    let report = bgt.simple(stuck).deadline(Duration::from_millis(700)).report().await;
    table.row(&report, "hangs, with a helper process", |_| Ok("did not hang".to_owned()));

    println!("\nA training, watched while it runs:\n");
    watch(&bgt, Command::script(scripts.join("train.py")).args(["8", "0.2"])).await?;

    println!("\nThe words of every crate's root, many at once; then the same batch again:\n");
    let sources = sources(&repository.join("crates"))?;
    let journal = MemoryStore::new(); // or SqliteStore, which a power cut does not empty
    for _ in 0..2 {
        println!("{:<10} {}", "concurrent", count_words(&bgt, &word_count, sources.clone(), &journal).await?);
    }
    println!("\nThe README again, every 300 ms, on time:\n");
    repeat(&bgt, word_count.clone().arg(repository.join("README.md"))).await?;
    println!("\nEvery document, judged by two warm workers:\n");
    judge(&bgt, &repository).await?;

    println!("\nThe README once more, by a run that outlives this program; nobody waits:\n");
    forget(&bgt, word_count.clone().arg(repository.join("README.md"))).await?;

    println!("\nThe orchestrator chooses, and says why:\n");
    choose(&bgt, &word_count, &repository).await?;

    println!("\nThe whole story of the one that hung:\n");
    if let Err(error) = report.result {
        println!("{error:#}");
    }
    let end = bgt.shutdown(Duration::from_secs(10)).await;
    println!("\nAll of it, by pattern:\n");
    summary(&bgt);
    println!("\nShutdown: {end}.");
    Ok(if end.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One door: what is asked for selects the pattern.
async fn choose(bgt: &Orchestrator, script: &Command, repository: &Path) -> Result<(), ExecuteError> {
    let one = Request::command(script.clone()).arg(repository.join("README.md"));
    let many = Request::command(script.clone()).for_each(documents(repository).unwrap_or_default());
    println!("{:<10}{}", "execute", bgt.execute(one).await?.selection);
    println!("{:<10}{}", "execute", bgt.execute(many.max_concurrent(2)).await?.selection);
    let advice = bgt.recommend(&Requirements::new().task("word_count.py").per_minute(40.0)).await;
    println!("{:<10}{advice}", "recommend");
    Ok(())
}

/// How many runs of each pattern ended how, and how long they took.
fn summary(bgt: &Orchestrator) {
    println!(
        "{:<12}{:>6}{:>11}{:>8}{:>11}{:>12}{:>12}",
        "pattern", "runs", "succeeded", "failed", "timed out", "median ms", "longest ms"
    );
    for pattern in Pattern::ALL {
        let runs = bgt.find(&RunQuery::new().pattern(pattern).over());
        let count = |status| runs.iter().filter(|run| run.status == status).count();
        let mut took: Vec<_> =
            runs.iter().filter_map(|run| Some(run.elapsed()?.as_secs_f64() * 1000.0)).collect();
        took.sort_by(f64::total_cmp);
        let (median, longest) = (took.get(took.len() / 2), took.last());
        println!(
            "{pattern:<12}{:>6}{:>11}{:>8}{:>11}{:>12.1}{:>12.1}",
            runs.len(),
            count(Status::Succeeded),
            count(Status::Failed),
            count(Status::TimedOut),
            median.unwrap_or(&0.0),
            longest.unwrap_or(&0.0)
        );
    }
}

/// Asks warm Python workers how each document sounds, all at once.
async fn judge(bgt: &Orchestrator, repository: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let workers = WorkerPool::python("sentiment:score").size(2).min_idle(2);
    let pool =
        bgt.worker_pool(workers.command(|python| python.current_dir(repository.join("examples/scripts"))))?;
    pool.warm().await?;
    let started = Instant::now();
    let mut calls = Vec::new();
    for document in documents(repository)? {
        let name = document.strip_prefix(repository)?.display().to_string();
        calls.push((name, tokio::spawn(pool.call(std::fs::read_to_string(document)?).into_future())));
    }
    for (name, call) in calls {
        let score: HashMap<String, u64> = call.await??.json()?;
        let (good, bad, pid) = (score["good"], score["bad"], score["pid"]);
        println!("{:<10}{name:<30}{good:>3} good words, {bad:>3} bad ones, by process {pid}", "pooled");
    }
    let metrics = pool.metrics();
    println!(
        "{:<10}{} calls of {} processes in {:.1?}",
        "pooled",
        metrics.served,
        metrics.made,
        started.elapsed()
    );
    pool.drain(Duration::from_secs(5)).await;
    Ok(())
}

/// Shows progress, warnings and the end of a run, each as it comes.
async fn watch(bgt: &Orchestrator, training: Command) -> Result<(), Error> {
    let run = bgt.streaming(training).progress(ProgressFrom::ratio()).start();
    let mut events = run.subscribe(From::Start);
    while let Some(event) = events.next().await {
        match event {
            StreamEvent::Progress(progress) => println!("{:<10}{progress}", "streaming"),
            StreamEvent::Line(line) if line.level() >= Some(Level::Warn) => {
                println!("{:<10}line {}: {}", "streaming", line.seq, line.text());
            }
            StreamEvent::End(end) => {
                println!("{:<10}{}, {} lines in {:.1?}", "streaming", end.status, end.lines, end.elapsed);
            }
            _ => {}
        }
    }
    run.await.map(drop)
}

/// Counts the words of many files at once. What the journal has as done is not done again.
async fn count_words(
    bgt: &Orchestrator,
    word_count: &Command,
    files: Vec<PathBuf>,
    journal: &MemoryStore,
) -> Result<BatchReport, Box<dyn std::error::Error>> {
    let word_count = word_count.clone();
    let counts = files.into_iter().map(move |file| {
        let key = file.display().to_string();
        Item::new(word_count.clone().arg(file)).key(key)
    });
    Ok(bgt.concurrent(batch(counts)).journal(journal.clone(), "words").await?.require_success()?)
}

/// The root of every crate.
fn sources(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path().join("src/lib.rs");
        if path.is_file() {
            sources.push(path);
        }
    }
    Ok(sources)
}

/// Runs a task on a schedule until it has run three times, and says how late it was.
async fn repeat(bgt: &Orchestrator, count: Command) -> Result<(), ScheduleError> {
    let (sender, mut ticks) = tokio::sync::mpsc::unbounded_channel();
    let count = with_tick(move |tick| {
        let _ = sender.send(tick);
        count.clone()
    });
    let schedule = bgt.periodic("count words", Schedule::every(Duration::from_millis(300)), count).await?;
    for _ in 0..3 {
        if let Some(tick) = ticks.recv().await {
            println!("{:<10}{}: {:.1?} late", "periodic", tick.schedule, tick.lateness());
        }
    }
    schedule.remove(Running::Finish).await;
    let statistics = schedule.statistics();
    println!(
        "{:<10}{}: {} of {} runs succeeded",
        "periodic",
        schedule.describe(),
        statistics.succeeded,
        statistics.runs
    );
    Ok(())
}

/// Detaches a script and lets go of everything; another host, as if after a deploy, finds it by its id.
async fn forget(bgt: &Orchestrator, script: Command) -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("bgt-quickstart-runs-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let records = folder.join("runs.db");
    // Their runs are told to the list of the other patterns, too.
    let told = || Orchestrator::builder().observer(Arc::new(bgt.runs().clone()));
    let host = told().open(&records).await?;
    let id = host.detached(script).await?;
    host.shutdown(Duration::from_secs(5)).await;
    println!("{:<10}run {id} is on disk, and its host is gone", "detached");

    let host = told().open(&records).await?;
    let run = host.run(id)?;
    let record = run.wait().await?;
    let mut output = run.output(From::Start).await?;
    while let Some(entry) = output.next().await? {
        if let Entry::Line(line) = entry {
            println!("{:<10}{} in attempt {}: {}", "detached", record.status, record.attempt, line.text());
        }
    }
    host.shutdown(Duration::from_secs(5)).await;
    drop(host);
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// The README and the documents of this repository.
fn documents(repository: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut documents = vec![repository.join("README.md")];
    for entry in std::fs::read_dir(repository.join("docs"))? {
        documents.push(entry?.path());
    }
    documents.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents.sort();
    Ok(documents)
}

struct Table;

impl Table {
    fn new() -> Self {
        println!(
            "{:<10}{:<15}{:<30}{:>10}  {:<17}{:>7}  result",
            "pattern", "task", "on", "status", "exit", "ms"
        );
        Self
    }

    fn row(
        &mut self,
        report: &Report<Output>,
        on: &str,
        show: impl Fn(&Output) -> Result<String, Box<dyn std::error::Error>>,
    ) {
        let result = match &report.result {
            Ok(output) => show(output).unwrap_or_else(|error| error.to_string()),
            Err(error) => last_words(error),
        };
        let output =
            report.result.as_ref().ok().or_else(|| Output::from_error(report.result.as_ref().err()?));
        let exit = output.map_or_else(|| "-".to_owned(), |output| output.exit.to_string());
        let (name, status, ms) = (&report.name, report.status(), report.elapsed.as_secs_f64() * 1000.0);
        println!("{:<10}{name:<15}{on:<30}{status:>10}  {exit:<17}{ms:>7.1}  {result}", "simple");
    }
}

fn last_words(error: &Error) -> String {
    match error.tail() {
        Some(tail) => format!("last words: {tail:?}"),
        None => error.to_string(),
    }
}
