//! Runs over real HTTP, on the loopback: cut off at any byte, resumed, asked for what is not there.

mod http;

use std::sync::Arc;
use std::time::Duration;

use bgt_streaming::sse::Streams;
use bgt_streaming::{Context, Handle, Keep, Progress, Source, Status, TaskError, start, stream, task_fn};
use http::{Event, Server, json};
use proptest::prelude::*;
use tokio::sync::Semaphore;

/// Awkward in each its own way: what framing or JSON could take for something else.
const TEXTS: [&[u8]; 10] = [
    b"plain",
    b"",
    b"data: x",
    b": a comment",
    b"id: 7",
    b"  \"quoted\" \\ ",
    "é 漢 🦀 \u{2028}".as_bytes(),
    b"\xff\xfe no UTF-8",
    b"ERROR it broke",
    b"\x1b[31mred\x1b[0m",
];

fn line(n: usize) -> Vec<u8> {
    let mut line = TEXTS[n % TEXTS.len()].to_vec();
    line.extend_from_slice(if n % 7 == 3 { b"\r" } else { b"\n" });
    line
}

/// Writes so many lines, one for each permit that it is given.
fn writer(lines: usize, permits: Arc<Semaphore>) -> Handle<usize> {
    stream(task_fn("writer", move |cx: Context| {
        let permits = permits.clone();
        async move {
            for n in 0..lines {
                permits.acquire().await.map_err(TaskError::new)?.forget();
                cx.emit(Source::Stdout, line(n)).await.map_err(TaskError::new)?;
                cx.progress(Progress::of(n as u64 + 1, lines as u64));
            }
            Ok(lines)
        }
    }))
    .start()
}

/// A run that is over, of so many lines.
async fn finished(lines: usize, keep: Keep) -> Handle<()> {
    let run = stream(task_fn("finished", move |cx: Context| async move {
        for n in 0..lines {
            cx.emit(Source::Stderr, format!("line {}\n", n + 1)).await.map_err(TaskError::new)?;
        }
        Ok(())
    }))
    .keep(keep)
    .start();
    run.ended().await;
    run
}

/// Of each line its number and its text, from the log itself.
async fn held(run: &bgt_streaming::Watch) -> Vec<(u64, String)> {
    let mut lines = Vec::new();
    let mut follower = run.log().subscribe(bgt_streaming::From::Start);
    while let Some(entry) = follower.next().await {
        match entry {
            bgt_streaming::Entry::Line(line) => lines.push((line.seq, line.text().into_owned())),
            other => panic!("all is held, but {other:?}"),
        }
    }
    lines
}

fn seen(events: &[Event]) -> Vec<(u64, String)> {
    let lines = events.iter().filter(|event| event.name == "line");
    lines
        .map(|event| {
            assert_eq!(event.id.as_deref(), Some(event.data["seq"].to_string().as_str()));
            (event.data["seq"].as_u64().unwrap(), event.data["text"].as_str().unwrap().to_owned())
        })
        .collect()
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    // While the run goes on: what comes between two connections, and within one, is up to the permits.
    #[test]
    fn connections_cut_anywhere_and_resumed_join_to_the_log(
        cuts in proptest::collection::vec((1..4000usize, 0..30usize), 0..25),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            const LINES: usize = 150;
            let (streams, permits) = (Streams::new(), Arc::new(Semaphore::new(0)));
            let run = writer(LINES, permits.clone());
            streams.add(&run);
            let server = Server::start(streams.router()).await;
            let path = format!("/runs/{}/events", run.id());

            let (mut joined, mut last) = (Vec::new(), None);
            let mut ended = false;
            for (bytes, lines) in cuts {
                permits.add_permits(lines);
                let mut response = server.get(&path, last.as_deref()).await;
                let is_whole = response.read_up_to(bytes).await;
                let events = response.events();
                last = events.iter().rev().find_map(|event| event.id.clone()).or(last);
                joined.extend(seen(&events));
                ended |= is_whole && events.last().is_some_and(|event| event.name == "end");
            }
            permits.add_permits(LINES);
            let rest = server.get(&path, last.as_deref()).await.rest().await;
            joined.extend(seen(&rest));
            assert_eq!(rest.last().map(|event| event.name.as_str()), Some("end"), "ended before: {ended}");
            assert!(rest.iter().all(|event| event.name != "gap"));
            let log = held(&run).await;
            assert_eq!(rest.last().unwrap().data["lines"], log.len());
            assert_eq!(joined, log);
        });
    }
}

