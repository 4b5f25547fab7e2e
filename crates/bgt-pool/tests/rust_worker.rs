//! A worker written in Rust, with the helper of the feature `serve`. This program is the test, and the worker too.

use std::time::Duration;

use bgt_pool::{CallError, Command, Request, WorkerPool};

const HANG: Duration = Duration::from_secs(60);

fn main() {
    if bgt_pool::is_worker() {
        let work = |(text, times): (String, usize)| {
            assert!(times != 13, "I have a bad feeling");
            eprintln!("asked for {times}");
            if times > 99 { Err("too often") } else { Ok(text.repeat(times)) }
        };
        return bgt_pool::serve(work).unwrap();
    }
    println!("\nrunning 1 test");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime
        .block_on(async { tokio::time::timeout(HANG, a_worker_may_be_written_in_rust()).await })
        .expect("it hangs");
    println!("test a_worker_may_be_written_in_rust ... ok\n");
    println!(
        "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n"
    );
}

async fn a_worker_may_be_written_in_rust() {
    // A backtrace is longer than the last lines of stderr that an error shows.
    let this = Command::new(std::env::current_exe().unwrap()).env("RUST_BACKTRACE", "0");
    let pool = WorkerPool::builder(this).name("repeat").size(1).says_ready(true).build().unwrap();
    let ask = |request: Request| {
        let pool = pool.clone();
        async move { pool.call(request).await }
    };
    let request = |times: u32| Request::new().arg("ab").arg(times);
    for times in [1, 2, 3] {
        assert_eq!(ask(request(times)).await.unwrap().text(), "ab".repeat(times as usize));
    }
    for (wrong, said) in [(request(100), "too often"), (Request::from("ab"), "not what the worker wants")] {
        let error = ask(wrong).await.unwrap_err();
        match error.find() {
            Some(CallError::Failed { exit_code: 1, output }) => {
                assert!(output.text().contains(said), "{error:?}");
            }
            _ => panic!("{error:?}"),
        }
    }
    assert_eq!(pool.metrics().made, 1);
    let error = ask(request(13)).await.unwrap_err();
    assert!(matches!(error.find(), Some(CallError::Crashed { .. })), "{error:?}");
    assert!(error.tail().unwrap().contains("I have a bad feeling"), "{error:?}");
    assert_eq!(ask(request(4)).await.unwrap().text(), "abababab");
    let drained = pool.drain(HANG).await;
    assert_eq!((drained.left, pool.pids()), (0, vec![]));
}
