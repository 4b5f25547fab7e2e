//! Every script, run cold and run in a pool: the same exit, the same bytes, the same files left behind.
#![cfg(feature = "process")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
        .drain(Duration::from_secs(30))
        .unchecked();
    for line in source.lines().take_while(|line| line.starts_with("# ")) {
        if let Some(args) = line.strip_prefix("# args: ") {
            command = command.args(args.split(' '));
        } else if let Some((name, value)) = line.strip_prefix("# env: ").and_then(|set| set.split_once('=')) {
            command = command.env(name, value);
        } else if let Some(ms) = line.strip_prefix("# drain ms: ") {
            command = command.drain(Duration::from_millis(ms.parse().unwrap()));
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
    let output = tokio::time::timeout(Duration::from_secs(120), run).await.expect("it hangs").unwrap();
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

/// So many scripts run at once, each in a folder of its own.
const LANES: usize = 3;

/// Each way, with nothing imported ahead and with what the scripts use.
fn ways() -> Vec<(Isolation, &'static [&'static str])> {
    let isolations = [Isolation::Prestarted, Isolation::Zygote];
    let here = isolations.into_iter().filter(|way| *way != Isolation::Zygote || cfg!(target_os = "linux"));
    here.flat_map(|way| [(way, &[][..]), (way, MODULES)]).collect()
}

/// Runs a script cold and twice by each way, and answers what differed.
async fn compare(script: &Path, work: &Path, pools: &[ScriptPool]) -> Vec<String> {
    let command = command(script, work);
    let mut cold = seen(work, bgt_simple::run(command.clone()).into_future()).await;
    let mut wrong = Vec::new();
    for pool in pools {
        // The second one meets what the first has left.
        for turn in ["first", "second"] {
            let pooled = seen(work, pool.run_command(command.clone()).into_future()).await;
            if leaks_by_chance(script) {
                cold.leaked = pooled.leaked;
            }
            let name = format!("{}, {turn} by {}", script.display(), pool.name());
            wrong.extend(differences(&name, &cold, &pooled));
        }
    }
    wrong
}

#[tokio::test]
async fn a_warm_interpreter_does_as_a_cold_one() {
    if bgt_testkit::python().is_none() {
        bgt_testkit::skip!("a_warm_interpreter_does_as_a_cold_one", "there is no Python here");
        return;
    }
    let (scratch, scripts) = (Scratch::new(), scripts());
    let pools: Vec<_> = ways()
        .into_iter()
        .map(|(isolation, modules)| {
            let name = format!("{isolation} with {} modules", modules.len());
            let pool = ScriptPool::builder(&scripts[0]).name(name).isolation(isolation);
            let pool = pool.preload(modules.iter().copied()).size(LANES).spare(LANES);
            pool.refuse_cold().build().unwrap()
        })
        .collect();
    let left = std::sync::Mutex::new(scripts.iter());
    let lane = async |lane: usize| {
        let (work, mut wrong) = (scratch.path(format!("work{lane}")), Vec::new());
        loop {
            let Some(script) = left.lock().unwrap().next() else { return wrong };
            wrong.extend(compare(script, &work, &pools).await);
        }
    };
    let (one, two, three) = tokio::join!(lane(1), lane(2), lane(3));
    let wrong = [one, two, three].concat();
    for pool in pools {
        let metrics = pool.metrics();
        assert_eq!(metrics.cold, 0, "{}: {metrics:?}", pool.name());
        pool.drain(Duration::from_secs(30)).await;
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}
