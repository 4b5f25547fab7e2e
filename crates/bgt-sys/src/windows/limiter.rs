//! Quota of a Job Object.

use std::io;

use windows_sys::Win32::System::Threading::{ALL_PROCESSOR_GROUPS, GetActiveProcessorCount};

use crate::Quota;

/// Limits that are ready for a tree which has not been started: see [`Child::limit`](crate::Child::limit).
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Limiter {
    /// Bytes of memory, of all members together.
    pub(super) memory: Option<u64>,
    /// The share of all processors of the machine, in hundredths of a percent.
    pub(super) cpu_rate: Option<u32>,
}

impl Limiter {
    /// Makes limits ready.
    ///
    /// # Errors
    ///
    /// None here; elsewhere where there is no way to have them.
    pub fn new(quota: &Quota) -> io::Result<Self> {
        // SAFETY: takes a number and answers one.
        let machine = unsafe { GetActiveProcessorCount(ALL_PROCESSOR_GROUPS) };
        Ok(Self {
            memory: quota.memory,
            cpu_rate: quota.processors.and_then(|processors| rate(processors, machine.max(1))),
        })
    }
}

/// `None` where it is as much as there is.
fn rate(processors: f64, machine: u32) -> Option<u32> {
    let rate = processors / f64::from(machine) * 10_000.0;
    (rate < 10_000.0).then(|| (rate.round() as u32).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_one_of_the_whole_machine() {
        assert_eq!(rate(1.0, 2), Some(5_000));
        assert_eq!(rate(1.5, 4), Some(3_750));
        assert_eq!(rate(0.01, 256), Some(1));
        assert_eq!(rate(2.0, 2), None);
        assert_eq!(rate(64.0, 2), None);
    }
}
