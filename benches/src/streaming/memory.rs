//! What a host needs to watch a program that prints far more than is held.

use bgt_streaming::Keep;

use super::printer::Printer;
use super::{runtime, sides};
use crate::{Bench, Result, peak};

pub(super) const NAME: &str = "memory";
const MOST_MIB: f64 = 64.0;

pub(super) fn measure(bench: &Bench) -> Result {
    let gib = if bench.is_quick() { 1 } else { 10 };
    let printer = Printer::of_mib(gib << 10);
    let measured = peak::of(bench, NAME, || {
        bench.say(format_args!("{NAME}: {gib} GiB{}", if bench.is_quick() { " instead of 10" } else { "" }));
        let runtime = runtime()?;
        let hearing = sides::ours(printer.clone(), Keep::default());
        runtime.block_on(async { runtime.spawn(hearing).await })?
    })?;
    let Some((mib, heard)) = measured else { return Ok(()) };
    printer.verify(&heard)?;
    // Nothing is wrong with that: the program is not slowed by whoever reads.
    bench.say(format_args!("{NAME}: {} of {} lines were missed, and told", heard.missed, printer.lines()));
    let unit = format!("MiB above the empty program, at the peak of {gib} GiB");
    bench.at_most(NAME, mib, &unit, MOST_MIB)
}
