//! Lines a second times readers, where one of a hundred subscribers never reads.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bgt_streaming::{Bytes, Context, From, Source, StreamEvent, stream, task_fn};
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinSet;

use super::printer::LINE;
use super::runtime;
use crate::{Bench, Better, Case, Result, Side};

/// Those who read; one more of ours never does.
const READERS: u32 = 99;
/// As much as one read of a pipe gives at most.
const CHUNK_LINES: usize = 1024;

/// How the lines come.
struct Setup {
    name: &'static str,
    goal: Option<f64>,
    lines_at_once: usize,
}

const SETUPS: &[Setup] = &[
    // As from a pipe.
    Setup { name: "fanout_100", goal: Some(1.0), lines_at_once: CHUNK_LINES },
    // As from a function that prints.
    Setup { name: "fanout_100_singly", goal: None, lines_at_once: 1 },
];

pub(super) fn measure(bench: &Bench) -> Result {
    // Less than what is held without asking, or those who read last would miss lines.
    let (rounds, chunks) = if bench.is_quick() { (12, 20) } else { (30, 80) };
    let lines = chunks * CHUNK_LINES;
    let runtime = runtime()?;
    for Setup { name, goal, lines_at_once } in SETUPS.iter().filter(|setup| bench.wants(setup.name)) {
        let output = &Output::new(lines, *lines_at_once);
        let ours = || runtime.block_on(async { runtime.spawn(ours(output.clone())).await })?;
        let theirs = || runtime.block_on(async { runtime.spawn(broadcast(output.clone())).await })?;
        let case = Case { name, unit: "lines/s x readers", better: Better::Higher, rounds };
        let ours = Side { name: "ours", goal: None, measure: Box::new(ours) };
        let theirs = Side { name: "broadcast", goal: *goal, measure: Box::new(theirs) };
        bench.compare(&case, ours, vec![theirs])?;
    }
    Ok(())
}

/// What the source gives out: the same bytes for both sides.
#[derive(Clone)]
struct Output {
    lines: usize,
    chunks: usize,
    chunk: Bytes,
}

impl Output {
    fn new(lines: usize, lines_at_once: usize) -> Self {
        let line = format!("{}\n", "x".repeat(LINE as usize - 1));
        Self { lines, chunks: lines / lines_at_once, chunk: line.repeat(lines_at_once).into() }
    }

    /// Copied, as reading it does: nobody shares what nobody would share.
    fn chunks(&self) -> impl Iterator<Item = Bytes> + use<> {
        let chunk = self.chunk.clone();
        (0..self.chunks).map(move |_| Bytes::copy_from_slice(&chunk))
    }

    /// Waits for those who read, who each have to come to the number of lines that were given out.
    async fn all_read(&self, start: Instant, mut readers: JoinSet<Result<usize>>) -> Result<f64> {
        while let Some(heard) = readers.join_next().await {
            match heard?? {
                heard if heard == self.lines => {}
                heard => return Err(format!("a reader heard {heard} of {} lines", self.lines).into()),
            }
        }
        Ok(self.lines as f64 * f64::from(READERS) / start.elapsed().as_secs_f64())
    }
}

async fn ours(output: Output) -> Result<f64> {
    let go = Arc::new(Notify::new());
    let (source, started) = (output.clone(), go.clone());
    let run = stream(task_fn("source", move |cx: Context| {
        let (chunks, started) = (source.chunks(), started.clone());
        async move {
            started.notified().await;
            for chunk in chunks {
                cx.emit(Source::Stdout, chunk).await?;
            }
            Ok(())
        }
    }));
    let run = run.start();
    let stalled = run.subscribe(From::Start);
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let mut events = run.subscribe(From::Start);
        readers.spawn(async move {
            let mut heard = 0;
            while let Some(event) = events.next().await {
                match event {
                    StreamEvent::Line(line) => {
                        heard += 1;
                        if black_box(line).seq != heard as u64 {
                            return Err("a line that is not the next".into());
                        }
                    }
                    StreamEvent::Gap(gap) => return Err(format!("{} lines were missed", gap.lines()).into()),
                    _ => {}
                }
            }
            Ok(heard)
        });
    }
    let start = Instant::now();
    go.notify_one();
    let figure = output.all_read(start, readers).await?;
    run.await?;
    drop(stalled);
    Ok(figure)
}

/// One message a line, and room for all of them.
async fn broadcast(output: Output) -> Result<f64> {
    let (sender, _) = broadcast::channel(output.lines);
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        let mut messages = sender.subscribe();
        readers.spawn(async move {
            let mut heard = 0;
            loop {
                match messages.recv().await {
                    Ok(line) => {
                        black_box::<Bytes>(line);
                        heard += 1;
                    }
                    Err(broadcast::error::RecvError::Closed) => return Ok(heard),
                    Err(lagged) => return Err(lagged.into()),
                }
            }
        });
    }
    let chunks = output.chunks();
    let start = Instant::now();
    let source = tokio::spawn(async move {
        for mut chunk in chunks {
            while !chunk.is_empty() {
                let line = chunk.split_to(LINE as usize);
                // Without the newline, as a reader of lines has it.
                if sender.send(line.slice(..line.len() - 1)).is_err() {
                    return;
                }
            }
            // Others have their turn, as they do where it waits for a pipe.
            tokio::task::consume_budget().await;
        }
    });
    let figure = output.all_read(start, readers).await?;
    source.await?;
    Ok(figure)
}
