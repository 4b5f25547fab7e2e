//! `apalis-sqlite` as its documentation sets it up: its own pool, its own `setup`, a worker that is told of new jobs.

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
    SqliteStorage::setup(&pool).await?;
    let jobs = SqliteStorage::<u64>::new(&pool);
    let records = SqlitePool::connect(&url).await?;
    let waiting = Waiting::default();

    if asked.case == Case::Enqueue {
        let push = move || {
            let mut jobs = jobs.clone();
            async move { Ok(jobs.push(7).await?) }
        };
        return asked.measure(push, || count(&records, "SELECT count(*) FROM Jobs")).await;
    }

    let news = news.ready_chunks(Config::default().batch_size).map(drop);
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
