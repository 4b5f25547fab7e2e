//! Starts workers for the pool.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bgt_process::{Command, Session};
use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::chatter::Chatter;
use super::desk::{Awaited, Desk, End, Heard};
use super::error::{CallError, StartError};
use super::minder::Minder;
use super::process::Worker;
use super::protocol;

/// The manager of a [`WorkerPool`](crate::WorkerPool).
pub(crate) struct Workers {
    pub(super) command: Command,
    pub(super) pool: Arc<str>,
    pub(super) ready: bool,
    pub(super) max_memory: Option<u64>,
    pub(super) grace: Duration,
    pub(super) nudge: Arc<Notify>,
    pub(super) processes: Arc<Processes>,
}

/// The processes of a pool, from their start to the end of their trees. It outlives the pool by as much.
#[derive(Debug, Default)]
pub(super) struct Processes {
    pub(super) minders: TaskTracker,
    pub(super) kill: CancellationToken,
    pids: Mutex<BTreeSet<u32>>,
}

impl Processes {
    pub(super) fn pids(&self) -> Vec<u32> {
        self.lock().iter().copied().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<u32>> {
        self.pids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Manager for Workers {
    type Type = Worker;
    type Error = StartError;

    async fn create(&self) -> Result<Worker, StartError> {
        let session = self.command.session().await.map_err(|source| StartError::Command { source })?;
        let worker = self.adopt(session);
        if self.ready {
            self.wait_until_ready(&worker).await?;
        }
        Ok(worker)
    }

    async fn recycle(&self, worker: &mut Worker, _: &Metrics) -> RecycleResult<StartError> {
        if worker.is_busy() { Err(RecycleError::message("it is in the middle of a request")) } else { Ok(()) }
    }
}

impl Workers {
    fn adopt(&self, session: Session) -> Worker {
        let Session { stdin, stdout, stderr, program, .. } = session;
        let pid = program.pid();
        let (order, orders) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk::default());
        let told = desk.clone();
        let minder = Minder {
            pid,
            stdout,
            chatter: Chatter::new(stderr, self.pool.clone(), pid),
            program,
            desk: desk.clone(),
            orders,
            max_memory: self.max_memory,
            kill: self.processes.kill.clone(),
        };
        let (processes, nudge) = (self.processes.clone(), self.nudge.clone());
        processes.lock().insert(pid);
        self.processes.minders.spawn(async move {
            // Also when the runtime drops this task.
            let _gone = OnDrop(|| {
                processes.lock().remove(&pid);
                desk.close();
                if !desk.is_over() {
                    desk.end(End { error: CallError::ShutDown { pid }, tail: String::new() });
                }
                nudge.notify_one();
            });
            minder.mind().await;
        });
        Worker { pid, stdin: Some(stdin), desk: told, orders: order, busy: false, line: Vec::new() }
    }

    async fn wait_until_ready(&self, worker: &Worker) -> Result<(), StartError> {
        let pid = worker.pid;
        let heard = match worker.desk.wait_for(Awaited::Ready) {
            Some(listener) => listener.await.ok(),
            None => None,
        };
        match heard {
            Some(Ok(Heard::Ready { protocol: protocol::VERSION })) => Ok(()),
            Some(Ok(Heard::Ready { protocol: version })) => {
                Err(StartError::Version { pid, version, ours: protocol::VERSION })
            }
            Some(Err(End { error, tail })) => Err(StartError::NotReady { what: Box::new(error), tail }),
            Some(Ok(Heard::Answer { .. })) | None => {
                let what = Box::new(CallError::ShutDown { pid });
                Err(StartError::NotReady { what, tail: String::new() })
            }
        }
    }
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
