//! How late: one schedule, and ten thousand at one instant.

use std::sync::Arc;
use std::time::Duration;

use super::{Firings, MANY, Many, PEERS, Rival, idle, ours, runtime};
use crate::{Bench, Better, Case, Result, Side};

const ONE: &str = "lateness_1";
const AT_ONCE: &str = "lateness_10k";

fn case(name: &'static str, bench: &Bench) -> Case {
    Case {
        name,
        unit: "ms at the 99th percentile",
        better: Better::Lower,
        rounds: if bench.is_quick() { 6 } else { 20 },
    }
}

pub(super) fn one(bench: &Bench, rivals: &[Rival]) -> Result {
    if !bench.wants(ONE) {
        return Ok(());
    }
    let rivals: Vec<_> = rivals.iter().filter_map(|rival| Some((rival.name, rival.one?))).collect();
    bench.say_who_is_missing(ONE, PEERS, &rivals.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let side = |name, make: fn(Arc<Firings>) -> _, count, goal| Side {
        name,
        goal,
        measure: Box::new(move || {
            let firings = Arc::new(Firings::of(count));
            let runtime = runtime()?;
            runtime.block_on(async {
                let held = runtime.spawn(make(firings.clone())).await??;
                let p99 = firings.p99_ms().await;
                drop(held);
                p99
            })
        }),
    };
    // Of a second's firings two are as many as there is time for.
    let rivals = rivals.into_iter().map(|(name, make)| side(name, make, 2, Some(300.0))).collect();
    bench.compare(&case(ONE, bench), side("ours", ours::one, 20, None), rivals)
}

pub(super) fn many(bench: &Bench, rivals: &[Rival]) -> Result {
    if !bench.wants(AT_ONCE) {
        return Ok(());
    }
    let side = |name, make: Many, goal| Side {
        name,
        goal,
        measure: Box::new(move || {
            let firings = Arc::new(Firings::of(MANY));
            let runtime = runtime()?;
            runtime.block_on(async {
                let held = runtime.spawn(make(MANY, firings.clone())).await??;
                firings.measure_a_second();
                let p99 = firings.p99_ms().await;
                drop(held);
                p99
            })
        }),
    };
    let goal = |name| match name {
        "tokio-interval" => Some(0.9),
        _ => Some(50.0),
    };
    let rivals: Vec<_> = rivals.iter().filter_map(|rival| Some((rival.name, rival.many?))).collect();
    bench.say_who_is_missing(AT_ONCE, PEERS, &rivals.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let sides = rivals.into_iter().map(|(name, make)| side(name, make, goal(name))).collect();
    bench.compare(&case(AT_ONCE, bench), side("ours", ours::many, None), sides)?;

    let runtime = runtime()?;
    let scheduler = runtime.block_on(async { runtime.spawn(ours::seconds(MANY)).await })??;
    let length = Duration::from_secs(if bench.is_quick() { 3 } else { 20 });
    let Some(spent) = idle::cpu_per_minute(length) else {
        bench.say(format_args!("{AT_ONCE}.cpu: {}", idle::UNTOLD));
        return Ok(());
    };
    let fired: u64 = scheduler.schedules().iter().map(|schedule| schedule.statistics().runs).sum();
    bench.say(format_args!("{AT_ONCE}: {fired} firings for the figure of the processor"));
    bench.reported("lateness_10k.cpu", spent, "CPU s/min while 10 000 fire every second")
}
