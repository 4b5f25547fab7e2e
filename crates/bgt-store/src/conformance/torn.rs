//! A crash in the middle of a write: what is lost is lost from the end.

use bgt_core::Status;

use super::Backend;
use super::support::{Must, Setup, Snapshot};
use crate::{NewRun, Outcome, Requeue, RunFilter};

/// How many copies are torn, each in another way.
const SEEDS: u64 = 60;

pub(super) async fn what_is_lost_is_lost_from_the_end(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("before the crash").await;
    // How all runs stood after each write that was acknowledged.
    let mut stood: Vec<Vec<Snapshot>> = vec![Vec::new()];
    for number in 0..12_usize {
        let payload = vec![u8::try_from(number).unwrap_or(0); 100 + 700 * number];
        let held = NewRun::new(number.to_string(), payload).label("number", number.to_string());
        setup.accept(held).await;
        stood.push(setup.everything().await);
        let held = setup.take(host, "default").await.remove(0);
        stood.push(setup.everything().await);
        if number % 3 == 0 {
            setup
                .finish(held.lease, Outcome::succeeded().result("answer"))
                .await
                .must("finish a run that is held");
        } else {
            let requeue = Requeue::after(Status::Failed).not_before(std::time::SystemTime::UNIX_EPOCH);
            setup.requeue(held.lease, requeue).await.must("requeue a run that is held");
            stood.push(setup.everything().await);
            setup.end_queued(held.run.id, Outcome::failed("enough")).await.must("close a queued run");
        }
        stood.push(setup.everything().await);
    }
    let mut latest = 0;
    for seed in 0..SEEDS {
        let Some(store) = backend.torn(seed).await else { return };
        let torn = Setup { store, clock: setup.clock.clone() };
        let mut found = Vec::new();
        for run in torn.all(RunFilter::new(), 1000).await {
            found.push(torn.found(run.id).await);
        }
        let known = stood.iter().rposition(|state| *state == found);
        let known = known.unwrap_or_else(|| {
            panic!(
                "torn by seed {seed} the runs must be as they were after some write, but are {:#?}",
                found.iter().map(|run| (&run.run.name, run.run.status, run.kinds())).collect::<Vec<_>>()
            )
        });
        latest = latest.max(known);
        goes_on(&torn, &found).await;
    }
    assert!(latest > 0, "of {SEEDS} copies at least one holds something: is it a copy of the records?");
    assert_eq!(setup.everything().await, stood[stood.len() - 1], "the store that was copied is as it was");
    setup.accept(NewRun::new("after", "")).await;
}

/// A torn store takes new writes, and keeps what it held.
async fn goes_on(torn: &Setup, held: &[Snapshot]) {
    let host = torn.host("after the crash").await;
    let id = torn.accept(NewRun::new("after the crash", "payload").queue("new").label("new", "1")).await;
    let claimed = torn.take(host, "new").await;
    let [new] = &claimed[..] else { panic!("a run that was accepted after a crash is due: {claimed:?}") };
    let tokens = held.iter().map(|run| run.run.token).max().unwrap_or(0);
    assert!(new.lease.token > tokens, "tokens grow on after a crash: {} after {tokens}", new.lease.token);
    torn.finish(new.lease, Outcome::succeeded()).await.must("finish a run that is held");
    assert_eq!(torn.status(id).await, Status::Succeeded);
    assert_eq!(torn.all(RunFilter::new(), 5).await.len(), held.len() + 1, "what was held is still held");
}
