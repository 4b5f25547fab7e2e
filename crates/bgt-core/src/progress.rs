//! How far a task has come.

use std::fmt;

/// How far a task has come: a position, perhaps of a known total, perhaps with a word about it.
///
/// Values that make no sense (NaN, infinite, negative) count as unknown: a wrong number in a progress line must not
/// fail the work.
///
/// # Examples
///
/// ```
/// use bgt_core::Progress;
///
/// assert_eq!(Progress::of(3, 12).fraction(), Some(0.25));
/// assert_eq!(Progress::percent(40.0).message("epoch 2").to_string(), "40 % (epoch 2)");
/// assert_eq!(Progress::count(17).fraction(), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Progress {
    /// How much is done, in the unit of `total`.
    pub position: f64,
    /// How much there is, if known.
    pub total: Option<f64>,
    /// A word about what is being done.
    pub message: Option<String>,
}

impl Progress {
    /// So many of so many.
    #[must_use]
    pub fn of(position: u64, total: u64) -> Self {
        Self { position: position as f64, total: Some(total as f64), message: None }
    }

    /// From 0 to 100.
    #[must_use]
    pub fn percent(percent: f64) -> Self {
        if !percent.is_finite() || percent < 0.0 {
            return Self::default();
        }
        Self { position: percent, total: Some(100.0), message: None }
    }

    /// So many, of nobody knows how many.
    #[must_use]
    pub fn count(position: u64) -> Self {
        Self { position: position as f64, total: None, message: None }
    }

    /// Adds a word about what is being done.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// The done part, from 0 to 1, if the total is known and not zero.
    #[must_use]
    pub fn fraction(&self) -> Option<f64> {
        let total = self.total.filter(|total| *total > 0.0)?;
        let fraction = self.position / total;
        fraction.is_finite().then(|| fraction.clamp(0.0, 1.0))
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.fraction(), self.total) {
            (Some(fraction), Some(100.0)) => write!(f, "{:.0} %", fraction * 100.0)?,
            (Some(_), Some(total)) => write!(f, "{}/{total}", self.position)?,
            _ => write!(f, "{}", self.position)?,
        }
        match &self.message {
            Some(message) => write!(f, " ({message})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_fraction_is_between_zero_and_one(position: u64, total: u64) {
            let fraction = Progress::of(position, total).fraction();
            prop_assert_eq!(fraction.is_none(), total == 0);
            prop_assert!(fraction.is_none_or(|f| (0.0..=1.0).contains(&f)));
        }

        #[test]
        fn any_percent_is_taken(percent in proptest::num::f64::ANY) {
            let fraction = Progress::percent(percent).fraction();
            prop_assert!(fraction.is_none_or(|f| (0.0..=1.0).contains(&f)));
        }
    }
}
