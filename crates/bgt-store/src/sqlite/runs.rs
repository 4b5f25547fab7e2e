//! Runs, as everybody may see and ask for them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bgt_core::{RunId, Status};
use bytes::Bytes;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::op::Stop;
use super::{SqliteStore, rows};
use crate::clock::{Moment, millis};
use crate::{
    Attempt, Cursor, Enqueued, NewRun, Outcome, Page, Result, Retention, RunEvent, RunEventKind, RunFilter,
    RunPage, RunRecord, RunStore, StoreError, limits, rules,
};

#[async_trait]
impl RunStore for SqliteStore {
    async fn enqueue(&self, runs: Vec<NewRun>) -> Result<Vec<Enqueued>> {
        runs.iter().try_for_each(NewRun::check)?;
        self.write(move |connection, now| runs.iter().map(|new| enqueue(connection, new, now)).collect())
            .await
    }

    async fn run(&self, id: RunId) -> Result<Option<RunRecord>> {
        self.read(move |connection, _| Ok(rows::load(connection, id)?.map(|(_, run)| run))).await
    }

    async fn payload(&self, id: RunId) -> Result<Bytes> {
        self.read(move |connection, _| payload(connection, rows::seq(connection, id)?)).await
    }

    async fn result(&self, id: RunId) -> Result<Option<Bytes>> {
        self.read(move |connection, _| {
            let seq = rows::seq(connection, id)?;
            let mut query = connection.prepare_cached("SELECT value FROM results WHERE run = ?1")?;
            let found = query.query_row([seq], |row| row.get::<_, Vec<u8>>(0)).optional()?;
            Ok(found.map(Bytes::from))
        })
        .await
    }

