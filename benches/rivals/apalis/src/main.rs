//! `apalis-sqlite` as its documentation sets it up: its own pool, its own `setup`, a worker that is told of new jobs.
//!
//! With `BGT_EQUAL` in the environment as much is promised as by ours, and as much taken at once: all commits wait for the
//! disk, and 256 jobs are a batch.

#[path = "../../callers.rs"]
mod callers;

use std::time::Duration;

use apalis::prelude::*;
use apalis_sqlite::{Config, SqlitePool, SqliteStorage};
use callers::{Asked, Case, Error, Result, Waiting};
use futures_util::StreamExt as _;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result {
    let asked = Asked::on_the_command_line()?;
    let url = format!("sqlite:{}?mode=rwc", asked.path.display());
    let (pool, news) = SqliteStorage::connect_with_callback(&url)?;
    let is_equal = std::env::var_os("BGT_EQUAL").is_some();
    let config = if is_equal { Config::default().batch_size(256) } else { Config::default() };
    let batch = config.batch_size;
    if is_equal {
        // It says `synchronous = OFF` to the connection that it is given. Those of the pool keep SQLite's own, which is FULL.
        let apart = SqlitePool::connect(&url).await?;
        SqliteStorage::setup(&apart).await?;
        apart.close().await;
        match count(&pool, "PRAGMA synchronous").await? {
            2 => {}
            other => return Err(format!("synchronous is {other}, not FULL").into()),
        }
    } else {
        SqliteStorage::setup(&pool).await?;
    }
    let jobs = SqliteStorage::<u64>::new(&pool).with_config(config);
    let records = SqlitePool::connect(&url).await?;
    let waiting = Waiting::default();

    if asked.case == Case::Enqueue {
        let push = move || {
            let mut jobs = jobs.clone();
            async move { Ok(jobs.push(7).await?) }
        };
        return asked.measure(push, || count(&records, "SELECT count(*) FROM Jobs")).await;
    }

    let news = news.ready_chunks(batch).map(drop);
    let strategy = Strategy::new().stream(news).interval(Duration::from_millis(500));
    let no_op = |number: u64, waiting: Data<Waiting>| async move {
        waiting.has_run(number);
        Ok::<_, Error>(number)
    };
    let worker = WorkerBuilder::new("no-op")
        .backend(jobs.clone().poll_with_strategy(strategy))
        .data(waiting.clone())
        .build(no_op);
    let push_and_wait = move || {
        let (mut jobs, waiting) = (jobs.clone(), waiting.clone());
        async move {
            let (number, has_run) = waiting.next();
            jobs.push(number).await?;
            Ok(has_run.await?)
        }
    };
    let done = || count(&records, "SELECT count(*) FROM Jobs WHERE status = 'Done'");
    tokio::select! {
        measured = asked.measure(push_and_wait, done) => measured,
        ended = worker.run() => Err(format!("the worker ended: {ended:?}").into()),
    }
}

async fn count(records: &SqlitePool, query: &'static str) -> Result<i64> {
    Ok(sqlx::query_scalar(query).fetch_one(records).await?)
}
