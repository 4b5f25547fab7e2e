//! Many runs, with crashes, deadlines and drops among them: every answer is right, nobody survives, nothing grows.
//!
//! `BGT_SOAK=10000` for the whole of it. A program of its own, because it counts what this process holds.
#![cfg(all(feature = "process", target_os = "linux"))]

use std::path::Path;
use std::time::Duration;

use bgt_pool::{CommandError, ErrorKind, Exit, Isolation, Output, ScriptPool};
use bgt_testkit::{Resources, Scratch, assert_gone, read_pids};

const HANG: Duration = Duration::from_secs(60);

const SCRIPT: &str = r#"
import json, os, sys, time
ledger, what, text = sys.argv[1:]
def note():
    os.write(os.open(ledger, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644), b"%d\n" % os.getpid())
note()
if what == "answer":
    print(json.dumps({"text": text}))
elif what == "exit":
    print(text, file=sys.stderr)
    sys.exit(int(text) % 200)
elif what == "raise":
    raise ValueError(text)
elif what == "crash":
    print(text, flush=True)
    os.kill(os.getpid(), 11)
elif what == "family":
    if os.fork() == 0:
        os.setsid()
        note()
        time.sleep(600)
    print(text, flush=True)
    time.sleep(600)
else:
    print(text, flush=True)
    time.sleep(600)
"#;

#[derive(Debug, Default)]
struct Seen {
    dropped: usize,
    right: usize,
}

/// One run of the mixture; panics over a wrong answer.
async fn one(pool: &ScriptPool, ledger: &Path, n: usize) -> Seen {
    let text = n.to_string();
    let what = ["answer", "exit", "answer", "raise", "answer", "crash", "answer", "sleep", "drop", "answer"];
    let what = if n % 100 == 57 { "family" } else { what[n % 10] };
    let args = [ledger.as_os_str(), what.as_ref(), text.as_ref()];
    let mut run = pool.run(args);
    match what {
        "sleep" | "family" => run = run.deadline(Duration::from_millis(300)),
        "drop" => {
            let time = Duration::from_micros(fastrand::u64(0..20_000));
            assert!(tokio::time::timeout(time, run.into_future()).await.is_err(), "it sleeps");
            return Seen { dropped: 1, right: 0 };
        }
        _ => {}
    }
    let result = tokio::time::timeout(HANG, run.into_future()).await.expect("it hangs");
    let output = match &result {
        Ok(output) => Some(output),
        Err(error) => Output::from_error(error),
    };
    let exit = output.map(|output| output.exit);
    let said = output.map(|output| output.stdout_text().trim_end().to_owned()).unwrap_or_default();
    match what {
        "answer" => assert_eq!(said, format!(r#"{{"text": "{n}"}}"#)),
        "exit" => assert_eq!(exit, Some(Exit::Code((n % 200) as i32))),
        "raise" => {
            let error = result.unwrap_err();
            assert!(error.tail().unwrap().ends_with(&format!("ValueError: {n}")), "{error:?}");
        }
        "crash" => {
            assert!(matches!(exit, Some(Exit::Signal { number: 11, .. })), "{exit:?}");
            assert_eq!(said, text);
        }
        _ => {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
            // On a busy machine its time may be over before it is started, or has said anything.
            if let Some(CommandError::Stopped { output, .. }) = error.find() {
                let said = output.stdout_text().trim_end().to_owned();
                assert!(said == text || said.is_empty(), "{said}");
            }
        }
    }
    Seen { dropped: 0, right: 1 }
}

async fn soak(pool: &ScriptPool, ledger: &Path, runs: std::ops::Range<usize>) -> Seen {
    let next = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(runs.start));
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (pool, ledger, next, end) = (pool.clone(), ledger.to_owned(), next.clone(), runs.end);
        all.spawn(async move {
            let mut seen = Seen::default();
            loop {
                let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if n >= end {
                    return seen;
                }
                let one = one(&pool, &ledger, n).await;
                seen = Seen { dropped: seen.dropped + one.dropped, right: seen.right + one.right };
            }
        });
    }
    let seen = all.join_all().await;
    seen.into_iter().fold(Seen::default(), |all, one| Seen {
        dropped: all.dropped + one.dropped,
        right: all.right + one.right,
    })
}

/// What a process has in memory that nobody else has, in KiB, and how many descriptors.
fn held(pid: u32) -> (u64, usize) {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let of = |what: &str| -> u64 {
        let line = rollup.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (of("Rss:"), std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count())
}

#[test]
fn thousands_of_runs_leave_no_survivor_no_wrong_answer_and_a_flat_zygote() {
    let name = "thousands_of_runs_leave_no_survivor_no_wrong_answer_and_a_flat_zygote";
    if bgt_testkit::python().is_none() {
        bgt_testkit::skip!(name, "there is no Python here");
        return;
    }
    let runs: usize = std::env::var("BGT_SOAK").ok().and_then(|runs| runs.parse().ok()).unwrap_or(300);
    let scratch = Scratch::new();
    let script = scratch.path("soak.py");
    std::fs::write(&script, SCRIPT).unwrap();
    let ledger = scratch.path("pids");
    let start = Resources::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = ScriptPool::builder(&script).preload(["json"]).size(4).refuse_cold().build().unwrap();
        // What grows once, at the beginning, is none of ours.
        soak(&pool, &ledger, 0..100).await;
        let [zygote] = pool.zygotes()[..] else { panic!("{:?}", pool.zygotes()) };
        let (memory, descriptors) = held(zygote);
        let seen = soak(&pool, &ledger, 100..runs + 100).await;
        assert_eq!(seen.right + seen.dropped, runs);
        assert_eq!((pool.zygotes(), pool.metrics().warmed), (vec![zygote], 1), "the zygote was replaced");
        assert_eq!((pool.metrics().cold, pool.warmth().isolation), (0, Isolation::Zygote));
        let (after, descriptors_after) = held(zygote);
        assert!(after <= memory + 1024, "the zygote has grown: {memory} KiB, {after} KiB now");
        assert!(descriptors_after <= descriptors + 40, "{descriptors} descriptors, {descriptors_after} now");
        let pids = read_pids(&ledger);
        println!("{seen:?}, {} processes, zygote {memory} KiB, then {after} KiB", pids.len());
        assert_gone(&pids, HANG);
        pool.drain(HANG).await;
        assert_gone(&[zygote], HANG);
    });
    drop(runtime);
    Resources::assert_back_to(&start, 4, HANG);
}