#[tokio::test]
async fn a_line_says_what_it_is() {
    let run = start(task_fn("three", |cx: Context| async move {
        for (source, text) in [(Source::Stdout, &b"\xffx\rz"[..]), (Source::Stderr, b"WARN y\n")] {
            cx.emit(source, text).await.map_err(TaskError::new)?;
        }
        Ok(())
    }));
    run.ended().await;
    let streams = Streams::new();
    streams.add(&run);
    let server = Server::start(streams.router()).await;
    let mut response = server.get(&format!("/runs/{}/events", run.id()), None).await;
    let events = response.rest().await;

    let head = response.head();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    for header in ["content-type: text/event-stream", "cache-control: no-store", "x-accel-buffering: no"] {
        assert_eq!(head.matches(header).count(), 1, "{head}");
    }
    assert_eq!(head.matches("cache-control").count(), 1, "{head}");

    assert_eq!(names(&events), ["line", "line", "line", "end"]);
    let fields = |n: usize| {
        let data = &events[n].data;
        assert!(data["at"].as_u64().unwrap() > 1_700_000_000_000);
        ["source", "text", "lossy", "end", "level"].map(|field| data[field].to_string())
    };
    // The line of stdout that has no end is cut when the output ends.
    assert_eq!(fields(0), [r#""stdout""#, "\"\u{fffd}x\"", "true", r#""return""#, "null"]);
    assert_eq!(fields(1), [r#""stderr""#, r#""WARN y""#, "null", r#""newline""#, r#""warn""#]);
    assert_eq!(fields(2), [r#""stdout""#, r#""z""#, "null", r#""eof""#, "null"]);
    let end = &events[3];
    assert_eq!(
        (end.id.as_deref(), &end.data["status"], &end.data["error"]),
        (None, &json("\"succeeded\""), &json("null"))
    );
    assert_eq!(end.data["id"], run.id().to_string());
}

#[tokio::test]
async fn who_comes_back_after_the_end_gets_what_is_missing_and_the_end_again() {
    let run = finished(5, Keep::default()).await;
    let streams = Streams::new();
    streams.add(&run);
    let server = Server::start(streams.router()).await;
    let path = format!("/runs/{}/events", run.id());

    let all = server.get(&path, None).await.rest().await;
    assert_eq!(names(&all), ["line", "line", "line", "line", "line", "end"]);
    let some = server.get(&path, Some("3")).await.rest().await;
    assert_eq!(seen(&some), [(4, "line 4".to_owned()), (5, "line 5".to_owned())]);
    let none = server.get(&path, Some("5")).await.rest().await;
    assert_eq!(names(&none), ["end"]);
    assert_eq!(none[0].data, all[5].data);
    let by_address = server.get(&format!("{path}?after=4"), None).await.rest().await;
    assert_eq!(names(&by_address), ["line", "end"]);
    let by_header = server.get(&format!("{path}?after=1"), Some("4")).await.rest().await;
    assert_eq!(names(&by_header), ["line", "end"]);
}

#[tokio::test]
async fn what_is_no_longer_held_is_one_gap() {
    let run = finished(10, Keep::default().lines(3)).await;
    let streams = Streams::new();
    streams.add(&run);
    let server = Server::start(streams.router()).await;
    let path = format!("/runs/{}/events", run.id());

    for (last, first) in [(None, 1), (Some("0"), 1), (Some("2"), 3)] {
        let events = server.get(&path, last).await.rest().await;
        assert_eq!(names(&events), ["gap", "line", "line", "line", "end"]);
        let gap = &events[0];
        assert_eq!((&gap.data["first"], &gap.data["last"]), (&json(&first.to_string()), &json("7")));
        assert_eq!(gap.data["lines"], 7 - first + 1);
        // Who is cut off right after it does not hear of it again.
        assert_eq!(gap.id.as_deref(), Some("7"));
    }
    let after_the_gap = server.get(&path, Some("7")).await.rest().await;
    assert_eq!(names(&after_the_gap), ["line", "line", "line", "end"]);
}

#[tokio::test]
async fn wrong_requests_are_told_what_is_wrong() {
    let run = finished(5, Keep::default()).await;
    let streams = Streams::new();
    streams.add(&run);
    let server = Server::start(streams.router()).await;

    let unknown = bgt_streaming::RunId::new().to_string();
    for id in [unknown.as_str(), "nonsense", "..%2f..%2fetc"] {
        for path in [format!("/runs/{id}"), format!("/runs/{id}/events")] {
            let (status, body) = server.get(&path, Some("wrong")).await.json().await;
            let named = id.replace("%2f", "/");
            assert_eq!(status, 404);
            assert!(body["error"].as_str().unwrap().contains(&named), "{body}");
        }
        let (status, body) = server.post(&format!("/runs/{id}/cancel")).await.json().await;
        assert!(status == 404 && body["error"].is_string());
    }

    let path = format!("/runs/{}/events", run.id());
    for wrong in ["x", "-1", "6"] {
        let (status, body) = server.get(&path, Some(wrong)).await.json().await;
        assert_eq!(status, 400, "{wrong}");
        assert!(body["error"].as_str().unwrap().contains(wrong), "{body}");
        assert_eq!(server.get(&format!("{path}?after={wrong}"), None).await.json().await.0, 400);
    }
    let (status, _) = server.get(&format!("/runs/{}/cancel", run.id()), None).await.status().await;
    assert_eq!(status, 405);
}

#[tokio::test]
async fn a_run_is_watched_asked_for_and_stopped() {
    let run = start(task_fn("waits", |cx: Context| async move {
        cx.progress(Progress::of(1, 4));
        cx.emit(Source::Stdout, "started\n").await.map_err(TaskError::new)?;
        cx.cancelled().await;
        cx.emit(Source::Stdout, "stopping\n").await.map_err(TaskError::new)?;
        cx.check()?;
        Ok(())
    }));
    let streams = Streams::new();
    let older = finished(1, Keep::default()).await;
    streams.add(&older);
    streams.add(&run);
    let server = Server::start(streams.router()).await;
    let path = format!("/runs/{}", run.id());

    let mut response = server.get(&format!("{path}/events"), None).await;
    let first = response.until(|events| names(events).contains(&"line")).await;
    assert!(names(&first).contains(&"status") && names(&first).contains(&"progress"), "{first:?}");
    let progress = first.iter().find(|event| event.name == "progress").unwrap();
    assert_eq!((&progress.data["fraction"], &progress.id), (&json("0.25"), &None));

    let (status, one) = server.get(&path, None).await.json().await;
    assert_eq!((status, &one["status"], &one["is_stopping"]), (200, &json("\"running\""), &json("false")));
    assert_eq!((&one["name"], &one["lines"]), (&json("\"waits\""), &json("1")));
    let (_, all) = server.get("/runs", None).await.json().await;
    let ids: Vec<_> =
        all.as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect();
    let mut expected = [run.id(), older.id()];
    expected.sort_by(|a, b| b.cmp(a));
    assert_eq!(ids, expected.map(|id| id.to_string()));

    let (status, stopping) = server.post(&format!("{path}/cancel")).await.json().await;
    assert!(matches!(status, 200 | 202), "{status}");
    assert!(stopping["is_stopping"] == true || status == 200);
    let events = response.rest().await;
    assert_eq!(seen(&events).last().unwrap().1, "stopping");
    let end = events.last().unwrap();
    assert_eq!((end.name.as_str(), &end.data["status"]), ("end", &json("\"cancelled\"")));
    assert_eq!(server.post(&format!("{path}/cancel")).await.json().await.0, 200);
    assert_eq!(run.report().await.status(), Status::Cancelled);
}

#[tokio::test]
async fn a_client_does_not_keep_a_run_alive() {
    let run = writer(2, Arc::new(Semaphore::new(1)));
    let streams = Streams::new();
    streams.add(&run);
    let server = Server::start(streams.router()).await;
    let mut response = server.get(&format!("/runs/{}/events", run.id()), None).await;
    response.until(|events| names(events).contains(&"line")).await;
    drop(run);
    let end = response.rest().await.pop().unwrap();
    assert_eq!((end.name.as_str(), &end.data["status"]), ("end", &json("\"cancelled\"")));
}

// Paused time goes on when all there is to do is to wait: for the comment, that is at once.
#[tokio::test(start_paused = true)]
async fn a_quiet_run_is_not_taken_for_a_dead_connection() {
    let run = writer(1, Arc::new(Semaphore::new(0)));
    let streams = Streams::new();
    streams.add(&run);
    let server = Server::start(streams.router()).await;
    let began = tokio::time::Instant::now();
    let mut response = server.get(&format!("/runs/{}/events", run.id()), None).await;
    response.until_body(|body| body.matches("\n:\n").count() == 3).await;
    let quiet = began.elapsed();
    // It may run ahead while the bytes are on their way.
    assert!(quiet >= Duration::from_secs(45) && quiet < Duration::from_secs(150), "{quiet:?}");
}

#[tokio::test]
async fn the_end_names_the_error() {
    let run =
        start(task_fn("fails", |_: Context| async { Err::<(), _>(TaskError::msg("the disk is full")) }));
    run.ended().await;
    let streams = Streams::new();
    streams.add(&run);
    let server = Server::start(streams.router()).await;
    let events = server.get(&format!("/runs/{}/events", run.id()), None).await.rest().await;
    assert_eq!(names(&events), ["end"]);
    assert!(events[0].data["error"].as_str().unwrap().contains("the disk is full"));
}

#[tokio::test]
async fn a_client_that_reads_nothing_keeps_neither_the_run_nor_others_waiting() {
    let (streams, permits) = (Streams::new(), Arc::new(Semaphore::new(20_000)));
    let run = writer(20_000, permits);
    streams.add(&run);
    let server = Server::start(streams.router()).await;
    let path = format!("/runs/{}/events", run.id());
    let dead = server.get(&path, None).await;
    let mut alive = server.get(&path, None).await;
    let events = tokio::time::timeout(Duration::from_secs(60), alive.rest()).await.unwrap();
    assert_eq!(seen(&events), held(&run).await);
    assert_eq!(run.await.unwrap(), 20_000);
    drop(dead);
}
