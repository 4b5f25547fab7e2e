//! A measurement on one processor.

/// This thread, and what it starts, on one processor until this is dropped.
///
/// Where the system happens to place a worker and its caller, or a task and who waits for it, on one processor or on two, makes
/// a call ten times as fast or as slow, and stays so for minutes: it would be measured instead of what is compared.
#[derive(Debug)]
#[must_use]
pub(crate) struct Pinned {
    #[cfg(target_os = "linux")]
    before: Option<rustix::thread::CpuSet>,
}

impl Pinned {
    pub(crate) fn to_one() -> Self {
        #[cfg(target_os = "linux")]
        {
            use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
            let before = sched_getaffinity(None).ok().and_then(|before| {
                let mut one = CpuSet::new();
                one.set((0..CpuSet::MAX_CPU).find(|cpu| before.is_set(*cpu))?);
                sched_setaffinity(None, &one).ok().map(|()| before)
            });
            Self { before }
        }
        #[cfg(not(target_os = "linux"))]
        Self {}
    }
}

#[cfg(target_os = "linux")]
impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = rustix::thread::sched_setaffinity(None, before);
        }
    }
}
