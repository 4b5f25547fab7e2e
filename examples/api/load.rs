//! The load: many clients at once, a request with many texts, a training that is followed, and one last request.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bgt_examples::workflow::Result;
use bgt_orchestrator::{Heard, Orchestrator, Pattern};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::Client;

const TEXTS: [&str; 4] = [
    "Everything works, and fits properly.",
    "It kills the worker, and the answer is lost.",
    "A pool that is warm never waits.",
    "The best crash is the one that nobody sees.",
];

pub(crate) async fn all(
    bgt: &Orchestrator,
    server: SocketAddr,
    small: bool,
    stop: &CancellationToken,
) -> Result {
    let (clients, each) = if small { (4, 10) } else { (32, 250) };
    one_by_one(server, clients, each).await?;
    many_at_once(server, if small { 40 } else { 2_000 }).await?;
    follow(server, small).await?;
    last_request(bgt, server, stop).await
}

/// Every client asks again as soon as it is answered.
async fn one_by_one(server: SocketAddr, clients: usize, each: usize) -> Result {
    let started = Instant::now();
    let mut asking = JoinSet::new();
    for _ in 0..clients {
        asking.spawn(async move { ask(server, each).await.map_err(|error| error.to_string()) });
    }
    let mut took = Vec::with_capacity(clients * each);
    while let Some(answered) = asking.join_next().await {
        took.extend(answered??);
    }
    took.sort();
    let rate = took.len() as f64 / started.elapsed().as_secs_f64();
    let at = |part: usize| took[took.len() * part / 100];
    println!(
        "{:<12}{} requests by {clients} clients, {rate:.0} a second; half within {:.1?}, 99 % within {:.1?}",
        "pooled",
        took.len(),
        at(50),
        at(99)
    );
    Ok(())
}

async fn ask(server: SocketAddr, times: usize) -> Result<Vec<Duration>> {
    let mut client = Client::connect(server).await?;
    let mut took = Vec::with_capacity(times);
    for text in TEXTS.iter().cycle().take(times) {
        let asked = Instant::now();
        let (status, answer) = client.post("/score", text).await?;
        took.push(asked.elapsed());
        expect_words(status, &serde_json::from_str(&answer)?, text)?;
    }
    Ok(took)
}

/// One request with many texts: the answers come in their order.
async fn many_at_once(server: SocketAddr, texts: usize) -> Result {
    let texts: Vec<_> = TEXTS.into_iter().cycle().take(texts).collect();
    let asked = Instant::now();
    let (status, answers) = Client::connect(server).await?.post("/scores", &texts.join("\n")).await?;
    let answers: Vec<Value> = serde_json::from_str(&answers)?;
    if answers.len() != texts.len() {
        return Err(format!("{} texts have {} answers", texts.len(), answers.len()).into());
    }
    for (text, answer) in texts.iter().zip(&answers) {
        expect_words(status, answer, text)?;
    }
    println!(
        "{:<12}{} texts in one request, answered in order in {:.1?}",
        "concurrent",
        texts.len(),
        asked.elapsed()
    );
    Ok(())
}

/// Starts a training, and follows it as a browser would. In a hurry it is stopped after the first lines.
async fn follow(server: SocketAddr, in_a_hurry: bool) -> Result {
    let mut client = Client::connect(server).await?;
    let (_, started) = client.post("/train", "").await?;
    let started: Value = serde_json::from_str(&started)?;
    let path = started["events"].as_str().ok_or("the training is nowhere to be followed")?;
    let mut lines = Client::connect(server).await?.follow(path).await?;
    let (mut event, mut seen) = (String::new(), 0);
    while let Some(line) = lines.next_line().await? {
        if let Some(name) = line.strip_prefix("event: ") {
            name.clone_into(&mut event);
        } else if let Some(data) = line.strip_prefix("data: ") {
            let data: Value = serde_json::from_str(data)?;
            match &*event {
                "line" => seen += 1,
                "progress" => println!("{:<12}{}", "streaming", data["text"].as_str().unwrap_or_default()),
                "end" => println!("{:<12}{}, {seen} lines seen", "streaming", data["status"]),
                _ => {}
            }
            if in_a_hurry && seen == 3 {
                client.post(&path.replace("events", "cancel"), "").await?;
            }
        }
    }
    Ok(())
}

/// The server is asked to stop while it works on a request, and answers it all the same.
async fn last_request(bgt: &Orchestrator, server: SocketAddr, stop: &CancellationToken) -> Result {
    let mut events = bgt.events();
    let last = tokio::spawn(async move {
        let texts = [TEXTS[0]; 50].join("\n");
        let mut client = Client::connect(server).await.map_err(|error| error.to_string())?;
        client.post("/scores", &texts).await.map_err(|error| error.to_string())
    });
    while let Some(heard) = events.next().await {
        if matches!(heard, Heard::Event(event) if event.pattern == Pattern::Concurrent) {
            break;
        }
    }
    stop.cancel();
    let (status, answers) = last.await??;
    let answers: Vec<Value> = serde_json::from_str(&answers)?;
    for answer in &answers {
        expect_words(status, answer, TEXTS[0])?;
    }
    println!(
        "{:<12}asked to stop in the middle of a request: {} of 50 texts answered",
        "shutdown",
        answers.len()
    );
    Ok(())
}

fn expect_words(status: u16, answer: &Value, text: &str) -> Result {
    let words = text.split_whitespace().count() as u64;
    if status == 200 && answer["words"] == words {
        return Ok(());
    }
    Err(format!("{text:?} is answered {status}, {answer}").into())
}
