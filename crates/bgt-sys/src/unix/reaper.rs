//! Reaping what was dropped: one plain thread for the whole process, there only while there is something to reap.
//!
//! Dropping cannot wait and the runtime may be going away, so the thread is not the runtime's. It also looks for the
//! descendants that left the tree, which takes longer than a destructor should.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::strays::{Leader, Strays};
use super::watch::{Look, Watch, look};
use super::{child, group, guard};

struct Dead {
    pid: Pid,
    pidfd: Option<OwnedFd>,
    strays: Strays,
}

#[derive(Default)]
struct State {
    arrived: Vec<Dead>,
    running: bool,
}

static STATE: Mutex<State> = Mutex::new(State { arrived: Vec::new(), running: false });

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reaps a program that was killed, without making the caller wait.
pub(super) fn reap(pid: Pid, watch: Option<Watch>, strays: Strays) {
    #[cfg(target_os = "linux")]
    let pidfd = watch.and_then(Watch::into_pidfd);
    #[cfg(not(target_os = "linux"))]
    let pidfd = {
        drop(watch);
        None
    };
    let mut state = state();
    state.arrived.push(Dead { pid, pidfd, strays });
    if !state.running {
        // Without a thread (the system has none left) the entry waits for the next drop to try again.
        state.running = std::thread::Builder::new().name("bgt-reaper".into()).spawn(run).is_ok();
    }
}

fn run() {
    let mut waiting: Vec<Dead> = Vec::new();
    let mut pause = Duration::from_millis(1);
    loop {
        let arrived;
        {
            let mut state = state();
            if !state.arrived.is_empty() {
                pause = Duration::from_millis(1);
            }
            arrived = state.arrived.len();
            waiting.append(&mut state.arrived);
            if waiting.is_empty() {
                state.running = false;
                return;
            }
        }
        // Not where it was dropped: this looks at every process of the machine.
        let old = waiting.len() - arrived;
        if arrived > 0 {
            Strays::kill_blocking(waiting[old..].iter_mut().map(|dead| {
                let held = look(dead.pid).is_ok_and(|look| look != Look::Taken);
                (if held { Leader::Held(dead.pid) } else { Leader::Taken }, &mut dead.strays)
            }));
        }
        wait_for_one(&waiting, pause);
        pause = (pause * 2).min(Duration::from_millis(50));
        waiting.retain(|dead| {
            let alive = is_alive(dead.pid);
            if !alive {
                finish(dead.pid);
            }
            alive
        });
    }
}

/// Waits until one of them may have ended, but no longer than the pause: others may arrive meanwhile.
fn wait_for_one(waiting: &[Dead], pause: Duration) {
    use rustix::event::{PollFd, PollFlags, poll};
    let mut fds: Vec<PollFd<'_>> = waiting
        .iter()
        .filter_map(|dead| dead.pidfd.as_ref())
        .map(|pidfd| PollFd::new(pidfd, PollFlags::IN))
        .collect();
    let timeout = rustix::event::Timespec::try_from(pause).ok();
    if poll(&mut fds, timeout.as_ref()).is_err() {
        std::thread::sleep(pause);
    }
}

fn is_alive(pid: Pid) -> bool {
    look(pid).is_ok_and(|look| look == Look::Alive)
}

/// Ends what is left of the group while its number is still held, then lets go of it.
fn finish(pid: Pid) {
    if look(pid).is_ok_and(|look| look == Look::Zombie) {
        let _ = group::signal(pid, Signal::KILL);
    }
    guard::remove(pid);
    let _ = child::wait4(pid, u64::MAX);
}