    async fn attempts(&self, id: RunId) -> Result<Vec<Attempt>> {
        self.read(move |connection, _| {
            let seq = rows::seq(connection, id)?;
            let mut query = connection.prepare_cached(
                "SELECT number, host, token, started_at, ended_at, status, error FROM attempts
                 WHERE run = ?1 ORDER BY number",
            )?;
            Ok(query.query_map([seq], rows::attempt)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn events(&self, id: RunId, after: u32, limit: usize) -> Result<Vec<RunEvent>> {
        limits::page("the limit of events", limit)?;
        self.read(move |connection, _| {
            let (place, run) = rows::load(connection, id)?.ok_or(StoreError::UnknownRun(id))?;
            // That it was queued is in the row itself, and not written twice.
            let queued = RunEvent::new(1, run.created_at, RunEventKind::Queued, 0);
            let mut events: Vec<_> = (after == 0).then_some(queued).into_iter().collect();
            let mut query = connection.prepare_cached(
                "SELECT seq, at, kind, attempt, host, status, text FROM events
                 WHERE run = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
            )?;
            let wanted = params![place, after.max(1), count(limit - events.len())];
            for event in query.query_map(wanted, rows::event)? {
                events.push(event?);
            }
            Ok(events)
        })
        .await
    }

    async fn list(&self, filter: RunFilter, page: Page) -> Result<RunPage> {
        page.check()?;
        filter.check()?;
        self.read(move |connection, _| list(connection, &filter, page)).await
    }

    async fn count(&self, filter: RunFilter) -> Result<BTreeMap<Status, u64>> {
        filter.check()?;
        self.read(move |connection, _| {
            let (condition, values) = condition(&filter);
            let sql = format!("SELECT status, count(*) FROM runs WHERE {condition} GROUP BY status");
            let mut query = connection.prepare_cached(&sql)?;
            let counts = query.query_map(params_from_iter(values), |row| {
                Ok((rows::parsed(row, 0)?, row.get::<_, i64>(1)?.unsigned_abs()))
            })?;
            Ok(counts.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn request_cancel(&self, id: RunId) -> Result<RunRecord> {
        self.write(move |connection, now| {
            let (seq, mut run) = rows::load(connection, id)?.ok_or(StoreError::UnknownRun(id))?;
            rows::change(connection, (seq, &mut run), now, |run| rules::request_cancel(run, now))?;
            Ok(run)
        })
        .await
    }

    async fn end_queued(&self, id: RunId, outcome: Outcome) -> Result<RunRecord> {
        outcome.check()?;
        self.write(move |connection, now| {
            let (seq, mut run) = rows::load(connection, id)?.ok_or(StoreError::UnknownRun(id))?;
            if rows::change(connection, (seq, &mut run), now, |run| rules::end_queued(run, &outcome, now))? {
                keep_result(connection, seq, &outcome)?;
            }
            Ok(run)
        })
        .await
    }

    async fn note(&self, id: RunId, text: &str) -> Result<()> {
        let text = limits::text(text);
        self.write(move |connection, now| {
            let (seq, mut run) = rows::load(connection, id)?.ok_or(StoreError::UnknownRun(id))?;
            let before = (run.status, run.token);
            let event = rules::note(&mut run, &text, now);
            rows::save(connection, (seq, &run), before, now)?;
            Ok(rows::add_event(connection, seq, &event)?)
        })
        .await
    }

    async fn prune(&self, retention: Retention, limit: usize) -> Result<Vec<RunId>> {
        limits::page("the limit of pruning", limit)?;
        self.write(move |connection, _| prune(connection, &retention, limit)).await
    }
}

fn enqueue(connection: &Connection, new: &NewRun, now: &Moment) -> Result<Enqueued, Stop> {
    let (run, _) = rules::accept(new, now);
    let Some(seq) = rows::insert(connection, &run, now)? else {
        let mut known = connection.prepare_cached(
            "SELECT id, 0 AS place FROM runs WHERE id = ?1
             UNION ALL SELECT id, 1 FROM runs
               WHERE unique_key = ?2 AND unique_key IS NOT NULL AND ended_at IS NULL
             ORDER BY place LIMIT 1",
        )?;
        let id = known.query_row(params![new.id.to_string(), new.unique_key], |row| rows::parsed(row, 0))?;
        return Ok(Enqueued { id, is_new: false });
    };
    let mut payload = connection.prepare_cached("INSERT INTO payloads (run, value) VALUES (?1, ?2)")?;
    payload.execute(params![seq, &new.payload[..]])?;
    Ok(Enqueued { id: run.id, is_new: true })
}

pub(super) fn payload(connection: &Connection, seq: i64) -> Result<Bytes, Stop> {
    let mut query = connection.prepare_cached("SELECT value FROM payloads WHERE run = ?1")?;
    Ok(query.query_row([seq], |row| row.get::<_, Vec<u8>>(0))?.into())
}

pub(super) fn keep_result(connection: &Connection, seq: i64, outcome: &Outcome) -> rusqlite::Result<()> {
    if let Some(result) = &outcome.result {
        let mut insert =
            connection.prepare_cached("INSERT OR REPLACE INTO results (run, value) VALUES (?1, ?2)")?;
        insert.execute(params![seq, &result[..]])?;
    }
    Ok(())
}

fn list(connection: &Connection, filter: &RunFilter, page: Page) -> Result<RunPage, Stop> {
    let (condition, mut values) = condition(filter);
    values.push(page.after.map_or(i64::MAX, |cursor| cursor.0).into());
    values.push(count(page.limit + 1).into());
    let columns = rows::RUN;
    let sql = format!("SELECT {columns} FROM runs WHERE {condition} AND seq < ? ORDER BY seq DESC LIMIT ?");
    let mut query = connection.prepare_cached(&sql)?;
    let found = query.query_map(params_from_iter(values), rows::run)?;
    let mut found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    let more = found.len() > page.limit;
    found.truncate(page.limit);
    let next = found.last().filter(|_| more).map(|(seq, _)| Cursor(*seq));
    Ok(RunPage { runs: found.into_iter().map(|(_, run)| run).collect(), next })
}

/// What follows WHERE, and the values in it.
fn condition(filter: &RunFilter) -> (String, Vec<Value>) {
    let mut conditions = vec![of_status(&filter.statuses)];
    let mut values = Vec::new();
    let mut add = |condition: &str, value: Value| {
        conditions.push(condition.to_owned());
        values.push(value);
    };
    let texts = [("name = ?", &filter.name), ("queue = ?", &filter.queue)];
    for (condition, text) in texts {
        if let Some(text) = text {
            add(condition, text.clone().into());
        }
    }
    if let Some(pattern) = filter.pattern {
        add("pattern = ?", pattern.as_str().to_owned().into());
    }
    if let Some(time) = filter.since {
        add("created_at >= ?", millis(time).into());
    }
    if let Some(time) = filter.before {
        add("created_at < ?", millis(time).into());
    }
    for (key, value) in &filter.labels {
        conditions.push("seq IN (SELECT run FROM labels WHERE key = ? AND value = ?)".to_owned());
        values.extend([key.clone().into(), value.clone().into()]);
    }
    (conditions.join(" AND "), values)
}

/// Statuses, which are our own words, are part of the text: only then are the indexes found that have the runs of some
/// statuses. Runs that are not over are few, and are looked up; those that are over are walked from the latest.
fn of_status(statuses: &[Status]) -> String {
    if statuses.is_empty() {
        return "1".to_owned();
    }
    let over: Vec<_> = statuses.iter().filter(|status| status.is_final()).map(|s| format!("'{s}'")).collect();
    let over = format!("status IN ({}) AND ended_at IS NOT NULL", over.join(", "));
    let mut open = Vec::new();
    if statuses.contains(&Status::Queued) {
        open.push("SELECT seq FROM runs WHERE status = 'queued' AND ready = 1");
        open.push("SELECT seq FROM runs WHERE status = 'queued' AND ready = 0");
    }
    if statuses.contains(&Status::Running) {
        open.push("SELECT seq FROM runs WHERE status = 'running'");
    }
    match open.is_empty() {
        true => over,
        false => format!("({over} OR seq IN ({}))", open.join(" UNION ALL ")),
    }
}

fn prune(connection: &Connection, retention: &Retention, limit: usize) -> Result<Vec<RunId>, Stop> {
    let over: i64 = match retention.keep {
        Some(_) => connection
            .prepare_cached("SELECT count(*) FROM runs WHERE ended_at IS NOT NULL")?
            .query_row([], |row| row.get(0))?,
        None => 0,
    };
    let keep = retention.keep.map_or(over, |keep| i64::try_from(keep).unwrap_or(i64::MAX));
    let surplus = usize::try_from(over.saturating_sub(keep)).unwrap_or(0);
    let before = retention.ended_before.map_or(i64::MIN, millis);
    let mut query = connection.prepare_cached(
        "SELECT seq, id, ended_at FROM runs WHERE ended_at IS NOT NULL ORDER BY ended_at, seq LIMIT ?1",
    )?;
    let oldest = query.query_map([count(limit)], |row| {
        Ok((row.get::<_, i64>(0)?, rows::parsed(row, 1)?, row.get::<_, i64>(2)?))
    })?;
    let mut gone = Vec::new();
    for (place, row) in oldest.enumerate() {
        let (seq, id, ended) = row?;
        if place >= surplus && ended >= before {
            break;
        }
        gone.push((seq, id));
    }
    for (seq, _) in &gone {
        for sql in [
            "DELETE FROM labels WHERE run = ?1 AND (key, value) IN (SELECT key, value FROM json_each(\
               (SELECT labels FROM runs WHERE seq = ?1)))",
            "DELETE FROM events WHERE run = ?1",
            "DELETE FROM attempts WHERE run = ?1",
            "DELETE FROM payloads WHERE run = ?1",
            "DELETE FROM results WHERE run = ?1",
            "DELETE FROM runs WHERE seq = ?1",
        ] {
            connection.prepare_cached(sql)?.execute([seq])?;
        }
    }
    Ok(gone.into_iter().map(|(_, id)| id).collect())
}

/// SQLite counts with a sign.
pub(super) fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
