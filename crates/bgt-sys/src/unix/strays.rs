//! Descendants that left the process group on purpose: daemons, and whatever called `setsid`.
//!
//! On Linux they are known by a marker in the environment that they were started with, which survives a double fork,
//! and by their chain of parents, as long as those live. Elsewhere nobody is found.

#[cfg(target_os = "linux")]
pub(super) use linux::Strays;
#[cfg(not(target_os = "linux"))]
pub(super) use nobody::Strays;

#[cfg(not(target_os = "linux"))]
mod nobody {
    use rustix::process::Pid;

    #[derive(Debug, Default)]
    pub(in super::super) struct Strays;

    impl Strays {
        pub(in super::super) fn marked(_command: &mut std::process::Command) -> Self {
            Self
        }

        pub(in super::super) async fn find(&mut self, _leader: Pid) {}

        pub(in super::super) async fn kill(&mut self, _leader: Pid) {}

        pub(in super::super) fn kill_blocking(&mut self, _leader: Pid) {}

        pub(in super::super) fn are_gone(&self) -> bool {
            true
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashSet;
    use std::hash::{BuildHasher, RandomState};
    use std::os::fd::OwnedFd;
    use std::process::Command;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, OnceLock};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

    use super::super::linux::{Process, process, processes};

    /// The variable that marks a tree: the tokens of all the trees that a process is in, outermost first.
    const MARKER: &str = "BGT_TREE";

    /// Rounds of finding and killing: one that is forking may leave a child that was not there in the last round.
    const ROUNDS: usize = 10;

    #[derive(Debug, Default)]
    pub(in super::super) struct Strays {
        /// `None` for what was never marked: nothing is looked for.
        token: Option<Arc<str>>,
        found: Vec<Stray>,
    }

    /// A pidfd never means anybody else, whoever may get the number.
    #[derive(Clone, Debug)]
    struct Stray {
        pid: Pid,
        pidfd: Arc<OwnedFd>,
    }

    impl Strays {
        /// Marks the program that is about to be started.
        pub(in super::super) fn marked(command: &mut Command) -> Self {
            let token: Arc<str> = token().into();
            let mut marker = std::env::var_os(MARKER).unwrap_or_default();
            if !marker.is_empty() {
                marker.push(":");
            }
            marker.push(&*token);
            command.env(MARKER, marker);
            Self { token: Some(token), found: Vec::new() }
        }

        /// Remembers those that are outside of the leader's group. The leader must not have been reaped.
        pub(in super::super) async fn find(&mut self, leader: Pid) {
            self.on_blocking_thread(move |strays| {
                strays.look(leader);
            })
            .await;
        }

        /// Kills them, and those that come to light meanwhile. The leader must not have been reaped.
        pub(in super::super) async fn kill(&mut self, leader: Pid) {
            self.on_blocking_thread(move |strays| strays.kill_blocking(leader)).await;
        }

        /// On a copy, so that a call that is dropped loses nothing that was known.
        async fn on_blocking_thread(&mut self, work: impl FnOnce(&mut Self) + Send + 'static) {
            let mut copy = Self { token: self.token.clone(), found: self.found.clone() };
            let done = tokio::task::spawn_blocking(move || {
                work(&mut copy);
                copy
            });
            // An error is a runtime that is going away; then this is dropped too, and the reaper looks.
            if let Ok(copy) = done.await {
                *self = copy;
            }
        }

        pub(in super::super) fn kill_blocking(&mut self, leader: Pid) {
            let mut killed = 0;
            for _ in 0..ROUNDS {
                let grown = self.look(leader);
                for stray in &self.found[killed..] {
                    // One that has ended meanwhile needs no signal.
                    let _ = pidfd_send_signal(&*stray.pidfd, Signal::KILL);
                }
                killed = self.found.len();
                if !grown {
                    break;
                }
            }
        }

        /// Whether all that were found have ended.
        pub(in super::super) fn are_gone(&self) -> bool {
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            self.found.iter().all(|stray| {
                let ended = poll(&mut [PollFd::new(&stray.pidfd, PollFlags::IN)], Some(&now));
                ended.is_ok_and(|ended| ended > 0)
            })
        }

        /// Looks for them once. Answers whether somebody new was found.
        fn look(&mut self, leader: Pid) -> bool {
            let Some(token) = self.token.clone() else { return false };
            let Some(mut others) = processes() else { return false };
            let group = leader.as_raw_nonzero().get();
            others.retain(|other| !other.zombie);
            let mut family: HashSet<i32> = self.found.iter().map(|stray| number(stray.pid)).collect();
            family.insert(group);
            let mut added = false;
            // Until a pass adds nobody: a child may have a lower number than its parent.
            loop {
                let before = others.len();
                others.retain(|other| {
                    let ours = other.group == group
                        || family.contains(&other.parent)
                        || family.contains(&number(other.pid))
                        || is_marked(other.pid, &token);
                    if ours && family.insert(number(other.pid)) && other.group != group {
                        added |= self.remember(other);
                    }
                    !ours
                });
                if others.len() == before {
                    return added;
                }
            }
        }

        fn remember(&mut self, found: &Process) -> bool {
            let Ok(pidfd) = pidfd_open(found.pid, PidfdFlags::empty()) else { return false };
            // Pidfd first, then a second look: had the number changed hands in between, the start would differ.
            let same = process(number(found.pid)).is_some_and(|now| now.started == found.started);
            if same {
                self.found.push(Stray { pid: found.pid, pidfd: Arc::new(pidfd) });
            }
            same
        }
    }

    fn number(pid: Pid) -> i32 {
        pid.as_raw_nonzero().get()
    }

    /// Whether a process was started with this token in its marker. Of other people's processes we cannot know.
    fn is_marked(pid: Pid, token: &str) -> bool {
        let Ok(environment) = std::fs::read(format!("/proc/{}/environ", number(pid))) else { return false };
        let mut entries = environment.split(|byte| *byte == 0);
        let marker = entries.find_map(|entry| entry.strip_prefix(MARKER.as_bytes())?.strip_prefix(b"="));
        marker.is_some_and(|tokens| tokens.split(|byte| *byte == b':').any(|one| one == token.as_bytes()))
    }

    /// Unique among all hosts of the machine and all that they start.
    fn token() -> String {
        static HOST: OnceLock<u64> = OnceLock::new();
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let host = HOST.get_or_init(|| RandomState::new().hash_one(std::process::id()));
        format!("{host:016x}-{:x}", NEXT.fetch_add(1, Ordering::Relaxed))
    }
}
