//! The same in a host that holds a lot of memory: `fork` copies its page tables, `posix_spawn` does not.

use super::rival::Rival;
use super::{runtime, throughput};
use crate::{Bench, Result};

const NAME: &str = "big_host";
const BYTES: usize = 2 << 30;
/// The smallest page there is: touching each of these touches every page.
const PAGE: usize = 4096;

/// Measures in a copy of this program, so that the memory is held by nobody afterwards.
pub(super) fn measure(bench: &Bench, rivals: &[Rival]) -> Result {
    if !bench.is_the_copy() {
        return bench.in_a_copy(NAME);
    }
    bench.say(format_args!("{NAME}: touching {} MiB", BYTES >> 20));
    let mut memory = vec![0_u8; BYTES];
    for page in memory.chunks_mut(PAGE) {
        page[0] = 1;
    }
    throughput::measure(bench, &runtime()?, NAME, 1, rivals)?;
    // Held until here, and touched: the optimiser may not do without it.
    if std::hint::black_box(&memory).iter().step_by(PAGE).any(|byte| *byte != 1) {
        return Err("the host's memory is not what was written".into());
    }
    Ok(())
}
