//! Windows: Job Objects, overlapped named pipes, waits of the system's thread pool.

mod alias;
mod apart;
mod boot;
mod child;
mod console;
mod file;
mod job;
mod limiter;
mod lock;
mod pipe;
mod resume;
mod spawn;
mod text;
mod timer;
mod wait;

use std::io;

pub use alias::is_store_alias;
pub use apart::Apart;
pub(crate) use apart::{Knocks, kill, leave_session, own_program, start_apart, started};
pub(crate) use boot::{boot_id, since_boot};
pub use child::Child;
pub(crate) use file::{create_private, create_private_folder, file_id, path_from_bytes, sync_folder};
pub use limiter::Limiter;
pub(crate) use lock::try_lock;
pub use pipe::{PipeReader, PipeWriter};
pub use spawn::spawn;
pub(crate) use text::decode;
pub(crate) use timer::{Timer, steady};

/// The name of a signal number on this system: none, on Windows.
#[must_use]
pub fn signal_name(_number: i32) -> Option<&'static str> {
    None
}

/// What a call meant that answers 0 when it failed.
fn checked(answer: windows_sys::core::BOOL) -> io::Result<()> {
    if answer == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether this file can be started as it is: on Windows one with an extension; others are looked for with the usual ones.
#[must_use]
pub fn is_executable(path: &std::path::Path) -> bool {
    path.extension()
        .is_some_and(|extension| ["exe", "com"].iter().any(|known| extension.eq_ignore_ascii_case(known)))
        && path.is_file()
}
