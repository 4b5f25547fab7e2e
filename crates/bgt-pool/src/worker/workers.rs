//! Starts workers for the pool.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bgt_process::{Command, Session};
use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::chatter::Chatter;
use super::desk::{Awaited, Desk, End, Heard, Listener};
use super::error::{CallError, StartError};
use super::minder::Minder;
use super::process::{Orders, Worker};
use super::protocol;

/// The manager of a [`WorkerPool`](crate::WorkerPool).
#[derive(Clone)]
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

/// A worker that was started, and who is told that it is ready where it says so.
type Started = (Worker, Option<Listener>);

impl Manager for Workers {
    type Type = Worker;
    type Error = StartError;

    async fn create(&self) -> Result<Worker, StartError> {
        let (tell, told) = oneshot::channel();
        // In a task of its own from the start: whoever stops waiting leaves it in good hands.
        self.processes.minders.spawn(self.clone().serve(tell));
        match told.await {
            Ok(started) => {
                let (worker, ready) = started?;
                worker.ready(ready).await
            }
            // The runtime is shutting down, and this task with it.
            Err(_) => pending().await,
        }
    }

    async fn recycle(&self, worker: &mut Worker, _: &Metrics) -> RecycleResult<StartError> {
        if worker.is_busy() { Err(RecycleError::message("it is in the middle of a request")) } else { Ok(()) }
    }
}

impl Workers {
    /// Starts a worker, hands it over and minds it, to the end of its tree.
    async fn serve(self, tell: oneshot::Sender<Result<Started, StartError>>) {
        let session = match self.command.session().await {
            Ok(session) => session,
            Err(source) => return drop(tell.send(Err(StartError::Command { source }))),
        };
        let Session { stdin, stdout, stderr, program, .. } = session;
        let pid = program.pid();
        let (order, mut orders) = Orders::new();
        let desk = Arc::new(Desk::default());
        let minder = Minder {
            pid,
            stdout,
            chatter: Chatter::new(stderr, self.pool, pid),
            program,
            desk: desk.clone(),
            max_memory: self.max_memory,
            kill: self.processes.kill.clone(),
        };
        let (processes, nudge) = (self.processes, self.nudge);
        processes.lock().insert(pid);
        // Also when the runtime drops this task.
        let gone = OnDrop(|| {
            processes.lock().remove(&pid);
            desk.close();
            if !desk.is_over() {
                desk.end(End { error: CallError::ShutDown { pid }, tail: String::new() });
            }
            nudge.notify_one();
        });
        // Busy until it is ready: what nobody waits for any more is killed.
        let (line, place) = (Vec::new(), None);
        let worker =
            Worker { pid, stdin: Some(stdin), desk: desk.clone(), orders: order, place, busy: true, line };
        // Waited for before anybody listens to it: it may say so before its new owner has had a turn.
        let ready = self.ready.then(|| desk.wait_for(Awaited::Ready)).flatten();
        drop(tell.send(Ok((worker, ready))));
        minder.mind(&mut orders).await;
        drop(gone);
        // Its place last: whoever takes it finds that this one is gone.
        drop(orders);
    }
}

impl Worker {
    /// Waits until it says that it is ready, if it does.
    async fn ready(mut self, says: Option<Listener>) -> Result<Self, StartError> {
        let pid = self.pid;
        if let Some(listener) = says {
            match listener.await.ok() {
                Some(Ok(Heard::Ready { protocol: protocol::VERSION })) => {}
                Some(Ok(Heard::Ready { protocol: version })) => {
                    return Err(StartError::Version { pid, version, ours: protocol::VERSION });
                }
                Some(Err(End { error, tail })) => {
                    return Err(StartError::NotReady { what: Box::new(error), tail });
                }
                Some(Ok(Heard::Answer { .. })) | None => {
                    let what = Box::new(CallError::ShutDown { pid });
                    return Err(StartError::NotReady { what, tail: String::new() });
                }
            }
        }
        self.busy = false;
        Ok(self)
    }
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use bgt_testkit::{Scratch, bad, wait_until};

    use super::*;

    /// Found by a soak on a crowded machine: the owner of a new worker had its first turn after the worker had said that it was
    /// ready, and waited for that until its deadline.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_worker_that_is_ready_before_its_owner_has_a_turn_is_ready() {
        let scratch = Scratch::new();
        let said = scratch.path("said");
        let (program, args) =
            bad(["worker-ready", "1", "then", "touch", &scratch.text("said"), "then", "hang"]);
        let workers = Workers {
            command: Command::new(program).args(args),
            pool: "p".into(),
            ready: true,
            max_memory: None,
            grace: Duration::ZERO,
            nudge: Arc::default(),
            processes: Arc::default(),
        };
        let mut made = pin!(workers.create());
        let first = poll_fn(|cx| Poll::Ready(made.as_mut().poll(cx).is_pending())).await;
        assert!(first);
        // On this thread, so that it has no turn meanwhile; what was said is heard by the other one in a moment.
        assert!(wait_until(Duration::from_secs(60), || said.exists()));
        std::thread::sleep(Duration::from_millis(100));
        let made = tokio::time::timeout(Duration::from_secs(10), made).await.expect("it is not ready");
        assert!(made.is_ok_and(|worker| !worker.is_busy()));
    }
}
