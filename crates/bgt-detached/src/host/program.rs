//! An attempt at a program: started under a shim, found again, followed to its end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bgt_core::{CancelReason, ErrorKind};
use bgt_simple::StoredCommand;
use bgt_store::Held;
use bgt_sys::{Apart, Identity};

use super::persist::{files, persist, there};
use super::relay::Relay;
use super::work::{How, Settled};
use super::{Host, Working, blocking};
use crate::attempt::folder::Folder;
use crate::attempt::{By, End, Known, Order, program, shim};
use crate::payload::Payload;
use crate::policy::{Step, step};

/// How long a shim may take to begin.
const BEGIN: Duration = Duration::from_secs(30);
/// How often a lock is looked at whose holder cannot be watched.
const LOOK: Duration = Duration::from_millis(100);
/// How long a shim that was told to use force has for that.
const FORCE: Duration = Duration::from_secs(5);
/// How much of a run's history is read at once.
const EVENTS: usize = 500;
/// How often a shim is started that ends without having begun anything.
const STARTS: u32 = 3;

/// `None` when it is not ours any more, or somebody else is to go on with it.
pub(super) async fn run(
    host: &Arc<Host>,
    held: &Held,
    working: &Arc<Working>,
    payload: &Payload,
    command: &StoredCommand,
    how: How,
) -> Option<Settled> {
    let folder = Folder::of(&host.folder, held.run.id, held.lease.attempt);
    let attempt = Attempt { host, held, working, payload, folder };
    let mut starts = 0;
    // What another host had begun is in the records, and what we have done here we know.
    let mut was_at_it = how == How::Adopted && attempt.was_begun().await?;
    loop {
        if attempt.is_left() {
            return None;
        }
        let of = attempt.folder.clone();
        if was_at_it && files(host, working, move || Ok(!of.path().is_dir())).await? {
            let error = "its folder was removed after it was to be started, and with it how it ended";
            return Some(Settled::failed(ErrorKind::Lost, error));
        }
        let of = attempt.folder.clone();
        match step(&files(host, working, move || of.evidence()).await?) {
            Step::Commit => {
                let of = attempt.folder.clone();
                let end = files(host, working, move || of.end()).await?;
                return end.map(Settled::from);
            }
            Step::Watch => {
                was_at_it = true;
                attempt.watch().await;
            }
            Step::Lost => return attempt.lost().await,
            Step::NeverBegan => {
                let error = "it was never started: whoever was to start it ended before that";
                return Some(Settled { never_began: true, ..Settled::failed(ErrorKind::Lost, error) });
            }
            Step::Start if !host.settings.queues.contains_key(&held.run.queue) => {
                let error = format!("it had not begun, and queue {:?} is not served here", held.run.queue);
                return Some(Settled { never_began: true, ..Settled::failed(ErrorKind::Lost, error) });
            }
            Step::Start => {
                starts += 1;
                was_at_it = true;
                if let Some(settled) = attempt.start(command, starts).await {
                    return settled;
                }
            }
        }
    }
}

struct Attempt<'a> {
    host: &'a Arc<Host>,
    held: &'a Held,
    working: &'a Arc<Working>,
    payload: &'a Payload,
    folder: Folder,
}

