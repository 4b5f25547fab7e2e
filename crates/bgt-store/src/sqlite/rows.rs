//! Records as rows, and rows as records.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::SystemTime;

use bgt_core::{RunId, Status};
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, OptionalExtension, Result, Row, named_params, params};

use super::op::Stop;
use crate::clock::{Moment, from_millis, millis};
use crate::rules::{Refusal, Step};
use crate::{Attempt, HostId, RunEvent, RunEventKind, RunRecord, StoreError};

/// The columns that [`run`] reads.
pub(super) const RUN: &str = "seq, id, name, pattern, queue, priority, labels, unique_key, status, attempt, host, \
     token, created_at, not_before, started_at, ended_at, cancel_requests, progress, error, events";

/// A run, and its place in the order of acceptance.
pub(super) fn run(row: &Row<'_>) -> Result<(i64, RunRecord)> {
    let labels: Option<&str> = row.get_ref(6)?.as_str_or_null()?;
    let progress: Option<&str> = row.get_ref(17)?.as_str_or_null()?;
    let run = RunRecord {
        id: parsed(row, 1)?,
        name: row.get(2)?,
        pattern: parsed(row, 3)?,
        queue: row.get(4)?,
        priority: row.get(5)?,
        labels: labels.map_or_else(|| Ok(BTreeMap::new()), |labels| json(6, labels))?,
        unique_key: row.get(7)?,
        status: parsed(row, 8)?,
        attempt: row.get(9)?,
        owner: maybe_parsed(row, 10)?,
        token: token(row, 11)?,
        created_at: time(row, 12)?,
        not_before: time(row, 13)?,
        started_at: maybe_time(row, 14)?,
        ended_at: maybe_time(row, 15)?,
        cancel_requests: row.get(16)?,
        progress: progress.map(|progress| json(17, progress)).transpose()?,
        error: row.get(18)?,
        events: row.get(19)?,
    };
    Ok((row.get(0)?, run))
}

pub(super) fn load(connection: &Connection, id: RunId) -> Result<Option<(i64, RunRecord)>> {
    connection
        .prepare_cached(&format!("SELECT {RUN} FROM runs WHERE id = ?1"))?
        .query_row([id.to_string()], run)
        .optional()
}

/// The place of a run in the order of acceptance.
pub(super) fn seq(connection: &Connection, id: RunId) -> Result<i64, Stop> {
    let mut query = connection.prepare_cached("SELECT seq FROM runs WHERE id = ?1")?;
    let found = query.query_row([id.to_string()], |row| row.get(0)).optional()?;
    Ok(found.ok_or(StoreError::UnknownRun(id))?)
}

/// Writes down a run that was accepted, unless its id or its unique key is taken.
pub(super) fn insert(connection: &Connection, run: &RunRecord, now: &Moment) -> Result<Option<i64>> {
    let labels = (!run.labels.is_empty()).then(|| to_json(&run.labels)).transpose()?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO runs (id, name, pattern, queue, priority, labels, unique_key, status, attempt, token, created_at,
           not_before, ready, cancel_requests, events)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, ?9, ?10, ?11, 0, ?12) ON CONFLICT DO NOTHING",
    )?;
    let inserted = insert.execute(params![
        run.id.to_string(),
        run.name,
        run.pattern.as_str(),
        run.queue,
        run.priority,
        labels,
        run.unique_key,
        run.status.as_str(),
        millis(run.created_at),
        millis(run.not_before),
        run.not_before <= now.wall,
        run.events,
    ])?;
    if inserted == 0 {
        return Ok(None);
    }
    let seq = connection.last_insert_rowid();
    for (key, value) in &run.labels {
        let mut insert =
            connection.prepare_cached("INSERT INTO labels (key, value, run) VALUES (?1, ?2, ?3)")?;
        insert.execute(params![key, value, seq])?;
    }
    Ok(Some(seq))
}

/// Lets a rule change a run, and writes down what it says. Answers whether it changed anything.
pub(super) fn change<E: Into<Refusal>>(
    connection: &Connection,
    (seq, run): (i64, &mut RunRecord),
    now: &Moment,
    rule: impl FnOnce(&mut RunRecord) -> Result<Step, E>,
) -> Result<bool, Stop> {
    let before = (run.status, run.token);
    match rule(run).map_err(Into::into) {
        Ok(step) => {
            if step.events.is_empty() {
                return Ok(false);
            }
            if let Some(end) = step.attempt_end {
                let sql = "UPDATE attempts SET ended_at = ?3, status = ?4, error = ?5 WHERE run = ?1 AND number = ?2";
                let ended = (seq, run.attempt, millis(now.wall), end.status.as_str(), end.error);
                connection.prepare_cached(sql)?.execute(ended)?;
            }
            save(connection, (seq, run), before, now)?;
            step.events.iter().try_for_each(|event| add_event(connection, seq, event))?;
            Ok(true)
        }
        Err(refusal) => {
            if let Some(event) = refusal.event {
                save(connection, (seq, run), before, now)?;
                add_event(connection, seq, &event)?;
            }
            Err(refusal.error.into())
        }
    }
}

