//! Many at once: of those who want one thing, one gets it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use bgt_core::Status;
use tokio::sync::Barrier;

use super::Backend;
use super::support::{Must, Setup};
use crate::{Adopt, Claim, HostId, NewRun, Outcome, RunFilter, SlotClaim, SlotLease, Store, StoreError};

/// What so many tasks answer that begin together.
async fn together<T, F>(setup: &Setup, tasks: usize, task: impl Fn(usize, Arc<dyn Store>) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let begin = Arc::new(Barrier::new(tasks));
    let mut running = Vec::with_capacity(tasks);
    for number in 0..tasks {
        let (begin, task) = (begin.clone(), task(number, setup.store.clone()));
        running.push(tokio::spawn(async move {
            begin.wait().await;
            task.await
        }));
    }
    let mut answers = Vec::with_capacity(tasks);
    for task in running {
        match task.await {
            Ok(answer) => answers.push(answer),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    answers
}

async fn hosts(setup: &Setup, count: usize) -> Vec<HostId> {
    let mut hosts = Vec::with_capacity(count);
    for number in 0..count {
        hosts.push(setup.host(&format!("host {number}")).await);
    }
    hosts
}

pub(super) async fn no_run_is_given_twice_and_none_is_left(backend: &dyn Backend) {
    const RUNS: usize = 200;
    let setup = Setup::of(backend).await;
    let runs: Vec<_> = (0..RUNS).map(|n| NewRun::new(n.to_string(), "")).collect();
    setup.enqueue(runs).await.must("accept many runs in one call");
    let hosts = hosts(&setup, 4).await;
    let claimed = together(&setup, 12, |number, store| {
        let host = hosts[number % 4];
        async move {
            let mut mine = Vec::new();
            loop {
                let claim = Claim::new(host, "default", 1 + number % 5);
                let runs = store.claim(claim).await.must("let hosts claim at the same time").runs;
                if runs.is_empty() {
                    return mine;
                }
                mine.extend(runs);
                assert!(mine.len() <= RUNS, "more runs are given than there are");
            }
        }
    });
    let claimed: Vec<_> = claimed.await.into_iter().flatten().collect();
    let runs: HashSet<_> = claimed.iter().map(|held| held.run.id).collect();
    let tokens: HashSet<_> = claimed.iter().map(|held| held.lease.token).collect();
    assert_eq!(claimed.len(), RUNS, "every run is given once: some were left, or given twice");
    assert_eq!((runs.len(), tokens.len()), (RUNS, RUNS), "no run is given twice, and no token");
    for held in &claimed {
        assert_eq!(
            setup.known(held.run.id).await.owner,
            Some(held.lease.host),
            "a run is held by who got it"
        );
    }
}

pub(super) async fn no_more_run_than_may_run_at_once(backend: &dyn Backend) {
    const RUNS: usize = 60;
    let setup = Setup::of(backend).await;
    let hosts = hosts(&setup, 2).await;
    setup.running(hosts[0], NewRun::new("of another queue", "")).await;
    setup.enqueue((0..RUNS).map(|n| NewRun::new(n.to_string(), "")).collect()).await.must("accept runs");
    let claim = |host, max| setup.claim(Claim::new(host, "default", 10).max_running(max));
    assert!(claim(hosts[0], 0).await.must("claim").runs.is_empty(), "none may run, and none is given");
    let first = claim(hosts[0], 2).await.must("claim").runs;
    assert_eq!(first.len(), 2, "2 may run, and 10 are wanted; other queues do not count");
    assert!(claim(hosts[1], 2).await.must("claim").runs.is_empty(), "2 may run on all hosts together");
    assert!(claim(hosts[1], 1).await.must("claim").runs.is_empty(), "more run than may");
    assert_eq!(claim(hosts[1], 3).await.must("claim").runs.len(), 1, "3 may run, and 2 do");
    for host in &hosts {
        for held in setup.held(*host).await.must("say what a host holds") {
            setup.finish(held.lease, Outcome::succeeded()).await.must("finish a run that is held");
        }
    }

    let done = Arc::new(AtomicUsize::new(3));
    together(&setup, 8, |number, store| {
        let (host, done) = (hosts[number % 2], done.clone());
        async move {
            for _ in 0..10_000 {
                if done.load(Ordering::SeqCst) == RUNS {
                    return;
                }
                let claim = Claim::new(host, "default", 2).max_running(3);
                let runs = store.claim(claim).await.must("let hosts claim at the same time").runs;
                let running = RunFilter::new().queue("default").status(Status::Running);
                let counts = store.count(running).await.must("count runs");
                let count = counts.get(&Status::Running).copied().unwrap_or(0);
                assert!(count <= 3, "3 may run at once, and {count} do");
                for held in runs {
                    store.finish(held.lease, Outcome::succeeded()).await.must("finish a run that is held");
                    done.fetch_add(1, Ordering::SeqCst);
                }
                tokio::task::yield_now().await;
            }
            panic!("after 10000 claims {} of {RUNS} runs are done", done.load(Ordering::SeqCst));
        }
    })
    .await;
}

pub(super) async fn one_id_and_one_unique_key_are_accepted_once(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let run = NewRun::new("one id", "");
    let id = run.id;
    let answers = together(&setup, 16, |_, store| {
        let run = run.clone();
        async move { store.enqueue(vec![run]).await.must("take the same id at the same time")[0] }
    });
    let answers = answers.await;
    assert!(answers.iter().all(|enqueued| enqueued.id == id), "all hear of the same run: {answers:?}");
    assert_eq!(
        answers.iter().filter(|enqueued| enqueued.is_new).count(),
        1,
        "one of 16 is told that it is new"
    );

    let answers = together(&setup, 16, |n, store| async move {
        let run = NewRun::new(n.to_string(), "").unique_key("one key");
        store.enqueue(vec![run]).await.must("take the same unique key at the same time")[0]
    });
    let answers = answers.await;
    assert!(answers.iter().all(|e| e.id == answers[0].id), "all hear of the same run: {answers:?}");
    assert_eq!(
        answers.iter().filter(|enqueued| enqueued.is_new).count(),
        1,
        "one of 16 is told that it is new"
    );
    assert_eq!(setup.all(RunFilter::new(), 1000).await.len(), 2, "one run of each kind");
}

pub(super) async fn a_slot_is_won_once(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let at = SystemTime::UNIX_EPOCH;
    let all = hosts(&setup, 8).await;
    let claims = together(&setup, 16, |number, store| {
        let host = all[number % 8];
        async move { store.claim_slot(host, "nightly", at).await.must("let hosts want a slot at once") }
    });
    let lease = only_one_won(&claims.await);
    setup.retire(lease.host).await.must("let a host retire");
    let left: Vec<_> = all.into_iter().filter(|host| *host != lease.host).collect();
    let claims = together(&setup, 14, |number, store| {
        let host = left[number % 7];
        async move { store.adopt_slot(host, "nightly", at).await.must("let hosts want a slot at once") }
    });
    let adopted = only_one_won(&claims.await);
    assert!(adopted.token > lease.token, "who adopts gets a larger token");
}

fn only_one_won(claims: &[SlotClaim]) -> SlotLease {
    let won: Vec<_> = claims.iter().filter(|claim| matches!(claim, SlotClaim::Won(_))).collect();
    let [SlotClaim::Won(lease)] = &won[..] else {
        panic!("one of {} wins a slot, not {}: {claims:?}", claims.len(), won.len())
    };
    for claim in claims {
        let found = match claim {
            SlotClaim::Won(lease) => (lease.host, lease.token),
            SlotClaim::Taken(slot) => (slot.host, slot.token),
            SlotClaim::Past { .. } => panic!("nothing was forgotten: {claim:?}"),
        };
        assert_eq!(found, (lease.host, lease.token), "the others hear who won");
    }
    lease.clone()
}

pub(super) async fn an_orphan_is_adopted_once(backend: &dyn Backend) {
    const RUNS: usize = 40;
    let setup = Setup::of(backend).await;
    let gone = setup.host("gone").await;
    setup.enqueue((0..RUNS).map(|n| NewRun::new(n.to_string(), "")).collect()).await.must("accept runs");
    assert_eq!(setup.take(gone, "default").await.len(), RUNS);
    setup.retire(gone).await.must("let a host retire");
    let hosts = hosts(&setup, 4).await;
    let adopted = together(&setup, 8, |number, store| {
        let host = hosts[number % 4];
        async move {
            let mut mine = Vec::new();
            loop {
                let runs = store.adopt(Adopt::new(host, 3)).await.must("let hosts adopt at the same time");
                if runs.is_empty() {
                    return mine;
                }
                mine.extend(runs);
                assert!(mine.len() <= RUNS, "more runs are given than there are");
            }
        }
    });
    let adopted: Vec<_> = adopted.await.into_iter().flatten().collect();
    let runs: HashSet<_> = adopted.iter().map(|held| held.run.id).collect();
    assert_eq!((adopted.len(), runs.len()), (RUNS, RUNS), "every orphan is adopted once");
}

pub(super) async fn a_run_ends_once(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let ends = [Status::Succeeded, Status::Failed, Status::TimedOut, Status::Cancelled, Status::Lost];
    for _ in 0..8 {
        let held = setup.running(host, NewRun::new("once", "")).await;
        let answers = together(&setup, ends.len(), |number, store| async move {
            (ends[number], store.finish(held.lease, Outcome::new(ends[number])).await)
        });
        let answers = answers.await;
        let first: Vec<_> =
            answers.iter().filter(|(_, answer)| answer.is_ok()).map(|(status, _)| *status).collect();
        let found = setup.snapshot(held.run.id).await;
        assert_eq!(first, [found.run.status], "one end is accepted, and it is the one that stands");
        for (status, answer) in answers.iter().filter(|(status, _)| *status != found.run.status) {
            assert!(
                matches!(answer, Err(StoreError::Fenced(_))),
                "an end as {status} that came second: {answer:?}"
            );
        }
    }
}
