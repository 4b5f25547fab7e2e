//! What is kept warm for scripts: what it is made with, what becomes of it, and what a run sees of it.
#![cfg(feature = "process")]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bgt_pool::{Command, Isolation, PoolError, ScriptError, ScriptPool, ScriptPoolBuilder, Secret};
use bgt_testkit::Scratch;
use support::{HANG, soon};

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
    let has = ways(test).contains(&Isolation::Zygote);
    if !has {
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

/// Numpy's linear algebra does this while it is imported. Once such a pool was cold for ever.
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

#[tokio::test]
async fn only_a_module_beside_the_script_takes_the_place_of_one_that_was_preloaded() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path("modules")).unwrap();
    let once = "import os\nPID = os.getpid()\n";
    write(&scratch, "modules/part.py", once);
    write(&scratch, "modules/other.py", once);
    let source =
        "import os, part, other\nprint(getattr(part, 'PID', 0) == os.getpid(), part.__file__ or '')\n";
    let script = write(&scratch, "a.py", source);
    for way in ways("only_a_module_beside_the_script_takes_the_place_of_one_that_was_preloaded") {
        let pool = pool(&script, &scratch.path("modules"), way).preload(["part", "other"]).build().unwrap();
        let zygote = way == Isolation::Zygote;
        let theirs = |said: &str| said.ends_with(&scratch.text("modules/part.py").replace('\\', "/"));
        // A file of data, and a folder that is no package.
        write(&scratch, "part.csv", "1,2\n");
        std::fs::create_dir(scratch.path("part")).unwrap();
        let said = text(&pool).await;
        assert!(theirs(&said.replace('\\', "/")), "{way}: {said}");
        assert!(!zygote || said.starts_with("False"), "{way}: it was imported again: {said}");
        std::fs::remove_dir(scratch.path("part")).unwrap();
        // A module.
        write(&scratch, "part.py", "");
        let said = text(&pool).await;
        assert!(said.ends_with(&scratch.text("part.py")), "{way}: {said}");
        assert_eq!(pool.warmth().isolation, way);
        std::fs::remove_file(scratch.path("part.py")).unwrap();
        std::fs::remove_file(scratch.path("part.csv")).unwrap();
    }
}

/// Each that could not be made was missing for ever.
#[tokio::test]
async fn all_spares_are_there_after_some_could_not_be_made() {
    let scratch = Scratch::new();
    let script = write(&scratch, "a.py", "");
    if ways("all_spares_are_there_after_some_could_not_be_made").is_empty() {
        return;
    }
    let pool = pool(&script, scratch.dir(), Isolation::Prestarted).spare(3).preload(["late"]);
    let pool = pool.build().unwrap();
    let error = soon(pool.warm()).await.unwrap_err();
    assert!(format!("{error:#}").contains("late"), "{error}");
    // What it says is for whoever asked for that.
    assert!(matches!(error.find(), Some(ScriptError::NotWarm { .. })), "{error:?}");
    assert!(!format!("{error:#}").contains("refuse_cold"), "{error}");
    write(&scratch, "late.py", "");
    // Dropped half way, too.
    for _ in 0..3 {
        let mut warming = std::pin::pin!(pool.warm());
        for _ in 0..3 {
            let once =
                std::future::poll_fn(|cx| std::task::Poll::Ready(warming.as_mut().poll(cx).is_ready()));
            let _ = once.await;
            tokio::task::yield_now().await;
        }
    }
    // The failure of before is no reason not to try, and who is still at it may yet fail once.
    while soon(pool.warm()).await.is_err() {}
    assert_eq!(pool.spares(), 3);
}

