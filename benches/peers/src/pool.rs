//! Other crates that pool resources, as their documentation recommends.

use std::convert::Infallible;
use std::hint::black_box;

use bgt_benches::Result;
use bgt_benches::pool::Rival;
use tokio::runtime::Runtime;

/// All of them. `deadpool` is no rival of its own: ours stands on it, and it is always measured.
pub const RIVALS: &[Rival] = &[Rival { name: "bb8", goal: None, run: bb8 }];

/// Makes numbers.
struct Numbers;

impl bb8::ManageConnection for Numbers {
    type Connection = u64;
    type Error = Infallible;

    async fn connect(&self) -> Result<u64, Infallible> {
        Ok(0)
    }

    async fn is_valid(&self, _: &mut u64) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut u64) -> bool {
        false
    }
}

fn bb8(runtime: &Runtime, takes: u64) -> Result {
    let pool = runtime.block_on(bb8::Pool::builder().max_size(1).build(Numbers))?;
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
