//! Descendants that left the process group on purpose: daemons, and whatever called `setsid`.
//!
//! On Linux they are known by a marker in the environment that they were started with, which survives a double fork,
//! and by their chain of parents, as long as those live. Elsewhere nobody is found.

#[cfg(target_os = "linux")]
pub(super) use linux::{Strays, guarded_token};
#[cfg(not(target_os = "linux"))]
pub(super) use nobody::{Strays, guarded_token};

/// Whose tree is searched.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leader {
    /// Its number, and that of its group, are its own: it was not reaped.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nobody is searched for"))]
    Held(rustix::process::Pid),
    /// Somebody else has reaped it: only the marker tells who is its.
    Taken,
}

#[cfg(not(target_os = "linux"))]
mod nobody {
    use super::Leader;

    /// Nobody has tokens.
    pub(in super::super) fn guarded_token() -> String {
        String::new()
    }

    #[derive(Debug, Default)]
    pub(in super::super) struct Strays;

    impl Strays {
        pub(in super::super) fn new(_may_live_on: bool) -> Self {
            Self
        }

        pub(in super::super) fn marker(&self) -> Option<(&'static str, std::ffi::OsString)> {
            None
        }

        pub(in super::super) async fn find(&mut self, _leader: Leader) {}

        pub(in super::super) async fn kill(&mut self, _leader: Leader) {}