#[tokio::test]
async fn who_warms_waits_for_what_somebody_else_is_making() {
    let scratch = Scratch::new();
    let script = write(&scratch, "a.py", "");
    if ways("who_warms_waits_for_what_somebody_else_is_making").is_empty() {
        return;
    }
    let pool = pool(&script, scratch.dir(), Isolation::Prestarted).spare(3).build().unwrap();
    let other = pool.clone();
    let first = tokio::spawn(async move { other.warm().await });
    tokio::task::yield_now().await;
    soon(pool.warm()).await.unwrap();
    assert_eq!((pool.spares(), pool.metrics().warmed), (3, 3));
    soon(first).await.unwrap().unwrap();
    assert_eq!((pool.spares(), pool.metrics().warmed), (3, 3));
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
async fn a_drained_pool_is_not_made_warm_again() {
    let scratch = Scratch::new();
    for way in ways("a_drained_pool_is_not_made_warm_again") {
        let pool = pool(&write(&scratch, "a.py", ""), scratch.dir(), way).build().unwrap();
        soon(pool.drain(HANG)).await;
        let error = soon(pool.warm()).await.unwrap_err();
        assert!(matches!(error.find(), Some(PoolError::Closed { .. })), "{error:?}");
        assert_eq!((pool.zygotes().len(), pool.spares(), pool.metrics().warmed), (0, 0, 0), "{way}");
    }
}

/// What a zygote had to say was once longer than a message may be.
#[tokio::test]
async fn a_thousand_modules_are_no_matter() {
    let scratch = Scratch::new();
    let package = "a_package_with_a_name_that_is_as_long_as_names_are_where_many_modules_come_from".repeat(2);
    std::fs::create_dir(scratch.path(&package)).unwrap();
    for n in 0..1500 {
        write(&scratch, &format!("{package}/m{n}.py"), "");
    }
    let all =
        format!("from . import {}\n", (0..1500).map(|n| format!("m{n}")).collect::<Vec<_>>().join(", "));
    write(&scratch, &format!("{package}/__init__.py"), &all);
    let script = write(&scratch, "a.py", "import sys\nprint(len(sys.modules) > 1500)\n");
    for way in ways("a_thousand_modules_are_no_matter") {
        let pool = pool(&script, scratch.dir(), way).preload([package.as_str()]).refuse_cold();
        let pool = pool.build().unwrap();
        assert_eq!(text(&pool).await, "True");
        assert_eq!((pool.warmth().isolation, pool.warmth().why), (way, None));
        // The last one is watched, too.
        write(&scratch, &format!("{package}/m1499.py"), "CHANGED = 1\n");
        let warmed = pool.metrics().warmed;
        assert_eq!(text(&pool).await, "True");
        assert!(pool.metrics().warmed > warmed, "{way}");
        write(&scratch, &format!("{package}/m1499.py"), "");
    }
}

#[tokio::test]
async fn what_is_said_of_a_failure_does_not_wait_for_what_it_left_behind() {
    let scratch = Scratch::new();
    let source = "import subprocess, sys\n\
                  subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n\
                  raise ValueError('no such model')\n";
    write(&scratch, "late.py", source);
    let script = write(&scratch, "a.py", "");
    for way in ways("what_is_said_of_a_failure_does_not_wait_for_what_it_left_behind") {
        let pool = pool(&script, scratch.dir(), way).preload(["late"]).build().unwrap();
        let error = soon(pool.warm()).await.unwrap_err();
        assert!(format!("{error:#}").contains("no such model"), "{way}: {error:#}");
    }
}

#[tokio::test]
async fn a_module_that_changes_while_others_are_imported_is_imported_again() {
    let scratch = Scratch::new();
    let script = write(&scratch, "a.py", "import part\nprint(part.PART)\n");
    // It changes what was imported before it, once, and goes on for longer than clocks of files are coarse.
    let source = "import os, time\npath = os.path.join(os.path.dirname(__file__), 'part.py')\n\
                  if open(path).read() == 'PART = 1':\n    open(path, 'w').write('PART = 2')\n    time.sleep(0.3)\n";
    write(&scratch, "slow.py", source);
    for way in ways("a_module_that_changes_while_others_are_imported_is_imported_again") {
        write(&scratch, "part.py", "PART = 1");
        let pool = pool(&script, scratch.dir(), way).preload(["part", "slow"]).build().unwrap();
        soon(pool.warm()).await.unwrap();
        assert_eq!(text(&pool).await, "2", "{way}");
    }
}
