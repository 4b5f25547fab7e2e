//! The routes of a registry.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use bgt_core::RunId;

use crate::sse::{LastEventId, SseError, Streams, events, wire};
use crate::{Snapshot, Watch};

pub(super) fn router(streams: Streams) -> Router {
    Router::new()
        .route("/runs", get(list))
        .route("/runs/{id}", get(one))
        .route("/runs/{id}/events", get(follow))
        .route("/runs/{id}/cancel", post(cancel))
        .with_state(streams)
}

async fn list(State(streams): State<Streams>) -> Response {
    let snapshots: Vec<Snapshot> = streams.list().iter().map(Watch::snapshot).collect();
    let doing: Vec<_> = snapshots.iter().map(wire::Doing::of).collect();
    wire::response(StatusCode::OK, &doing)
}

async fn one(State(streams): State<Streams>, Path(id): Path<String>) -> Result<Response, SseError> {
    let run = find(&streams, &id)?;
    Ok(wire::response(StatusCode::OK, &wire::Doing::of(&run.snapshot())))
}

// The run first: of two faults, the unknown run is the one to be told of.
async fn follow(
    State(streams): State<Streams>,
    Path(id): Path<String>,
    last: Result<LastEventId, SseError>,
) -> Result<Response, SseError> {
    events(&find(&streams, &id)?, last?)
}

async fn cancel(State(streams): State<Streams>, Path(id): Path<String>) -> Result<Response, SseError> {
    let run = find(&streams, &id)?;
    run.cancel();
    let snapshot = run.snapshot();
    let status = if snapshot.status.is_final() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(wire::response(status, &wire::Doing::of(&snapshot)))
}

fn find(streams: &Streams, id: &str) -> Result<Watch, SseError> {
    let run = id.parse::<RunId>().ok().and_then(|id| streams.get(id));
    run.ok_or_else(|| SseError::UnknownRun { id: id.to_owned() })
}
