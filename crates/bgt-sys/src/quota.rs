//! How much of the machine a tree may have.

use std::fmt;

/// How much of the machine a program and all that it starts may have together.
///
/// # Platform-specific behavior
///
/// - Windows: by the Job Object that the tree is in anyway. What would exceed the memory is refused to the program, which
///   then fails in its own way. Memory is what it has reserved ("committed"), in memory or in the page file.
/// - Linux: by a cgroup of its own (version 2), where the host may make one. Where the memory does not suffice, the kernel
///   ends the whole tree by SIGKILL. Memory is what is in memory, the files' pages that it has read included; what was
///   swapped out does not count.
///
///   A host may make one when its own cgroup, or the one above it, was given to it and has the controllers switched on, with
///   no process directly in it: under systemd, `Delegate=cpu memory` and `DelegateSubgroup=host`; in a container that may
///   write its cgroups, a first line of the entry script that moves itself into a subgroup.
/// - macOS and others: never.
///
/// # Examples
///
/// ```
/// use bgt_sys::Quota;
///
/// let quota = Quota::new().memory(2 << 30).processors(1.5);
/// assert_eq!(quota.to_string(), "2147483648 bytes of memory, 1.5 processors");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[must_use]
pub struct Quota {
    pub(crate) memory: Option<u64>,
    pub(crate) processors: Option<f64>,
    best_effort: bool,
}

impl Quota {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many bytes of memory.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Sets how much time of how many processors: 0.5 is half of the time of one, 2.0 all of two. Who has had that much in a
    /// tenth of a second waits for the next (Windows: an interval that the system chooses).
    pub fn processors(mut self, processors: f64) -> Self {
        self.processors = Some(processors);
        self
    }

    /// Runs without them where there is no way to have them; refused without this.
    pub fn best_effort(mut self) -> Self {
        self.best_effort = true;
        self
    }

    /// Whether it runs without them where there is no way to have them.
    #[must_use]
    pub fn is_best_effort(&self) -> bool {
        self.best_effort
    }

    /// How many bytes of memory.
    #[must_use]
    pub fn max_memory(&self) -> Option<u64> {
        self.memory
    }

    /// How much time of how many processors.
    #[must_use]
    pub fn max_processors(&self) -> Option<f64> {
        self.processors
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.memory.is_none() && self.processors.is_none()
    }

    /// What is wrong with them, if anything is: less than a page of memory, or than a hundredth of a processor, is nothing
    /// that a program could run with.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        match (self.memory, self.processors) {
            (Some(bytes), _) if bytes < LEAST_MEMORY => Some(format!(
                "{bytes} bytes of memory are less than any program needs: {LEAST_MEMORY} at least"
            )),
            (_, Some(processors)) if !(processors.is_finite() && processors >= LEAST_PROCESSORS) => {
                Some(format!(
                    "{processors} processors are no share that could be had: {LEAST_PROCESSORS} at least"
                ))
            }
            _ => None,
        }
    }
}

const LEAST_MEMORY: u64 = 64 << 10;
const LEAST_PROCESSORS: f64 = 0.01;

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memory = self.memory.map(|bytes| format!("{bytes} bytes of memory"));
        let processors = self.processors.map(|processors| format!("{processors} processors"));
        match (memory, processors) {
            (Some(memory), Some(processors)) => write!(f, "{memory}, {processors}"),
            (Some(one), None) | (None, Some(one)) => f.write_str(&one),
            (None, None) => f.write_str("no limits"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_program_could_run_with_is_a_fault() {
        let fault = |quota: Quota| quota.fault();
        assert_eq!(fault(Quota::new()), None);
        assert_eq!(fault(Quota::new().memory(LEAST_MEMORY).processors(LEAST_PROCESSORS)), None);
        assert_eq!(fault(Quota::new().memory(u64::MAX).processors(1e6)), None);
        assert!(fault(Quota::new().memory(0)).unwrap().contains("0 bytes"));
        for bad in [0.0, -1.0, 0.001, f64::NAN, f64::INFINITY] {
            assert!(fault(Quota::new().processors(bad)).is_some(), "{bad}");
        }
    }
}