        pub(in super::super) fn kill_blocking<'a>(_all: impl Iterator<Item = (Leader, &'a mut Self)>) {}

        pub(in super::super) fn are_gone(&self) -> bool {
            true
        }

        pub(in super::super) fn were_there(&self) -> bool {
            false
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashSet;
    use std::ffi::OsString;
    use std::hash::{BuildHasher, RandomState};
    use std::os::fd::OwnedFd;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    use tokio::time::timeout;

    use super::super::guard;
    use super::super::linux::{Process, process};
    use super::super::snapshot::{MARKER, Snapshot};
    use super::Leader;

    /// Rounds of finding and killing: one that is forking may leave a child that was not there in the last round.
    const ROUNDS: usize = 10;

    /// A search is a matter of milliseconds. What is found later, the rounds after the kill find as well.
    const PATIENCE: Duration = Duration::from_millis(500);

    #[derive(Debug, Default)]
    pub(in super::super) struct Strays {
        token: Box<str>,
        /// How much longer than that the variable is to be, so that another token has room in its place.
        room: usize,
        found: Vec<Stray>,
        /// How many of them were killed.
        killed: usize,
    }

    /// A pidfd never means anybody else, whoever may get the number.
    #[derive(Debug)]
    struct Stray {
        pid: Pid,
        pidfd: OwnedFd,
    }

    impl Strays {
        /// For a program that is about to be started. What it leaves outside of its group when it ends may outlive the host, or
        /// not.
        pub(in super::super) fn new(may_live_on: bool) -> Self {
            Self { token: token(!may_live_on && guard::is_on()).into(), ..Self::default() }
        }

        /// The same for a zygote, whose children put a token of their own in the place of this one.
        pub(in super::super) fn with_room() -> Self {
            Self { room: 16, ..Self::new(false) }
        }

        /// The variable that the program is to have.
        pub(in super::super) fn marker(&self) -> Option<(&'static str, OsString)> {
            let mut marker = std::env::var_os(MARKER).unwrap_or_default();
            if !marker.is_empty() {
                marker.push(":");
            }
            marker.push(&*self.token);
            // Tokens that are empty are nobody's.
            marker.push(":".repeat(self.room));
            Some((MARKER, marker))
        }

        /// Remembers those that are outside of the leader's group. Cancel-safe.
        pub(in super::super) async fn find(&mut self, leader: Leader) {
            if let Ok(Some(snapshot)) = timeout(PATIENCE, Snapshot::take()).await {
                self.look(&snapshot, leader);
            }
        }

        /// Kills them, and those that come to light meanwhile. Cancel-safe.
        pub(in super::super) async fn kill(&mut self, leader: Leader) {
            self.signal();
            for _ in 0..ROUNDS {
                let Ok(Some(snapshot)) = timeout(PATIENCE, Snapshot::take()).await else { return };
                if !self.look(&snapshot, leader) {
                    return;
                }
                self.signal();
            }
        }

        /// The same for many at once, with one search for all of them in each round.
        pub(in super::super) fn kill_blocking<'a>(all: impl Iterator<Item = (Leader, &'a mut Self)>) {
            let mut all: Vec<_> = all.collect();
            for _ in 0..ROUNDS {
                let Some(snapshot) = Snapshot::now() else { return };
                let mut grown = false;
                for (leader, strays) in &mut all {
                    grown |= strays.look(&snapshot, *leader);
                    strays.signal();
                }
                if !grown {
                    return;
                }
            }
        }

        /// Whether any were found.
        pub(in super::super) fn were_there(&self) -> bool {
            !self.found.is_empty()
        }

        /// Whether all that were found have ended.
        pub(in super::super) fn are_gone(&self) -> bool {
            self.found.iter().all(Stray::has_ended)
        }

        fn signal(&mut self) {
            for stray in &self.found[self.killed..] {
                // One that has ended meanwhile needs no signal.
                let _ = pidfd_send_signal(&stray.pidfd, Signal::KILL);
            }
            self.killed = self.found.len();
        }

        /// Looks for them in what was seen. Answers whether somebody new was found.
        fn look(&mut self, snapshot: &Snapshot, leader: Leader) -> bool {
            let before = self.found.len();
            let mut family: HashSet<i32> = HashSet::new();
            let mut open: Vec<&Process> = snapshot.marked(&self.token).collect();
            let group = match leader {
                Leader::Held(pid) => {
                    open.extend(snapshot.children(number(pid)));
                    open.extend(snapshot.group(number(pid)));
                    Some(number(pid))
                }
                Leader::Taken => None,
            };
            // Of those that have ended the number may be somebody else's by now.
            for stray in self.found.iter().filter(|stray| !stray.has_ended()) {
                family.insert(number(stray.pid));
                open.extend(snapshot.children(number(stray.pid)));
            }
            while let Some(process) = open.pop() {
                if process.zombie || !family.insert(number(process.pid)) {
                    continue;
                }
                open.extend(snapshot.children(number(process.pid)));
                if Some(process.group) != group {
                    self.remember(process);
                }
            }
            self.found.len() > before
        }

        fn remember(&mut self, found: &Process) {
            let Ok(pidfd) = pidfd_open(found.pid, PidfdFlags::empty()) else { return };
            // Pidfd first, then a second look: had the number changed hands in between, the start would differ.
            if process(number(found.pid)).is_some_and(|now| now.started == found.started) {
                self.found.push(Stray { pid: found.pid, pidfd });
            }
        }
    }

    impl Stray {
        fn has_ended(&self) -> bool {
            let now = Timespec { tv_sec: 0, tv_nsec: 0 };
            let ended = poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&now));
            ended.is_ok_and(|ended| ended > 0)
        }
    }

    fn number(pid: Pid) -> i32 {
        pid.as_raw_nonzero().get()
    }

    /// Unique among all hosts of the machine and all that they start.
    fn token(is_guarded: bool) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let of_host = if is_guarded { guarded_token() } else { format!("{:016x}-", host()) };
        format!("{of_host}{:x}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// What the tokens of this host begin with whose trees end with it; those of others begin otherwise.
    pub(in super::super) fn guarded_token() -> String {
        format!("{:016x}g-", host())
    }

    fn host() -> u64 {
        static HOST: OnceLock<u64> = OnceLock::new();
        *HOST.get_or_init(|| RandomState::new().hash_one(std::process::id()))
    }
}
