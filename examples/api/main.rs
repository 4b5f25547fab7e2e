//! A service that scores texts, under load until it is asked to stop: `cargo run --example api`.
//!
//! - **pooled**: each request is answered by a Python that is warm; when too many wait the answer is 503, at once
//! - **concurrent**: a request with many texts fans out over the same workers, and is answered in order
//! - **streaming**: a training that a request has started is followed live, as server-sent events
//! - **shutdown**: from the outside in, with every request answered that was there
//!
//! `-- --serve` leaves the questions to you, until Ctrl-C. Needs Python 3.

mod client;
mod load;
mod server;

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use bgt_examples::workflow::{
    Asked, LAST_WORDS, Result, asked_to_stop, need_python, say_end, script, scripts,
};
use bgt_orchestrator::Orchestrator;
use bgt_orchestrator::pool::WorkerPool;
use bgt_orchestrator::streaming::sse::Streams;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use server::Service;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let asked = Asked::from_args(&["--serve"]);
    if let Err(why) = need_python(&script("train.py")).await {
        return Ok(say_end(Err(why), None));
    }

    let bgt = Orchestrator::new();
    let workers = WorkerPool::python("sentiment:score")
        .command(|python| python.current_dir(scripts()))
        .size(2)
        .min_idle(2)
        .queue(500)
        .request_deadline(Duration::from_secs(5));
    let workers = bgt.worker_pool(workers)?;
    workers.warm().await?;
    let service = Service { bgt: bgt.clone(), workers: workers.clone(), streams: Streams::new() };

    // Of this machine alone: whoever reaches the port may ask, and stop runs.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let server = tokio::spawn(service.serve(listener, stop.clone()));

    println!("Serving at http://{address}");
    let result = if asked.has("--serve") {
        println!("Try: curl -d 'everything works' http://{address}/score");
        asked_to_stop().await.map_err(Into::into)
    } else {
        tokio::select! {
            result = load::all(&bgt, address, asked.small, &stop) => result,
            stopped = asked_to_stop() => stopped.map_err(Into::into).and(Err("asked to stop".into())),
        }
    };

    // From the outside in: the requests, the runs behind them, the workers.
    stop.cancel();
    // Some client may hold on to its connection for as long as it likes.
    if let Ok(served) = tokio::time::timeout(LAST_WORDS, server).await {
        served??;
    }
    let metrics = workers.metrics();
    println!("{:<12}{} texts scored by {} processes", "workers", metrics.served, metrics.made);
    Ok(say_end(result, Some(bgt.shutdown(LAST_WORDS).await)))
}
