//! Runs of `/bin/true` a second, with so many at once.

use std::path::Path;
use std::time::Instant;

use bgt_testkit::{Ledger, Scratch};

use super::runtime;
use super::starters::{RIVALS, Starter};
use crate::{Bench, Better, Case, Result, Side, rivals};

/// What each side has to have run, by a count that it does not keep.
const COUNTED: u32 = 60;

pub(super) fn measure(bench: &Bench, name: &'static str, at_once: usize) -> Result {
    if !cfg!(unix) {
        bench.say(format_args!("{name}: left out: it starts /bin/true, which only Unix has"));
        return Ok(());
    }
    let (rounds, times) = if bench.is_quick() { (10, 200) } else { (20, 1000) };
    let runtime = runtime()?;
    let mut theirs = Vec::new();
    for rival in RIVALS {
        match rivals::find(rival.name) {
            // It takes ten times as long.
            Some(path) => {
                let times = if rival.name == "parallel" { times / 4 } else { times };
                theirs.push(side(
                    rival.name,
                    Some(rival.goal),
                    Starter::Installed(*rival, path),
                    times,
                    at_once,
                )?);
            }
            None => bench.say(format_args!("{name}: skipped {}: it is not installed", rival.name)),
        }
    }
    let ours = side("ours", None, Starter::Ours(&runtime), times, at_once)?;
    let case = Case { name, unit: "runs/s", better: Better::Higher, rounds };
    bench.compare(&case, ours, theirs)
}

fn side<'a>(
    name: &'static str,
    goal: Option<f64>,
    starter: Starter<'a>,
    times: u32,
    at_once: usize,
) -> Result<Side<'a>> {
    verify(&starter, at_once).map_err(|error| format!("{name}: {error}"))?;
    let measure = move || {
        let start = Instant::now();
        starter.run(Path::new("/bin/true"), times, at_once)?;
        Ok(f64::from(times) / start.elapsed().as_secs_f64())
    };
    Ok(Side { name, goal, measure: Box::new(measure) })
}

/// Whether a side runs what it says it has run: the programs themselves keep count, in a file.
fn verify(starter: &Starter<'_>, at_once: usize) -> Result {
    let scratch = Scratch::new();
    let ledger = Ledger::at(scratch.path("ledger"));
    let script = scratch.path("count");
    std::fs::write(&script, format!("#!/bin/sh\necho $1 >> '{}'\n", ledger.path().display()))?;
    executable(&script)?;
    starter.run(&script, COUNTED, at_once)?;
    let mut lines = ledger.lines();
    lines.sort();
    lines.dedup();
    match lines.len() as u32 {
        COUNTED => Ok(()),
        ran => Err(format!("of {COUNTED} runs, {ran} took place").into()),
    }
}

fn executable(script: &Path) -> Result {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755))?;
    }
    let _ = script;
    Ok(())
}
