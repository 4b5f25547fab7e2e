//! kill −9 in the middle of heavy writing: what was acknowledged is there, and what was not is whole or absent.
//!
//! A child of this very program works on a store and says on its stdout what was acknowledged, after it was. That
//! output is the ledger: it is in the hands of the parent, whatever happens to the child. `BGT_CRASH_ROUNDS=500` makes
//! more of it, `BGT_CRASH_SEED` makes the same of it again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use bgt_store::{
    Adopt, Claim, Durability, JournalEntry, JournalStore, LeaseStore, NewHost, NewRun, Outcome, Page,
    Requeue, RunEventKind, RunFilter, RunId, RunStore, SlotClaim, SlotStore, SqliteStore, Status,
};
use bgt_testkit::{Scratch, under_wine};

/// How many rounds share one file.
const ROUNDS_A_FILE: u64 = 25;

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    // Wine takes its time to start a program.
    let rounds: u64 = number("BGT_CRASH_ROUNDS", if under_wine() { 3 } else { 12 });
    let seed = number("BGT_CRASH_SEED", fastrand::u64(..));
    println!("{rounds} rounds, seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut acknowledged = 0;
    let mut round = 0;
    while round < rounds {
        let scratch = Scratch::new();
        let path = scratch.path("runs.db");
        let mut ledger = Ledger::default();
        for _ in 0..ROUNDS_A_FILE.min(rounds - round) {
            let before = ledger.lines;
            ledger.follow(&path, &mut random, round);
            assert!(ledger.lines > before, "round {round} was killed before anything was acknowledged");
            check(&path, &ledger).await;
            round += 1;
        }
        settle(&path, &ledger).await;
        acknowledged += ledger.lines;
    }
    println!("{acknowledged} acknowledged writes, 0 lost");
}

/// What a child said.
#[derive(Default)]
struct Ledger {
    lines: u64,
    enqueued: HashSet<RunId>,
    ended: HashMap<RunId, Status>,
    tokens: HashSet<u64>,
    attempts: HashSet<(RunId, u32)>,
    journal: BTreeMap<String, String>,
    slots: HashSet<u64>,
}

impl Ledger {
    /// Lets a child work, and kills it at some moment.
    fn follow(&mut self, path: &Path, random: &mut fastrand::Rng, round: u64) {
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        let mut child = child
            .args(["--exact", "worker", "--ignored", "--nocapture", "--test-threads=1"])
            .env("BGT_CRASH_FILE", path)
            .env("BGT_CRASH_ROUND", round.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        // By what it has done and not by time alone, so that a slow machine kills no child that has done nothing.
        let (lines, later) = (random.u64(1..1500), Duration::from_micros(random.u64(0..5_000)));
        let mut line = String::new();
        let mut seen = 0;
        loop {
            line.clear();
            let length = output.read_line(&mut line).expect("output in UTF-8");
            if length == 0 {
                break;
            }
            if line.ends_with('\n') && self.note(line.trim_end()) {
                seen += 1;
                if seen == lines {
                    std::thread::sleep(later);
                    child.kill().expect("a child that was killed");
                }
            }
        }
        let status = child.wait().expect("an end");
        assert!(!status.success() && seen >= lines, "the child ended by itself after {seen} lines: {status}");
    }

    /// Whether it was a line for the ledger.
    fn note(&mut self, line: &str) -> bool {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["enqueued", id] => self.enqueued.insert(id.parse().expect("an id")),
            ["claimed", id, attempt, token] => {
                let (id, attempt) = (id.parse().expect("an id"), attempt.parse().expect("a number"));
                assert!(self.attempts.insert((id, attempt)), "attempt {attempt} of {id} was claimed twice");
                assert!(self.tokens.insert(token.parse().expect("a token")), "token {token} was given twice");
                true
            }
            ["adopted", token] => {
                assert!(self.tokens.insert(token.parse().expect("a token")), "token {token} was given twice");
                true
            }
            ["ended", id, status] => {
                let (id, status) = (id.parse().expect("an id"), status.parse().expect("a status"));
                assert_eq!(self.ended.insert(id, status), None, "{id} ended twice");
                true
            }
            ["journaled", key, value] => {
                self.journal.insert(key.to_owned(), value.to_owned());
                true
            }
            ["fired", slot] => self.slots.insert(slot.parse().expect("a number")),
            _ => return false,
        };
        self.lines += 1;
        true
    }
}

