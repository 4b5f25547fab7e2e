//! What fits is kept as it is.

use std::time::{Duration, SystemTime};

use bgt_core::{Pattern, Progress, Status};

use super::Backend;
use super::support::{Must, Setup};
use crate::{Beat, Clock, JournalEntry, NewRun, Outcome, Requeue, RunFilter, SlotClaim};

pub(super) async fn the_largest_values_fit(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host(&"h".repeat(512)).await;
    let (long, large) = ("n".repeat(512), vec![7_u8; 16 << 20]);
    let run = NewRun::new(long.clone(), large.clone()).unique_key(long.clone());
    let run = (0..63).fold(run, |run, n| run.label(n.to_string(), "x")).label(long.clone(), long.clone());
    let held = setup.running(host, run.clone()).await;
    assert!(held.payload == large, "a payload of 16 MiB is given to who claims");
    setup
        .finish(held.lease, Outcome::succeeded().result(large.clone()))
        .await
        .must("keep a result of 16 MiB");
    let found = setup.snapshot(held.run.id).await;
    assert_eq!(
        (&found.run.name, &found.run.labels),
        (&long, &run.labels),
        "64 labels, and names of 512 bytes"
    );
    assert!(found.payload == large && found.result.as_deref() == Some(&large[..]), "16 MiB each");
    let entry = JournalEntry::new(long.clone(), Status::Succeeded).value(large.clone());
    setup.record(&long, vec![entry]).await.must("keep a journal value of 16 MiB");
    let found = setup.entry(&long, &long).await.must("read an entry");
    assert!(found.is_some_and(|entry| entry.value == large), "16 MiB");
    setup
        .enqueue((0..1000).map(|n| NewRun::new(n.to_string(), "")).collect())
        .await
        .must("accept 1000 runs at once");
    assert_eq!(setup.take(host, "default").await.len(), 1000, "1000 runs are claimed at once");
}

pub(super) async fn long_texts_lose_their_middle(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let long = format!("head{}tail", "ä".repeat(100_000));
    let cut = |text: Option<&str>, what: &str| {
        let text = text.unwrap_or_else(|| panic!("{what} has a text"));
        let fits = text.len() < (64 << 10) + 100;
        assert!(fits, "{what} has {} bytes, which should be about 64 KiB", text.len());
        assert!(text.len() > 60 << 10, "{what} has {} bytes left of about 64 KiB", text.len());
        assert!(text.starts_with("headä") && text.ends_with("ätail"), "{what} keeps its head and tail");
    };
    let held = setup.running(host, NewRun::new("verbose", "")).await;
    let id = held.run.id;
    setup.note(id, &long).await.must("take a long note");
    let requeue = Requeue::after(Status::Failed).error(long.clone());
    setup.requeue(held.lease, requeue).await.must("take a long error");
    let held = setup.take(host, &held.run.queue).await.remove(0);
    let beat = Beat { lease: held.lease, progress: Some(Progress::count(1).message(long.clone())) };
    setup.heartbeat(host, vec![beat]).await.must("take a long message");
    setup.finish(held.lease, Outcome::failed(long.clone())).await.must("take a long error");
    let found = setup.snapshot(id).await;
    cut(found.events[2].text.as_deref(), "a note");
    cut(found.attempts[0].error.as_deref(), "the error of an attempt that is followed by another");
    cut(found.attempts[1].error.as_deref(), "the error of an attempt");
    cut(found.run.error.as_deref(), "the error of a run");
    cut(found.run.progress.and_then(|progress| progress.message).as_deref(), "the message of its progress");
    let at = SystemTime::UNIX_EPOCH;
    let SlotClaim::Won(lease) = setup.claim_slot(host, "s", at).await.must("claim a slot") else {
        panic!("a slot that nobody has claimed is won by who claims it")
    };
    setup.finish_slot(lease, Outcome::failed(long)).await.must("take a long error");
    cut(setup.slots("s", 1).await.must("read slots")[0].error.as_deref(), "the error of a slot");
}

