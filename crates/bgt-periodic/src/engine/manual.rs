//! A clock that stands still until it is moved.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{Alarm, Engine, Now};

/// A clock that stands still until it is moved, to test schedules without waiting for them. Clones are the same clock.
///
/// # Examples
///
/// ```
/// use bgt_periodic::{ManualClock, Schedule, Scheduler, task_fn};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_periodic::ScheduleError> {
/// let clock = ManualClock::new();
/// let scheduler = Scheduler::builder().engine(clock.clone()).build();
/// let backup = scheduler.add("backup", Schedule::cron("@daily"), task_fn("backup", |_cx| async { Ok(()) })).await?;
/// clock.advance(Duration::from_secs(24 * 3600));
/// clock.settled().await;
/// backup.idle().await;
/// assert_eq!(backup.statistics().succeeded, 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    moved: Notify,
    looked: Notify,
}

#[derive(Debug)]
struct State {
    now: Now,
    /// Grows with every move.
    moves: u64,
    /// The move after which the scheduler had nothing left to do.
    settled: Option<u64>,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl ManualClock {
    /// A clock at 2026-01-01 00:00 UTC.
    #[must_use]
    pub fn new() -> Self {
        Self::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600))
    }

    /// A clock at this time.
    #[must_use]
    pub fn at(wall: SystemTime) -> Self {
        let state = State { now: Now { wall, steady: Duration::from_secs(3600) }, moves: 0, settled: None };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                moved: Notify::new(),
                looked: Notify::new(),
            }),
        }
    }

    /// Lets time pass at once: as if the machine had slept for so long.
    ///
    /// # Panics
    ///
    /// If there is no such time any more.
    pub fn advance(&self, by: Duration) {
        self.change(|now| {
            now.wall += by;
            now.steady += by;
        });
    }

    /// Sets the wall clock.
    pub fn set_wall(&self, wall: SystemTime) {
        self.change(|now| now.wall = wall);
    }

    /// Waits until the scheduler has seen the latest move and started what is due. For one scheduler on one clock; one that has
    /// no schedule yet, or was stopped, looks at no clock, and is waited for.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    pub async fn settled(&self) {
        loop {
            let mut looked = std::pin::pin!(self.shared.looked.notified());
            looked.as_mut().enable();
            {
                let state = self.state();
                if state.settled == Some(state.moves) {
                    return;
                }
            }
            looked.await;
        }
    }

    fn change(&self, change: impl FnOnce(&mut Now)) {
        let mut state = self.state();
        change(&mut state.now);
        state.moves += 1;
        drop(state);
        self.shared.moved.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Engine for ManualClock {
    fn now(&self) -> Now {
        self.state().now
    }

    async fn until(&self, alarm: Alarm) {
        let mut moved = std::pin::pin!(self.shared.moved.notified());
        moved.as_mut().enable();
        {
            let mut state = self.state();
            if alarm.has_come(state.now) {
                return;
            }
            // A move that the scheduler has not looked at shows as a wake-up that is waiting already.
            state.settled = Some(state.moves);
        }
        self.shared.looked.notify_waiters();
        moved.await;
    }
}