/// Writes a run that was at this status and token. That it still is, is clear from the transaction; the row itself is
/// asked all the same. A queued run that was due stays due, also when the wall clock has been set back.
pub(super) fn save(
    connection: &Connection,
    (seq, run): (i64, &RunRecord),
    (status, token): (Status, u64),
    now: &Moment,
) -> Result<(), Stop> {
    let mut update = connection.prepare_cached(
        "UPDATE runs SET status = :status, attempt = :attempt, host = :host, token = :token, not_before = :not_before,
           ready = :ready OR (ready AND status = 'queued'), started_at = :started_at, ended_at = :ended_at, cancel_requests = :cancel_requests,
           progress = :progress, error = :error, events = :events
         WHERE seq = :seq AND status = :was AND token = :old",
    )?;
    let changed = update.execute(named_params! {
        ":status": run.status.as_str(),
        ":attempt": run.attempt,
        ":host": run.owner.map(|host| host.to_string()),
        ":token": signed(run.token),
        ":not_before": millis(run.not_before),
        ":ready": run.not_before <= now.wall,
        ":started_at": run.started_at.map(millis),
        ":ended_at": run.ended_at.map(millis),
        ":cancel_requests": run.cancel_requests,
        ":progress": run.progress.as_ref().map(to_json).transpose()?,
        ":error": run.error,
        ":events": run.events,
        ":seq": seq,
        ":was": status.as_str(),
        ":old": signed(token),
    })?;
    if changed == 1 { Ok(()) } else { Err(Stop::Sql(rusqlite::Error::StatementChangedRows(changed))) }
}

pub(super) fn add_event(connection: &Connection, run: i64, event: &RunEvent) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO events (run, seq, at, kind, attempt, host, status, text)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    insert.execute(params![
        run,
        event.seq,
        millis(event.at),
        event.kind.as_str(),
        event.attempt,
        event.host.map(|host| host.to_string()),
        event.status.map(Status::as_str),
        event.text,
    ])?;
    Ok(())
}

/// From `seq, at, kind, attempt, host, status, text`.
pub(super) fn event(row: &Row<'_>) -> Result<RunEvent> {
    let kind = row.get_ref(2)?.as_str()?;
    let kind = RunEventKind::parse(kind).ok_or_else(|| unreadable(2, format!("event kind {kind:?}")))?;
    Ok(RunEvent {
        seq: row.get(0)?,
        at: time(row, 1)?,
        kind,
        attempt: row.get(3)?,
        host: maybe_parsed(row, 4)?,
        status: maybe_parsed(row, 5)?,
        text: row.get(6)?,
    })
}

/// From `number, host, token, started_at, ended_at, status, error`.
pub(super) fn attempt(row: &Row<'_>) -> Result<Attempt> {
    Ok(Attempt {
        number: row.get(0)?,
        host: parsed::<HostId>(row, 1)?,
        token: token(row, 2)?,
        started_at: time(row, 3)?,
        ended_at: maybe_time(row, 4)?,
        status: maybe_parsed(row, 5)?,
        error: row.get(6)?,
    })
}

pub(super) fn next_token(connection: &Connection) -> Result<u64> {
    let mut next = connection.prepare_cached("UPDATE token SET value = value + 1 RETURNING value")?;
    next.query_row([], |row| token(row, 0))
}

pub(super) fn token(row: &Row<'_>, column: usize) -> Result<u64> {
    Ok(row.get::<_, i64>(column)?.unsigned_abs())
}

/// SQLite's integers have a sign, which no token will ever reach.
pub(super) fn signed(token: u64) -> i64 {
    i64::try_from(token).unwrap_or(i64::MAX)
}

pub(super) fn time(row: &Row<'_>, column: usize) -> Result<SystemTime> {
    row.get(column).map(from_millis)
}

pub(super) fn maybe_time(row: &Row<'_>, column: usize) -> Result<Option<SystemTime>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(from_millis))
}

pub(super) fn parsed<T: FromStr<Err: Display>>(row: &Row<'_>, column: usize) -> Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|error: T::Err| unreadable(column, error.to_string()))
}

pub(super) fn maybe_parsed<T: FromStr<Err: Display>>(row: &Row<'_>, column: usize) -> Result<Option<T>> {
    let text = row.get_ref(column)?.as_str_or_null()?;
    text.map(|text| text.parse().map_err(|error: T::Err| unreadable(column, error.to_string()))).transpose()
}

pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn json<T: serde::de::DeserializeOwned>(column: usize, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| unreadable(column, error.to_string()))
}

fn unreadable(column: usize, what: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, FromSqlError::Other(what.into()).into())
}