pub(super) async fn any_text_is_kept_as_it_is(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let texts = [
        "'; DROP TABLE runs; --",
        "\"\\\n\t",
        "日本語 🦀",
        " spaces ",
        "null",
        "0",
        "\u{feff}e\u{301}",
        "%_*?",
    ];
    for text in texts {
        let host = setup.host(text).await;
        let run = NewRun::new(text, text).pattern(Pattern::Periodic).label(text, text).unique_key(text);
        let held = setup.running(host, run.clone()).await;
        setup.note(held.run.id, &format!("{text}\0")).await.must("take any note");
        let outcome = Outcome::failed(format!("{text}\0{text}")).result(text);
        setup.finish(held.lease, outcome).await.must("take any error");
        let found = setup.snapshot(held.run.id).await;
        assert_eq!((found.run.name.as_str(), &found.run.labels), (text, &run.labels), "as it was enqueued");
        assert_eq!((found.run.unique_key.as_deref(), found.run.pattern), (Some(text), Pattern::Periodic));
        assert_eq!((&found.payload[..], found.result.as_deref()), (text.as_bytes(), Some(text.as_bytes())));
        assert_eq!(found.run.error, Some(format!("{text}\0{text}")), "as it was told");
        assert_eq!(found.events[2].text, Some(format!("{text}\0")), "as it was told");
        let listed = setup.all(RunFilter::new().name(text).label(text, text), 10).await;
        assert_eq!(listed, [found.run], "found by its name and label");
        let hosts = setup.hosts().await.must("list hosts");
        assert!(hosts.iter().any(|known| known.id == host && known.name == text), "the host {text:?}");
    }
    let bytes: Vec<u8> = (0..=255).collect();
    let id = setup.accept(NewRun::new("bytes", bytes.clone())).await;
    assert_eq!(setup.payload(id).await.must("read a payload"), bytes, "a payload is bytes, not text");
    let id = setup.accept(NewRun::new("empty", "")).await;
    assert_eq!(setup.payload(id).await.must("read a payload"), "", "an empty payload is one");
    setup.end_queued(id, Outcome::failed("").result("")).await.must("close a queued run");
    assert_eq!(setup.result(id).await.must("read a result"), Some("".into()), "an empty result is one");
}

pub(super) async fn times_are_kept_to_the_millisecond(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let host = setup.host("h").await;
    let odd = Duration::from_nanos(1_999_999);
    let late = Duration::from_secs(250 * 365 * 86_400);
    for wall in [SystemTime::UNIX_EPOCH - late, SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + late] {
        setup.clock.set_wall(wall + odd);
        let now = setup.clock.now().stored();
        let held = setup.running(host, NewRun::new("then", "").not_before(wall)).await;
        setup.finish(held.lease, Outcome::succeeded()).await.must("finish a run that is held");
        let found = setup.snapshot(held.run.id).await;
        assert_eq!((found.run.created_at, found.run.not_before), (now, now), "to the millisecond");
        assert_eq!((found.run.started_at, found.run.ended_at), (Some(now), Some(now)), "to the millisecond");
        assert!(found.events.iter().all(|event| event.at == now), "to the millisecond: {found:#?}");
        let SlotClaim::Won(lease) = setup.claim_slot(host, "s", wall + odd).await.must("claim a slot") else {
            panic!("a slot that nobody has claimed is won by who claims it")
        };
        assert_eq!(lease.at, now, "a slot's time is a whole millisecond");
        let again = setup.claim_slot(host, "s", now).await.must("claim a slot");
        assert!(matches!(&again, SlotClaim::Taken(slot) if slot.at == now), "it is the same slot: {again:?}");
        setup.finish_slot(lease, Outcome::succeeded()).await.must("finish a slot that is held");
    }
}
