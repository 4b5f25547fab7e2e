//! Clips are made, encoded many at once, and joined to a film that is watched while it grows: `cargo run --example video`.
//!
//! - **concurrent**: clips are encoded side by side, as many as there are processors
//! - **periodic**: what is not needed any more is thrown away twice a second, while the rest is at work
//! - **streaming**: the film takes longest, so its progress is shown, with the time that is left
//! - **detached**: whoever waits for the film is told; the notice is on disk before anybody sends it, and outlives a crash
//!
//! Works with ffmpeg, or with a stand-in in Python where there is none (`--stand-in` where there is). `--keep FOLDER` keeps the
//! film. Ctrl-C ends it, with all that it has started.

mod tool;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bgt_examples::workflow::{Asked, Folder, Meter, Result, to_the_end};
use bgt_orchestrator::concurrent::{BatchReport, batch};
use bgt_orchestrator::detached::{Builder, Job};
use bgt_orchestrator::periodic::Schedule;
use bgt_orchestrator::streaming::{From, StreamEvent};
use bgt_orchestrator::{Command, Orchestrator, Retry, Task, TaskError, task_fn};

use tool::Tool;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let asked = Asked::from_args(&["--stand-in"]);
    let folder = asked.folder()?;
    let outbox = folder.file("outbox");
    std::fs::create_dir_all(&outbox)?;

    let notify = Builder::new().function("notify", move |_cx, notice| send(outbox.clone(), notice));
    let bgt = Orchestrator::open_with(notify, folder.file("runs.db")).await?;
    Ok(to_the_end(&bgt, film(&bgt, &asked, &folder)).await)
}

async fn film(bgt: &Orchestrator, asked: &Asked, folder: &Folder) -> Result {
    let tool = Tool::find(asked.has("--stand-in")).await?;
    let (clips, frames) = if asked.small { (3, 20) } else { (8, 400) };
    println!("{clips} clips of {frames} frames each, by {tool}.\n");
    let started = Instant::now();

    let (trash, freed) = (folder.file("trash"), Arc::new(AtomicU64::new(0)));
    std::fs::create_dir_all(&trash)?;
    let often = Schedule::every(Duration::from_millis(500));
    let janitor = bgt.periodic("empty the trash", often, empty(trash.clone(), freed.clone())).await?;

    let raw: Vec<_> = (1..=clips).map(|n| folder.file(tool.file(&format!("raw-{n}")))).collect();
    let makes = raw.iter().zip(1..).map(|(clip, seed)| tool.make(clip, frames, seed));
    let made = all(bgt, makes.collect()).await?;
    println!("{:<12}{made}", "made");

    let encoded: Vec<_> = (1..=clips).map(|n| folder.file(tool.file(&format!("clip-{n}")))).collect();
    let encodes = raw.iter().zip(&encoded).map(|(raw, clip)| tool.encode(raw, clip));
    let done = all(bgt, encodes.collect()).await?;
    println!("{:<12}{done}", "encoded");
    throw_away(&raw, &trash)?;

    let film = folder.file(tool.file("film"));
    let total = clips * frames;
    let joining = bgt.streaming(tool.join(&encoded, &film)).progress(tool::progress(total)).start();
    let (mut events, mut meter, mut seen) = (joining.subscribe(From::Start), Meter::new("film"), 0);
    while let Some(event) = events.next().await {
        match event {
            StreamEvent::Progress(progress) => meter.show(&progress),
            StreamEvent::Line(line) => seen = tool::frame(&line.text()).unwrap_or(seen),
            _ => {}
        }
    }
    drop(meter);
    joining.await?;
    throw_away(&encoded, &trash)?;
    if seen != total {
        return Err(format!("the film has {seen} frames, and there should be {total}").into());
    }

    let bytes = std::fs::metadata(&film)?.len();
    let notice = format!("The film is ready: {total} frames, {:.1} MB.", mega(bytes));
    let told =
        bgt.detached(Job::call("notify", &notice).unique_key("film").retry(Retry::attempts(5))).await?;
    let told = bgt.run(told)?.wait().await?;

    // Once more, for what was thrown away last; refused while a round is at work.
    while janitor.run_now().is_err() {
        janitor.idle().await;
    }
    janitor.idle().await;
    println!(
        "\n{:<12}{total} frames of {clips} clips, {:.1} MB, in {:.1?}",
        "film",
        mega(bytes),
        started.elapsed()
    );
    let freed = freed.load(Ordering::Relaxed);
    println!("{:<12}{:.1} MB in {} rounds", "cleaned up", mega(freed), janitor.statistics().runs);
    println!("{:<12}{} in attempt {}", "notice", told.status, told.attempt);
    if let Some(folder) = folder.kept() {
        println!("{:<12}{}", "kept in", folder.display());
    }
    Ok(())
}

/// Runs many programs at once, with a bar, and does not put up with a failure.
async fn all(bgt: &Orchestrator, commands: Vec<Command>) -> Result<BatchReport> {
    Ok(bgt.concurrent(batch(commands)).progress().await?.require_success()?)
}

/// Moves what is not needed any more to where the janitor finds it.
fn throw_away(files: &[PathBuf], trash: &Path) -> Result {
    for file in files {
        let name = file.file_name().ok_or("a file has a name")?;
        std::fs::rename(file, trash.join(name))?;
    }
    Ok(())
}

/// Removes what is in the trash, and counts the bytes.
fn empty(trash: PathBuf, freed: Arc<AtomicU64>) -> impl Task {
    task_fn("empty the trash", move |_cx| {
        let (trash, freed) = (trash.clone(), freed.clone());
        async move {
            let mut files = tokio::fs::read_dir(&trash).await?;
            while let Some(file) = files.next_entry().await? {
                freed.fetch_add(file.metadata().await?.len(), Ordering::Relaxed);
                tokio::fs::remove_file(file.path()).await?;
            }
            Ok(())
        }
    })
}

/// Stands for a mail or a message. It may be called twice, after a crash, and the second time changes nothing.
async fn send(outbox: PathBuf, notice: String) -> Result<(), TaskError> {
    tokio::fs::write(outbox.join("film.txt"), notice).await?;
    Ok(())
}

fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
