//! Signs of life, what is heard back, and taking over from hosts that give none.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bgt_store::{Adopt, Beat, HostId};

use super::work::{How, begin};
use super::{Closing, Host, tick};

/// How many runs are taken over at once.
const MANY: usize = 500;

/// As long as this, in leases, a host may be too busy to look after itself and still counts as one that is there.
const BUSY: u32 = 20;

/// Takes over from others, and begins anew when others have taken over from us.
pub(super) async fn keep(host: Arc<Host>) {
    let (mut closing, mut fenced) = (host.closing.subscribe(), host.fenced.subscribe());
    let every = tick(host.settings.lease);
    while host.closing() != Closing::Now {
        let Some(id) = host.id() else { return };
        host.has_moved();
        let has_more = take_over(&host, id).await;
        let pause = if has_more { Duration::ZERO } else { every };
        let ended = tokio::select! {
            biased;
            ended = fenced.wait_for(|fenced| *fenced == Some(id)) => ended.is_ok(),
            () = tokio::time::sleep(pause) => false,
            _ = closing.wait_for(|closing| *closing == Closing::Now) => false,
        };
        if ended {
            host.rejoin(id).await;
        }
    }
}

/// Gives signs of life from a thread of its own: a function that keeps all threads of the runtime busy for longer than the
/// lease would otherwise be called once more by others, and what it answers be refused.
pub(super) fn start(host: &Arc<Host>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let host = host.clone();
    let thread = std::thread::Builder::new().name("bgt-heart".into());
    thread.spawn(move || runtime.block_on(beat(&host))).map(drop)
}

async fn beat(host: &Host) {
    let mut closing = host.closing.subscribe();
    let every = tick(host.settings.lease);
    while host.closing() != Closing::Now {
        let Some(id) = host.id() else { return };
        // A runtime that has not moved for so long never will: others may have what it held.
        if host.moved().elapsed() < host.settings.lease * BUSY && say(host, id).await {
            host.fenced.send_replace(Some(id));
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = closing.wait_for(|closing| *closing == Closing::Now) => {}
        }
    }
}

/// Says that we are there. Whether others have taken over.
async fn say(host: &Host, id: HostId) -> bool {
    let all: Vec<_> = host.working().values().cloned().collect();
    let beats: Vec<Beat> = all.iter().filter_map(|working| working.beat()).collect();
    match host.store.heartbeat(id, beats.clone()).await {
        Ok(heard) => {
            let working = host.working();
            for (run, requests) in heard.cancel {
                if let Some(working) = working.get(&run) {
                    working.ask(requests);
                }
            }
            for lease in heard.fenced {
                if let Some(working) = working.get(&lease.run).filter(|working| working.lease == lease) {
                    working.end();
                }
            }
            false
        }
        Err(error) if error.is_fenced() => true,
        Err(error) => {
            tracing::warn!(%error, "a host cannot give a sign of life");
            for Beat { lease, progress, .. } in beats {
                if let (Some(progress), Some(working)) =
                    (progress, all.iter().find(|working| working.lease == lease))
                {
                    working.tell_again(progress);
                }
            }
            false
        }
    }
}

/// Takes over what others left. Whether there may be more.
async fn take_over(host: &Arc<Host>, id: HostId) -> bool {
    if host.closing() != Closing::No {
        return false;
    }
    let _intake = host.intake.lock().await;
    // Of any queue: one that nobody serves any more would keep its runs for ever.
    match host.store.adopt(Adopt::new(id, MANY)).await {
        Ok(adopted) => {
            let has_more = adopted.len() == MANY;
            if !adopted.is_empty() {
                tracing::info!(runs = adopted.len(), "runs of another host are taken over");
            }
            for held in adopted {
                begin(host, held, How::Adopted);
            }
            has_more
        }
        // The heart hears the same.
        Err(error) if error.is_fenced() => false,
        Err(error) => {
            tracing::debug!(%error, "runs of other hosts cannot be taken over now");
            // It may have happened all the same.
            host.is_suspect.store(true, Ordering::Relaxed);
            host.wake();
            false
        }
    }
}
