//! Taking on runs that are due, as many as a queue allows.

use std::collections::BTreeMap;
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
/// After how long what has failed is tried again.
const AGAIN: Duration = Duration::from_millis(100);

pub(super) async fn keep(host: Arc<Host>) {
    let mut closing = host.closing.subscribe();
    while host.closing() == Closing::No {
        let mut next = None;
        if let Some(id) = host.id() {
            for (queue, concurrency) in &host.settings.queues {
                next = sooner(next, claim(&host, id, queue, *concurrency).await);
            }
        }
        loop {
            tokio::select! {
                () = host.wake.notified() => break,
                _ = closing.changed() => break,
                () = tokio::time::sleep(next.unwrap_or(LOOK).min(LOOK)) => {}
            }
            // A look costs no wait for the disk, a claim does: nothing is claimed where nothing may start.
            next = look(&host).await;
            if next.is_some_and(|next| next.is_zero()) {
                break;
            }
        }
    }
}

fn sooner(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

/// After how long something may be taken on, as far as is known now.
async fn look(host: &Arc<Host>) -> Option<Duration> {
    if host.is_suspect.load(Ordering::Relaxed) {
        return Some(Duration::ZERO);
    }
    let mut next = None;
    for (queue, concurrency) in &host.settings.queues {
        // Who frees a place here wakes us.
        if room(host, queue, *concurrency) == 0 {
            continue;
        }
        // A store that cannot be read cannot be claimed from.
        let Ok(Some(due)) = host.store.next_due(queue).await else { continue };
        let due = due.duration_since(SystemTime::now()).unwrap_or_default();
        // Other hosts may have taken all places.
        let running = RunFilter::new().status(Status::Running).queue(queue);
        let is_full = |counts: BTreeMap<Status, u64>| counts.values().sum::<u64>() >= u64::from(*concurrency);
        if due.is_zero() && host.store.count(running).await.is_ok_and(is_full) {
            continue;
        }
        next = sooner(next, Some(due));
    }
    next
}

/// How many runs of a queue there is room for here.
fn room(host: &Host, queue: &str, concurrency: u32) -> usize {
    let running = host.working().values().filter(|working| working.queue == queue).count();
    (concurrency as usize).saturating_sub(running).min(MANY)
}

/// Takes on what there is room for. After how long to try again, if that is known.
async fn claim(host: &Arc<Host>, id: HostId, queue: &str, concurrency: u32) -> Option<Duration> {
    loop {
        let _intake = host.intake.lock().await;
        if host.is_suspect.load(Ordering::Relaxed) && !reconcile(host, id).await {
            return Some(AGAIN);
        }
        let room = room(host, queue, concurrency);
        if room == 0 || host.closing() != Closing::No {
            return None;
        }
        let claim = Claim::new(id, queue, room).max_running(concurrency);
        match host.store.claim(claim).await {
            Ok(claimed) => {
                let got = claimed.runs.len();
                for held in claimed.runs {
                    begin(host, held, How::Claimed);
                }
                if got < room || !claimed.has_more {
                    let due = claimed.next_due?.duration_since(SystemTime::now());
                    return Some(due.unwrap_or_default().max(Duration::from_millis(1)));
                }
            }
            // The heart hears the same, and begins anew.
            Err(error) if error.is_fenced() => return Some(AGAIN),
            Err(error) => {
                tracing::warn!(%error, queue, "nothing can be taken on from a queue now");
                host.is_suspect.store(true, Ordering::Relaxed);
                return Some(AGAIN);
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
