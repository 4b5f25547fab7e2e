//! What a batch has behind it, by key.

use bgt_core::Status;

use super::Backend;
use super::support::{MILLISECOND, Must, Setup, refused};
use crate::{Clock, JournalEntry, StoreError};

fn entry(key: &str) -> JournalEntry {
    JournalEntry::new(key, Status::Succeeded).value(format!("value of {key}"))
}

async fn keys(setup: &Setup, journal: &str, size: usize) -> Vec<String> {
    let (mut keys, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = setup.entries(journal, after.as_deref(), size).await.must("read a journal");
        assert!(page.len() <= size, "a page of {size} has {} entries", page.len());
        let goes_on = page.iter().all(|entry| Some(&entry.key) > after.as_ref());
        assert!(goes_on, "a page has what comes after {after:?} in the order of the bytes: {page:?}");
        keys.extend(page.iter().map(|entry| entry.key.clone()));
        match page.last() {
            Some(last) => after = Some(last.key.clone()),
            None => return keys,
        }
    }
}

pub(super) async fn an_entry_is_kept_and_replaced(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let find = |key: &'static str| async { setup.entry("j", key).await.must("read an entry") };
    assert_eq!(find("k").await, None, "nothing was written");
    for status in Status::ALL {
        setup.clock.advance(MILLISECOND);
        let new = JournalEntry::new("k", status).value(vec![0, 159, 146, 150]);
        setup.record("j", vec![new.clone()]).await.must("write an entry, whatever its status");
        let wanted = JournalEntry { at: setup.clock.now().stored(), ..new };
        assert_eq!(
            find("k").await,
            Some(wanted),
            "the latest entry under a key, with the time of its writing"
        );
    }
    let twice = vec![entry("twice").value("first"), entry("other"), entry("twice").value("second")];
    setup.record("j", twice).await.must("write two entries under one key");
    assert_eq!(
        find("twice").await.map(|entry| entry.value),
        Some("second".into()),
        "the latest is the last one"
    );
    assert_eq!(keys(&setup, "j", 10).await, ["k", "other", "twice"], "one entry under each key");
    setup.record("j", Vec::new()).await.must("write no entries at all");
}

pub(super) async fn entries_are_in_the_order_of_their_bytes(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let mut wanted = [
        "b",
        "a",
        "B",
        "10",
        "9",
        "aa",
        "a\u{1}",
        "ä",
        "z",
        "\u{ffff}",
        "\u{10000}",
        " ",
        "a b",
        "%",
        "_",
        "\n",
    ];
    setup.record("j", wanted.iter().map(|key| entry(key)).collect()).await.must("write entries");
    wanted.sort_unstable_by_key(|key| key.as_bytes());
    assert_eq!(keys(&setup, "j", 1000).await, wanted, "the keys in the order of their bytes");
    for key in wanted {
        let found = setup.entry("j", key).await.must("read an entry");
        assert_eq!(found.map(|found| found.value), Some(entry(key).value), "the entry under {key:?}");
    }
}

pub(super) async fn pages_of_every_size_are_the_same_journal(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let wanted: Vec<String> = (10..33).map(|number| number.to_string()).collect();
    setup.record("j", wanted.iter().map(|key| entry(key)).collect()).await.must("write entries");
    for size in 1..=wanted.len() + 1 {
        assert_eq!(keys(&setup, "j", size).await, wanted, "all pages of {size}");
    }
    let after = setup.entries("j", Some("305"), 10).await.must("read from a key that is not there");
    let after: Vec<_> = after.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(after, ["31", "32"], "what comes after a key need not be after an entry");
    let all = setup.entries("j", Some(""), 1000).await.must("read from the empty key");
    assert_eq!(all.len(), wanted.len(), "every key comes after the empty one");
}

pub(super) async fn journals_are_apart_and_erased_as_a_whole(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let names = ["a", "A", "aa", "a/b", "ä", "%"];
    for name in names {
        let entries = vec![entry("k").value(name), entry("l")];
        setup.record(name, entries).await.must("write entries");
    }
    assert_eq!(setup.erase("a").await.must("erase a journal"), 2, "how many entries it had");
    assert_eq!(setup.erase("a").await.must("erase what is not there"), 0, "how many entries it had");
    assert_eq!(keys(&setup, "a", 10).await, [""; 0], "an erased journal has no entries");
    for name in &names[1..] {
        let found = setup.entry(name, "k").await.must("read an entry");
        assert_eq!(found.map(|entry| entry.value), Some((*name).into()), "the journal {name:?} is another");
        assert_eq!(keys(&setup, name, 10).await, ["k", "l"], "the journal {name:?} is another");
    }
    setup.record("a", vec![entry("new")]).await.must("write to a journal that was erased");
    assert_eq!(keys(&setup, "a", 10).await, ["new"], "nothing comes back");
}

pub(super) async fn one_bad_entry_and_none_is_written(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    setup.record("j", vec![entry("before")]).await.must("write an entry");
    for bad in ["", "a\0b"] {
        let entries = vec![entry("before").value("changed"), entry("new"), entry(bad)];
        let answer = setup.record("j", entries).await;
        refused!(answer, StoreError::Invalid { .. }, "an entry under the key {bad:?}");
    }
    assert_eq!(keys(&setup, "j", 10).await, ["before"], "one bad entry, and none of the others is written");
    let kept = setup.entry("j", "before").await.must("read an entry");
    assert_eq!(kept.map(|kept| kept.value), Some(entry("before").value), "nor replaced");
}
