//! What is known to differ from a cold run, as docs/scripts.md lists it. Who makes one of these differences go away finds a
//! test here that fails, and a row there to be deleted.
#![cfg(feature = "process")]

mod support;

use std::path::{Path, PathBuf};

use bgt_pool::{Command, Isolation, ScriptPool, ScriptPoolBuilder};
use bgt_testkit::Scratch;
use support::{HANG, soon};

const WARM: [Isolation; 2] = [Isolation::Zygote, Isolation::Prestarted];

/// The warm ways of this system; none, and a word why, without Python.
fn ways(test: &str) -> Vec<Isolation> {
    if bgt_testkit::python().is_none() {
        bgt_testkit::skip!(test, "there is no Python here");
        return Vec::new();
    }
    WARM.into_iter().filter(|way| *way != Isolation::Zygote || cfg!(target_os = "linux")).collect()
}

fn write(scratch: &Scratch, name: &str, source: &str) -> PathBuf {
    let path = scratch.path(name);
    std::fs::write(&path, source).unwrap();
    path
}

fn command(script: &Path) -> Command {
    let folder = script.parent().unwrap();
    Command::script(script).env("PYTHONPATH", folder).env("PYTHONDONTWRITEBYTECODE", "1")
}

fn pool(script: &Path, way: Isolation) -> ScriptPoolBuilder {
    let folder = script.parent().unwrap().to_owned();
    let command = |c: Command| c.env("PYTHONPATH", folder).env("PYTHONDONTWRITEBYTECODE", "1");
    ScriptPool::builder(script).isolation(way).size(1).spare(1).refuse_cold().command(command)
}

async fn text(pool: &ScriptPool, command: Command) -> String {
    let output = soon(pool.run_command(command).into_future()).await;
    output.unwrap_or_else(|error| panic!("{error:#}\n{:?}", error.tail())).stdout_text().trim_end().to_owned()
}

async fn cold(command: Command) -> String {
    soon(bgt_simple::run(command).into_future()).await.unwrap().stdout_text().trim_end().to_owned()
}

#[tokio::test]
async fn what_was_preloaded_is_there_before_the_script_imports_it() {
    let scratch = Scratch::new();
    let script = write(&scratch, "a.py", "import sys\nprint('fractions' in sys.modules)\n");
    for way in ways("what_was_preloaded_is_there_before_the_script_imports_it") {
        assert_eq!(cold(command(&script)).await, "False");
        let pool = pool(&script, way).preload(["fractions"]).build().unwrap();
        assert_eq!(text(&pool, command(&script)).await, "True", "{way}");
        pool.drain(HANG).await;
    }
}

