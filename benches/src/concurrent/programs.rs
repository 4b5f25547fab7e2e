//! Runs of `true` a second, with so many at once.

use std::collections::BTreeSet;
use std::time::Instant;

use bgt_testkit::{Ledger, Scratch};

use super::runtime;
use super::starters::{RIVALS, Starter};
use crate::no_op::NoOp;
use crate::{Bench, Better, Case, Result, Side, rivals};

/// What each side has to have run, by a count that it does not keep.
const COUNTED: u32 = 60;

pub(super) fn measure(bench: &Bench, name: &'static str, at_once: usize) -> Result {
    let no_op = match NoOp::that_takes_a_word() {
        Ok(no_op) => no_op,
        Err(error) => {
            bench.say(format_args!("{name}: left out: {error}"));
            return Ok(());
        }
    };
    let (rounds, times) = if bench.is_quick() { (10, 200) } else { (20, 1000) };
    let runtime = runtime()?;
    let side = |name, goal, starter, times| side(name, goal, starter, &no_op, times, at_once);
    let mut theirs = Vec::new();
    for rival in RIVALS {
        match rivals::find(rival.name) {
            // It takes ten times as long; not fewer than make its own start a small part of that.
            Some(path) => {
                let times = if rival.name == "parallel" { times.min(400) } else { times };
                theirs.push(side(rival.name, Some(rival.goal), Starter::Installed(*rival, path), times)?);
            }
            None => bench.say(format_args!("{name}: skipped {}: it is not installed", rival.name)),
        }
    }
    let ours = side("ours", None, Starter::Ours(&runtime), times)?;
    let case = Case { name, unit: "runs/s", better: Better::Higher, rounds };
    bench.compare(&case, ours, theirs)
}

fn side<'a>(
    name: &'static str,
    goal: Option<f64>,
    starter: Starter<'a>,
    no_op: &'a NoOp,
    times: u32,
    at_once: usize,
) -> Result<Side<'a>> {
    verify(&starter, at_once).map_err(|error| format!("{name}: {error}"))?;
    let measure = move || {
        let start = Instant::now();
        starter.run(no_op, times, at_once)?;
        Ok(f64::from(times) / start.elapsed().as_secs_f64())
    };
    Ok(Side { name, goal, measure: Box::new(measure) })
}

/// Whether a side runs what it says it has run, each item once: the programs themselves keep count, in a file.
fn verify(starter: &Starter<'_>, at_once: usize) -> Result {
    let scratch = Scratch::new();
    let ledger = Ledger::at(scratch.path("ledger"));
    let path = ledger.path().to_str().ok_or("a scratch folder whose name is no text")?;
    let (program, args) = bgt_testkit::bad(["append", path]);
    starter.run(&NoOp { program, args }, COUNTED, at_once)?;
    let lines = ledger.lines();
    let items: BTreeSet<_> = lines.iter().collect();
    match (lines.len() as u32, items.len() as u32) {
        (COUNTED, COUNTED) => Ok(()),
        (runs, items) => Err(format!("of {COUNTED} items, {items} were run, in {runs} runs").into()),
    }
}
