//! Runs a second with so many in flight.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::rival::{Job, OURS, Rival};
use super::{GOALS, ledger};
use crate::{Bench, Better, Case, Result, Side};

/// Compares ours with those rivals that the case has a goal for.
pub(super) fn measure(
    bench: &Bench,
    runtime: &Runtime,
    name: &'static str,
    in_flight: usize,
    rivals: &[Rival],
) -> Result {
    let (rounds, slice) = if bench.is_quick() { (20, 150) } else { (40, 500) };
    let slice = Duration::from_millis(slice);
    let goal =
        |against| GOALS.iter().find(|(case, rival, _)| (*case, *rival) == (name, against)).map(|goal| goal.2);
    let job = Job::no_op(in_flight)?;
    let side = |rival: &Rival, goal| {
        let (run, job) = (rival.run, job.clone());
        let measure = move || runtime.block_on(runs_per_second(run, &job, in_flight, slice));
        Side { name: rival.name, goal, measure: Box::new(measure) }
    };
    let rivals: Vec<_> = rivals.iter().filter_map(|rival| Some((rival, goal(rival.name)?))).collect();
    let there: Vec<_> = rivals.iter().map(|(rival, _)| rival.name).collect();
    let wanted = GOALS.iter().filter(|(case, ..)| *case == name).map(|(_, rival, _)| *rival);
    bench.say_who_is_missing(name, wanted, &there);
    for rival in rivals.iter().map(|(rival, _)| *rival).chain([&OURS]) {
        ledger::verify(runtime, rival, in_flight)?;
    }
    let case = Case { name, unit: "runs/s", better: Better::Higher, rounds };
    let rivals = rivals.into_iter().map(|(rival, goal)| side(rival, Some(goal))).collect();
    bench.compare(&case, side(&OURS, None), rivals)
}

async fn runs_per_second(
    run: fn(Job) -> super::Running,
    job: &Job,
    in_flight: usize,
    at_least: Duration,
) -> Result<f64> {
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..in_flight {
        let job = job.clone();
        // In tasks, as a service has it: a future on the main thread pays for being woken from another one.
        callers.spawn(async move {
            let mut runs = 0_u32;
            while start.elapsed() < at_least {
                run(job.clone()).await?;
                runs += 1;
            }
            Ok::<_, crate::Error>(runs)
        });
    }
    let mut runs = 0;
    while let Some(caller) = callers.join_next().await {
        runs += caller??;
    }
    Ok(f64::from(runs) / start.elapsed().as_secs_f64())
}

/// Runs a program so many times.
pub(super) async fn run_times(
    run: fn(Job) -> super::Running,
    job: &Job,
    in_flight: usize,
    times: usize,
) -> Result {
    let mut callers = JoinSet::new();
    for caller in 0..in_flight {
        let job = job.clone();
        let share = times / in_flight + usize::from(caller < times % in_flight);
        callers.spawn(async move {
            for _ in 0..share {
                run(job.clone()).await?;
            }
            Ok::<_, crate::Error>(())
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    Ok(())
}
