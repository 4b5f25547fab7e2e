//! What goes over the wire: the shapes of the JSON, and nothing else.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bgt_core::{RunId, Source, Status};
use bgt_log::{Gap, Level, LineEnd};
use serde::Serialize;

use crate::{ProgressInfo, Snapshot, Summary};

/// As JSON, on one line.
pub(super) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data has no maps with odd keys, and is always JSON")
}

pub(super) fn response<T: Serialize>(status: StatusCode, value: &T) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (status, headers, json(value)).into_response()
}

#[derive(Serialize)]
pub(super) struct Error {
    pub(super) error: String,
}

#[derive(Serialize)]
pub(super) struct Line<'a> {
    seq: u64,
    at: u64,
    source: Source,
    text: Cow<'a, str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lossy: bool,
    end: LineEnd,
    level: Option<Level>,
}

impl<'a> Line<'a> {
    pub(super) fn of(line: &'a bgt_log::Line) -> Self {
        let text = line.text();
        // It is borrowed where nothing had to be replaced.
        let lossy = matches!(text, Cow::Owned(_));
        Self {
            seq: line.seq,
            at: millis_since_1970(line.at),
            source: line.source,
            text,
            lossy,
            end: line.end,
            level: line.level(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Missing {
    #[serde(flatten)]
    gap: Gap,
    lines: u64,
}

impl Missing {
    pub(super) fn of(gap: Gap) -> Self {
        Self { gap, lines: gap.lines() }
    }
}

#[derive(Serialize)]
pub(super) struct Standing {
    pub(super) status: Status,
    pub(super) attempt: u32,
}

#[derive(Serialize)]
pub(super) struct Progress<'a> {
    position: f64,
    total: Option<f64>,
    fraction: Option<f64>,
    message: Option<&'a str>,
    rate: Option<f64>,
    eta_ms: Option<u64>,
    updated: u64,
    text: String,
}

impl<'a> Progress<'a> {
    pub(super) fn of(info: &'a ProgressInfo) -> Self {
        Self {
            position: info.progress.position,
            total: info.progress.total,
            fraction: info.progress.fraction(),
            message: info.progress.message.as_deref(),
            rate: info.rate,
            eta_ms: info.eta.map(millis),
            updated: millis_since_1970(info.updated),
            text: info.to_string(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct End<'a> {
    id: RunId,
    name: &'a str,
    status: Status,
    attempts: u32,
    started_at: u64,
    elapsed_ms: u64,
    error: Option<&'a str>,
    lines: u64,
    bytes: u64,
}

impl<'a> End<'a> {
    pub(super) fn of(summary: &'a Summary) -> Self {
        Self {
            id: summary.id,
            name: &summary.name,
            status: summary.status,
            attempts: summary.attempts,
            started_at: millis_since_1970(summary.started_at),
            elapsed_ms: millis(summary.elapsed),
            error: summary.error.as_deref(),
            lines: summary.lines,
            bytes: summary.bytes,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Doing<'a> {
    id: RunId,
    name: &'a str,
    status: Status,
    attempt: u32,
    pid: Option<u32>,
    progress: Option<Progress<'a>>,
    lines: u64,
    bytes: u64,
    first_held: u64,
    lines_per_second: f64,
    bytes_per_second: f64,
    started_at: u64,
    elapsed_ms: u64,
    is_stopping: bool,
}

impl<'a> Doing<'a> {
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        Self {
            id: snapshot.id,
            name: &snapshot.name,
            status: snapshot.status,
            attempt: snapshot.attempt,
            pid: snapshot.pid,
            progress: snapshot.progress.as_ref().map(Progress::of),
            lines: snapshot.lines,
            bytes: snapshot.bytes,
            first_held: snapshot.first_held,
            lines_per_second: snapshot.lines_per_second,
            bytes_per_second: snapshot.bytes_per_second,
            started_at: millis_since_1970(snapshot.started_at),
            elapsed_ms: millis(snapshot.elapsed),
            is_stopping: snapshot.is_stopping,
        }
    }
}

fn millis_since_1970(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, millis)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
