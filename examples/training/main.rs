//! A training is watched to its end, what it has learned is judged, and whoever waits is told: `cargo run --example training`.
//!
//! - **streaming**: the progress of the training, with the time that is left, and each model as soon as it is saved
//! - **detached**: a notice for each of them, on disk before anybody sends it, so that a crash loses none
//! - **concurrent**: all models are judged at once, on points that none of them has seen
//!
//! The training is a small neural network in plain Python, and a real one. `--keep FOLDER` keeps the best model. Ctrl-C ends it;
//! the script hears of it and saves its state first.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use bgt_examples::workflow::{Asked, Folder, Meter, Result, bar, need_python, script, to_the_end};
use bgt_orchestrator::concurrent::{Item, batch};
use bgt_orchestrator::detached::{Builder, Job};
use bgt_orchestrator::streaming::{From, Line, ProgressFrom, StreamEvent};
use bgt_orchestrator::{Orchestrator, Progress, Retry, RunId, Status, TaskError};
use serde::Deserialize;

/// What the script says of a model.
#[derive(Deserialize)]
struct Judged {
    right: u32,
    points: u32,
}

impl Judged {
    fn accuracy(&self) -> f64 {
        f64::from(self.right) / f64::from(self.points.max(1))
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let asked = Asked::from_args(&[]);
    let folder = asked.folder()?;
    let outbox = folder.file("outbox");
    std::fs::create_dir_all(&outbox)?;

    let notify = Builder::new().function("notify", move |_cx, notice| send(outbox.clone(), notice));
    let bgt = Orchestrator::open_with(notify, folder.file("runs.db")).await?;
    Ok(to_the_end(&bgt, training(&bgt, &asked, &folder)).await)
}

async fn training(bgt: &Orchestrator, asked: &Asked, folder: &Folder) -> Result {
    let (points, epochs, every) = if asked.small { (200, 30, 10) } else { (2000, 300, 50) };
    let moons = script("moons.py");
    need_python(&moons).await?;
    let started = Instant::now();

    let (train, test) = (folder.file("train.csv"), folder.file("test.csv"));
    bgt.simple(moons.clone().arg("data").arg(&train).arg(&test).arg(points.to_string())).await?;

    let learn = moons.clone().arg("train").arg(&train).arg(folder.path());
    let learn = learn.args([epochs.to_string(), every.to_string()]);
    let run = bgt.streaming(learn).progress(ProgressFrom::with(epoch)).start();
    let (mut events, mut meter) = (run.subscribe(From::Start), Meter::new("training"));
    let (mut models, mut notices) = (Vec::new(), Vec::new());
    while let Some(event) = events.next().await {
        match event {
            StreamEvent::Progress(progress) => meter.show(&progress),
            StreamEvent::Line(line) => {
                if let Some(path) = line.text().strip_prefix("saved ") {
                    models.push(PathBuf::from(path));
                    notices.push(notify(bgt, models.len(), format!("Saved {path}.")).await?);
                }
            }
            _ => {}
        }
    }
    drop(meter);
    run.await?;

    let judge = moons.arg("judge");
    let judges = models.clone().into_iter().map(move |model| {
        let key = model.display().to_string();
        Item::new(judge.clone().arg(model).arg(&test)).key(key)
    });
    let mut judged = bgt.concurrent(batch(judges)).in_order().start().await?;
    let mut best: Option<(Judged, &PathBuf)> = None;
    println!("\n{:<18}{:<27}of {points} points it has not seen", "model", "right");
    while let Some(finished) = judged.next().await {
        let model = &models[finished.index as usize];
        let result: Judged = finished.report.result?.json()?;
        let name = model.file_name().unwrap_or_default().to_string_lossy();
        let accuracy = result.accuracy();
        println!("{name:<18}{} {:>5.1} %", bar(accuracy), accuracy * 100.0);
        if best.as_ref().is_none_or(|(before, _)| result.right > before.right) {
            best = Some((result, model));
        }
    }
    let report = judged.report().await;
    let (best, model) = best.ok_or("the training saved no model")?;
    std::fs::copy(model, folder.file("best.json"))?;

    let ready = format!("The best is right about {} of {} points.", best.right, best.points);
    notices.push(notify(bgt, models.len() + 1, ready).await?);
    let mut sent = 0;
    for id in &notices {
        sent += usize::from(bgt.run(*id)?.wait().await?.status == Status::Succeeded);
    }

    println!("\n{:<12}{} of {} points, after {epochs} epochs", "best", best.right, best.points);
    println!("{:<12}{report}", "judged");
    println!("{:<12}{sent} of {} sent", "notices", notices.len());
    println!("{:<12}{:.1?}", "took", started.elapsed());
    if let Some(kept) = folder.kept() {
        println!("{:<12}{}", "kept in", kept.display());
    }
    Ok(())
}

/// Reads `epoch 12/300 loss 0.1234`. Where a ratio is all there is, `ProgressFrom::ratio` does.
fn epoch(line: &Line) -> Option<Progress> {
    let text = line.text();
    let (ratio, loss) = text.strip_prefix("epoch ")?.split_once(" loss ")?;
    let (epoch, epochs) = ratio.split_once('/')?;
    Some(Progress::of(epoch.parse().ok()?, epochs.parse().ok()?).message(format!("loss {loss}")))
}

/// Leaves a notice with those who never lose one; nobody waits for it to be sent.
async fn notify(bgt: &Orchestrator, number: usize, text: String) -> Result<RunId> {
    let job = Job::call("notify", &(number, text)).unique_key(number.to_string()).retry(Retry::attempts(5));
    Ok(bgt.detached(job).await?)
}

/// Stands for a mail or a message. It may be called twice, after a crash, and the second time changes nothing.
async fn send(outbox: PathBuf, (number, text): (u32, String)) -> Result<(), TaskError> {
    tokio::fs::write(outbox.join(format!("{number}.txt")), text).await?;
    Ok(())
}
