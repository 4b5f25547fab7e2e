//! Sinks, among them slow, closed, stuck and broken ones.

mod support;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bgt_core::{Cancel, Chunk, ErrorKind, Sink, SinkClosed, Source, async_trait};
use bgt_process::{Capture, Command, Output, Stdin};
use bgt_simple::run;
use bgt_testkit::{Scratch, assert_gone, read_pids};
use support::{HANG, bad, bad_with_pids, quick};
use tokio::time::timeout;

#[derive(Default)]
struct Kept(Mutex<Vec<u8>>, Mutex<Vec<u8>>);

#[async_trait]
impl Sink for Kept {
    async fn write(&self, chunk: Chunk) -> Result<(), SinkClosed> {
        tokio::task::yield_now().await;
        let kept = if chunk.source == Source::Stdout { &self.0 } else { &self.1 };
        kept.lock().unwrap().extend_from_slice(&chunk.bytes);
        Ok(())
    }
}

#[tokio::test]
async fn a_sink_sees_every_byte_whatever_is_captured() {
    let kept = Arc::new(Kept::default());
    let command = bad(&["flood", "3M", "then", "eflood", "1M"]).capture(Capture::nothing());
    let output = run(command).sink(kept.clone()).await.unwrap();
    assert_eq!((output.stdout.as_bytes().len(), output.stdout.total()), (0, 3 << 20));
    assert_eq!((kept.0.lock().unwrap().len(), kept.1.lock().unwrap().len()), (3 << 20, 1 << 20));
}

struct Closed;

#[async_trait]
impl Sink for Closed {
    async fn write(&self, _chunk: Chunk) -> Result<(), SinkClosed> {
        Err(SinkClosed)
    }
}

#[tokio::test]
async fn a_closed_sink_does_not_disturb_the_run() {
    let output: Output = run(bad(&["flood", "1M"])).sink(Arc::new(Closed)).await.unwrap();
    assert_eq!(output.stdout.total(), 1 << 20);
}

/// Takes a moment for each chunk, longer in all than the drain period of the command.
#[derive(Default)]
struct Slow(Mutex<usize>);

#[async_trait]
impl Sink for Slow {
    async fn write(&self, chunk: Chunk) -> Result<(), SinkClosed> {
        tokio::time::sleep(Duration::from_millis(100)).await;
        *self.0.lock().unwrap() += chunk.bytes.len();
        Ok(())
    }
}

#[tokio::test]
async fn a_slow_sink_gets_everything_and_is_no_leak() {
    let slow = Arc::new(Slow::default());
    let command = bad(&["flood", "500K"]).stop(quick().drain(Duration::from_millis(50)));
    let output = timeout(HANG, run(command).sink(slow.clone())).await.unwrap().unwrap();
    assert_eq!((output.stdout.total(), output.leaked), (500 << 10, false));
    assert_eq!(*slow.0.lock().unwrap(), 500 << 10);
}

struct Panicking;

#[async_trait]
impl Sink for Panicking {
    async fn write(&self, _chunk: Chunk) -> Result<(), SinkClosed> {
        panic!("the log server is down")
    }
}

#[tokio::test]
async fn a_sink_that_panics_does_not_disturb_the_run() {
    let output = run(bad(&["flood", "1M"])).sink(Arc::new(Panicking)).await.unwrap();
    assert_eq!(output.stdout.total(), 1 << 20);
}

struct Stuck;

#[async_trait]
impl Sink for Stuck {
    async fn write(&self, _chunk: Chunk) -> Result<(), SinkClosed> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_stuck_sink_does_not_outlast_the_deadline() {
    for verbs in [&["endless"][..], &["print", "x", "then", "exit", "0"]] {
        let run = run(bad(verbs).stop(quick())).sink(Arc::new(Stuck)).deadline(Duration::from_millis(300));
        let report = timeout(HANG, run.report()).await.expect("the sink holds up the run");
        match report.result {
            Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut),
            Ok(output) => assert_eq!(output.stdout_text(), "x\n"),
        }
    }
}

/// Ends the program's input when its first output is there.
struct Answers(Mutex<Option<bgt_process::StdinWriter>>);

#[async_trait]
impl Sink for Answers {
    async fn write(&self, _chunk: Chunk) -> Result<(), SinkClosed> {
        self.0.lock().unwrap().take();
        Ok(())
    }
}

#[tokio::test]
async fn python_that_is_watched_keeps_nothing_back() {
    let Some(python) = bgt_testkit::python() else {
        bgt_testkit::skip!("python_that_is_watched_keeps_nothing_back", "there is no Python");
        return;
    };
    let (stdin, writer) = Stdin::live();
    let script = "import os, sys; print('ready'); sys.stdin.read(); print(os.environ['PYTHONUNBUFFERED'])";
    let command = Command::new(python).args(["-c", script]).stdin(stdin);
    // It waits for the end of its input, and that for its first line.
    let sink = Arc::new(Answers(Mutex::new(Some(writer))));
    let output =
        timeout(HANG, run(&command).sink(sink)).await.expect("a line that was not kept back").unwrap();
    assert_eq!(output.stdout_text().lines().collect::<Vec<_>>(), ["ready", "1"]);

    let script = "import os; print(os.environ.get('PYTHONUNBUFFERED'))";
    let python = Command::new(bgt_testkit::python().unwrap()).args(["-c", script]);
    let alone = run(&python).await.unwrap();
    assert_eq!(alone.stdout_text().trim(), std::env::var("PYTHONUNBUFFERED").unwrap_or("None".into()));
    let other = python.clone().env("PYTHONUNBUFFERED", "");
    let other = run(other).sink(Arc::new(Kept::default())).await.unwrap();
    assert_eq!(other.stdout_text().trim(), "", "what was asked for counts");
}

/// Stops the run when the program is gone, and then takes a moment for what it was given before.
struct Late {
    cancel: Cancel,
    pids: PathBuf,
    taken: Mutex<Vec<u8>>,
}

#[async_trait]
impl Sink for Late {
    async fn write(&self, chunk: Chunk) -> Result<(), SinkClosed> {
        let pids = read_pids(&self.pids);
        tokio::task::spawn_blocking(move || assert_gone(&pids, HANG)).await.unwrap();
        self.cancel.cancel();
        tokio::time::sleep(Duration::from_millis(5)).await;
        self.taken.lock().unwrap().extend_from_slice(&chunk.bytes);
        Ok(())
    }
}

#[tokio::test]
async fn what_a_sink_was_given_when_the_run_was_stopped_is_not_taken_back() {
    let scratch = Scratch::new();
    let pids = scratch.path("pids");
    let late = Arc::new(Late { cancel: Cancel::new(), pids: pids.clone(), taken: Mutex::default() });
    // The drain is not what the sink is waited for.
    let command = bad_with_pids(&pids, &["print", "x"]).stop(quick().drain(HANG));
    let run = run(command).cancel(&late.cancel).sink(late.clone());
    let output = timeout(HANG, run.report()).await.unwrap().result.unwrap();
    assert_eq!((output.stdout_text().as_ref(), &late.taken.lock().unwrap()[..]), ("x\n", &b"x\n"[..]));
}
