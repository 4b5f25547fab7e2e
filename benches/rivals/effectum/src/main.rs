//! `effectum` as its documentation sets it up: its queue as it comes, a worker for as many jobs as there are callers.

#[path = "../../callers.rs"]
mod callers;

use std::sync::Arc;
use std::time::Duration;

use callers::{Asked, Case, Error, Result, Waiting};
use effectum::{Job, JobRunner, Queue, RunningJob, Worker};
use rusqlite::Connection;

const NO_OP: &str = "no-op";

#[tokio::main(worker_threads = 2)]
async fn main() -> Result {
    let asked = Asked::on_the_command_line()?;
    let queue = Arc::new(Queue::new(&asked.path).await?);
    let records = Connection::open(&asked.path)?;
    records.busy_timeout(Duration::from_secs(5))?;

    if asked.case == Case::Enqueue {
        let add = move || {
            let queue = queue.clone();
            async move { add(&queue, 7).await }
        };
        return asked.measure(add, || count(&records, "SELECT count(*) FROM jobs")).await;
    }

    let waiting = Waiting::default();
    let no_op = |job: RunningJob, waiting: Waiting| async move {
        let number = job.json_payload()?;
        waiting.has_run(number);
        Ok::<_, effectum::Error>(number)
    };
    let runner = JobRunner::builder(NO_OP, no_op).build();
    let worker = Worker::builder(&queue, waiting.clone()).jobs([runner]).max_concurrency(256).build();
    let _worker = worker.await?;
    let add_and_wait = move || {
        let (queue, waiting) = (queue.clone(), waiting.clone());
        async move {
            let (number, has_run) = waiting.next();
            add(&queue, number).await?;
            Ok(has_run.await?)
        }
    };
    let done = || count(&records, "SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL");
    asked.measure(add_and_wait, done).await
}

async fn add(queue: &Queue, number: u64) -> Result<(), Error> {
    Job::builder(NO_OP).json_payload(&number)?.add_to(queue).await?;
    Ok(())
}

async fn count(records: &Connection, query: &str) -> Result<i64> {
    Ok(records.query_row(query, [], |row| row.get(0))?)
}
