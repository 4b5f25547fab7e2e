//! The kernel's timers: one on the clock that is set, which says so, and one on the clock that counts sleep.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, SystemTime};

use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

#[derive(Debug)]
pub(crate) struct Timers {
    wall: Alarm,
    steady: Alarm,
}

impl Timers {
    pub(super) fn new() -> io::Result<Self> {
        let set = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        Ok(Self {
            wall: Alarm::new(TimerfdClockId::Realtime, set)?,
            // Not the one that wakes a sleeping machine: it rings when the machine is awake again.
            steady: Alarm::new(TimerfdClockId::Boottime, TimerfdTimerFlags::ABSTIME)?,
        })
    }

    pub(super) async fn until(
        &mut self,
        wall: Option<SystemTime>,
        steady: Option<Duration>,
    ) -> io::Result<()> {
        let wall = wall.map(|wall| wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
        let is_set = self.wall.arm(wall)? || self.steady.arm(steady)?;
        if is_set {
            return Ok(());
        }
        tokio::select! {
            rung = self.wall.rung() => rung,
            rung = self.steady.rung() => rung,
        }
    }
}

#[derive(Debug)]
struct Alarm {
    timer: AsyncFd<OwnedFd>,
    flags: TimerfdTimerFlags,
    /// What the timer is set to, to set it only when that changes.
    armed: Option<Duration>,
}

impl Alarm {
    fn new(clock: TimerfdClockId, flags: TimerfdTimerFlags) -> io::Result<Self> {
        let timer = timerfd_create(clock, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        // SAFETY: an OwnedFd is open for as long as it lives, and always answers the same number.
        let timer =
            unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }.map_err(io::Error::from)?;
        Ok(Self { timer, flags, armed: None })
    }

    /// Sets it, or takes it off. Answers whether the clock was set meanwhile, which the kernel says here too.
    fn arm(&mut self, at: Option<Duration>) -> io::Result<bool> {
        if self.armed == at {
            return Ok(false);
        }
        self.armed = None;
        // All zero takes it off; a nanosecond after the beginning has passed.
        let time = at.map_or(Duration::ZERO, |at| at.max(Duration::from_nanos(1)));
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let it_value = Timespec { tv_sec: seconds, tv_nsec: time.subsec_nanos().into() };
        let spec = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        match timerfd_settime(self.timer.get_ref(), self.flags, &spec) {
            Ok(_) => {
                self.armed = at;
                Ok(false)
            }
            Err(Errno::CANCELED) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until it rings or its clock was set. Cancel-safe.
    async fn rung(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.timer.readable().await?;
            let mut count = [0; 8];
            match rustix::io::read(self.timer.get_ref(), &mut count) {
                Err(Errno::AGAIN) => ready.clear_ready(),
                Err(Errno::INTR) => {}
                // It rings once, and who set the clock has taken it off.
                Ok(_) | Err(Errno::CANCELED) => {
                    self.armed = None;
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
