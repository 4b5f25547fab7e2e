//! Requests that cannot be answered.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bgt_core::RunId;

use crate::sse::wire;

/// A request that cannot be answered. As a response: a status, and a JSON object with `error`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SseError {
    /// 404: no such run, or one that was let go.
    #[error("there is no run {id:?}")]
    #[non_exhaustive]
    UnknownRun {
        /// What was asked for.
        id: String,
    },
    /// 400: what is to be gone on from is not the number of a line.
    #[error("the last event's id is {value:?}: expected the number of a line")]
    #[non_exhaustive]
    InvalidLastEventId {
        /// What was given.
        value: String,
    },
    /// 400: what is to be gone on from has never been sent; the client confuses runs.
    #[error("the last event's id is {seq}, but the last line of run {run} is {last}")]
    #[non_exhaustive]
    NotYetSent {
        /// The run.
        run: RunId,
        /// What was given.
        seq: u64,
        /// The number of the run's last line.
        last: u64,
    },
}

impl SseError {
    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::UnknownRun { .. } => StatusCode::NOT_FOUND,
            Self::InvalidLastEventId { .. } | Self::NotYetSent { .. } => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for SseError {
    fn into_response(self) -> Response {
        wire::response(self.status(), &wire::Error { error: self.to_string() })
    }
}
