//! The clock that counts from boot, and the boot's id.

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

/// The only one here that goes on while the machine sleeps.
#[cfg(target_os = "linux")]
const CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;

/// `mach_continuous_time`, which counts sleep. `CLOCK_UPTIME_RAW` does not, and `CLOCK_MONOTONIC` is computed on each
/// call, in microseconds, as the wall clock less the time of boot that the kernel moves along when the wall clock is set.
/// <https://github.com/apple-oss-distributions/Libc/blob/main/gen/clock_gettime.c>
#[cfg(target_vendor = "apple")]
const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC_RAW;

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;

pub(crate) fn since_boot() -> Duration {
    let mut now = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the place for the answer lives through the call.
    let answer = unsafe { libc::clock_gettime(CLOCK, now.as_mut_ptr()) };
    // Fails only for a clock that the system does not have.
    assert_eq!(answer, 0, "the clock since boot: {}", io::Error::last_os_error());
    // SAFETY: the call wrote it.
    let now = unsafe { now.assume_init() };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

#[cfg(target_os = "linux")]
pub(crate) fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

#[cfg(target_vendor = "apple")]
pub(crate) fn boot_id() -> Option<String> {
    // A UUID in text takes 36, and the zero.
    let mut id = [0_u8; 64];
    let mut length = id.len();
    // SAFETY: the name ends with a zero, the buffer lives through the call, and its true length is given.
    let answer = unsafe {
        libc::sysctlbyname(
            c"kern.bootsessionuuid".as_ptr(),
            id.as_mut_ptr().cast(),
            &raw mut length,
            std::ptr::null_mut(),
            0,
        )
    };
    let id = std::ffi::CStr::from_bytes_until_nul(&id).ok()?;
    if answer == 0 { id.to_str().ok().map(str::to_owned) } else { None }
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
pub(crate) fn boot_id() -> Option<String> {
    None
}
