//! Orders come as a file, are checked, asked about, and copied to a warehouse: `cargo run --example pipeline`.
//!
//! - **simple**: the file is checked and loaded by a script; if too much of it is broken the pipeline ends there
//! - **pooled**: the questions go to warm workers, whose connections to the database stay open
//! - **periodic**: a few times a second what is new goes to the warehouse, one copy at a time, while questions are asked
//!
//! At the end all three have to agree to the cent. Needs Python 3, whose SQLite it uses. `--keep FOLDER` keeps the databases and
//! the report. Ctrl-C ends it.

use std::collections::BTreeMap;
use std::future::IntoFuture as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bgt_examples::workflow::{Asked, Folder, Result, bar, need_python, script, scripts, to_the_end};
use bgt_orchestrator::periodic::Schedule;
use bgt_orchestrator::pool::{Request, WorkerPool};
use bgt_orchestrator::{Orchestrator, Pattern, Retry, RunInfo, RunQuery, Task, task_fn};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

const REGIONS: [&str; 6] = ["north", "east", "south", "west", "coast", "hills"];
const DAYS: u32 = 30;

/// What the script says of the file.
#[derive(Deserialize, Serialize)]
struct Loaded {
    rows: u64,
    loaded: u64,
    rejected: BTreeMap<String, u64>,
    cents: u64,
}

#[derive(Serialize)]
struct Summary<'a> {
    loaded: &'a Loaded,
    cents_by_region: &'a BTreeMap<&'a str, u64>,
    warehouse: (u64, u64),
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let asked = Asked::from_args(&[]);
    let folder = asked.folder()?;
    let bgt = Orchestrator::new();
    Ok(to_the_end(&bgt, pipeline(&bgt, &asked, &folder)).await)
}

async fn pipeline(bgt: &Orchestrator, asked: &Asked, folder: &Folder) -> Result {
    let (rows, step, pause) = if asked.small { (1_000, 400, 50) } else { (60_000, 4_000, 200) };
    let (csv, shop, warehouse) =
        (folder.file("orders.csv"), folder.file("shop.db"), folder.file("warehouse.db"));
    let orders = script("orders.py");
    need_python(&orders).await?;
    let started = Instant::now();

    bgt.simple(orders.clone().arg("make").arg(&csv).arg(rows.to_string())).await?;
    let load = orders.arg("load").arg(&csv).arg(&shop);
    let loaded: Loaded = bgt.simple(load).deadline(Duration::from_secs(60)).await?.json()?;
    println!("{:<12}{} of {} orders", "loaded", loaded.loaded, loaded.rows);
    for (why, rows) in &loaded.rejected {
        println!("{:<12}{rows}: {why}", "rejected");
    }

    let workers = WorkerPool::python("shop:ask").command(|python| python.current_dir(scripts()));
    let workers = bgt.worker_pool(workers.size(2).queue(1000).request_deadline(Duration::from_secs(10)))?;
    workers.warm().await?;

    let (copied, mut copies) = watch::channel(0);
    let often = Schedule::every(Duration::from_millis(pause)).retry(Retry::attempts(3));
    let copy = Request::new().arg("sync").arg(&shop).arg(&warehouse).arg(step);
    let sync = bgt.periodic("sync", often, sync(workers.clone(), copy, copied)).await?;

    let cents_by_region = ask(&workers, &shop).await?;
    show(&cents_by_region);

    let all = loaded.loaded;
    while *copies.borrow_and_update() < all {
        let news = tokio::time::timeout(Duration::from_secs(15), copies.changed()).await;
        news.map_err(|_| "nothing was copied for 15 s")?.map_err(|_| "the copying was stopped")?;
        let copied = *copies.borrow();
        println!("{:<12}{} {copied} of {all} orders", "warehouse", bar(copied as f64 / all as f64));
    }
    let warehouse: (u64, u64) = workers.call(Request::new().arg("total").arg(&warehouse)).await?.json()?;
    let (in_file, answered) = (loaded.cents, cents_by_region.values().sum::<u64>());
    if answered != in_file || warehouse != (all, in_file) {
        let warehouse = warehouse.1;
        return Err(format!("{in_file} cents in the file, {answered} answered, {warehouse} copied").into());
    }

    let mut took: Vec<_> = bgt
        .find(&RunQuery::new().pattern(Pattern::Pooled).over())
        .iter()
        .filter_map(RunInfo::elapsed)
        .collect();
    took.sort();
    println!(
        "\n{:<12}{} answers, half of them within {:.1?}, the queue included",
        "questions",
        took.len(),
        took[took.len() / 2]
    );
    let synced = sync.statistics();
    println!("{:<12}{} rounds, {:.1?} late at most", "sync", synced.runs, synced.lateness.max);
    println!("{:<12}{} in file, answers and warehouse alike", "revenue", euros(loaded.cents));
    println!("{:<12}{:.1?}", "took", started.elapsed());
    if let Some(kept) = folder.kept() {
        let summary = Summary { loaded: &loaded, cents_by_region: &cents_by_region, warehouse };
        std::fs::write(folder.file("report.json"), serde_json::to_string_pretty(&summary)?)?;
        println!("{:<12}{}", "kept in", kept.display());
    }
    Ok(())
}

/// Asks what every region took on every day, all at once, and adds it up by region.
async fn ask(workers: &WorkerPool, shop: &Path) -> Result<BTreeMap<&'static str, u64>> {
    let mut calls = Vec::new();
    for region in REGIONS {
        for day in 1..=DAYS {
            let question = Request::new().arg("revenue").arg(shop).arg(region).arg(day);
            calls.push((region, tokio::spawn(workers.call(question).into_future())));
        }
    }
    let mut cents = BTreeMap::new();
    for (region, call) in calls {
        *cents.entry(region).or_default() += call.await??.json::<u64>()?;
    }
    Ok(cents)
}

/// Copies the next orders. A worker that fails at it is replaced, and the next round begins where this one stopped.
fn sync(workers: WorkerPool, copy: Request, copied: watch::Sender<u64>) -> impl Task {
    task_fn("sync", move |_cx| {
        let call = workers.call(copy.clone());
        let copied = copied.clone();
        async move {
            let orders: u64 = call.await?.json()?;
            copied.send_if_modified(|all| {
                *all += orders;
                orders > 0
            });
            Ok(())
        }
    })
}

fn show(cents_by_region: &BTreeMap<&str, u64>) {
    let most = cents_by_region.values().copied().max().unwrap_or(1).max(1);
    println!();
    for (region, cents) in cents_by_region {
        println!("{region:<12}{} {:>14}", bar(*cents as f64 / most as f64), euros(*cents));
    }
    println!();
}

fn euros(cents: u64) -> String {
    format!("{}.{:02} €", cents / 100, cents % 100)
}
