//! What an interpreter is made warm with, what a run sees of that, and when another one is made.
#![cfg(feature = "process")]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bgt_pool::{Command, Isolation, ScriptPool, ScriptPoolBuilder, Secret};
use bgt_testkit::Scratch;
use support::soon;

/// The warm ways of this system; none, and a word why, without Python.
fn ways(test: &str) -> Vec<Isolation> {
    if bgt_testkit::python().is_none() {
        bgt_testkit::skip!(test, "there is no Python here");
        return Vec::new();
    }
    let ways = [Isolation::Zygote, Isolation::Prestarted];
    ways.into_iter().filter(|way| *way != Isolation::Zygote || cfg!(target_os = "linux")).collect()
}

fn has_zygotes(test: &str) -> bool {
    let ways = ways(test);
    let has = ways.contains(&Isolation::Zygote);
    if !has && !ways.is_empty() {
        bgt_testkit::skip!(test, "there are no zygotes here");
    }
    has
}

fn write(scratch: &Scratch, name: &str, source: &str) -> PathBuf {
    let path = scratch.path(name);
    std::fs::write(&path, source).unwrap();
    // So that another change shows: the clock of the file system is coarse.
    let before = std::time::SystemTime::now() - Duration::from_secs(60);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
    path
}

/// A pool whose interpreters find modules in this folder.
fn pool(script: &Path, modules: &Path, way: Isolation) -> ScriptPoolBuilder {
    let setting = |command: Command| command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONPATH", modules);
    ScriptPool::builder(script).isolation(way).size(2).spare(1).command(setting)
}

async fn text(pool: &ScriptPool) -> String {
    let none: [&str; 0] = [];
    soon(pool.run(none).into_future()).await.unwrap().stdout_text().trim_end().replace("\r\n", "\n")
}

/// The linear algebra of numpy does this while it is imported.
#[tokio::test]
async fn modules_that_start_threads_are_served_prestarted_and_that_is_found_out_once() {
    if !has_zygotes("modules_that_start_threads_are_served_prestarted_and_that_is_found_out_once") {
        return;
    }
    let scratch = Scratch::new();
    let source = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n";
    write(&scratch, "threads.py", source);
    let script = write(&scratch, "a.py", "import sys\nprint('threads' in sys.modules)\n");
    let pool = pool(&script, scratch.dir(), Isolation::Zygote).preload(["threads"]).build().unwrap();
    for _ in 0..4 {
        assert_eq!(text(&pool).await, "True");
        let warmth = pool.warmth();
        assert_eq!(warmth.isolation, Isolation::Prestarted, "{warmth:?}");
        assert!(warmth.why.as_deref().unwrap().contains("has started threads"), "{warmth:?}");
    }
    // Neither time nor asking for it makes it worth another try, a change does.
    soon(pool.warm()).await.unwrap();
    assert_eq!(pool.metrics().not_warmed, 1);
    assert!(pool.spares() > 0);
    write(&scratch, "threads.py", "");
    soon(pool.warm()).await.unwrap();
    assert_eq!(text(&pool).await, "True");
    assert_eq!(pool.warmth().isolation, Isolation::Zygote);
}

#[tokio::test]
async fn warming_does_not_count_interpreters_whose_modules_have_changed() {
    let scratch = Scratch::new();
    write(&scratch, "part.py", "PART = 1\n");
    let script = write(&scratch, "a.py", "import part\nprint(part.PART)\n");
    for way in ways("warming_does_not_count_interpreters_whose_modules_have_changed") {
        write(&scratch, "part.py", "PART = 1\n");
        let pool = pool(&script, scratch.dir(), way).spare(2).preload(["part"]).build().unwrap();
        soon(pool.warm()).await.unwrap();
        let warmed = pool.metrics().warmed;
        write(&scratch, "part.py", "PART = 22\n");
        soon(pool.warm()).await.unwrap();
        assert_eq!(pool.metrics().warmed, 2 * warmed, "{way}");
        assert_eq!(text(&pool).await, "22", "{way}");
    }
}

#[tokio::test]
async fn nobody_sees_the_environment_of_another_run() {
    let scratch = Scratch::new();
    write(&scratch, "settings.py", "import os\nSEEN = os.environ.get('OWN', 'none')\n");
    let source = "import os, settings\n\
                  try:\n    block = open('/proc/self/environ', 'rb').read().strip(b'\\0').split(b'\\0')\n\
                  except OSError:\n    block = []\n\
                  own = [word.decode() for word in block if word.startswith((b'OWN', b'KEY', b'BGT_ROOM'))]\n\
                  mine = {os.fsencode(n) + b'=' + os.fsencode(v) for n, v in os.environ.items()}\n\
                  print(settings.SEEN, os.environ.get('OWN'), own, set(block) == mine)\n";
    let script = write(&scratch, "a.py", source);
    for way in ways("nobody_sees_the_environment_of_another_run") {
        let pool = pool(&script, scratch.dir(), way).preload(["settings"]).build().unwrap();
        for name in [Some("alice"), None, Some("bob"), None] {
            let command =
                Command::script(&script).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONPATH", scratch.dir());
            let command = match name {
                Some(name) => command.env("OWN", name).env_secret("KEY", Secret::literal(name)),
                None => command,
            };
            let output = soon(pool.run_command(command).into_future()).await.unwrap();
            let said = output.stdout_text().trim_end().to_owned();
            let own = name.unwrap_or("None");
            let expected = match (way, name) {
                (Isolation::Zygote, Some(name)) => format!("none {own} ['KEY=***', 'OWN={name}'] True"),
                (Isolation::Zygote, None) => format!("none {own} [] True"),
                // What it shows is what it was started with, which is nobody's.
                _ => format!("none {own} [] "),
            };
            let said = said.replace(&format!("KEY={own}"), "KEY=***");
            assert!(said.starts_with(&expected), "{way} {name:?}: {said}");
            assert_eq!(pool.warmth().isolation, way);
        }
        for zygote in pool.zygotes() {
            let block = std::fs::read(format!("/proc/{zygote}/environ")).unwrap();
            let block = String::from_utf8_lossy(&block);
            assert!(!block.contains("alice") && !block.contains("bob") && block.contains("PYTHONPATH"));
        }
    }
}

#[tokio::test]
async fn secrets_are_no_part_of_a_warm_interpreter_unless_it_depends_on_them() {
    let scratch = Scratch::new();
    write(&scratch, "settings.py", "import os\nSEEN = os.environ.get('KEY'), os.environ.get('MODEL')\n");
    let script = write(&scratch, "a.py", "import os, settings\nprint(*settings.SEEN, os.environ['KEY'])\n");
    for way in ways("secrets_are_no_part_of_a_warm_interpreter_unless_it_depends_on_them") {
        let secret =
            |command: Command| command.env("MODEL", "small").env_secret("KEY", Secret::literal("hidden"));
        let builder = || pool(&script, scratch.dir(), way).preload(["settings"]).command(secret);
        assert_eq!(text(&builder().build().unwrap()).await, "None small hidden", "{way}");
        let depends = builder().depends_on(["KEY"]).build().unwrap();
        assert_eq!(text(&depends).await, "hidden small hidden", "{way}");
    }
}
