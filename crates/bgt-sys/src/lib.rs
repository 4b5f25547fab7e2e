//! What `bgt` asks of the operating system, safe from outside: start a program at the head of a tree of its own,
//! know when it has ended, end the whole tree, move bytes through its pipes.
//!
//! ```
//! # #[cfg(unix)] {
//! use bgt_sys::{Outcome, Output, SpawnOptions, spawn};
//! use std::process::Command;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! let mut command = Command::new("/bin/sh");
//! command.args(["-c", "sleep 100 & exit 3"]);
//! let mut spawned = spawn(&mut command, &SpawnOptions { stdout: Output::Null, ..SpawnOptions::default() })?;
//!
//! spawned.child.ended().await?;
//! // While the number is still its own: ends what it left behind.
//! spawned.child.kill()?;
//! let ended = spawned.child.reap()?.expect("it has ended");
//! assert_eq!(ended.outcome, Outcome::Code(3));
//! assert!(spawned.child.had_descendants());
//! # Ok(()) } main().unwrap();
//! # }
//! ```
//!
//! It knows no task, no retry, no deadline; `bgt-process` does. It is the only crate of the workspace with `unsafe`.
//! Use it directly only to write a supervisor of your own.
//!
//! One interface, two systems:
//!
//! | | Unix | Windows |
//! | --- | --- | --- |
//! | a tree is | a process group | a Job Object |
//! | started by | `posix_spawn`, never `fork` | `CreateProcess`, suspended until it is in the job |
//! | its end is seen by | pidfd (Linux), else SIGCHLD, before it is reaped | a wait of the system's thread pool |
//! | pipes | non-blocking, on tokio's reactor | overlapped named pipes, on tokio's reactor |
//! | a time is waited for by | timerfd (Linux), else tokio's timer | a high-resolution waitable timer |
//!
//! For state that outlives a process: [`since_boot`] and [`boot_id`], [`file_id`], [`create_private`] and
//! [`create_private_folder`], [`FileLock`]. For programs that outlive it: [`start_apart`], [`Identity`] and [`Apart`].
//!
//! On Linux the environment variable `BGT_BACKEND=portable` makes this process use what other Unixes use instead of
//! pidfds; the test suite runs once with each.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod apart;
mod boot;
mod errors;
mod exit;
mod file;
mod guard;
mod lock;
mod open;
mod quota;
mod quote;
mod stdio;
mod text;
mod timer;
mod variable;
mod zygote;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as os;
#[cfg(windows)]
use windows as os;

pub use apart::{Identity, Knocks, leave_session, own_program, start_apart};
pub use boot::{boot_id, since_boot};
pub use errors::{is_bad_format, is_passing, is_too_long};
pub use exit::{Ended, Outcome, Usage};
pub use file::{
    FileId, create_private, create_private_folder, file_id, path_from_bytes, real_path, sync_folder,
};
pub use guard::guard_orphans;
pub use lock::FileLock;
pub use open::open;
pub use os::{
    Apart, Child, Limiter, PipeReader, PipeWriter, is_executable, is_store_alias, signal_name, spawn,
};
pub use quota::Quota;
pub use quote::quote;
pub use stdio::{Asked, Input, Output, Priority, Signal, SpawnOptions, Spawned};
pub use text::{CodePage, decode};
pub use timer::{Timer, steady};
pub use variable::variable_key;
pub use zygote::{ZYGOTES, Zygote, ZygoteParts};
