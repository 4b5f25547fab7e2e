//! The live log: its page and its events over HTTP, to the end of the run.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use crate::service::ask;
use crate::{Server, example};

#[test]
fn a_training_is_watched_to_its_end() {
    let Some(mut command) = example("a_training_is_watched_to_its_end", "live_log") else { return };
    let train = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/train.py");
    command.arg("--once").arg(train).args(["5", "0.2"]);
    let mut server = Server(command.spawn().unwrap());
    let mut said = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let first = said.next().unwrap().unwrap();
    let address = first.split_once("http://").unwrap().1.trim_end_matches('/').to_owned();

    assert!(ask(&address, "GET /", "").contains("<!doctype html>"), "the page");
    let list = ask(&address, "GET /runs", "");
    let id = list.split_once("\"id\":\"").expect("a run in the list").1.split('"').next().unwrap();
    let events = ask(&address, &format!("GET /runs/{id}/events"), "");
    for part in ["event: line", "event: progress", "epoch 5/5", "event: end", "succeeded"] {
        assert!(events.contains(part), "no {part:?} in {events}");
    }
    let end = said.next().unwrap().unwrap();
    assert!(end.starts_with("succeeded") && end.contains("25 lines"), "{end}");
    assert!(server.0.wait().unwrap().success());
}
