//! Programs and scripts as [`Task`]s: started without a shell, supervised as a whole process tree, their output kept
//! within bounds.
//!
//! ```
//! # #[cfg(unix)] {
//! use bgt_process::Command;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_process::Error> {
//! let output = bgt_simple::run(Command::new("sort").arg("-u").stdin("b\na\nb\n")).await?;
//! assert_eq!(output.stdout_text(), "a\nb\n");
//! # Ok(()) } main().unwrap();
//! # }
//! ```
//!
//! **What is guaranteed.** When a run ends, in whatever way, its process tree is gone. Every run that is stopped
//! returns within its [`Stop`] policy, whatever the program does. Output is read until its end, what exceeds the
//! limits is cut in the middle and counted, and bytes are never changed. Arguments never pass through a shell.
//!
//! **What is not.** A descendant that leaves the process group on purpose (a daemon) is looked for when the run is
//! stopped, after a normal end only with [`Background::Search`], and only on Linux; on Windows nobody leaves. A program
//! that needs a terminal does not get one.
//!
//! Nor does anything but Windows end programs whose host was killed: [`guard_orphans`] does.
//!
//! **Neighbours.** To run a task, with deadlines and retries, use `bgt-simple`, which re-exports everything here.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod capture;
mod command;
mod encoding;
mod environment;
mod error;
mod exit;
mod feed;
mod interpreter;
mod output;
mod plan;
mod prepare;
mod probe;
mod push;
mod quota;
mod redirect;
mod resolve;
mod rope;
mod running;
mod secret;
mod session;
mod shebang;
mod stdin;
mod stopping;
#[cfg(feature = "serde")]
mod stored;
mod stream;
mod supervise;
mod tail;
mod task;
mod warm;

pub use bgt_core::{CancelReason, Context, Error, ErrorKind, Polite, Stop, Task, TaskError};
pub use bgt_sys::{FileId, file_id, guard_orphans, path_from_bytes};
pub use bgt_sys::{Priority, Quota, Usage};
pub use capture::{Capture, Captured};
pub use command::{Background, Command};
pub use encoding::Encoding;
pub use error::{CommandError, StopHow};
pub use exit::Exit;
#[cfg(feature = "json")]
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
pub use output::JsonError;
pub use output::Output;
pub use plan::Plan;
pub use redirect::Redirect;
pub use secret::Secret;
pub use session::{Session, SessionInput, SessionOutput, SessionProgram};
pub use stdin::{LiveStdin, Stdin, StdinWriter};
#[cfg(feature = "serde")]
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
pub use stored::StoredCommand;
pub use warm::{Order, Prestarted, Started, Starter, Zygote, ZygoteDoor};
