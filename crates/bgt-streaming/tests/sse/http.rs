//! HTTP by hand: what a proxy, a browser and a broken line do to a response, and nothing of a client's help.

use std::net::SocketAddr;

use axum::Router;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(crate) struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, task }
    }

    pub(crate) async fn get(&self, path: &str, last_event_id: Option<&str>) -> Response {
        let last = last_event_id.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        self.send(&format!("GET {path} HTTP/1.1\r\n{last}")).await
    }

    pub(crate) async fn post(&self, path: &str) -> Response {
        self.send(&format!("POST {path} HTTP/1.1\r\nContent-Length: 0\r\n")).await
    }

    async fn send(&self, request: &str) -> Response {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{request}Host: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        Response { stream, bytes: Vec::new() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What has come of a response so far. Dropping it cuts the connection.
pub(crate) struct Response {
    stream: TcpStream,
    bytes: Vec<u8>,
}

/// An event that came whole.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

impl Response {
    /// Reads until there are so many bytes, and no more, or none for a moment; answers whether the response came to its end.
    pub(crate) async fn read_up_to(&mut self, bytes: usize) -> bool {
        while self.bytes.len() < bytes {
            let mut buffer = vec![0; bytes - self.bytes.len()];
            // A run that waits for its permit writes nothing: that is where the line is cut then.
            let quiet = std::time::Duration::from_millis(20);
            match tokio::time::timeout(quiet, self.stream.read(&mut buffer)).await {
                Ok(Ok(0)) => return true,
                Ok(Ok(read)) => self.bytes.extend_from_slice(&buffer[..read]),
                Ok(Err(error)) => panic!("{error}"),
                Err(_) => return false,
            }
        }
        false
    }

    /// Reads until the events are such.
    pub(crate) async fn until(&mut self, are_such: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        loop {
            let events = self.events();
            if are_such(&events) {
                return events;
            }
            assert_ne!(
                self.stream.read_buf(&mut self.bytes).await.unwrap(),
                0,
                "the end came first: {events:?}"
            );
        }
    }

    /// Reads until the body is such.
    pub(crate) async fn until_body(&mut self, is_such: impl Fn(&str) -> bool) {
        while !is_such(&self.body().0) {
            assert_ne!(self.stream.read_buf(&mut self.bytes).await.unwrap(), 0, "the end came first");
        }
    }

    /// Reads to the end; all events, which must be whole.
    pub(crate) async fn rest(&mut self) -> Vec<Event> {
        self.stream.read_to_end(&mut self.bytes).await.unwrap();
        let (body, is_whole) = self.body();
        assert!(is_whole && body.ends_with("\n\n"), "cut off: {:?}", self.head());
        self.events()
    }

    pub(crate) async fn status(&mut self) -> (u16, String) {
        self.stream.read_to_end(&mut self.bytes).await.unwrap();
        let status = self.head().split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_default(), self.body().0)
    }

    /// The status and the body, which must be JSON.
    pub(crate) async fn json(&mut self) -> (u16, Value) {
        let (status, body) = self.status().await;
        assert!(self.head().contains("content-type: application/json"), "{status} {body}");
        assert!(self.head().contains("cache-control: no-store"), "{status} {body}");
        (status, json(&body))
    }

    /// The status line and the headers, in lower case.
    pub(crate) fn head(&self) -> String {
        String::from_utf8_lossy(&self.bytes[..self.body_at().unwrap_or(self.bytes.len())]).to_lowercase()
    }

    /// The events that came whole.
    pub(crate) fn events(&self) -> Vec<Event> {
        let (body, _) = self.body();
        let whole = body.rfind("\n\n").map_or("", |end| &body[..end]);
        whole.split("\n\n").filter(|event| !event.is_empty() && !event.starts_with(':')).map(event).collect()
    }

    fn body_at(&self) -> Option<usize> {
        self.bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|at| at + 4)
    }

    /// As much of the body as there is, and whether it is all.
    fn body(&self) -> (String, bool) {
        let Some(at) = self.body_at() else { return (String::new(), false) };
        let (bytes, is_whole) = match self.head().contains("transfer-encoding: chunked") {
            true => dechunk(&self.bytes[at..]),
            false => (self.bytes[at..].to_vec(), true),
        };
        // What was cut in the middle of a character is in no whole event.
        (String::from_utf8_lossy(&bytes).into_owned(), is_whole)
    }
}

fn dechunk(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else { return (body, false) };
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        bytes = &bytes[end + 2..];
        if size == 0 {
            return (body, bytes == b"\r\n");
        }
        body.extend_from_slice(&bytes[..size.min(bytes.len())]);
        if bytes.len() < size + 2 {
            return (body, false);
        }
        bytes = &bytes[size + 2..];
    }
}

fn event(text: &str) -> Event {
    let field = |name: &str| {
        let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let value = values.next().map(str::to_owned);
        assert_eq!(values.next(), None, "{text}");
        value
    };
    let (name, data) = (field("event").unwrap(), field("data").unwrap());
    Event { name, id: field("id"), data: json(&data) }
}

pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}
