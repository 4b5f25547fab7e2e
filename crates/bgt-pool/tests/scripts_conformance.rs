//! Every script, run cold and run in a pool: the same exit, the same bytes, the same files left behind.
#![cfg(feature = "process")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use bgt_pool::{Command, Exit, Isolation, Output, ScriptPool};
use bgt_testkit::Scratch;

/// What a run of a script leaves behind.
#[derive(Debug, PartialEq)]
struct Seen {
    exit: Exit,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    leaked: bool,
    files: BTreeMap<PathBuf, (Vec<u8>, bool)>,
}

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let mut scripts = Vec::new();
    for folder in [folder.clone(), folder.join("shadow")] {
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let of_interest = |path: &PathBuf| {
            let name = path.file_name().and_then(OsStr::to_str).unwrap();
            name.ends_with(".py") && !name.starts_with("helper") && name != "json.py"
        };
        scripts.extend(files.filter(of_interest));
    }
    scripts.sort();
    let only = std::env::var("BGT_SCRIPT").unwrap_or_default();
    scripts.retain(|script| script.to_string_lossy().contains(&only));
    assert!(scripts.len() >= 100 || !only.is_empty());
    scripts
}

/// The script with what its first lines ask for.
fn command(script: &Path, work: &Path) -> Command {
    let source = String::from_utf8_lossy(&fs::read(script).unwrap()).into_owned();
    let mut command = Command::script(script)
        .current_dir(work)
        .env("WORK", work)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env_remove("PYTHONUNBUFFERED")
        .drain(std::time::Duration::from_secs(30))
        .unchecked();
    for line in source.lines().take_while(|line| line.starts_with("# ")) {
        if let Some(args) = line.strip_prefix("# args: ") {
            command = command.args(args.split(' '));
        } else if let Some((name, value)) = line.strip_prefix("# env: ").and_then(|set| set.split_once('=')) {
            command = command.env(name, value);
        } else if let Some(text) = line.strip_prefix("# stdin: ") {
            let text = text.replace("\\n", "\n").replace("\\r", "\r").replace("\\x00", "\0");
            command = command.stdin(text);
        }
    }
    command
}

fn files(folder: &Path, into: &mut BTreeMap<PathBuf, (Vec<u8>, bool)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else {
            let readonly = path.metadata().unwrap().permissions().readonly();
            into.insert(path.clone(), (fs::read(path).unwrap(), readonly));
        }
    }
}

/// Whether something of it ends a moment after it, or a moment before, cold too: the tracker of `multiprocessing`.
fn leaks_by_chance(script: &Path) -> bool {
    script.file_name().is_some_and(|name| name.to_string_lossy().starts_with("multiprocessing"))
}

async fn seen(work: &Path, run: impl Future<Output = Result<Output, bgt_pool::Error>>) -> Seen {
    fs::create_dir(work).unwrap();
    let output =
        tokio::time::timeout(std::time::Duration::from_secs(120), run).await.expect("it hangs").unwrap();
    let mut left = BTreeMap::new();
    files(work, &mut left);
    fs::remove_dir_all(work).unwrap();
    Seen {
        exit: output.exit,
        stdout: output.stdout.as_bytes().to_vec(),
        stderr: without_addresses(output.stderr.as_bytes()),
        leaked: output.leaked,
        files: left,
    }
}

/// Where an object lies in memory is another place each time, cold too.
fn without_addresses(text: &[u8]) -> Vec<u8> {
    let mut parts = text.split_inclusive(|byte| *byte == b'>');
    let mut masked = Vec::new();
    for part in &mut parts {
        match part.windows(6).position(|window| window == b" at 0x") {
            Some(at) if part.ends_with(b">") => {
                masked.extend_from_slice(&part[..at]);
                masked.extend_from_slice(b" at 0x...>");
            }
            _ => masked.extend_from_slice(part),
        }
    }
    masked
}

fn differences(name: &str, cold: &Seen, pooled: &Seen) -> Option<String> {
    if cold == pooled {
        return None;
    }
    let show = |seen: &Seen| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(1500)]).into_owned();
        format!(
            "{:?} leaked {} files {:?}\n--- stdout {}\n{}\n--- stderr {}\n{}",
            seen.exit,
            seen.leaked,
            seen.files.keys(),
            seen.stdout.len(),
            text(&seen.stdout),
            seen.stderr.len(),
            text(&seen.stderr)
        )
    };
    Some(format!("##### {name}\n=== cold {}\n=== pooled {}\n", show(cold), show(pooled)))
}

async fn compare(test: &str, isolation: Isolation, preload: &[&str]) {
    if bgt_testkit::python().is_none() {
        bgt_testkit::skip!(test, "there is no Python here");
        return;
    }
    let scratch = Scratch::new();
    let work = scratch.path("work");
    let scripts = scripts();
    let pool = ScriptPool::builder(&scripts[0]).isolation(isolation).preload(preload.iter().copied());
    let pool = pool.size(1).spare(1).refuse_cold().build().unwrap();
    let mut wrong = Vec::new();
    for script in &scripts {
        let command = command(script, &work);
        let mut cold = seen(&work, bgt_simple::run(command.clone()).into_future()).await;
        // Twice: the second one meets what the first has left.
        for _ in 0..2 {
            let pooled = seen(&work, pool.run_command(command.clone()).into_future()).await;
            assert_eq!(pool.warmth().isolation, isolation, "{script:?}: {:?}", pool.warmth());
            if leaks_by_chance(script) {
                cold.leaked = pooled.leaked;
            }
            wrong.extend(differences(&script.display().to_string(), &cold, &pooled));
        }
    }
    pool.drain(std::time::Duration::from_secs(30)).await;
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// What the scripts use, so that it is met half used by none.
const MODULES: &[&str] = &[
    "json",
    "asyncio",
    "sqlite3",
    "logging",
    "random",
    "argparse",
    "subprocess",
    "threading",
    "tempfile",
    "multiprocessing.pool",
    "concurrent.futures.thread",
    "traceback",
    "inspect",
    "dataclasses",
];

#[tokio::test]
async fn a_prestarted_interpreter_does_as_a_cold_one() {
    compare("a_prestarted_interpreter_does_as_a_cold_one", Isolation::Prestarted, &[]).await;
}

#[tokio::test]
async fn a_prestarted_interpreter_with_imports_does_as_a_cold_one() {
    compare("a_prestarted_interpreter_with_imports_does_as_a_cold_one", Isolation::Prestarted, MODULES).await;
}

#[tokio::test]
async fn a_zygote_does_as_a_cold_interpreter() {
    if !cfg!(target_os = "linux") {
        bgt_testkit::skip!("a_zygote_does_as_a_cold_interpreter", "zygotes are for Linux");
        return;
    }
    compare("a_zygote_does_as_a_cold_interpreter", Isolation::Zygote, &[]).await;
}

#[tokio::test]
async fn a_zygote_with_imports_does_as_a_cold_interpreter() {
    if !cfg!(target_os = "linux") {
        bgt_testkit::skip!("a_zygote_with_imports_does_as_a_cold_interpreter", "zygotes are for Linux");
        return;
    }
    compare("a_zygote_with_imports_does_as_a_cold_interpreter", Isolation::Zygote, MODULES).await;
}
