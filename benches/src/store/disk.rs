//! What the disk itself takes at the moment: without that, no figure of a durable commit says anything.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use crate::{Bench, Result};

/// As much as a page of the stores' files.
const BLOCK: [u8; 4096] = [b'x'; 4096];

/// Appends a block and waits for the disk, again and again, in the folder that the stores are in; prints the median and
/// the 99th percentile, in milliseconds.
pub(crate) fn report(bench: &Bench, folder: &Path, case: &str, moment: &str) -> Result {
    let times = if bench.is_quick() { 100 } else { 200 };
    let path = folder.join(format!("fdatasync-{moment}"));
    let mut file = OpenOptions::new().append(true).create_new(true).open(&path)?;
    let mut waits = Vec::with_capacity(times);
    for _ in 0..times {
        file.write_all(&BLOCK)?;
        let start = Instant::now();
        file.sync_data()?;
        waits.push(start.elapsed().as_secs_f64() * 1e3);
    }
    drop(file);
    std::fs::remove_file(path)?;
    waits.sort_by(f64::total_cmp);
    for percent in [50, 99] {
        let name = format!("{case}.fdatasync_p{percent}_{moment}");
        bench.reported(&name, percentile(&waits, percent), "ms")?;
    }
    Ok(())
}

/// The least of the sorted values that so many percent do not exceed.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent).div_ceil(100).saturating_sub(1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<_> = (1..=200).map(f64::from).collect();
        assert_eq!((percentile(&sorted, 50), percentile(&sorted, 99)), (100.0, 198.0));
        assert_eq!(percentile(&[7.0], 50), 7.0);
    }
}
