//! Watch runs over HTTP: server-sent events that a browser resumes where it was, with [axum].
//!
//! ```no_run
//! use bgt_streaming::sse::Streams;
//! use bgt_streaming::{Command, ProgressFrom, stream};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let streams = Streams::new();
//! let run = stream(Command::new("make")).progress(ProgressFrom::percent()).start();
//! streams.add(&run);
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! axum::serve(listener, streams.router()).await?;
//! # Ok(()) }
//! ```
//!
//! | route | answers |
//! | --- | --- |
//! | `GET /runs` | how all runs are doing, the newest first |
//! | `GET /runs/{id}` | how one is doing |
//! | `GET /runs/{id}/events` | what happens to it, as server-sent events |
//! | `POST /runs/{id}/cancel` | asks it to stop, and how it is doing: 202; 200 when it was over. Again skips the grace period |
//!
//! With routes of your own, [`events`] answers the third for one [`Watch`](crate::Watch).
//!
//! # Events
//!
//! The data of each is one JSON object. Times are milliseconds since 1970, spans are milliseconds.
//!
//! | event | id | data |
//! | --- | --- | --- |
//! | `line` | its number | `seq`, `at`, `source` (`stdout`, `stderr`), `text`, `lossy`, `end` (`newline`, `return`, `part`, `eof`), `level` or null |
//! | `gap` | of the last that is missing | `first`, `last`, `lines`, `bytes` or null: lines that are not held any more |
//! | `progress` | – | `position`, `total`, `fraction`, `message`, `rate` a second, `eta_ms` (each may be null), `updated`, `text` for people |
//! | `status` | – | `status`, `attempt` |
//! | `end` | – | `id`, `name`, `status`, `attempts`, `started_at`, `elapsed_ms`, `error` or null, `lines`, `bytes` |
//!
//! The text of a line is JSON, and so UTF-8: what is not becomes `�`, and then there is `"lossy": true`. Escape sequences
//! stay in. Text comes from programs: a page shows it as text, never as HTML.
//!
//! **What is guaranteed.** A client that was cut off and comes back with the last id it has seen, in the header
//! `Last-Event-ID` as browsers do or as `?after=`, gets every line after it once and in order, or one `gap` that says which
//! are missing. `end` is the last event, and the response ends with it. Who comes back then gets what it has missed, the
//! latest progress, and `end` again, so that a page may close its `EventSource` whenever it hears of it. Neither a slow nor
//! a dead client slows the run. While nothing happens there is a comment every 15 seconds.
//!
//! **What is not.** There is no authentication, and whoever knows an id may stop its run: put a layer of your own around the
//! router. A response lasts as long as its run: a graceful shutdown of the server waits for the runs, so stop them first.
//!
//! Wrong requests are answered with a JSON object with `error`: 404 for a run that is unknown or forgotten, 400 for a last
//! id that is no number, or one that the run has not come to.

mod error;
mod events;
mod last_event_id;
mod routes;
mod streams;
mod wire;

pub use error::SseError;
pub use events::events;
pub use last_event_id::LastEventId;
pub use streams::Streams;
