//! Unix: process groups. Linux adds pidfds and a look into `/proc` under the same interface.

mod apart;
mod boot;
#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(not(target_os = "linux"))]
#[path = "unix/no_cgroup.rs"]
mod cgroup;
mod child;
mod file;
mod group;
mod guard;
#[cfg(target_os = "linux")]
mod launch;
#[cfg(target_os = "linux")]
mod linux;
mod lock;
mod pipe;
mod priority;
mod reaper;
#[cfg(target_os = "linux")]
mod snapshot;
mod spawn;
mod strays;
mod timer;
#[cfg(target_os = "linux")]
mod timerfd;
mod watch;
#[cfg(target_os = "linux")]
mod zygote;

pub use apart::Apart;
pub(crate) use apart::{Knocks, kill, leave_session, own_program, start_apart, started};
pub(crate) use boot::{boot_id, since_boot};
pub use cgroup::Limiter;
pub use child::Child;
pub(crate) use file::{create_private, create_private_folder, file_id, path_from_bytes, sync_folder};
pub(crate) use guard::guard_orphans;
pub(crate) use lock::try_lock;
pub use pipe::{PipeReader, PipeWriter};
pub use spawn::spawn;
pub(crate) use timer::{Timer, steady};
#[cfg(target_os = "linux")]
pub use zygote::Zygote;

/// Whether a file is one of the aliases by which Windows offers to install a program instead of running it. Never,
/// on Unix.
#[must_use]
pub fn is_store_alias(_path: &std::path::Path) -> bool {
    false
}

/// Whether this file can be started as it is.
#[must_use]
pub fn is_executable(path: &std::path::Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// The name of a signal number on this system, such as `SIGKILL`.
#[must_use]
pub fn signal_name(number: i32) -> Option<&'static str> {
    Some(match number {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        libc::SIGSYS => "SIGSYS",
        _ => return None,
    })
}
