//! The system's own clocks and timers.

use std::io;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bgt_sys::Timer;
use tokio::sync::Mutex;

use super::{Alarm, Engine, Now};

/// The system's own clocks and timers: the default.
///
/// # Platform-specific behavior
///
/// - Linux: timers of the kernel, exact to about 0.1 ms, which wake when the clock is set and when the machine wakes up.
/// - Windows: a high-resolution waitable timer, exact to about 1 ms.
/// - Elsewhere: tokio's timer, exact to about 1 ms.
///
/// On the latter two the clocks are looked at every 30 s at least: so late may it be noticed that the clock was set or the machine
/// has slept.
#[derive(Debug, Default)]
pub struct Native {
    // Made on the runtime that waits, which is the scheduler's: an engine has one scheduler.
    timer: OnceLock<Mutex<Timer>>,
}

impl Native {
    fn timer(&self) -> io::Result<&Mutex<Timer>> {
        if let Some(timer) = self.timer.get() {
            return Ok(timer);
        }
        let timer = Timer::new().map(Mutex::new)?;
        Ok(self.timer.get_or_init(|| timer))
    }
}

impl Native {
    /// The system's clocks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Engine for Native {
    fn now(&self) -> Now {
        Now { wall: SystemTime::now(), steady: bgt_sys::steady() }
    }

    fn start(&self) {
        // If there is none now, there may be one later.
        let _ = self.timer();
    }

    async fn until(&self, alarm: Alarm) {
        let waited = match self.timer() {
            Ok(timer) => timer.lock().await.until(alarm.wall, alarm.steady).await,
            Err(error) => Err(error),
        };
        if let Err(error) = waited {
            // No descriptors left, say. A schedule does not stop for that.
            tracing::warn!("the system gives no timer, another is used: {error}");
            let remaining = alarm.remaining(self.now()).unwrap_or(Duration::MAX);
            tokio::time::sleep(remaining.min(Duration::from_secs(1))).await;
        }
    }
}
