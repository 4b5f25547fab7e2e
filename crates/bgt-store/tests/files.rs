//! What may be at the path of a store, and what is made there.
#![cfg(feature = "sqlite")]

mod support;

use std::fs;
use std::path::Path;

use bgt_store::{FaultKind, StoreError};
use bgt_testkit::Scratch;
use support::{assert_fault, assert_whole, beside, cause, open, put, try_open};

async fn refused(path: &Path) -> StoreError {
    match try_open(path).await {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn what_is_no_database_is_corrupt_and_stays_as_it_is() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let mut header = b"SQLite format 3\0".to_vec();
    header.extend([0xA5; 8000]);
    for bytes in
        [b"x".as_slice(), b"SQLite format 3\0", b"just a text\n", &[0; 4096], &[0xFF; 70_000], &header]
    {
        fs::write(&path, bytes).unwrap();
        let error = refused(&path).await;
        assert_fault(&error, FaultKind::Corrupt, &path, "restore a backup");
        cause(&error);
        assert!(fs::read(&path).unwrap() == bytes, "{} bytes were changed", bytes.len());
        assert_eq!(fs::read_dir(scratch.dir()).unwrap().count(), 1, "something was left beside it");
    }
}

#[tokio::test]
async fn an_empty_file_becomes_a_store() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    fs::write(&path, "").unwrap();
    let store = open(&path).await;
    let id = put(&store, "first").await.unwrap();
    assert_whole(&store, &[id]).await;
    store.close().await;
}

#[tokio::test]
async fn where_no_file_can_be_is_unavailable() {
    let scratch = Scratch::new();
    let folder = scratch.path("folder");
    fs::create_dir(&folder).unwrap();
    let file = scratch.path("file");
    fs::write(&file, "").unwrap();
    for path in [folder, scratch.path("missing").join("runs.db"), file.join("runs.db")] {
        let error = refused(&path).await;
        assert_fault(&error, FaultKind::Unavailable, &path, "check that its folder exists");
        cause(&error);
    }
    assert!(!scratch.path("missing").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_nothing_is_unavailable_and_one_to_a_store_is_that_store() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("data")).unwrap();
    let (link, real) = (scratch.path("runs.db"), scratch.path("data").join("real.db"));
    std::os::unix::fs::symlink(&real, &link).unwrap();
    assert_fault(&refused(&link).await, FaultKind::Unavailable, &link, "check that");

    let direct = open(&real).await;
    let first = put(&direct, "through its name").await.unwrap();
    let linked = open(&link).await;
    let second = put(&linked, "through the link").await.unwrap();
    assert_whole(&direct, &[first, second]).await;
    assert_whole(&linked, &[first, second]).await;

    fs::remove_file(&link).unwrap();
    assert_fault(&put(&linked, "x").await.unwrap_err(), FaultKind::Removed, &link, "put it back");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    put(&linked, "again").await.unwrap();
    linked.close().await;
    direct.close().await;
}

