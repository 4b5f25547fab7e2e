//! This run of the machine: how long it lasts by now, and which one it is.

use std::sync::OnceLock;
use std::time::Duration;

use crate::os;

/// The time since the machine started, the time for which it was suspended included.
///
/// It never goes back, nobody can set it, and all processes of the machine read the same clock. Between two boots it
/// means nothing: what is kept for longer than a process is kept together with [`boot_id`].
///
/// What a virtual machine's host pauses, the machine inside may never learn of, and then does not count.
///
/// # Platform-specific behavior
///
/// - Linux: `CLOCK_BOOTTIME`. A container with a time namespace of its own reads it with that namespace's offset.
/// - macOS: `CLOCK_MONOTONIC_RAW`.
/// - Windows: `GetTickCount64`, which moves in steps of 10 to 16 ms. After a shutdown with Fast Startup it goes on, for
///   the system was only hibernated.
/// - Other Unixes: `CLOCK_MONOTONIC`, from an origin of the system's choice. Some, such as FreeBSD, do not count the time
///   suspended.
///
/// # Examples
///
/// ```
/// let before = bgt_sys::since_boot();
/// assert!(bgt_sys::since_boot() >= before);
/// ```
#[must_use]
pub fn since_boot() -> Duration {
    os::since_boot()
}

/// Which run of the machine this is: the same text for all its processes until the next boot, another one afterwards and
/// on another machine. Setting the wall clock does not change it.
///
/// `None` where the system does not tell. A machine that is set back to a snapshot has the id that it had then.
///
/// The system is asked once by each process.
///
/// # Platform-specific behavior
///
/// - Linux: `/proc/sys/kernel/random/boot_id`; `None` without `/proc`.
/// - macOS: the sysctl `kern.bootsessionuuid`.
/// - Windows: the loader's count of boots, after the installation's `MachineGuid`, both from the registry. Copies of one
///   installation share the latter. Whether a start after Fast Startup counts is not documented. `None` under Wine,
///   where nothing counts.
/// - Other Unixes: `None`.
#[must_use]
pub fn boot_id() -> Option<String> {
    static ID: OnceLock<Option<String>> = OnceLock::new();
    ID.get_or_init(|| os::boot_id().filter(|id| !id.is_empty())).clone()
}
