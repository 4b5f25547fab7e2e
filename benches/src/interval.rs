//! The median of a few rounds and how far it can be trusted. Pure.

/// The fewest rounds that give a 95 % interval.
pub(crate) const FEWEST: usize = 6;

/// The middle one; the mean of the middle two where the count is even.
pub(crate) fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// The interval that holds the true median with at least 95 %, from the order of the values alone.
///
/// Each round falls on either side of the true median like a coin, so how many of the lowest and highest values may be
/// left out is a matter of the binomial distribution: exact for any shape of noise. A t-interval supposes noise like
/// the normal distribution's, and one disturbed round (a neighbour on the machine) widens it until every goal is within it;
/// a bootstrap of so few rounds is narrower than it says, and for the median it comes near these same order statistics.
pub(crate) fn of_median(values: &[f64]) -> (f64, f64) {
    assert!(values.len() >= FEWEST, "{} rounds give no 95 % interval", values.len());
    let sorted = sorted(values);
    let rounds = i32::try_from(sorted.len()).expect("few rounds");
    // The chance that at most `outside` of the rounds lie on one side.
    let mut term = 0.5_f64.powi(rounds);
    let (mut chance, mut outside) = (term, 0);
    loop {
        term *= f64::from(rounds - outside) / f64::from(outside + 1);
        if 2.0 * (chance + term) > 0.05 {
            break;
        }
        chance += term;
        outside += 1;
    }
    let outside = usize::try_from(outside).expect("counted up from 0");
    (sorted[outside], sorted[sorted.len() - 1 - outside])
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up_to(count: u32) -> Vec<f64> {
        (1..=count).rev().map(f64::from).collect()
    }

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!((median(&up_to(5)), median(&up_to(6))), (3.0, 3.5));
    }

    #[test]
    fn the_ranks_are_those_of_the_sign_test() {
        for (count, ranks) in
            [(6, (1.0, 6.0)), (8, (1.0, 8.0)), (9, (2.0, 8.0)), (12, (3.0, 10.0)), (20, (6.0, 15.0))]
        {
            assert_eq!(of_median(&up_to(count)), ranks, "{count} rounds");
        }
    }

    #[test]
    fn one_disturbed_round_changes_nothing() {
        let mut values = up_to(12);
        values[0] = 1e9;
        assert_eq!(of_median(&values), (3.0, 10.0));
    }
}
