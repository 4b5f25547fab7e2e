//! Runs a second of one Python script, unchanged, with imports that cost: in a pool, and started from nothing.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bgt_pool::{Isolation, ScriptPool};
use tokio::runtime::Runtime;

use super::runtime;
use crate::{Bench, Better, Case, Result, Side};

pub(super) const NAME: &str = "python_script";

const SCRIPT: &str = "\
import asyncio, json, sqlite3, sys

print(json.dumps({\"score\": len(sys.argv[1])}))
";

const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn measure(bench: &Bench) -> Result {
    let Some(python) = bgt_testkit::python() else {
        bench.say("python_script is skipped: there is no Python here");
        return Ok(());
    };
    let runtime = &runtime()?;
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("score.py");
    std::fs::write(&script, SCRIPT)?;
    let pool = runtime.block_on(async {
        let pool = ScriptPool::builder(&script).preload(["asyncio", "json", "sqlite3"]).size(2);
        let pool = pool.command(|command| command.interpreter(&python)).refuse_cold().build()?;
        pool.warm().await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(pool)
    })?;
    let best = Isolation::best();
    bench.say(format_args!("{NAME}: ours is {best}, cold is tokio's output() of the same interpreter"));
    let rounds = if bench.is_quick() { 8 } else { 30 };
    let case = Case { name: NAME, unit: "runs/s", better: Better::Higher, rounds };
    let ours = Side {
        name: "ours",
        goal: None,
        measure: Box::new(|| rate(runtime, 1, 100, || pooled(pool.clone()))),
    };
    let cold = Side {
        name: "cold",
        goal: Some(30.0),
        measure: Box::new(|| rate(runtime, 1, 5, || by_hand(python.clone(), script.clone()))),
    };
    bench.compare(&case, ours, vec![cold])?;
    let mut two = Vec::new();
    for _ in 0..rounds {
        two.push(rate(runtime, 2, 100, || pooled(pool.clone()))?);
    }
    two.sort_by(f64::total_cmp);
    bench.at_least("python_script_2_in_flight", two[two.len() / 2], "runs/s", 500.0)?;
    if pool.warmth().isolation != best {
        return Err(format!("not as it was to be: {:?}", pool.warmth()).into());
    }
    runtime.block_on(pool.drain(PATIENCE));
    Ok(())
}

/// Runs a second: so many at once, and so many each.
fn rate<Run>(runtime: &Runtime, at_once: u32, each: u32, run: impl Fn() -> Run) -> Result<f64>
where
    Run: Future<Output = Result<Vec<u8>>> + Send + 'static,
{
    let start = Instant::now();
    let mut lanes: Vec<tokio::task::JoinHandle<Result>> = Vec::new();
    for _ in 0..at_once {
        let runs: Vec<Run> = (0..each).map(|_| run()).collect();
        // In a task, as a service has it.
        lanes.push(runtime.spawn(async move {
            for run in runs {
                check(&run.await?)?;
            }
            Ok(())
        }));
    }
    for lane in lanes {
        runtime.block_on(lane)??;
    }
    Ok(f64::from(at_once * each) / start.elapsed().as_secs_f64())
}

async fn pooled(pool: ScriptPool) -> Result<Vec<u8>> {
    Ok(pool.run(["some text"]).await?.stdout.as_bytes().to_vec())
}

async fn by_hand(python: PathBuf, script: impl AsRef<Path>) -> Result<Vec<u8>> {
    let mut command = tokio::process::Command::new(python);
    let output = command.arg(script.as_ref()).arg("some text").output().await?;
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(output.stdout)
}

fn check(answer: &[u8]) -> Result {
    if answer.trim_ascii_end() == br#"{"score": 9}"# { Ok(()) } else { Err("another answer came".into()) }
}
