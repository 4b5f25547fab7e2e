//! The live log as its users have it: the program itself, its page and its events over HTTP, to the end of the run.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Ends the program, whatever becomes of the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Beside the tests, where cargo builds examples.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(|deps| deps.parent()).unwrap().join("examples");
    built.join(format!("live_log{}", std::env::consts::EXE_SUFFIX))
}

/// Everything that a request is answered, to the end of the answer.
fn get(address: &str, path: &str) -> String {
    let mut server = TcpStream::connect(address).unwrap();
    server.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(server, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    server.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_training_is_watched_to_its_end() {
    let example = example();
    if bgt_testkit::python().is_none() {
        return bgt_testkit::skip!(
            "a_training_is_watched_to_its_end",
            "there is no Python 3 to run the training with"
        );
    }
    if !example.exists() {
        return bgt_testkit::skip!(
            "a_training_is_watched_to_its_end",
            "cargo was told not to build the examples"
        );
    }
    let train = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/train.py");
    let mut command = Command::new(example);
    command.arg("--once").arg(train).args(["5", "0.4"]).stdout(Stdio::piped());
    let mut server = Server(command.spawn().unwrap());
    let mut said = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let first = said.next().unwrap().unwrap();
    let address = first.split_once("http://").unwrap().1.trim_end_matches('/').to_owned();

    assert!(get(&address, "/").contains("<!doctype html>"), "the page");
    let list = get(&address, "/runs");
    let id = list.split_once("\"id\":\"").expect("a run in the list").1.split('"').next().unwrap();
    let events = get(&address, &format!("/runs/{id}/events"));
    for part in ["event: line", "event: progress", "epoch 5/5", "event: end", "succeeded"] {
        assert!(events.contains(part), "no {part:?} in {events}");
    }
    let end = said.next().unwrap().unwrap();
    assert!(end.starts_with("succeeded") && end.contains("25 lines"), "{end}");
    assert!(server.0.wait().unwrap().success());
}
