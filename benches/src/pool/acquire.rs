//! A resource taken and given back, by one caller of whom there is no other: what a pool itself costs.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Instant;

use bgt_pool::{Manager, ObjectMetrics, RecycleResult};
use tokio::runtime::Runtime;

use super::runtime;
use crate::{Bench, Better, Case, Result, Side};

pub(super) const NAME: &str = "acquire";

/// Somebody else's pool with one resource, from which so many are taken, one after the other, and given back.
pub struct Rival {
    /// The name in `against`.
    pub name: &'static str,
    /// The least ratio that ours is to have.
    pub goal: Option<f64>,
    /// Takes so many and gives them back, in a task of this runtime.
    pub run: fn(&Runtime, u64) -> Result,
}

pub(super) fn measure(bench: &Bench, rivals: &[Rival]) -> Result {
    let (rounds, takes) = (if bench.is_quick() { 20 } else { 60 }, 200_000);
    let case = Case { name: NAME, unit: "takes/s", better: Better::Higher, rounds };
    let runtime = &runtime()?;
    let side = |name, goal, run: fn(&Runtime, u64) -> Result| {
        let measure = move || {
            let start = Instant::now();
            run(runtime, takes)?;
            Ok(takes as f64 / start.elapsed().as_secs_f64())
        };
        Side { name, goal, measure: Box::new(measure) }
    };
    let mut theirs = vec![side("deadpool", Some(0.8), deadpool as fn(&Runtime, u64) -> Result)];
    let there: Vec<_> = rivals.iter().map(|rival| rival.name).collect();
    bench.say_who_is_missing(NAME, ["bb8"], &there);
    theirs.extend(rivals.iter().map(|rival| side(rival.name, rival.goal, rival.run)));
    bench.compare(&case, side("ours", None, ours), theirs)
}

/// Makes numbers.
struct Numbers;

impl Manager for Numbers {
    type Type = u64;
    type Error = Infallible;

    async fn create(&self) -> Result<u64, Infallible> {
        Ok(0)
    }

    async fn recycle(&self, _: &mut u64, _: &ObjectMetrics) -> RecycleResult<Infallible> {
        Ok(())
    }
}

fn ours(runtime: &Runtime, takes: u64) -> Result {
    let pool = runtime.block_on(async { bgt_pool::Pool::builder(Numbers).size(1).build() })?;
    let takes = runtime.spawn(async move {
        for n in 1..=takes {
            let mut number = pool.acquire().await?;
            *number += 1;
            if black_box(*number) != n {
                return Err(format!("{n} came to {}", *number).into());
            }
            number.release();
        }
        Ok(())
    });
    runtime.block_on(takes)?
}

fn deadpool(runtime: &Runtime, takes: u64) -> Result {
    let pool: deadpool::managed::Pool<Numbers> =
        deadpool::managed::Pool::builder(Numbers).max_size(1).build()?;
    let takes = runtime.spawn(async move {
        for n in 1..=takes {
            let mut number = pool.get().await?;
            *number += 1;
            if black_box(*number) != n {
                return Err(format!("{n} came to {}", *number).into());
            }
        }
        Ok(())
    });
    runtime.block_on(takes)?
}
