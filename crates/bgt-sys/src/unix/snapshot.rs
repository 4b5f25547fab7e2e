//! All processes of the machine at one moment, as far as finding descendants needs it.
//!
//! A look costs some microseconds for each process, so those who stop many programs at once share one: each gets the
//! first look that began after it asked. The looks are made on a plain thread, which is there only while somebody asks,
//! so neither the runtime's threads nor its pool for blocking work wait for them.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::Pid;
use tokio::sync::oneshot;

use super::linux::{Process, processes};

/// The variable that marks a tree: the tokens of all the trees that a process is in, outermost first.
pub(super) const MARKER: &str = "BGT_TREE";

#[derive(Debug, Default)]
pub(super) struct Snapshot {
    processes: Vec<Process>,
    by_parent: HashMap<i32, Vec<usize>>,
    by_group: HashMap<i32, Vec<usize>>,
    by_token: HashMap<Box<str>, Vec<usize>>,
}

type Waiter = oneshot::Sender<Option<Arc<Snapshot>>>;

#[derive(Debug)]
struct Looking {
    waiting: Vec<Waiter>,
    running: bool,
}

static LOOKING: Mutex<Looking> = Mutex::new(Looking { waiting: Vec::new(), running: false });

fn looking() -> MutexGuard<'static, Looking> {
    LOOKING.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Snapshot {
    /// A look that begins after this was called; `None` without `/proc` or a thread. Cancel-safe.
    pub(super) async fn take() -> Option<Arc<Self>> {
        let (tell, told) = oneshot::channel();
        {
            let mut looking = looking();
            looking.waiting.push(tell);
            if !looking.running {
                looking.running =
                    std::thread::Builder::new().name("bgt-look".into()).spawn(look_for_all).is_ok();
                if !looking.running {
                    looking.waiting.clear();
                }
            }
        }
        told.await.ok()?
    }

    /// A look by the calling thread.
    pub(super) fn now() -> Option<Self> {
        let processes = processes()?;
        let mut snapshot = Self::default();
        for (i, process) in processes.iter().enumerate() {
            snapshot.by_parent.entry(process.parent).or_default().push(i);
            snapshot.by_group.entry(process.group).or_default().push(i);
            for token in tokens(process.pid) {
                snapshot.by_token.entry(token).or_default().push(i);
            }
        }
        snapshot.processes = processes;
        Some(snapshot)
    }

    pub(super) fn children(&self, parent: i32) -> impl Iterator<Item = &Process> {
        self.at(self.by_parent.get(&parent))
    }

    pub(super) fn group(&self, group: i32) -> impl Iterator<Item = &Process> {
        self.at(self.by_group.get(&group))
    }

    pub(super) fn marked(&self, token: &str) -> impl Iterator<Item = &Process> {
        self.at(self.by_token.get(token))
    }

    fn at<'a>(&'a self, places: Option<&'a Vec<usize>>) -> impl Iterator<Item = &'a Process> {
        places.into_iter().flatten().map(|i| &self.processes[*i])
    }
}

fn look_for_all() {
    loop {
        let waiting = {
            let mut looking = looking();
            if looking.waiting.is_empty() {
                looking.running = false;
                return;
            }
            std::mem::take(&mut looking.waiting)
        };
        let snapshot = Snapshot::now().map(Arc::new);
        for waiter in waiting {
            // One that was dropped meanwhile asks no more.
            let _ = waiter.send(snapshot.clone());
        }
    }
}

/// The tokens that a process was started with. Of other people's processes we cannot know.
fn tokens(pid: Pid) -> Vec<Box<str>> {
    let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
    let mut entries = environment.split(|byte| *byte == 0);
    let marker = entries.find_map(|entry| entry.strip_prefix(MARKER.as_bytes())?.strip_prefix(b"="));
    let marker = marker.and_then(|tokens| std::str::from_utf8(tokens).ok()).unwrap_or_default();
    marker.split(':').filter(|token| !token.is_empty()).map(Into::into).collect()
}
