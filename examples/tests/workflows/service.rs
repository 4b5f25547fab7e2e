//! The service answers what its scripts would, in order, and ends with every request answered.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Done, Server, example};

/// Everything that a request is answered, to the end of the answer.
pub(crate) fn ask(address: &str, request: &str, body: &str) -> String {
    let mut server = TcpStream::connect(address).unwrap();
    server.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let length = body.len();
    let head = format!("{request} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n");
    server.write_all((head + body).as_bytes()).unwrap();
    let mut answer = String::new();
    server.read_to_string(&mut answer).unwrap();
    answer
}

fn json_of(answer: &str) -> Value {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 20"), "{answer}");
    serde_json::from_str(body).unwrap()
}

#[test]
fn a_service_answers_in_order_and_ends_when_it_is_asked_to() {
    let test = "a_service_answers_in_order_and_ends_when_it_is_asked_to";
    let Some(mut command) = example(test, "api") else { return };
    let mut server = Server(command.arg("--serve").spawn().unwrap());
    let mut said = BufReader::new(server.0.stdout.take().unwrap());
    let mut first = String::new();
    said.read_line(&mut first).unwrap();
    let address = first.split_once("http://").unwrap().1.trim().to_owned();

    let judged = |answer: &Value| ["words", "good", "bad"].map(|field| answer[field].as_u64());
    let one = json_of(&ask(&address, "POST /score", "Everything works properly, never a crash."));
    assert_eq!(judged(&one), [Some(6), Some(4), Some(1)]);
    let lines = "lost\nbest\nnothing of the kind";
    let many = json_of(&ask(&address, "POST /scores", lines));
    let many: Vec<_> = many.as_array().unwrap().iter().map(judged).collect();
    assert_eq!(many, [[1, 0, 1], [1, 1, 0], [4, 0, 0]].map(|counts| counts.map(Some)));

    let started = json_of(&ask(&address, "POST /train", ""));
    let events = started["events"].as_str().unwrap();
    let cancelled = json_of(&ask(&address, &format!("POST {}", events.replace("events", "cancel")), ""));
    assert_eq!(cancelled["name"], json!("train.py"));
    let followed = ask(&address, &format!("GET {events}"), "");
    assert!(followed.contains("event: end"), "{followed}");

    #[cfg(unix)]
    {
        crate::interrupt(&server.0);
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("4 texts scored"), "{rest}");
        assert!(rest.contains("Shutdown: everything came to its end"), "{rest}");
        assert!(server.0.wait().unwrap().success());
    }
}

#[test]
fn under_load_every_answer_is_right_also_the_one_that_the_end_overtakes() {
    let test = "under_load_every_answer_is_right_also_the_one_that_the_end_overtakes";
    let Some(done) = Done::small(test, "api", &[]) else { return };
    let said = &done.said;
    for part in
        ["40 requests by 4 clients", "40 texts in one request", "50 of 50 texts", "130 texts scored by 2"]
    {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}
