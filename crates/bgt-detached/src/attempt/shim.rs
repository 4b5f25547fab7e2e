//! The process between a host and a program that is to outlive it: it starts the program, takes its output, waits for its
//! end and writes that down. The design is that of conmon and of containerd's shim.
//!
//! Owns: the life of one program, from the lock to the exit file.
//! Never does: look into the records. What it leaves behind is for any host to find.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Command, exit};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bgt_core::{Cancel, CancelReason, ErrorKind};
use bgt_sys::{Apart, FileLock, Knocks};

use super::folder::Folder;
use super::{By, End, Known, program};

/// The environment variable by which a process knows that it is to be a shim. It has the folder of an attempt.
const VARIABLE: &str = "BGT_DETACHED_SHIM";

/// Whether this process has called [`shim_entry`], so that it can be its own shim.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// Makes this process a shim if it was started to be one, and does nothing otherwise: the first line of `main`.
///
/// Programs that are to outlive a restart of their host need a process of their own to look after them. A library has no
/// second program to bring, so the host's own executable is started again for it, and this line is where it turns to that.
/// In a shim it never returns; before it nothing should have happened, no arguments read, nothing opened. As the first line of an
/// async `main` it works too, but each shim then pays for a runtime that it does not use.
///
/// Without this line, and without another program [named](crate::Builder::shim) for it, programs are supervised by the host
/// alone and are lost when it ends.
///
/// # Platform-specific behavior
///
/// - Linux: what is started again is the very file that this process was started from, also after a deploy has replaced it.
/// - Windows: the shim leaves the job that the host is in, where that job allows it
///   (`JOB_OBJECT_LIMIT_BREAKAWAY_OK`); where it does not, programs end with the host's job.
///
/// # Examples
///
/// ```no_run
/// // First of all:
/// bgt_detached::shim_entry();
/// // … then everything else: the runtime, arguments, the service.
/// ```
pub fn shim_entry() {
    match std::env::var_os(VARIABLE) {
        None => ENTERED.store(true, Ordering::Relaxed),
        Some(folder) => exit(outside(move || main(PathBuf::from(folder)))),
    }
}

/// Calls this outside of any runtime: within an async `main` on a thread of its own, as a runtime cannot be entered twice.
fn outside(call: impl FnOnce() -> i32 + Send + 'static) -> i32 {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => std::thread::spawn(call).join().unwrap_or(70),
        Err(_) => call(),
    }
}

/// Which program is started as a shim.
#[derive(Clone, Debug, Default)]
pub(crate) enum Shim {
    /// Our own, where it has the line.
    #[default]
    Own,
    Program {
        program: PathBuf,
        args: Vec<OsString>,
    },
    /// None: programs are supervised by the host.
    No,
}

impl Shim {
    /// How it is started for this attempt; `None` if there is none.
    pub(crate) fn command(&self, folder: &Folder) -> Option<Command> {
        let mut command = match self {
            Self::Own if ENTERED.load(Ordering::Relaxed) => Command::new(bgt_sys::own_program().ok()?),
            Self::Program { program, args } => {
                let mut command = Command::new(program);
                command.args(args);
                command
            }
            Self::Own | Self::No => return None,
        };
        // It outlives everybody, also a host that runs ours: by that variable it would be found.
        command.env(VARIABLE, folder.path()).env_remove("BGT_TREE");
        Some(command)
    }
}

/// Starts one. It goes on without us.
pub(crate) fn start(mut command: Command) -> io::Result<Apart> {
    bgt_sys::start_apart(&mut command)
}

fn main(folder: PathBuf) -> i32 {
    // Fails where we head a group already, and are out of reach.
    let _ = bgt_sys::leave_session();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return 70 };
    let folder = Folder::at(folder);
    match runtime.block_on(attend(&folder)) {
        Ok(()) => 0,
        Err(_) => 70,
    }
}

/// Does the attempt, if nobody else does or has.
async fn attend(folder: &Folder) -> io::Result<()> {
    // Before anybody can know who we are: the signal that asks us must not be the end of us.
    let mut knocks = Knocks::listen()?;
    let Some(_lock) = lock(folder).await? else { return Ok(()) };
    let order = folder.order()?;
    if !until_done(folder, || folder.decide()).await.unwrap_or(false) {
        return Ok(());
    }
    // From here on nobody else starts it. A full disk is waited out, not taken for the end of the attempt.
    let by = By::Shim(Known::of(std::process::id()));
    if until_done(folder, || folder.sign(by.clone())).await.is_none() {
        return Ok(());
    }
    let cancel = Cancel::new();
    // What was asked before we could be told is found now.
    let mut asked = 0;
    hear(folder, &cancel, &mut asked);
    let mut from_outside = false;
    let end = {
        let run = program::run(folder, order, &cancel, None);
        let mut run = std::pin::pin!(run);
        loop {
            tokio::select! {
                biased;
                end = &mut run => break end,
                told = knocks.next() => {
                    let before = asked;
                    hear(folder, &cancel, &mut asked);
                    if told && asked == before && asked == 0 {
                        from_outside = true;
                        cancel.cancel_because(CancelReason::Shutdown);
                    }
                }
            }
        }
    };
    let end = if from_outside { end.told_from_outside() } else { end };
    let _ = until_done(folder, || folder.finish(&end)).await;
    Ok(())
}

/// The lock. Somebody who looks whether it is free has it for a moment.
async fn lock(folder: &Folder) -> io::Result<Option<FileLock>> {
    for _ in 0..100 {
        if let Some(lock) = folder.lock()? {
            return Ok(Some(lock));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(None)
}

/// Does as the file says: the first request asks, every further one skips the grace period.
fn hear(folder: &Folder, cancel: &Cancel, heard: &mut u32) {
    let asked = folder.asked();
    for request in *heard..asked.min(2) {
        if request == 0 { cancel.cancel() } else { cancel.force() }
    }
    *heard = asked.max(*heard);
}

/// Until it could be written: somebody may make room. `None` if the folder is gone, and nobody wants to know any more.
async fn until_done<T>(folder: &Folder, write: impl Fn() -> io::Result<T>) -> Option<T> {
    let mut pause = Duration::from_millis(100);
    loop {
        match write() {
            Ok(done) => return Some(done),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.path().exists() => return None,
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

/// What to write for an attempt whose shim could not be started.
pub(crate) fn cannot_start(error: &io::Error) -> End {
    End::not_started(ErrorKind::Start, format!("the shim that was to start it could not be started: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shim_is_in_the_tree_of_nobody() {
        let shim = Shim::Program { program: "shim".into(), args: Vec::new() };
        let command = shim.command(&Folder::at("folder".into())).unwrap();
        assert!(command.get_envs().any(|(name, value)| name == "BGT_TREE" && value.is_none()));
    }
}