/// Everything that was acknowledged is there, and everything that is there is whole.
async fn check(path: &Path, ledger: &Ledger) {
    let store = SqliteStore::open(path).await.expect("a store that opens after a crash");
    let mut found = HashMap::new();
    let mut page = Page::first(1000);
    loop {
        let runs = store.list(RunFilter::new(), page).await.expect("a page");
        found.extend(runs.runs.into_iter().map(|run| (run.id, run)));
        let Some(next) = runs.next else { break };
        page = Page::after(next, 1000);
    }
    for id in &ledger.enqueued {
        assert!(found.contains_key(id), "run {id} was acknowledged and is lost");
    }
    for (id, status) in &ledger.ended {
        assert_eq!(found[id].status, *status, "run {id} was acknowledged as {status}");
    }
    for (key, value) in &ledger.journal {
        let entry = store.entry("journal", key).await.expect("an answer");
        let entry = entry.unwrap_or_else(|| panic!("journal entry {key} was acknowledged and is lost"));
        // What was written after the last line that arrived may be there too, and is newer.
        let (kept, told): (u64, u64) = (
            String::from_utf8_lossy(&entry.value).parse().expect("a number"),
            value.parse().expect("a number"),
        );
        assert!(kept >= told, "journal entry {key} fell back from {told} to {kept}");
    }
    // A sample of the histories: all of them would take longer than everything else.
    for run in found.values().take(200) {
        let events = store.events(run.id, 0, 1000).await.expect("a history");
        assert!(events.iter().map(|event| event.seq).eq(1..=run.events), "{run:?} {events:?}");
        let attempts = store.attempts(run.id).await.expect("attempts");
        assert!(attempts.iter().map(|attempt| attempt.number).eq(1..=run.attempt), "{run:?} {attempts:?}");
        assert_eq!(run.status == Status::Running, run.owner.is_some(), "{run:?}");
        let last = events.last().expect("a first event").kind;
        assert_eq!(run.status.is_final(), last == RunEventKind::Ended, "{run:?} {events:?}");
        assert_eq!(store.payload(run.id).await.expect("a payload"), run.id.to_string());
    }
    store.close().await;
}

