//! Waiting for a time: a waitable timer of the kernel, and the system's thread pool that watches it.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use windows_sys::Win32::System::Threading::{
    CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, CreateWaitableTimerExW, SetWaitableTimer, TIMER_ALL_ACCESS,
};

use super::checked;
use super::wait::Wait;
use crate::timer::remaining;

/// `Instant` is the performance counter, which goes on in standby and hibernation:
/// <https://learn.microsoft.com/windows/win32/sysinfo/acquiring-high-resolution-time-stamps>
pub(crate) fn steady() -> Duration {
    static BEGINNING: OnceLock<(Instant, Duration)> = OnceLock::new();
    let (beginning, since_boot) = BEGINNING.get_or_init(|| (Instant::now(), super::since_boot()));
    *since_boot + beginning.elapsed()
}

#[derive(Debug)]
pub(crate) struct Timer {
    timer: OwnedHandle,
}

impl Timer {
    pub(crate) fn new() -> io::Result<Self> {
        let create = |flags| {
            // SAFETY: no attributes, no name.
            let timer = unsafe {
                CreateWaitableTimerExW(std::ptr::null(), std::ptr::null(), flags, TIMER_ALL_ACCESS)
            };
            if timer.is_null() {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: just created, and nobody else has it.
            Ok(unsafe { OwnedHandle::from_raw_handle(timer) })
        };
        // Before Windows 10 1803 there is no such flag.
        let timer = create(CREATE_WAITABLE_TIMER_HIGH_RESOLUTION).or_else(|_| create(0))?;
        Ok(Self { timer })
    }

    pub(crate) async fn until(
        &mut self,
        wall: Option<SystemTime>,
        steady: Option<Duration>,
    ) -> io::Result<()> {
        // In units of 100 ns, rounded up: who comes early has to come twice. Negative is from now on.
        let units = remaining(wall, steady).as_nanos().div_ceil(100);
        let due = -i64::try_from(units).unwrap_or(i64::MAX);
        if due == 0 {
            return Ok(());
        }
        // SAFETY: the handle is open, the time lives through the call, and no routine is called.
        checked(unsafe {
            SetWaitableTimer(self.timer.as_raw_handle(), &raw const due, 0, None, std::ptr::null(), 0)
        })?;
        // Setting it took the signal of the last time away; the watch ends with this future.
        Wait::new(&self.timer)?.ended().await;
        Ok(())
    }
}
