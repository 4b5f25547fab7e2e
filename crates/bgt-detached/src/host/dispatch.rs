//! Taking on runs that are due, as many as a queue allows.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use bgt_core::Status;
use bgt_store::{Claim, HostId, RunFilter};

use super::work::{How, begin};
use super::{Closing, Host};

/// Other processes announce nothing: how often to look for what they accepted.
const LOOK: Duration = Duration::from_millis(500);
/// How many at most are claimed in one call.
const MANY: usize = 256;

pub(super) async fn keep(host: Arc<Host>) {
    let mut closing = host.closing.subscribe();
    // When each queue is to be looked at again; now, if it is not in here.
    let mut later: HashMap<String, Duration> = HashMap::new();
    while host.closing() == Closing::No {
        let mut pause = LOOK;
        if let Some(id) = host.id() {
            for (queue, concurrency) in &host.settings.queues {
                let next = claim(&host, id, queue, *concurrency).await;
                later.insert(queue.clone(), next);
            }
            pause = later.values().copied().min().unwrap_or(LOOK).min(LOOK);
        }
        let woken = tokio::select! {
            () = host.wake.notified() => true,
            () = tokio::time::sleep(pause) => pause < LOOK,
            _ = closing.changed() => true,
        };
        // A look costs no wait for the disk, a claim does: nothing is claimed where nothing waits.
        if !woken && !has_work(&host).await {
            continue;
        }
    }
}

/// Whether anything waits in one of our queues.
async fn has_work(host: &Arc<Host>) -> bool {
    loop {
        if host.closing() != Closing::No {
            return false;
        }
        for queue in host.settings.queues.keys() {
            let waiting = RunFilter::new().status(Status::Queued).queue(queue);
            // A store that cannot be read cannot be claimed from.
            if host.store.count(waiting).await.is_ok_and(|counts| !counts.is_empty()) {
                return true;
            }
        }
        tokio::select! {
            () = host.wake.notified() => return true,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Takes on what there is room for. After how long to look again.
async fn claim(host: &Arc<Host>, id: HostId, queue: &str, concurrency: u32) -> Duration {
    loop {
        let _intake = host.intake.lock().await;
        if host.is_suspect.load(Ordering::Relaxed) && !reconcile(host, id).await {
            return Duration::from_millis(100);
        }
        let running = host.working().values().filter(|working| working.queue == queue).count();
        let room = (concurrency as usize).saturating_sub(running).min(MANY);
        if room == 0 || host.closing() != Closing::No {
            return LOOK;
        }
        let claim = Claim::new(id, queue, room).max_running(concurrency);
        match host.store.claim(claim).await {
            Ok(claimed) => {
                let got = claimed.runs.len();
                for held in claimed.runs {
                    begin(host, held, How::Claimed);
                }
                if got < room || !claimed.has_more {
                    let due = claimed.next_due.and_then(|due| due.duration_since(SystemTime::now()).ok());
                    return due.map_or(LOOK, |due| due.max(Duration::from_millis(1)));
                }
            }
            // The heart hears the same, and begins anew.
            Err(error) if error.is_fenced() => return Duration::from_millis(20),
            Err(error) => {
                tracing::warn!(%error, queue, "nothing can be taken on from a queue now");
                host.is_suspect.store(true, Ordering::Relaxed);
                return Duration::from_millis(100);
            }
        }
    }
}

/// Finds what we hold and nobody works on, because the answer that gave it to us was lost. Whether it could be found out.
async fn reconcile(host: &Arc<Host>, id: HostId) -> bool {
    // Before the question: what ends meanwhile is not to be taken for forgotten.
    let known: Vec<_> = host.working().keys().copied().collect();
    match host.store.held(id).await {
        Ok(held) => {
            host.is_suspect.store(false, Ordering::Relaxed);
            for held in held.into_iter().filter(|held| !known.contains(&held.run.id)) {
                // A claim that was not heard of has begun nothing; of an adoption nobody knows.
                let is_first = held.run.owner == Some(id) && !was_adopted(host, &held).await;
                begin(host, held, if is_first { How::Claimed } else { How::Adopted });
            }
            true
        }
        Err(error) => error.is_fenced(),
    }
}

async fn was_adopted(host: &Arc<Host>, held: &bgt_store::Held) -> bool {
    use bgt_store::RunEventKind::{Adopted, Claimed};
    let after = held.run.events.saturating_sub(500);
    match host.store.events(held.run.id, after, 1000).await {
        Ok(events) => {
            let last = events.iter().rev().find(|event| matches!(event.kind, Adopted | Claimed));
            last.is_none_or(|event| event.kind == Adopted)
        }
        Err(_) => true,
    }
}
