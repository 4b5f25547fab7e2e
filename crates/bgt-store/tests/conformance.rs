//! Every backend of this crate passes the suite.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use bgt_store::conformance::Backend;
use bgt_store::{
    Claim, Durability, ManualClock, MemoryStore, NewHost, NewRun, Outcome, Retention, SqliteStore, Store,
    async_trait,
};
use bgt_testkit::Scratch;

#[derive(Default)]
struct Memory {
    clock: ManualClock,
}

#[async_trait]
impl Backend for Memory {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(MemoryStore::with_clock(self.clock.clone()))
    }

    fn clock(&self) -> ManualClock {
        self.clock.clone()
    }

    fn survives_restart(&self) -> bool {
        false
    }
}

struct Sqlite {
    folder: Scratch,
    clock: ManualClock,
    durability: Durability,
    /// Kept for as long as their stores are in use.
    copies: Mutex<Vec<Scratch>>,
}

impl Sqlite {
    fn new(durability: Durability) -> Self {
        Self { folder: Scratch::new(), clock: ManualClock::new(), durability, copies: Mutex::default() }
    }

    async fn at(&self, folder: &Scratch) -> Arc<dyn Store> {
        let store = SqliteStore::builder(folder.path("runs.db"))
            .clock(self.clock.clone())
            .durability(self.durability)
            .open()
            .await;
        Arc::new(store.expect("a store that opens"))
    }
}

#[async_trait]
impl Backend for Sqlite {
    async fn open(&self) -> Arc<dyn Store> {
        self.at(&self.folder).await
    }

    fn clock(&self) -> ManualClock {
        self.clock.clone()
    }

    async fn torn(&self, seed: u64) -> Option<Arc<dyn Store>> {
        let copy = Scratch::new();
        for name in ["runs.db", "runs.db-wal"] {
            std::fs::copy(self.folder.path(name), copy.path(name)).expect("a file of a store that is open");
        }
        tear(&copy.path("runs.db-wal"), seed);
        let store = self.at(&copy).await;
        self.copies.lock().expect("no panic under the lock").push(copy);
        Some(store)
    }
}

/// Cuts off the end of a write-ahead log, or writes something else over it.
fn tear(log: &Path, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut file = std::fs::File::options().read(true).write(true).open(log).expect("the copy of the log");
    let length = file.metadata().expect("the length of the log").len();
    let place = random.u64(0..length);
    match seed % 3 {
        0 => file.set_len(place).expect("a log that is cut off"),
        // One bit, somewhere; all after it is of no use.
        1 => {
            let mut byte = [0];
            file.seek(SeekFrom::Start(place)).expect("a place in the log");
            file.read_exact(&mut byte).expect("a byte of the log");
            file.seek(SeekFrom::Start(place)).expect("a place in the log");
            file.write_all(&[byte[0] ^ (1 << random.u32(0..8))]).expect("a changed byte");
        }
        // Blocks that the disk had not written yet.
        _ => {
            let mut noise = vec![0; usize::try_from(length - place).expect("a log that fits into memory")];
            if random.bool() {
                random.fill(&mut noise);
            }
            file.seek(SeekFrom::Start(place)).expect("a place in the log");
            file.write_all(&noise).expect("noise");
        }
    }
}

bgt_store::conformance!(memory, Memory::default());
bgt_store::conformance!(sqlite, Sqlite::new(Durability::Full));

/// What no case can see: rows that nothing leads to any more.
#[tokio::test]
async fn a_forgotten_run_leaves_no_row_behind() {
    let backend = Sqlite::new(Durability::Full);
    let store = backend.open().await;
    let host = store.register(NewHost::new("h")).await.unwrap();
    let run = NewRun::new("gone", "payload").label("plain", "x").label("quo\"te'd\\\u{1}", "\n");
    store.enqueue(vec![run]).await.unwrap();
    let held = store.claim(Claim::new(host, "default", 1)).await.unwrap().runs.remove(0);
    store.finish(held.lease, Outcome::succeeded().result("answer")).await.unwrap();
    let connection = rusqlite::Connection::open(backend.folder.path("runs.db")).unwrap();
    let rows = |table| {
        let query = format!("SELECT count(*) FROM {table}");
        connection.query_row(&query, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let tables = ["runs", "payloads", "results", "labels", "attempts", "events"];
    // The first event is in the row of the run.
    assert_eq!(tables.map(rows), [1, 1, 1, 2, 1, 2]);
    store.prune(Retention::new().keep(0), 10).await.unwrap();
    assert_eq!(tables.map(rows), [0; 6]);
}

#[tokio::test]
async fn all_cases_can_be_run_without_the_macro() {
    bgt_store::conformance::run_all(Memory::default).await;
}
