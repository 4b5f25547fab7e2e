//! How long things took, in constant memory: buckets that grow with the time, each at most 1/32 wide of where it lies.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A power of two is cut into so many buckets.
const CUTS: u64 = 32;
const CUT_BITS: u32 = CUTS.trailing_zeros();
const BUCKETS: usize = bucket(u64::MAX) + 1;

/// Counts of nanoseconds. Taken from any thread.
pub(crate) struct Histogram {
    counts: Box<[AtomicU64]>,
    longest: AtomicU64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), longest: AtomicU64::new(0) }
    }

    pub(crate) fn add(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)].fetch_add(1, Ordering::Relaxed);
        if self.longest.load(Ordering::Relaxed) < nanos {
            self.longest.fetch_max(nanos, Ordering::Relaxed);
        }
    }

    /// Adds what another has counted.
    pub(crate) fn merge(&self, other: &Self) {
        for (count, more) in self.counts.iter().zip(&other.counts) {
            count.fetch_add(more.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.longest.fetch_max(other.longest.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    pub(crate) fn longest(&self) -> Duration {
        Duration::from_nanos(self.longest.load(Ordering::Relaxed))
    }

    /// The times that these shares of all took at most, from 0 to 1 in rising order; zero when there are none.
    pub(crate) fn quantiles<const N: usize>(&self, shares: [f64; N]) -> [Duration; N] {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        shares.map(|share| {
            let rank = ((all as f64 * share).ceil() as u64).clamp(1, all.max(1));
            let mut seen = 0;
            let found = counts.iter().position(|count| {
                seen += count;
                seen >= rank
            });
            let most = found.map_or(0, most);
            Duration::from_nanos(most).min(self.longest())
        })
    }
}

/// Where a number is counted.
const fn bucket(nanos: u64) -> usize {
    if nanos < CUTS {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - CUT_BITS;
    (shift as usize + 1) * CUTS as usize + ((nanos >> shift) - CUTS) as usize
}

/// The largest number that is counted there.
fn most(bucket: usize) -> u64 {
    let (bucket, cuts) = (bucket as u64, CUTS);
    if bucket < cuts {
        return bucket;
    }
    let (shift, cut) = (bucket / cuts - 1, bucket % cuts);
    (((cuts + cut) << shift) - 1).saturating_add(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_number_is_counted_near_to_where_it_lies(nanos in (0..=u64::MAX, 0..64u32).prop_map(|(n, by)| n >> by)) {
            let most = most(bucket(nanos));
            prop_assert!(most >= nanos && (most - nanos) as f64 <= nanos as f64 / CUTS as f64, "{most}");
            prop_assert!(bucket(nanos.saturating_add(1)) >= bucket(nanos));
        }

        #[test]
        fn quantiles_are_those_of_the_sorted_times(mut times in proptest::collection::vec(0..10_000_000_000u64, 1..300)) {
            let histogram = Histogram::new();
            times.iter().for_each(|nanos| histogram.add(Duration::from_nanos(*nanos)));
            times.sort_unstable();
            let shares = [0.5, 0.95, 0.99, 1.0];
            for (share, found) in shares.into_iter().zip(histogram.quantiles(shares)) {
                let rank = ((times.len() as f64 * share).ceil() as usize).max(1);
                let (exact, found) = (times[rank - 1] as f64, found.as_nanos() as f64);
                prop_assert!(found >= exact && found <= exact * (1.0 + 1.0 / CUTS as f64) + 1.0, "{exact} {found}");
            }
            prop_assert_eq!(histogram.longest().as_nanos(), u128::from(*times.last().unwrap()));
        }
    }

    #[test]
    fn nothing_took_no_time_and_the_longest_time_is_counted() {
        let histogram = Histogram::new();
        assert_eq!(histogram.quantiles([0.5]), [Duration::ZERO]);
        histogram.add(Duration::MAX);
        assert_eq!(histogram.quantiles([0.5]), [Duration::from_nanos(u64::MAX)]);
    }
}
