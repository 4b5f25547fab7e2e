//! A run as a response of server-sent events.
//!
//! Owns: which event has which name and id. Never does: know more than one run.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use bgt_log::From;
use futures_core::Stream;

use crate::sse::{LastEventId, SseError, wire};
use crate::{StreamEvent, Subscription, Watch};

/// How long a response is quiet at most: proxies cut off what is quiet for longer, often after a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Answers what happens to a run, after the last event that the client has seen, as
/// [server-sent events](crate::sse#events).
///
/// The response goes on until the run is over, and does not keep it alive. It says that it is neither to be stored
/// (`Cache-Control: no-store`) nor to be held back by a proxy (`X-Accel-Buffering: no`).
///
/// # Errors
///
/// [`SseError::NotYetSent`] when the run has not come to the last event's line: the client confuses runs, and would miss
/// what it believes to have seen.
pub fn events(run: &Watch, last: LastEventId) -> Result<Response, SseError> {
    let from = match last {
        LastEventId(None) => From::Start,
        LastEventId(Some(seq)) => {
            let last = run.log().extent().last;
            if seq > last {
                return Err(SseError::NotYetSent { run: run.id(), seq, last });
            }
            From::After(seq)
        }
    };
    let events = Sse::new(Events { subscription: run.subscribe(from) });
    let headers = [(CACHE_CONTROL, "no-store"), (HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((headers, events.keep_alive(KeepAlive::new().interval(KEEP_ALIVE))).into_response())
}

struct Events {
    subscription: Subscription,
}

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.subscription).poll_next(cx).map(|event| event.map(|event| Ok(encode(&event))))
    }
}

fn encode(event: &StreamEvent) -> Event {
    match event {
        StreamEvent::Line(line) => named("line", &wire::Line::of(line)).id(line.seq.to_string()),
        // With an id, so that who is cut off after it does not hear of it again.
        StreamEvent::Gap(gap) => named("gap", &wire::Missing::of(*gap)).id(gap.last.to_string()),
        StreamEvent::Progress(progress) => named("progress", &wire::Progress::of(progress)),
        StreamEvent::Status { status, attempt } => {
            named("status", &wire::Standing { status: *status, attempt: *attempt })
        }
        StreamEvent::End(summary) => named("end", &wire::End::of(summary)),
    }
}

fn named(name: &str, data: &impl serde::Serialize) -> Event {
    Event::default().event(name).data(wire::json(data))
}
