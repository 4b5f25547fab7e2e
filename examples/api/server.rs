//! The service: what it answers, and how it ends.

use std::io;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bgt_examples::workflow::script;
use bgt_orchestrator::concurrent::batch;
use bgt_orchestrator::pool::{PoolError, WorkerPool};
use bgt_orchestrator::streaming::sse::Streams;
use bgt_orchestrator::streaming::{ProgressFrom, Watch};
use bgt_orchestrator::{Error, ErrorKind, Orchestrator};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What every request has at hand.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) bgt: Orchestrator,
    pub(crate) workers: WorkerPool,
    pub(crate) streams: Streams,
}

impl Service {
    fn router(&self) -> Router {
        Router::new()
            .route("/score", post(score))
            .route("/scores", post(scores))
            .route("/train", post(train))
            .with_state(self.clone())
            // GET /runs, /runs/{id}, /runs/{id}/events; POST /runs/{id}/cancel
            .merge(self.streams.router())
    }

    /// Serves until it is to stop: then no more connections are taken, the requests that are here are answered, and runs that
    /// are watched are asked to stop, as those who watch them stay connected until the end.
    pub(crate) async fn serve(self, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
        let router = self.router();
        let stopped = async move {
            stop.cancelled().await;
            self.streams.list().iter().for_each(Watch::cancel);
        };
        axum::serve(listener, router).with_graceful_shutdown(stopped).await
    }
}

/// One text, by a worker that is warm.
async fn score(State(service): State<Service>, text: String) -> Result<Json<Value>, Refused> {
    let answer = service.workers.call(text).await?;
    Ok(Json(answer.json()?))
}

/// Many texts at once, one a line; answered in order. One that fails does not spoil the others.
async fn scores(State(service): State<Service>, texts: String) -> Json<Vec<Value>> {
    let calls: Vec<_> = texts.lines().map(|text| service.workers.task(text)).collect();
    let mut answers = Vec::with_capacity(calls.len());
    let Ok(mut finished) = service.bgt.concurrent(batch(calls)).in_order().start().await else {
        return Json(answers);
    };
    while let Some(finished) = finished.next().await {
        answers.push(match finished.report.result {
            Ok(answer) => answer.json().unwrap_or_default(),
            Err(error) => json!({ "error": error.to_string() }),
        });
    }
    Json(answers)
}

/// A training, which takes a while: the answer says where it can be followed.
async fn train(State(service): State<Service>) -> (StatusCode, Json<Value>) {
    let training = script("train.py").args(["8", "0.2"]);
    let run = service.bgt.streaming(training).progress(ProgressFrom::ratio()).start();
    service.streams.add(&run);
    // Nobody here waits for it.
    let run = run.release();
    (StatusCode::ACCEPTED, Json(json!({ "events": format!("/runs/{}/events", run.id()) })))
}

/// Why there is no answer, in the terms of HTTP.
struct Refused(StatusCode, String);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let status = match error.find() {
            // Better said at once than waited for: somebody else may have room.
            Some(PoolError::QueueFull { .. } | PoolError::Closed { .. }) => StatusCode::SERVICE_UNAVAILABLE,
            _ if error.kind() == ErrorKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl From<serde_json::Error> for Refused {
    fn from(error: serde_json::Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}
