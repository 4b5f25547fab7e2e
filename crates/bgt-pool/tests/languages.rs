//! Workers in other languages, and in Rust: plain functions behind the protocol.
#![cfg(feature = "process")]

mod support;

use std::time::Duration;

use bgt_pool::{CallError, CallStop, Command, Error, ErrorKind, Request, WorkerPool};
use bgt_testkit::{Scratch, assert_gone};
use support::{HANG, soon};

const HANDLERS: &str = r#"
import os, subprocess, sys, time
print("imported: this goes to stderr")

def double(number): return number * 2
def shout(text, mark="!"): return {"text": text.upper() + mark, "n": len(text)}
def noisy():
    print("a stray print")
    os.write(1, b"and one from below\n")
    subprocess.run([sys.executable, "-c", "print('and one from a child')"])
    return sys.stdin.read()
def fails(): raise ValueError("no such row")
def leaves(code): sys.exit(code)
def odd(): return {1, 2}
def infinite(): return float("inf")
def pid(): return os.getpid()
def sleeps(path):
    try:
        open(path, "a").write("asleep\n")
        time.sleep(600)
    finally:
        open(path, "a").write("cleaned up\n")
class Model:
    @staticmethod
    def score(x): return x + 0.5
"#;

fn python(test: &str, scratch: &Scratch, handler: &str) -> Option<WorkerPool> {
    if bgt_testkit::python().is_none() {
        bgt_testkit::skip!(test, "there is no Python here");
        return None;
    }
    std::fs::write(scratch.path("handlers.py"), HANDLERS).unwrap();
    let folder = scratch.path("handlers.py").parent().unwrap().to_owned();
    let builder = WorkerPool::python(format!("handlers:{handler}"));
    Some(builder.command(|python| python.current_dir(folder)).size(1).build().unwrap())
}

async fn ask(pool: &WorkerPool, request: Request) -> Result<String, Error> {
    Ok(soon(async { pool.call(request).await }).await?.as_json().to_owned())
}

