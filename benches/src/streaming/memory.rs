//! What a host needs to watch a program that prints far more than is held.

use bgt_streaming::Keep;

use super::printer::Printer;
use super::{runtime, sides};
use crate::{Bench, Result, peak};

pub(super) const NAME: &str = "memory";
const MOST_MIB: f64 = 64.0;

/// Measures in a copy of this program, which has held nothing before.
pub(super) fn measure(bench: &Bench) -> Result {
    if !bench.is_the_copy() {
        return bench.in_a_copy(NAME);
    }
    let Some(empty) = peak::mib() else {
        bench.say(format_args!("{NAME}: the system does not tell how much memory was held at most"));
        return Ok(());
    };
    let gib = if bench.is_quick() { 1 } else { 10 };
    bench.say(format_args!("{NAME}: {gib} GiB{}", if bench.is_quick() { " instead of 10" } else { "" }));
    let (runtime, printer) = (runtime()?, Printer::of_mib(gib << 10));
    let hearing = sides::ours(printer.clone(), Keep::default());
    let heard = runtime.block_on(async { runtime.spawn(hearing).await })??;
    let peak = peak::mib().ok_or("the peak is not told any more")?;
    printer.verify(&heard)?;
    // Nothing is wrong with that: the program is not slowed by whoever reads.
    bench.say(format_args!("{NAME}: {} of {} lines were missed, and told", heard.missed, printer.lines()));
    let unit = format!("MiB above the empty program, at the peak of {gib} GiB");
    bench.at_most(NAME, peak - empty, &unit, MOST_MIB)
}
