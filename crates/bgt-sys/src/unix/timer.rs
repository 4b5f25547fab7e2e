//! Waiting for a time: by the kernel's timers on Linux, by tokio's elsewhere.

use std::io;
use std::time::{Duration, SystemTime};

use crate::timer::remaining;

pub(crate) fn steady() -> Duration {
    super::since_boot()
}

#[derive(Debug)]
pub(crate) enum Timer {
    #[cfg(target_os = "linux")]
    Kernel(super::timerfd::Timers),
    Portable,
}

impl Timer {
    pub(crate) fn new() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if !super::linux::is_portable() {
            return super::timerfd::Timers::new().map(Self::Kernel);
        }
        Ok(Self::Portable)
    }

    pub(crate) async fn until(
        &mut self,
        wall: Option<SystemTime>,
        steady: Option<Duration>,
    ) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Kernel(timers) => timers.until(wall, steady).await,
            Self::Portable => {
                tokio::time::sleep(remaining(wall, steady)).await;
                Ok(())
            }
        }
    }
}
