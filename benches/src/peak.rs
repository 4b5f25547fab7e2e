//! The most memory that this program has held.

use crate::{Bench, Result};

/// Does something in a copy of this program, which has held nothing before. There it answers the MiB that it took above the
/// empty program at its peak, and what was answered; elsewhere, and where the system does not tell, nothing.
pub(crate) fn of<V>(bench: &Bench, name: &str, work: impl FnOnce() -> Result<V>) -> Result<Option<(f64, V)>> {
    if !bench.is_the_copy() {
        return bench.in_a_copy(name).map(|()| None);
    }
    let Some(empty) = mib() else {
        bench.say(format_args!("{name}: the system does not tell how much memory was held at most"));
        return Ok(None);
    };
    let answer = work()?;
    let peak = mib().ok_or("the peak is not told any more")?;
    Ok(Some((peak - empty, answer)))
}

/// Since this program was started; `None` where the system does not tell.
fn mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}