/// Whoever comes after the last crash can bring everything to its end: nothing is stuck.
async fn settle(path: &Path, ledger: &Ledger) {
    let store = SqliteStore::open(path).await.expect("a store that opens after a crash");
    let host = store.register(NewHost::new("settle")).await.expect("a host");
    loop {
        let mut held = store.adopt(Adopt::new(host, 1000)).await.expect("what crashed hosts held");
        held.extend(store.claim(Claim::new(host, "default", 1000)).await.expect("what was queued").runs);
        let mut ending = tokio::task::JoinSet::new();
        for held in held {
            assert!(!ledger.tokens.contains(&held.lease.token), "a token was given twice");
            let store = store.clone();
            ending.spawn(async move { store.finish(held.lease, Outcome::succeeded()).await });
        }
        while let Some(ended) = ending.join_next().await {
            ended.expect("no panic").expect("a lease that is valid");
        }
        let open = RunFilter::new().status(Status::Queued).status(Status::Running);
        if store.count(open).await.expect("counts").is_empty() {
            break;
        }
        // Leases of those that were killed last run out within 100 ms.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let slots = store.slots("schedule", 1000).await.expect("slots");
    let fired: HashSet<u64> =
        slots.iter().filter(|slot| slot.status.is_some()).map(|slot| number(slot.at)).collect();
    let oldest = slots.last().map_or(0, |slot| number(slot.at));
    let lost: Vec<_> = ledger.slots.iter().filter(|slot| **slot >= oldest && !fired.contains(slot)).collect();
    assert!(lost.is_empty(), "slots that were acknowledged as fired are not: {lost:?}");
    store.close().await;
    let connection = rusqlite::Connection::open(path).expect("a database");
    let sound: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(sound, "ok");
}

fn number(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970").as_secs()
}

fn say(line: std::fmt::Arguments<'_>) {
    // One write a line: what was killed in the middle of one is seen as not complete.
    let line = format!("{line}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).expect("a parent that reads");
}

/// The child. Works until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the other test"]
async fn worker() {
    let Ok(path) = std::env::var("BGT_CRASH_FILE") else { return };
    let round: u64 = std::env::var("BGT_CRASH_ROUND").expect("a round").parse().expect("a number");
    let durability = if round % 2 == 0 { Durability::Full } else { Durability::Process };
    let store = SqliteStore::builder(path).durability(durability).open().await.expect("a store");
    let host = NewHost::new(format!("round {round}")).lease(Duration::from_millis(100));
    let host = store.register(host).await.expect("a host");
    for held in store.adopt(Adopt::new(host, 1000)).await.expect("what earlier rounds held") {
        say(format_args!("adopted {}", held.lease.token));
        store.finish(held.lease, Outcome::new(Status::Lost)).await.expect("a valid lease");
        say(format_args!("ended {} lost", held.run.id));
    }
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        tasks.spawn(enqueue(store.clone(), n));
    }
    for _ in 0..3 {
        tasks.spawn(work(store.clone(), host));
    }
    tasks.spawn(keep_journal(store.clone(), round));
    tasks.spawn(fire(store.clone(), host, round));
    while let Some(ended) = tasks.join_next().await {
        ended.expect("tasks without end");
    }
}

async fn enqueue(store: SqliteStore, n: u64) {
    for turn in 0_u64.. {
        let run = || {
            let id = RunId::new();
            let run = NewRun::new("crash", id.to_string()).id(id).label("n", n.to_string());
            if turn % 50 == 0 { run.label("large", "x".repeat(500)) } else { run }
        };
        let many = if turn % 10 == 0 { 20 } else { 1 };
        for enqueued in store.enqueue((0..many).map(|_| run()).collect()).await.expect("accepted runs") {
            say(format_args!("enqueued {}", enqueued.id));
        }
    }
}

async fn work(store: SqliteStore, host: bgt_store::HostId) {
    loop {
        for held in store.claim(Claim::new(host, "default", 4)).await.expect("runs").runs {
            say(format_args!("claimed {} {} {}", held.run.id, held.lease.attempt, held.lease.token));
            if held.lease.attempt == 1 && held.lease.token % 4 == 0 {
                let again = Requeue::after(Status::Failed).error("once more");
                store.requeue(held.lease, again).await.expect("a valid lease");
                continue;
            }
            let outcome = if held.lease.token % 3 == 0 {
                Outcome::failed("x".repeat(2000))
            } else {
                Outcome::succeeded().result("result")
            };
            let status = outcome.status;
            store.finish(held.lease, outcome).await.expect("a valid lease");
            say(format_args!("ended {} {status}", held.run.id));
        }
    }
}

async fn keep_journal(store: SqliteStore, round: u64) {
    for n in 0_u64.. {
        let (key, value) = (format!("key-{}", n % 50), (round << 32 | n).to_string());
        let entry = JournalEntry::new(&key, Status::Succeeded).value(value.clone());
        store.record("journal", vec![entry]).await.expect("a written entry");
        say(format_args!("journaled {key} {value}"));
    }
}

async fn fire(store: SqliteStore, host: bgt_store::HostId, round: u64) {
    for n in 0_u64.. {
        let slot = (round << 24) + n;
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(slot);
        match store.claim_slot(host, "schedule", at).await.expect("a slot") {
            SlotClaim::Won(lease) => {
                store.finish_slot(lease, Outcome::succeeded()).await.expect("a valid lease");
                say(format_args!("fired {slot}"));
            }
            other => panic!("slot {slot} of this round was fired before: {other:?}"),
        }
    }
}