impl Attempt<'_> {
    /// Whether it is not for us to go on with it.
    fn is_left(&self) -> bool {
        let orders = *self.working.orders().borrow();
        orders.is_over || orders.hand_over
    }

    /// Starts it, and follows it. `Some` if that settles it.
    async fn start(&self, command: &StoredCommand, starts: u32) -> Option<Option<Settled>> {
        if self.working.orders().borrow().asked > 0 {
            let reason = Some(CancelReason::Caller);
            let settled = Settled::failed(ErrorKind::Cancelled, "it was cancelled before it was started");
            return self.refuse(Settled { reason, ..settled }).await;
        }
        let allowed = self.payload.allowed(self.held.run.created_at, SystemTime::now());
        if allowed.is_some_and(|allowed| allowed.is_zero()) {
            let error = "its deadline had passed before it was started";
            return self.refuse(Settled::failed(ErrorKind::TimedOut, error)).await;
        }
        if starts > STARTS {
            let error =
                "its shim ended without starting it, again and again: does that program call `shim_entry`?";
            return self.refuse(Settled::failed(ErrorKind::Start, error)).await;
        }
        let order = Order {
            run: self.held.run.id,
            attempt: self.held.lease.attempt,
            command: command.clone(),
            deadline: allowed,
            log_quota: self.host.settings.log_quota,
        };
        if !self.enter().await {
            return Some(None);
        }
        let (of, written) = (self.folder.clone(), order.clone());
        let prepared = files(self.host, self.working, move || there(of.write_order(&written))).await;
        if self.is_left() {
            return Some(None);
        }
        // Gone again: it is looked once more whose it is.
        prepared??;
        // From here on a folder that is missing says that somebody has removed it, not that nothing has begun.
        let (run, mark) = (self.held.run.id, self.mark());
        persist(self.host, || self.host.store.note(run, &mark)).await?;
        if self.is_left() {
            return Some(None);
        }
        let Some(command) = self.host.settings.shim.command(&self.folder) else {
            return self.supervise(order).await;
        };
        match shim::start(command) {
            Ok(apart) => {
                self.attend(Some(apart), false).await;
                None
            }
            Err(error) => self.refuse(End::into(shim::cannot_start(&error))).await,
        }
    }

    /// What the history says when the program of this attempt is about to be started.
    fn mark(&self) -> String {
        format!("the program of attempt {} is being started", self.held.lease.attempt)
    }

    /// Whether somebody was about to start it; `None` when the records do not say.
    async fn was_begun(&self) -> Option<bool> {
        let (id, mark, mut after) = (self.held.run.id, self.mark(), 0);
        loop {
            let events = persist(self.host, || self.host.store.events(id, after, EVENTS)).await?;
            if events.iter().any(|event| event.text.as_deref() == Some(&*mark)) {
                return Some(true);
            }
            match events.last() {
                Some(last) if events.len() == EVENTS => after = last.seq,
                _ => return Some(false),
            }
        }
    }

    /// Decides that it is not started under this attempt, and settles it so; `None` if somebody was quicker.
    async fn refuse(&self, settled: Settled) -> Option<Option<Settled>> {
        if !self.enter().await {
            return Some(None);
        }
        let of = self.folder.clone();
        match files(self.host, self.working, move || there(of.refuse())).await {
            Some(Some(true)) => Some(Some(Settled { never_began: true, ..settled })),
            Some(Some(false) | None) => None,
            None => Some(None),
        }
    }

    /// Makes the folder, and asks then whether the attempt is still ours. What another host has taken over, brought to an
    /// end and forgotten meanwhile has no folder, and would begin once more in a new one. Forgotten after this answer, its
    /// folder is gone for good, and what is started finds nothing to do. Whether to go on.
    async fn enter(&self) -> bool {
        let of = self.folder.clone();
        if files(self.host, self.working, move || of.create()).await.is_none() {
            return false;
        }
        let (run, lease) = (self.held.run.id, self.held.lease);
        let Some(found) = persist(self.host, || self.host.store.run(run)).await else { return false };
        if found.is_none() {
            let of = self.folder.clone();
            let _ = blocking(move || of.remove()).await;
        }
        !self.is_left()
            && found.is_some_and(|run| run.owner == Some(lease.host) && run.attempt == lease.attempt)
    }

    /// Somebody is at it, whom others have started.
    async fn watch(&self) {
        let of = self.folder.clone();
        match blocking(move || of.started()).await.ok().flatten().map(|started| started.by) {
            Some(By::Shim(Known { pid, started: Some(started) })) => {
                // One that is not there any more has just ended.
                let found = Apart::find(Identity { pid, started });
                let apart = found.unwrap_or_else(|error| {
                    tracing::debug!(pid, %error, "a shim cannot be watched");
                    None
                });
                self.attend(apart, true).await;
            }
            // Who holds the lock is about to say so, cannot be known again, or is a host that is about to learn that this
            // is not its own any more.
            _ => self.attend(None, true).await,
        }
    }

    /// Follows a shim to its end, and passes on what is asked; without one, for as long as it takes to look again.
    async fn attend(&self, mut apart: Option<Apart>, mut has_begun: bool) {
        let mut orders = self.working.orders();
        let (mut told, mut until) = (0, tokio::time::Instant::now() + BEGIN);
        // Of a shim that was told to use force, and does not move.
        let mut force = None;
        loop {
            let now = *orders.borrow_and_update();
            if now.is_over || now.hand_over {
                return;
            }
            if now.asked > told && self.pass_on(now.asked, apart.as_ref()).await {
                told = now.asked;
                if told > 1 {
                    force.get_or_insert_with(|| tokio::time::Instant::now() + FORCE);
                }
            }
            let ended = async {
                match &mut apart {
                    Some(apart) => apart.ended().await,
                    None => {
                        tokio::time::sleep(LOOK).await;
                        Ok(())
                    }
                }
            };
            tokio::select! {
                ended = ended => {
                    if let Err(error) = ended {
                        tracing::warn!(run = %self.held.run.id, %error, "a shim cannot be watched, it is looked at");
                        tokio::time::sleep(LOOK).await;
                    }
                    return;
                }
                _ = orders.changed() => {}
                () = at(force) => {
                    self.end(apart.as_ref()).await;
                    return;
                }
                () = tokio::time::sleep_until(until), if !has_begun => {
                    let of = self.folder.clone();
                    has_begun = blocking(move || Ok(of.started().is_ok_and(|by| by.is_some()))).await.unwrap_or(false);
                    if !has_begun && self.give_up_on(apart.as_ref()).await {
                        return;
                    }
                    until += BEGIN;
                }
            }
        }
    }

    /// Ends a program and its shim, which did not when it was told to.
    async fn end(&self, apart: Option<&Apart>) {
        let of = self.folder.clone();
        let program = blocking(move || Ok(of.program())).await.ok().flatten().and_then(Known::identity);
        let shim = apart.and_then(|apart| Identity::of(apart.id()));
        tracing::warn!(run = %self.held.run.id, "a shim that was told to stop its program by force does not, and is ended");
        // The shim first: it would write down how its program ended.
        for process in shim.into_iter().chain(program) {
            kill(process).await;
        }
    }

    /// Tells whoever is at it that it was asked to stop. Whether that could be written.
    async fn pass_on(&self, asked: u32, apart: Option<&Apart>) -> bool {
        let of = self.folder.clone();
        let told = blocking(move || {
            of.ask(asked)?;
            // Before it has begun it hears of nothing, and looks for itself when it does.
            Ok(of.started().is_ok_and(|by| by.is_some()))
        });
        match told.await {
            Ok(true) => {
                if let Some(Err(error)) = apart.map(Apart::ask) {
                    tracing::warn!(run = %self.held.run.id, %error, "a shim cannot be asked to stop its program");
                }
                true
            }
            Ok(false) => true,
            Err(error) => {
                tracing::warn!(run = %self.held.run.id, %error, "that a run is to stop cannot be passed on now");
                tokio::time::sleep(LOOK).await;
                false
            }
        }
    }

    /// It was started and does nothing: no shim, perhaps. Whether nothing will come of it.
    async fn give_up_on(&self, apart: Option<&Apart>) -> bool {
        let of = self.folder.clone();
        let decided = blocking(move || of.refuse()).await.unwrap_or(false);
        if let Some(stray) = apart.filter(|_| decided).and_then(|apart| Identity::of(apart.id())) {
            tracing::warn!(run = %self.held.run.id, pid = stray.pid, "what was started as a shim does not begin, and is ended");
            let _ = stray.kill();
        }
        decided
    }

    /// Runs it in this process, without anybody who would outlive us.
    async fn supervise(&self, order: Order) -> Option<Option<Settled>> {
        self.host.said.call_once(|| {
            tracing::warn!(
                "programs are supervised by this process alone, and are lost when it ends: call `shim_entry` first \
                 thing in `main`, or name a shim"
            );
        });
        let of = self.folder.clone();
        let begun = files(self.host, self.working, move || {
            there(of.lock().and_then(|lock| match lock {
                Some(lock) => of.decide().map(|is_first| is_first.then_some(lock)),
                None => Ok(None),
            }))
        });
        let Some(Some(_lock)) = begun.await? else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            return None;
        };
        let of = self.folder.clone();
        let by = By::Host(Known::of(std::process::id()));
        files(self.host, self.working, move || there(of.sign(by.clone()))).await??;
        let observer = Arc::new(Relay { host: self.host.clone(), working: self.working.clone() });
        let end = tokio::select! {
            end = program::run(&self.folder, order, &self.working.cancel, Some(observer)) => end,
            // Dropped, which ends it with its whole tree.
            () = self.working.over() => return Some(None),
        };
        let (of, written) = (self.folder.clone(), end.clone());
        files(self.host, self.working, move || of.finish(&written)).await;
        Some(Some(end.into()))
    }

    /// Nobody looks after it any more: what is left of it is ended, and that is the end of it.
    async fn lost(&self) -> Option<Settled> {
        let of = self.folder.clone();
        let (same_boot, program) = files(self.host, self.working, move || {
            let started = of.started().ok().flatten();
            Ok((started.is_some_and(|started| started.boot == bgt_sys::boot_id()), of.program()))
        })
        .await?;
        let error = match program.and_then(Known::identity).filter(|_| same_boot) {
            Some(program) if kill(program).await => {
                "its shim was killed; what was left of it is ended, and nobody can know how it would have ended"
            }
            _ if same_boot => "whoever looked after it was killed, and it with it or before",
            _ => "the machine went down while it ran",
        };
        // Whoever had asked wants no more of it.
        let reason = (self.working.orders().borrow().asked > 0).then_some(CancelReason::Caller);
        Some(Settled { reason, ..Settled::failed(ErrorKind::Lost, error) })
    }
}

async fn at(when: Option<tokio::time::Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}

/// Ends a program that nobody looks after. Whether it was still there.
async fn kill(program: Identity) -> bool {
    match program.kill() {
        Ok(was_there) => {
            let mut pause = Duration::from_millis(1);
            // Not our child, so nobody tells; it was killed, so this is a matter of a few looks.
            while was_there && program.is_alive() && pause < Duration::from_secs(2) {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            was_there
        }
        Err(error) => {
            tracing::warn!(pid = program.pid, %error, "a program that nobody looks after could not be ended");
            false
        }
    }
}

impl From<End> for Settled {
    fn from(end: End) -> Self {
        let result = serde_json::to_vec(&end.program).ok().map(Into::into);
        Self { failure: end.kind, reason: end.reason, error: end.error, result, never_began: false }
    }
}