#[tokio::test]
async fn an_empty_path_is_refused_by_name() {
    let error = refused(Path::new("")).await;
    assert!(matches!(error, StoreError::Invalid { .. }), "{error:?}");
    assert!(error.to_string().contains("the path of a store is empty"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn names_that_mean_something_to_sqlite_are_plain_files() {
    let scratch = Scratch::new();
    for name in [
        ":memory:",
        "file:x?mode=memory",
        "file::memory:?cache=shared",
        "a?b#c%20d",
        "with 'quotes'\"",
        "ä\u{1f600}",
    ] {
        let path = scratch.path(name);
        let store = open(&path).await;
        let id = put(&store, "x").await.unwrap();
        store.backup(scratch.path(format!("{name}.backup"))).await.unwrap();
        store.close().await;
        assert!(path.metadata().unwrap().len() > 0, "{name:?} is no file");
        for path in [path, scratch.path(format!("{name}.backup"))] {
            let store = open(&path).await;
            assert_whole(&store, &[id]).await;
            store.close().await;
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn memory_in_the_current_folder_is_a_plain_file_too() {
    let scratch = Scratch::new();
    let mut there = support::Other::command("plays_somebody_in_a_folder", "");
    there.current_dir(scratch.dir());
    support::Other::of(there).unwrap().end();
    assert!(scratch.path(":memory:").metadata().unwrap().len() > 0);
    assert_eq!(fs::read_dir(scratch.dir()).unwrap().count(), 1);
}

#[ignore = "plays another process"]
#[tokio::test]
async fn plays_somebody_in_a_folder() {
    if support::role().is_some() {
        let store = open(Path::new(":memory:")).await;
        put(&store, "x").await.unwrap();
        store.close().await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_path_that_is_no_text_is_a_path() {
    use std::os::unix::ffi::OsStrExt;
    if cfg!(target_os = "macos") {
        bgt_testkit::skip!("a_path_that_is_no_text_is_a_path", "the file system here takes Unicode only");
        return;
    }
    let scratch = Scratch::new();
    let path = scratch.path(std::ffi::OsStr::from_bytes(b"runs-\xFF.db"));
    let store = open(&path).await;
    let id = put(&store, "x").await.unwrap();
    assert!(support::ids(&store).await.contains(&id));
    store.close().await;
    assert!(path.exists());
}

#[tokio::test]
async fn damage_in_the_middle_is_corrupt_where_it_is_met() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let store = open(&path).await;
    for n in 0..300 {
        put(&store, &format!("{n} {}", "x".repeat(400))).await.unwrap();
    }
    let good = scratch.path("good.db");
    store.close().await;
    fs::copy(&path, &good).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let (from, to) = (4096 * 4, bytes.len() - 4096);
    bytes[from..to].fill(0xA5);
    fs::write(&path, &bytes).unwrap();

    // Where the damage is told depends on what is read first.
    let error = match try_open(&path).await {
        Err(error) => error,
        Ok(store) => {
            let read =
                bgt_store::RunStore::list(&store, Default::default(), bgt_store::Page::first(1000)).await;
            let error = read.unwrap_err();
            assert_fault(&put(&store, "x").await.unwrap_err(), FaultKind::Corrupt, &path, "restore a backup");
            assert_fault(&put(&store, "x").await.unwrap_err(), FaultKind::Corrupt, &path, "restore a backup");
            error
        }
    };
    assert_fault(&error, FaultKind::Corrupt, &path, "restore a backup");
    cause(&error);
}

#[tokio::test]
async fn a_backup_put_in_the_place_of_a_damaged_file_is_used_at_once() {
    if cfg!(windows) {
        bgt_testkit::skip!(
            "a_backup_put_in_the_place_of_a_damaged_file_is_used_at_once",
            "an open file cannot be replaced here"
        );
        return;
    }
    let scratch = Scratch::new();
    let (path, backup) = (scratch.path("runs.db"), scratch.path("backup.db"));
    let store = open(&path).await;
    let id = put(&store, "kept").await.unwrap();
    store.backup(&backup).await.unwrap();
    let damaged = rusqlite::Connection::open(&path).unwrap();
    damaged.execute("UPDATE runs SET status = 'nonsense'", []).unwrap();
    drop(damaged);
    let error = bgt_store::RunStore::run(&store, id).await.unwrap_err();
    assert_fault(&error, FaultKind::Corrupt, &path, "restore a backup");

    fs::rename(&backup, &path).unwrap();
    let next = put(&store, "next").await.unwrap();
    assert_whole(&store, &[id, next]).await;
    store.close().await;
}

/// Another program's database, closed; with its write-ahead log unfinished, as after a crash, if `is_hot`.
fn foreign(path: &Path, sql: &str, is_hot: bool) {
    let scratch = Scratch::new();
    let made = scratch.path("made.db");
    let connection = rusqlite::Connection::open(&made).unwrap();
    if is_hot {
        connection.execute_batch("PRAGMA journal_mode = wal").unwrap();
    }
    connection.execute_batch(sql).unwrap();
    for suffix in ["", "-wal"] {
        if beside(&made, suffix).exists() {
            fs::copy(beside(&made, suffix), beside(path, suffix)).unwrap();
        }
    }
}

#[tokio::test]
async fn a_database_of_something_else_or_of_a_later_version_stays_byte_for_byte() {
    let newer = FaultKind::Newer { found: 99, known: 1 };
    let (other, update) = ("use another path", "update the program");
    let cases = [
        ("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)", FaultKind::Foreign, other),
        ("PRAGMA application_id = 1; PRAGMA user_version = 1", FaultKind::Foreign, other),
        ("PRAGMA user_version = 1", FaultKind::Foreign, other),
        (
            "PRAGMA application_id = 0x62677473; PRAGMA user_version = 99; CREATE TABLE later (x)",
            newer,
            update,
        ),
    ];
    for (sql, kind, way_out) in cases {
        for is_hot in [false, true] {
            let scratch = Scratch::new();
            let path = scratch.path("theirs.db");
            foreign(&path, sql, is_hot);
            let files = || ["", "-wal"].map(|suffix| fs::read(beside(&path, suffix)).ok());
            let before = files();
            assert_eq!(before[1].is_some(), is_hot);
            for _ in 0..2 {
                let error = refused(&path).await;
                assert_fault(&error, kind, &path, way_out);
                if kind == newer {
                    assert!(
                        error.to_string().contains("version 99") && error.to_string().contains("up to 1"),
                        "{error}"
                    );
                }
                assert!(files() == before, "{sql} was changed (unfinished log: {is_hot})");
            }
        }
    }
}

#[tokio::test]
async fn a_foreign_database_that_was_closed_has_nothing_left_beside_it() {
    let scratch = Scratch::new();
    let path = scratch.path("theirs.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE theirs (x)").unwrap();
    drop(connection);
    assert_fault(&refused(&path).await, FaultKind::Foreign, &path, "use another path");
    assert_eq!(fs::read_dir(scratch.dir()).unwrap().count(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let (path, backup) = (scratch.path("runs.db"), scratch.path("backup.db"));
    let store = open(&path).await;
    put(&store, "x").await.unwrap();
    store.backup(&backup).await.unwrap();
    for file in [beside(&path, "-wal"), beside(&path, "-shm"), path, backup] {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
    store.close().await;
}

#[tokio::test]
async fn a_backup_that_cannot_be_written_names_its_place_and_leaves_what_is_there() {
    let scratch = Scratch::new();
    let store = open(&scratch.path("runs.db")).await;
    put(&store, "x").await.unwrap();

    let missing = scratch.path("missing").join("backup.db");
    let error = store.backup(&missing).await.unwrap_err();
    assert_fault(&error, FaultKind::Unavailable, &missing, "check that its folder exists");
    cause(&error);

    let taken = scratch.path("taken");
    fs::write(&taken, "mine").unwrap();
    let error = store.backup(&taken).await.unwrap_err();
    assert!(error.to_string().contains(&format!("{taken:?}")), "{error}");
    assert!(error.to_string().contains("does not exist"), "{error}");
    assert_eq!(scratch.read("taken"), "mine");
    let own = store.backup(scratch.path("runs.db")).await.unwrap_err();
    assert!(own.to_string().contains("does not exist"), "{own}");
    put(&store, "y").await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_folder_in_the_place_of_the_log_is_unavailable_until_it_is_gone() {
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let store = open(&path).await;
    let id = put(&store, "x").await.unwrap();
    store.close().await;
    fs::create_dir(beside(&path, "-wal")).unwrap();
    let error = refused(&path).await;
    assert_fault(&error, FaultKind::Unavailable, &path, "check that");
    cause(&error);
    fs::remove_dir(beside(&path, "-wal")).unwrap();
    let store = open(&path).await;
    assert_whole(&store, &[id]).await;
    store.close().await;
}

#[cfg(windows)]
#[tokio::test]
async fn the_attribute_read_only_is_a_fault_until_it_is_gone() {
    if bgt_testkit::under_wine() {
        let reason = "Wine keeps the attribute as a permission, which may mean nothing to who runs it";
        bgt_testkit::skip!("the_attribute_read_only_is_a_fault_until_it_is_gone", reason);
        return;
    }
    let scratch = Scratch::new();
    let path = scratch.path("runs.db");
    let read_only = |is| {
        let mut permissions = path.metadata().unwrap().permissions();
        permissions.set_readonly(is);
        fs::set_permissions(&path, permissions).unwrap();
    };
    let store = open(&path).await;
    let mut acknowledged = vec![put(&store, "first").await.unwrap()];
    // Nothing is taken from those who have it open.
    read_only(true);
    acknowledged.push(put(&store, "second").await.unwrap());
    let error = refused(&path).await;
    assert_fault(&error, FaultKind::ReadOnly, &path, "check the permissions");
    cause(&error);
    store.close().await;
    let error = refused(&path).await;
    assert_fault(&error, FaultKind::ReadOnly, &path, "check the permissions");
    read_only(false);
    let store = open(&path).await;
    assert_whole(&store, &acknowledged).await;
    store.close().await;
}