#[tokio::test]
async fn a_python_function_is_called_with_what_was_asked() {
    let name = "a_python_function_is_called_with_what_was_asked";
    let scratch = Scratch::new();
    for (handler, request, wanted) in [
        ("double", Request::new().arg(21), "42"),
        ("double", Request::from("ab"), r#""abab""#),
        ("shout", Request::from("häß"), r#"{"text": "H\u00c4SS!", "n": 3}"#),
        ("shout", Request::from(["a", "?"]), r#"{"text": "A?", "n": 1}"#),
        ("Model.score", Request::new().arg(1), "1.5"),
    ] {
        let Some(pool) = python(name, &scratch, handler) else { return };
        assert_eq!(ask(&pool, request.clone()).await.unwrap(), wanted, "{handler}");
        assert_eq!(ask(&pool, request).await.unwrap(), wanted, "{handler}");
        assert_eq!(pool.metrics().made, 1);
    }
}

#[tokio::test]
async fn what_a_python_function_prints_is_no_answer() {
    let scratch = Scratch::new();
    let Some(pool) = python("what_a_python_function_prints_is_no_answer", &scratch, "noisy") else { return };
    for _ in 0..3 {
        assert_eq!(ask(&pool, Request::new()).await.unwrap(), r#""""#);
    }
    assert_eq!(pool.metrics().made, 1);
}

#[tokio::test]
async fn an_exception_is_an_answer_and_the_worker_serves_on() {
    let scratch = Scratch::new();
    for (handler, request, code, said) in [
        ("fails", Request::new(), 1, "ValueError: no such row"),
        ("leaves", Request::new().arg(3), 3, "null"),
        ("leaves", Request::from("sorry"), 1, "sorry"),
        ("odd", Request::new(), 1, "not JSON serializable"),
        ("infinite", Request::new(), 1, "not JSON compliant"),
        ("leaves", Request::new().arg(true), 1, "null"),
        ("leaves", Request::new().arg(1_u64 << 31), 1, "2147483648"),
        ("double", Request::new(), 1, "missing 1 required positional argument"),
    ] {
        let name = "an_exception_is_an_answer_and_the_worker_serves_on";
        let Some(pool) = python(name, &scratch, handler) else { return };
        for _ in 0..2 {
            let error = ask(&pool, request.clone()).await.unwrap_err();
            match error.find() {
                Some(CallError::Failed { exit_code, output }) => {
                    assert_eq!(*exit_code, code, "{handler}");
                    assert!(output.text().contains(said), "{handler}: {}", output.text());
                }
                _ => panic!("{handler}: {error:?}"),
            }
        }
        assert_eq!(pool.metrics().made, 1);
    }
}

#[tokio::test]
async fn a_handler_that_is_not_there_is_told_with_the_traceback() {
    let scratch = Scratch::new();
    let name = "a_handler_that_is_not_there_is_told_with_the_traceback";
    let Some(pool) = python(name, &scratch, "nobody") else { return };
    let error = ask(&pool, Request::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Start);
    assert!(error.tail().unwrap().contains("has no attribute 'nobody'"), "{error:?}");
}

#[tokio::test]
async fn a_python_function_that_is_stopped_cleans_up() {
    if cfg!(windows) {
        let why = "a sleep of Windows' Python is not interrupted from a thread";
        bgt_testkit::skip!("a_python_function_that_is_stopped_cleans_up", why);
        return;
    }
    let scratch = Scratch::new();
    let name = "a_python_function_that_is_stopped_cleans_up";
    if bgt_testkit::python().is_none() {
        bgt_testkit::skip!(name, "there is no Python here");
        return;
    }
    std::fs::write(scratch.path("handlers.py"), HANDLERS).unwrap();
    let folder = scratch.path("handlers.py").parent().unwrap().to_owned();
    let builder = WorkerPool::python("handlers:sleeps").command(|python| python.current_dir(folder));
    let pool = builder.size(1).min_idle(1).grace(HANG).build().unwrap();
    soon(pool.warm()).await.unwrap();
    let pids = pool.pids();
    let call = pool.call(scratch.text("ledger").as_str()).deadline(Duration::from_millis(500));
    let error = soon(call.into_future()).await.unwrap_err();
    assert!(matches!(error.find(), Some(CallError::Stopped { how: CallStop::Obeyed, .. })), "{error:?}");
    let ledger = bgt_testkit::Ledger::at(scratch.path("ledger"));
    assert_eq!(ledger.lines(), ["asleep", "cleaned up"]);
    tokio::task::spawn_blocking(move || assert_gone(&pids, HANG)).await.unwrap();
}

/// The worker of the documentation, as it is printed there.
const SH: &str = r#"
while read -r line; do
    id=${line#*:} id=${id%%,*}
    echo "{\"requestId\":$id,\"output\":\"$(expr 6 '*' 7)\"}"
done"#;

#[tokio::test]
async fn a_worker_may_be_five_lines_of_shell() {
    if cfg!(windows) {
        bgt_testkit::skip!("a_worker_may_be_five_lines_of_shell", "there is no sh");
        return;
    }
    let pool = WorkerPool::builder(Command::new("sh").args(["-c", SH])).size(1).build().unwrap();
    for _ in 0..5 {
        assert_eq!(ask(&pool, Request::from("the answer")).await.unwrap(), r#""42""#);
    }
    assert_eq!(pool.metrics().made, 1);
}

#[tokio::test]
async fn nobody_can_foresee_the_id_of_the_next_request() {
    if cfg!(windows) {
        bgt_testkit::skip!("nobody_can_foresee_the_id_of_the_next_request", "there is no sh");
        return;
    }
    let worker = SH.replace("$(expr 6 '*' 7)", "$id");
    let pool = WorkerPool::builder(Command::new("sh").args(["-c", &worker])).size(1).build().unwrap();
    let mut ids = Vec::new();
    for _ in 0..5 {
        let id = ask(&pool, Request::new()).await.unwrap();
        ids.push(id.trim_matches('"').parse::<i64>().unwrap());
    }
    let mut steps: Vec<i64> = ids.windows(2).map(|two| two[1] - two[0]).collect();
    steps.dedup();
    assert_eq!(steps.len(), 4, "they go up in steps that are the same: {ids:?}");
}
