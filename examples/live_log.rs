//! A live log in the browser: `cargo run --example live_log`, and open the address that it prints. Needs Python 3.
//!
//! `cargo run --example live_log -- [--once] [script [arguments…]]` watches a script of your own; it may say how far it is
//! by lines such as `3/10`. Close the page and come back, cut the network: the log goes on where it was. Ctrl-C stops the
//! script, politely first. With `--once` the server ends with the run.

use std::error::Error;
use std::future::IntoFuture as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Html;
use axum::routing::get;
use bgt_streaming::sse::Streams;
use bgt_streaming::{Command, CommandError, ProgressFrom, Status, Summary, Watch, stream};
use tokio::net::TcpListener;
use tokio::signal::ctrl_c;
use tokio::sync::oneshot;

/// How long those who are connected have to hear of the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1).peekable();
    let once = args.next_if(|arg| arg == "--once").is_some();
    let training = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/train.py");
    let script = Command::script(args.next().map_or(training, PathBuf::from)).args(args);
    if let Err(error @ (CommandError::NoInterpreter { .. } | CommandError::BrokenShim { .. })) =
        script.plan().await
    {
        eprintln!("The script cannot be run.\n  {error}");
        return Ok(ExitCode::FAILURE);
    }

    let run = stream(script).progress(ProgressFrom::ratio()).start();
    let streams = Streams::new();
    streams.add(&run);

    // Of this machine alone: whoever reaches the port may stop the run.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{} is watched at http://{}/", run.name(), listener.local_addr()?);
    let router = streams.router().route("/", get(async || Html(include_str!("live_log.html"))));
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, router).with_graceful_shutdown(async { _ = stopped.await });
    let server = tokio::spawn(server.into_future());

    let (summary, is_interrupted) = end_of(&run).await?;
    println!("{} after {:.1} s, {} lines", summary.status, summary.elapsed.as_secs_f64(), summary.lines);
    if let Some(error) = &summary.error {
        println!("{error}");
    }
    if !once && !is_interrupted {
        println!("The log stays until Ctrl-C.");
        ctrl_c().await?;
    }
    drop(stop);
    // A browser may hold on to its connection for as long as it likes.
    _ = tokio::time::timeout(LAST_WORDS, server).await;
    Ok(if summary.status == Status::Succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The end of the run, and whether Ctrl-C brought it about.
async fn end_of(run: &Watch) -> std::io::Result<(Arc<Summary>, bool)> {
    let mut is_interrupted = false;
    loop {
        tokio::select! {
            summary = run.ended() => return Ok((summary, is_interrupted)),
            pressed = ctrl_c() => pressed?,
        }
        // A second time it skips the grace period.
        run.cancel();
        is_interrupted = true;
    }
}
