//! Lines and bytes a second from a program to one reader.

use std::future::Future;
use std::time::Instant;

use bgt_streaming::Keep;
use tokio::runtime::Runtime;

use super::printer::{Heard, Printer};
use super::{runtime, sides};
use crate::{Bench, Better, Case, Result, Side};

pub(super) fn measure(bench: &Bench) -> Result {
    let (rounds, mib) = (if bench.is_quick() { 12 } else { 40 }, 64);
    // As much as is printed: nothing slows the program, which is faster than whoever looks at each line.
    let keep = Keep::bytes(mib << 20);
    let ours = move |printer| sides::ours(printer, keep);
    let (runtime, printer) = (&runtime()?, &Printer::of_mib(mib as u64));
    let better = Better::Higher;
    if bench.wants("lines") {
        let case = Case { name: "lines", unit: "lines/s", better, rounds };
        let amount = printer.lines() as f64;
        let whole = side("ours", None, runtime, printer, amount, ours);
        let lines = side("lines", Some(1.2), runtime, printer, amount, sides::lines);
        bench.compare(&case, whole, vec![lines])?;
    }
    if bench.wants("bytes") {
        let case = Case { name: "bytes", unit: "MiB/s", better, rounds };
        let amount = mib as f64;
        let whole = side("ours", None, runtime, printer, amount, ours);
        let raw = side("raw", Some(0.8), runtime, printer, amount, sides::raw);
        bench.compare(&case, whole, vec![raw])?;
    }
    Ok(())
}

/// From the start of the program to its end, and the last that it has printed.
fn side<'a, Running>(
    name: &'static str,
    goal: Option<f64>,
    runtime: &'a Runtime,
    printer: &'a Printer,
    amount: f64,
    hear: impl Fn(Printer) -> Running + 'a,
) -> Side<'a>
where
    Running: Future<Output = Result<Heard>> + Send + 'static,
{
    let measure = move || {
        // In a task, as a service has it.
        let hearing = hear(printer.clone());
        let start = Instant::now();
        let heard = runtime.block_on(async { runtime.spawn(hearing).await })??;
        let seconds = start.elapsed().as_secs_f64();
        printer.verify(&heard)?;
        if heard.missed > 0 {
            return Err(format!("{} of {} lines were missed", heard.missed, printer.lines()).into());
        }
        Ok(amount / seconds)
    };
    Side { name, goal, measure: Box::new(measure) }
}
