//! Hosts, and the leases that they hold on runs.

use std::sync::Arc;
use std::time::Duration;

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
    Beat, Claim, Claimed, Heard, Held, HostId, HostRecord, Lease, LeaseStore, NewHost, Outcome, Requeue,
    Result, RunRecord, StoreError, limits, rules,
};

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
            // Of those that have ended the latest 1 000 are kept.
            let mut forget = connection.prepare_cached(
                "DELETE FROM hosts WHERE ended_at IS NOT NULL AND id NOT IN
                   (SELECT id FROM hosts WHERE ended_at IS NOT NULL ORDER BY id DESC LIMIT 1000)",
            )?;
            forget.execute([])?;
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

    async fn held(&self, host: HostId) -> Result<Vec<Held>> {
        self.read(move |connection, _| {
            let mut known = connection.prepare_cached("SELECT 1 FROM hosts WHERE id = ?1")?;
            if !known.exists([host.to_string()])? {
                return Err(StoreError::UnknownHost(host).into());
            }
            let columns = rows::RUN;
            let sql =
                format!("SELECT {columns} FROM runs WHERE status = 'running' AND host = ?1 ORDER BY seq");
            let mut query = connection.prepare_cached(&sql)?;
            let found = query.query_map([host.to_string()], rows::run)?;
            found.map(|found| hold(connection, found?, host)).collect()
        })
        .await
    }

    async fn adopt(&self, host: HostId, limit: usize) -> Result<Vec<Held>> {
        limits::page(limit)?;
        self.write(move |connection, now| adopt(connection, host, limit, now)).await
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
    working(connection, host)?;
    let mut query = connection.prepare_cached("SELECT lease FROM hosts WHERE id = ?1")?;
    let lease = query.query_row([host.to_string()], |row| row.get::<_, i64>(0))?;
    let expiry = Expiry::of(now, Duration::from_millis(lease.unsigned_abs()));
    let mut update = connection.prepare_cached(
        "UPDATE hosts SET heard_at = ?2, boot = ?3, heard = ?4, expires = ?5 WHERE id = ?1",
    )?;
    update.execute(params![
        host.to_string(),
        millis(now.wall),
        expiry.boot.as_deref(),
        whole(expiry.heard),
        whole(expiry.expires)
    ])?;
    let mut heard = Heard::default();
    let mut progress = connection.prepare_cached(
        "UPDATE runs SET progress = ?3 WHERE id = ?1 AND status = 'running' AND token = ?2",
    )?;
    for beat in beats {
        let Lease { run, token, .. } = beat.lease;
        let told =
            params![run.to_string(), rows::signed(token), rows::to_json(&rules::progress(&beat.progress))?];
        if progress.execute(told)? == 0 {
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
    working(connection, claim.host)?;
    let mut promote = connection.prepare_cached(
        "UPDATE runs SET ready = 1 WHERE status = 'queued' AND ready = 0 AND queue = ?1 AND not_before <= ?2",
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
    let mut next = connection.prepare_cached(
        "SELECT min(not_before) FROM runs WHERE status = 'queued' AND ready = 0 AND queue = ?1",
    )?;
    claimed.next_due = next.query_row([&claim.queue], |row| row.get::<_, Option<i64>>(0))?.map(from_millis);
    Ok(claimed)
}

fn adopt(connection: &Connection, host: HostId, limit: usize, now: &Moment) -> Result<Vec<Held>, Stop> {
    working(connection, host)?;
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
           AND host NOT IN (SELECT id FROM hosts WHERE ended_at IS NULL) ORDER BY seq LIMIT ?1"
    );
    let mut orphans = connection.prepare_cached(&sql)?;
    let orphans = orphans.query_map([count(limit)], rows::run)?.collect::<rusqlite::Result<Vec<_>>>()?;
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

/// Refuses a host that may not take anything on.
pub(super) fn working(connection: &Connection, host: HostId) -> Result<(), Stop> {
    let mut query = connection.prepare_cached("SELECT ended_at IS NOT NULL FROM hosts WHERE id = ?1")?;
    match query.query_row([host.to_string()], |row| row.get(0)).optional()? {
        Some(false) => Ok(()),
        Some(true) => Err(StoreError::HostEnded(host).into()),
        None => Err(StoreError::UnknownHost(host).into()),
    }
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