#[tokio::test]
async fn a_preloaded_module_was_imported_without_the_variables_of_the_run() {
    let scratch = Scratch::new();
    write(&scratch, "looks.py", "import os\nSEEN = os.environ.get('OF_THE_RUN')\n");
    let script = write(&scratch, "a.py", "import looks, os\nprint(looks.SEEN, os.environ['OF_THE_RUN'])\n");
    for way in ways("a_preloaded_module_was_imported_without_the_variables_of_the_run") {
        assert_eq!(cold(command(&script).env("OF_THE_RUN", "1")).await, "1 1");
        let pool = pool(&script, way).preload(["looks"]).build().unwrap();
        assert_eq!(text(&pool, command(&script).env("OF_THE_RUN", "1")).await, "None 1", "{way}");
        pool.drain(HANG).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_system_shows_the_interpreter_and_not_the_script() {
    let scratch = Scratch::new();
    let source = "show = lambda what: open('/proc/self/' + what, 'rb').read()\n\
                  print(b'a.py' in show('cmdline'), b'OF_THE_RUN' in show('environ'))\n";
    let script = write(&scratch, "a.py", source);
    for way in ways("the_system_shows_the_interpreter_and_not_the_script") {
        assert_eq!(cold(command(&script).env("OF_THE_RUN", "1")).await, "True True");
        let pool = pool(&script, way).build().unwrap();
        // What a zygote gives birth to can show its own variables, as many as there is room for.
        let shown = if way == Isolation::Zygote { "False True" } else { "False False" };
        assert_eq!(text(&pool, command(&script).env("OF_THE_RUN", "1")).await, shown, "{way}");
        let long = command(&script).env("OF_THE_RUN", "1".repeat(60_000));
        assert_eq!(text(&pool, long).await, "False False", "{way}");
        pool.drain(HANG).await;
    }
}

/// The seed of hashes is drawn once for each interpreter; all else that is random is drawn for each run.
#[tokio::test]
async fn runs_of_a_zygote_share_the_seed_of_hashes_and_nothing_else_that_is_random() {
    let scratch = Scratch::new();
    write(
        &scratch,
        "draws.py",
        "import random, secrets, ssl, uuid\nrandom.random(), ssl.RAND_bytes(8), uuid.uuid4()\n",
    );
    let source = "import draws, os, random, secrets, ssl, tempfile, uuid\n\
                  print(hash('text'))\nprint(random.random())\nprint(secrets.token_hex(8))\n\
                  print(ssl.RAND_bytes(8).hex())\nprint(uuid.uuid4())\nprint(next(tempfile._get_candidate_names()))\n";
    let script = write(&scratch, "a.py", source);
    for way in ways("runs_of_a_zygote_share_the_seed_of_hashes_and_nothing_else_that_is_random") {
        let pool = pool(&script, way).preload(["draws", "tempfile"]).build().unwrap();
        let (one, two) = (text(&pool, command(&script)).await, text(&pool, command(&script)).await);
        for (n, (one, two)) in one.lines().zip(two.lines()).enumerate() {
            let shared = n == 0 && way == Isolation::Zygote;
            assert_eq!(one == two, shared, "{way}, line {n}: {one} {two}");
        }
        assert_eq!(one.lines().count(), 6);
        pool.drain(HANG).await;
    }
}

#[tokio::test]
async fn what_a_preloaded_module_holds_is_not_taken_apart_at_the_end_of_a_zygotes_child() {
    let scratch = Scratch::new();
    let source = "import os\nclass Last:\n    def __del__(self, write=os.write):\n        write(1, b'last words')\nLAST = Last()\n";
    write(&scratch, "holds.py", source);
    let script = write(&scratch, "a.py", "import holds\n");
    for way in ways("what_a_preloaded_module_holds_is_not_taken_apart_at_the_end_of_a_zygotes_child") {
        assert_eq!(cold(command(&script)).await, "last words");
        let pool = pool(&script, way).preload(["holds"]).build().unwrap();
        let expected = if way == Isolation::Zygote { "" } else { "last words" };
        assert_eq!(text(&pool, command(&script)).await, expected, "{way}");
        pool.drain(HANG).await;
    }
}

/// Limits and the mask of new files are those that the host had when the interpreter was made, not when the script is run.
#[cfg(target_os = "linux")]
#[test]
fn what_a_process_inherits_is_of_the_time_when_its_interpreter_was_made() {
    let name = "what_a_process_inherits_is_of_the_time_when_its_interpreter_was_made";
    if ways(name).is_empty() {
        return;
    }
    let scratch = Scratch::new();
    // A process of its own: the mask is the whole process'.
    let mut host = bgt_testkit::Other::start("host_that_changes_its_mask", scratch.dir());
    for way in WARM {
        assert_eq!(host.hear(), "0o22 then 0o22", "{way}");
    }
    assert_eq!(host.hear(), "0o77");
}

#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "the host of another test"]
async fn host_that_changes_its_mask() {
    use rustix::fs::Mode;
    let Some(folder) = bgt_testkit::role() else { return };
    let folder = PathBuf::from(folder);
    let script = folder.join("a.py");
    std::fs::write(&script, "import os\nprint(oct(os.umask(0)))\n").unwrap();
    let (before, after) = (Mode::from_raw_mode(0o022), Mode::from_raw_mode(0o077));
    for way in WARM {
        rustix::process::umask(before);
        let pool = pool(&script, way).spare(2).build().unwrap();
        pool.warm().await.unwrap();
        let first = text(&pool, command(&script)).await;
        rustix::process::umask(after);
        let second = text(&pool, command(&script)).await;
        bgt_testkit::say(&format!("{first} then {second}"));
        pool.drain(HANG).await;
    }
    bgt_testkit::say(&cold(command(&script)).await);
}
