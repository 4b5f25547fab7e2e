//! One run that makes no sense, and the calls beside it.
#![cfg(feature = "sqlite")]

mod support;

use bgt_store::{Claim, FaultKind, LeaseStore, NewHost, NewRun, RunStore};
use bgt_testkit::Scratch;
use support::{assert_fault, cause, open, put};

/// Damages something through a connection of its own.
fn damage(path: &std::path::Path, sql: &str) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.busy_timeout(support::HANG).unwrap();
    assert!(connection.execute(sql, []).unwrap() > 0, "{sql}");
}

#[tokio::test]
async fn calls_about_a_damaged_run_fail_and_the_others_of_their_group_do_not() {
    let damages = [
        "UPDATE runs SET status = 'nonsense' WHERE seq = 1",
        "UPDATE runs SET labels = '{' WHERE seq = 1",
        "UPDATE runs SET pattern = '' WHERE seq = 1",
        "UPDATE runs SET events = -1 WHERE seq = 1",
        "UPDATE runs SET error = CAST(x'FF' AS TEXT) WHERE seq = 1",
    ];
    for sql in damages {
        let scratch = Scratch::new();
        let path = scratch.path("runs.db");
        let store = open(&path).await;
        let (damaged, sound) = (put(&store, "damaged").await.unwrap(), put(&store, "sound").await.unwrap());
        damage(&path, sql);

        // Between the calls about the damaged run are others, in the same groups.
        let calls: Vec<_> = (0..60)
            .map(|n| {
                let (store, id) = (store.clone(), if n % 3 == 0 { damaged } else { sound });
                tokio::spawn(async move { (id, store.note(id, &n.to_string()).await) })
            })
            .collect();
        for call in calls {
            let (id, noted) = call.await.unwrap();
            if id == sound {
                noted.unwrap();
            } else {
                let error = noted.unwrap_err();
                assert_fault(&error, FaultKind::Corrupt, &path, "restore a backup");
                cause(&error);
            }
        }
        assert_eq!(store.run(sound).await.unwrap().unwrap().events, 41, "{sql}");
        let error = store.run(damaged).await.unwrap_err();
        assert_fault(&error, FaultKind::Corrupt, &path, "restore a backup");
        put(&store, "next").await.unwrap();
        store.close().await;
    }
}

#[tokio::test]
async fn a_run_without_its_payload_is_damaged() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let store = open(&path).await;
    let id = put(&store, "x").await.unwrap();
    damage(&path, "DELETE FROM payloads");
    let error = store.payload(id).await.unwrap_err();
    assert_fault(&error, FaultKind::Corrupt, &path, "restore a backup");
    cause(&error);
    store.close().await;
}

/// What is damaged in one queue is met by those who claim from it, and holds up no other.
#[tokio::test]
async fn a_damaged_run_holds_up_its_queue_alone() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let store = open(&path).await;
    let host = store.register(NewHost::new("worker")).await.unwrap();
    put(&store, "damaged").await.unwrap();
    store.enqueue(vec![NewRun::new("sound", "x").queue("other")]).await.unwrap();
    damage(&path, "UPDATE runs SET labels = '{' WHERE seq = 1");
    let (one, two) =
        tokio::join!(store.claim(Claim::new(host, "default", 1)), store.claim(Claim::new(host, "other", 1)));
    assert_fault(&one.unwrap_err(), FaultKind::Corrupt, &path, "restore a backup");
    assert_eq!(two.unwrap().runs.len(), 1);
    damage(&path, "UPDATE runs SET labels = NULL WHERE seq = 1");
    assert_eq!(store.claim(Claim::new(host, "default", 1)).await.unwrap().runs.len(), 1);
    store.close().await;
}
