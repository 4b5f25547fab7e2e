//! Signs of life, what is heard back, and taking over from hosts that give none.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bgt_store::{Adopt, Beat, HostId};

use super::work::{How, begin};
use super::{Closing, Host, tick};

/// How many runs are taken over at once.
const MANY: usize = 500;

pub(super) async fn keep(host: Arc<Host>) {
    let mut closing = host.closing.subscribe();
    let every = tick(host.settings.lease);
    while host.closing() != Closing::Now {
        let Some(id) = host.id() else { return };
        // Together, for one wait for the disk.
        let (ended, has_more) = tokio::join!(say(&host, id), take_over(&host, id));
        if ended {
            host.rejoin(id).await;
        }
        let pause = if has_more { Duration::ZERO } else { every };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = closing.wait_for(|closing| *closing == Closing::Now) => {}
        }
    }
}

/// Says that we are there. Whether others have taken over.
async fn say(host: &Arc<Host>, id: HostId) -> bool {
    let beats: Vec<Beat> = host.working().values().filter_map(|working| working.beat()).collect();
    match host.store.heartbeat(id, beats).await {
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
    let adopt = host.settings.queues.keys().fold(Adopt::new(id, MANY), Adopt::queue);
    match host.store.adopt(adopt).await {
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
        // `say` hears the same.
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
