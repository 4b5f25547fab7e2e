//! Hosts, and the leases that they hold on runs.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bgt_core::{RunId, Status};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::op::Stop;
use super::runs::{count, keep_result, payload};
use super::{SqliteStore, rows};
use crate::clock::{Moment, from_millis, millis};
use crate::host::Expiry;
use crate::rules::{Refusal, Step};
use crate::{
    Adopt, Beat, Claim, Claimed, Heard, Held, HostId, HostRecord, Lease, LeaseStore, NewHost, Outcome,
    Requeue, Result, RunRecord, StoreError, limits, rules,
};

/// Whether a run of a queue may start.
const READY: &str = "SELECT 1 FROM runs WHERE status = 'queued' AND ready = 1 AND queue = ?1 LIMIT 1";
/// When the next of those may that may not yet.
const NEXT_DUE: &str =
    "SELECT min(not_before) FROM runs WHERE status = 'queued' AND ready = 0 AND queue = ?1";

#[async_trait]
impl LeaseStore for SqliteStore {
    async fn register(&self, host: NewHost) -> Result<HostId> {
        host.check()?;
        let id = HostId::new();
        self.write(move |connection, now| {
            let expiry = Expiry::of(now, host.lease);
            let mut insert = connection.prepare_cached(
                "INSERT INTO hosts (id, name, pid, started_at, heard_at, lease, boot, heard, expires)
                 VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, ?8)",
            )?;
            insert.execute(params![
                id.to_string(),
                host.name,
                host.pid,
                millis(now.wall),
                whole(host.lease),
                expiry.boot.as_deref(),
                whole(expiry.heard),
                whole(expiry.expires),
            ])?;
            // Of those that have ended, or were not heard of for a week, and hold nothing, the latest 1 000 are kept.
            let mut forget = connection.prepare_cached(
                "DELETE FROM hosts WHERE id IN (
                   SELECT id FROM hosts WHERE (ended_at IS NOT NULL OR heard_at < ?1)
                     AND id NOT IN (SELECT host FROM runs WHERE status = 'running')
                   ORDER BY heard_at DESC LIMIT -1 OFFSET 1000)",
            )?;
            forget.execute([millis(now.wall) - 7 * 86_400_000])?;
            Ok(id)
        })
        .await
    }

    async fn heartbeat(&self, host: HostId, beats: Vec<Beat>) -> Result<Heard> {
        self.write(move |connection, now| heartbeat(connection, host, &beats, now)).await
    }

    async fn retire(&self, host: HostId) -> Result<()> {
        self.write(move |connection, now| {
            let mut retire = connection
                .prepare_cached("UPDATE hosts SET ended_at = coalesce(ended_at, ?2) WHERE id = ?1")?;
            match retire.execute(params![host.to_string(), millis(now.wall)])? {
                0 => Err(StoreError::UnknownHost(host).into()),
                _ => Ok(()),
            }
        })
        .await
    }

    async fn hosts(&self) -> Result<Vec<HostRecord>> {
        self.read(move |connection, now| {
            let mut query = connection.prepare_cached(
                "SELECT id, name, pid, started_at, heard_at, ended_at, boot, heard, expires FROM hosts ORDER BY id DESC",
            )?;
            let hosts = query.query_map([], |row| {
                let ended_at = rows::maybe_time(row, 5)?;
                Ok(HostRecord {
                    id: rows::parsed(row, 0)?,
                    name: row.get(1)?,
                    pid: row.get(2)?,
                    started_at: rows::time(row, 3)?,
                    heard_at: rows::time(row, 4)?,
                    ended_at,
                    is_alive: ended_at.is_none() && !expiry(row, 6)?.is_over(now),
                })
            })?;
            Ok(hosts.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed> {
        claim.check()?;
        self.write(move |connection, now| take(connection, &claim, now)).await
    }

    async fn next_due(&self, queue: &str) -> Result<Option<SystemTime>> {
        limits::name("the queue", queue)?;
        let queue = queue.to_owned();
        self.read(move |connection, now| {
            let mut ready = connection.prepare_cached(READY)?;
            if ready.exists([&queue])? {
                return Ok(Some(from_millis(millis(now.wall))));
            }
            let due = connection
                .prepare_cached(NEXT_DUE)?
                .query_row([&queue], |row| row.get::<_, Option<i64>>(0))?;
            Ok(due.map(|due| from_millis(due.max(millis(now.wall)))))
        })
        .await
    }

    async fn held(&self, host: HostId) -> Result<Vec<Held>> {
        self.read(move |connection, _| {
            let mut known = connection.prepare_cached("SELECT 1 FROM hosts WHERE id = ?1")?;
            if !known.exists([host.to_string()])? {
                return Err(StoreError::UnknownHost(host).into());
            }
            let columns = rows::RUN;
            let sql =
                format!("SELECT {columns} FROM runs WHERE status = 'running' AND host = ?1 ORDER BY +seq");
            let mut query = connection.prepare_cached(&sql)?;
            let found = query.query_map([host.to_string()], rows::run)?;
            found.map(|found| hold(connection, found?, host)).collect()
        })
        .await
    }

    async fn adopt(&self, adopt: Adopt) -> Result<Vec<Held>> {
        adopt.check()?;
        self.write(move |connection, now| take_over(connection, &adopt, now)).await
    }

    async fn finish(&self, lease: Lease, outcome: Outcome) -> Result<()> {
        outcome.check()?;
        self.write(move |connection, now| {
            let (seq, mut run) = owned(connection, lease.run)?;
            let rule = |run: &mut RunRecord| rules::finish(run, &lease, &outcome, now);
            if rows::change(connection, (seq, &mut run), now, rule)? {
                keep_result(connection, seq, &outcome)?;
            }
            Ok(())
        })
        .await
    }

    async fn requeue(&self, lease: Lease, requeue: Requeue) -> Result<Status> {
        requeue.check()?;
        self.write(move |connection, now| {
            let (seq, mut run) = owned(connection, lease.run)?;
            rows::change(connection, (seq, &mut run), now, |run| rules::requeue(run, &lease, &requeue, now))?;
            Ok(run.status)
        })
        .await
    }
}

fn heartbeat(connection: &Connection, host: HostId, beats: &[Beat], now: &Moment) -> Result<Heard, Stop> {
    hear(connection, host, now)?;
    let mut heard = Heard::default();
    let mut progress = connection.prepare_cached(
        "UPDATE runs SET progress = coalesce(?3, progress) WHERE id = ?1 AND status = 'running' AND token = ?2",
    )?;
    let mut given = connection.prepare_cached("SELECT 1 FROM runs WHERE id = ?1 AND token <> ?2")?;
    for beat in beats {
        let (run, token) = (beat.lease.run.to_string(), rows::signed(beat.lease.token));
        let told = beat.progress.as_ref().map(|told| rows::to_json(&rules::progress(told))).transpose()?;
        if progress.execute(params![run, token, told])? == 0 && given.exists(params![run, token])? {
            heard.fenced.push(beat.lease);
        }
    }
    let mut asked = connection.prepare_cached(
        "SELECT id, cancel_requests FROM runs WHERE status = 'running' AND cancel_requests > 0 AND host = ?1 ORDER BY seq",
    )?;
    let asked = asked.query_map([host.to_string()], |row| Ok((rows::parsed(row, 0)?, row.get(1)?)))?;
    heard.cancel = asked.collect::<rusqlite::Result<_>>()?;
    Ok(heard)
}

fn take(connection: &Connection, claim: &Claim, now: &Moment) -> Result<Claimed, Stop> {
    hear(connection, claim.host, now)?;
    // Of what is due now only so much at once: a million at the same instant must not hold everybody up.
    let mut promote = connection.prepare_cached(
        "UPDATE runs SET ready = 1 WHERE seq IN (
           SELECT seq FROM runs WHERE status = 'queued' AND ready = 0 AND queue = ?1 AND not_before <= ?2
           ORDER BY not_before LIMIT 2000)",
    )?;
    promote.execute(params![claim.queue, millis(now.wall)])?;
    let room = match claim.max_running {
        None => claim.limit,
        Some(max) => {
            let mut query = connection
                .prepare_cached("SELECT count(*) FROM runs WHERE status = 'running' AND queue = ?1")?;
            let running: i64 = query.query_row([&claim.queue], |row| row.get(0))?;
            claim.limit.min(usize::try_from(i64::from(max) - running).unwrap_or(0))
        }
    };
    let columns = rows::RUN;
    let sql = format!(
        "SELECT {columns} FROM runs WHERE status = 'queued' AND ready = 1 AND queue = ?1
         ORDER BY priority DESC, seq LIMIT ?2"
    );
    let mut due = connection.prepare_cached(&sql)?;
    let due = due.query_map(params![claim.queue, count(room)], rows::run)?;
    let due = due.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut claimed = Claimed::default();
    for (seq, mut run) in due {
        let token = rows::next_token(connection)?;
        let mut begun = None;
        rows::change(connection, (seq, &mut run), now, |run| {
            let (_, attempt, event) = rules::claim(run, claim.host, token, now)?;
            begun = Some(attempt);
            Ok::<_, Refusal>(Step { events: vec![event], attempt_end: None })
        })?;
        if let Some(attempt) = begun {
            let mut insert = connection.prepare_cached(
                "INSERT INTO attempts (run, number, host, token, started_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            insert.execute(params![
                seq,
                attempt.number,
                attempt.host.to_string(),
                rows::signed(token),
                millis(attempt.started_at)
            ])?;
        }
        claimed.runs.push(hold(connection, (seq, run), claim.host)?);
    }
    claimed.has_more = connection.prepare_cached(READY)?.exists([&claim.queue])?;
    let due =
        connection.prepare_cached(NEXT_DUE)?.query_row([&claim.queue], |row| row.get::<_, Option<i64>>(0))?;
    claimed.has_more |= due.is_some_and(|due| due <= millis(now.wall));
    claimed.next_due = due.map(from_millis);
    Ok(claimed)
}

fn take_over(connection: &Connection, adopt: &Adopt, now: &Moment) -> Result<Vec<Held>, Stop> {
    let host = adopt.host;
    hear(connection, host, now)?;
    let mut own = connection.prepare_cached("SELECT resumed, lease FROM hosts WHERE id = ?1")?;
    let (resumed, lease): (Option<i64>, i64) =
        own.query_row([host.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let span = |millis: i64| Duration::from_millis(millis.unsigned_abs());
    if Expiry::must_wait(resumed.map(span), span(lease), now) {
        return Ok(Vec::new());
    }
    let mut others = connection
        .prepare_cached("SELECT id, boot, heard, expires FROM hosts WHERE ended_at IS NULL AND id <> ?1")?;
    let others = others
        .query_map([host.to_string()], |row| Ok((rows::parsed::<HostId>(row, 0)?, expiry(row, 1)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut end = connection.prepare_cached("UPDATE hosts SET ended_at = ?2 WHERE id = ?1")?;
    for (other, _) in others.iter().filter(|(_, expiry)| expiry.is_over(now)) {
        end.execute(params![other.to_string(), millis(now.wall)])?;
    }
    let columns = rows::RUN;
    let sql = format!(
        "SELECT {columns} FROM runs WHERE status = 'running'
           AND host NOT IN (SELECT id FROM hosts WHERE ended_at IS NULL)
           AND (?2 IS NULL OR queue IN (SELECT value FROM json_each(?2))) AND (?3 IS NULL OR id = ?3)
         ORDER BY +seq LIMIT ?1"
    );
    let queues = (!adopt.queues.is_empty()).then(|| rows::to_json(&adopt.queues)).transpose()?;
    let wanted = params![count(adopt.limit), queues, adopt.run.map(|id| id.to_string())];
    let mut orphans = connection.prepare_cached(&sql)?;
    let orphans = orphans.query_map(wanted, rows::run)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut adopted = Vec::with_capacity(orphans.len());
    for (seq, mut run) in orphans {
        let token = rows::next_token(connection)?;
        rows::change(connection, (seq, &mut run), now, |run| {
            let (_, event) = rules::adopt(run, host, token, now);
            Ok::<_, Refusal>(Step { events: vec![event], attempt_end: None })
        })?;
        let mut attempt = connection
            .prepare_cached("UPDATE attempts SET host = ?3, token = ?4 WHERE run = ?1 AND number = ?2")?;
        attempt.execute(params![seq, run.attempt, host.to_string(), rows::signed(token)])?;
        adopted.push(hold(connection, (seq, run), host)?);
    }
    Ok(adopted)
}

fn hold(connection: &Connection, (seq, run): (i64, RunRecord), host: HostId) -> Result<Held, Stop> {
    Ok(Held { lease: run.lease(host), payload: payload(connection, seq)?, run })
}

fn owned(connection: &Connection, id: RunId) -> Result<(i64, RunRecord), Stop> {
    Ok(rows::load(connection, id)?.ok_or(StoreError::UnknownRun(id))?)
}

/// A host that may still take something on is there.
pub(super) fn hear(connection: &Connection, host: HostId, now: &Moment) -> Result<(), Stop> {
    let mut hear = connection.prepare_cached(
        "UPDATE hosts SET heard_at = ?2, boot = ?3, heard = ?4, expires = ?4 + lease, resumed = coalesce(?5, resumed)
         WHERE id = ?1 AND ended_at IS NULL",
    )?;
    let id = host.to_string();
    let mut query = connection
        .prepare_cached("SELECT boot, heard, expires FROM hosts WHERE id = ?1 AND ended_at IS NULL")?;
    let before = query.query_row([&id], |row| expiry(row, 0)).optional()?;
    if let Some(before) = before {
        let now_since = whole(now.since_boot);
        let resumed = before.is_over(now).then_some(now_since);
        hear.execute(params![id, millis(now.wall), now.boot.as_deref(), now_since, resumed])?;
        return Ok(());
    }
    let mut known = connection.prepare_cached("SELECT 1 FROM hosts WHERE id = ?1")?;
    let refused =
        if known.exists([id])? { StoreError::HostEnded(host) } else { StoreError::UnknownHost(host) };
    Err(refused.into())
}

/// From `boot, heard, expires`.
pub(super) fn expiry(row: &Row<'_>, first: usize) -> rusqlite::Result<Expiry> {
    let since_boot =
        |column| Ok::<_, rusqlite::Error>(Duration::from_millis(row.get::<_, i64>(column)?.unsigned_abs()));
    Ok(Expiry {
        boot: row.get::<_, Option<String>>(first)?.map(Arc::from),
        heard: since_boot(first + 1)?,
        expires: since_boot(first + 2)?,
    })
}

fn whole(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
