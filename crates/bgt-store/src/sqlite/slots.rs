//! Claims on the times at which schedules are due.

use std::time::SystemTime;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::leases::{expiry, hear};
use super::op::Stop;
use super::runs::count;
use super::{SqliteStore, rows};
use crate::clock::{Moment, from_millis, millis};
use crate::{HostId, Outcome, Result, SlotClaim, SlotLease, SlotRecord, SlotStore, StoreError, limits};

#[async_trait]
impl SlotStore for SqliteStore {
    async fn claim_slot(&self, host: HostId, schedule: &str, at: SystemTime) -> Result<SlotClaim> {
        limits::name("the name of a schedule", schedule)?;
        let schedule = schedule.to_owned();
        self.write(move |connection, now| take(connection, host, &schedule, at, false, now)).await
    }

    async fn adopt_slot(&self, host: HostId, schedule: &str, at: SystemTime) -> Result<SlotClaim> {
        limits::name("the name of a schedule", schedule)?;
        let schedule = schedule.to_owned();
        self.write(move |connection, now| take(connection, host, &schedule, at, true, now)).await
    }

    async fn finish_slot(&self, lease: SlotLease, outcome: Outcome) -> Result<()> {
        outcome.check()?;
        self.write(move |connection, now| {
            let status = outcome.status.as_str();
            let of = params![lease.schedule, millis(lease.at), rows::signed(lease.token), status];
            let mut again = connection.prepare_cached(
                "SELECT 1 FROM slots WHERE schedule = ?1 AND at = ?2 AND token = ?3 AND status = ?4",
            )?;
            if again.exists(of)? {
                return Ok(());
            }
            let mut finish = connection.prepare_cached(
                "UPDATE slots SET status = ?4, ended_at = ?5, error = ?6
                 WHERE schedule = ?1 AND at = ?2 AND token = ?3 AND status IS NULL",
            )?;
            let error = outcome.error.as_deref().map(limits::text);
            let now = millis(now.wall);
            let changed = finish.execute(params![
                lease.schedule,
                millis(lease.at),
                rows::signed(lease.token),
                status,
                now,
                error
            ])?;
            match changed {
                0 => Err(StoreError::slot_fenced(&lease.schedule, lease.at, lease.token).into()),
                _ => Ok(()),
            }
        })
        .await
    }

    async fn slots(&self, schedule: &str, limit: usize) -> Result<Vec<SlotRecord>> {
        limits::name("the name of a schedule", schedule)?;
        let schedule = schedule.to_owned();
        limits::page("the limit of slots", limit)?;
        self.read(move |connection, now| {
            let condition = "schedule = ?1 ORDER BY at DESC LIMIT ?2";
            let mut query = connection.prepare_cached(&format!("{SLOTS} WHERE {condition}"))?;
            let found = query.query_map(params![schedule, count(limit)], |row| slot(row, now))?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn prune_slots(&self, schedule: &str, keep: u64) -> Result<u64> {
        limits::name("the name of a schedule", schedule)?;
        let schedule = schedule.to_owned();
        self.write(move |connection, now| {
            // The latest of those that go, and with it all finished ones before it.
            let mut latest = connection.prepare_cached(
                "SELECT at FROM (
                   SELECT at FROM slots WHERE schedule = ?1 AND status IS NOT NULL ORDER BY at DESC LIMIT -1 OFFSET ?2)
                 WHERE at <= ?3 LIMIT 1",
            )?;
            let keep = i64::try_from(keep).unwrap_or(i64::MAX);
            let latest = latest.query_row(params![schedule, keep, millis(now.wall)], |row| row.get::<_, i64>(0)).optional()?;
            let Some(latest) = latest else { return Ok(0) };
            let mut forget = connection
                .prepare_cached("DELETE FROM slots WHERE schedule = ?1 AND at <= ?2 AND status IS NOT NULL")?;
            let gone = forget.execute(params![schedule, latest])?;
            let mut mark = connection.prepare_cached(
                "INSERT INTO forgotten_slots (schedule, at) VALUES (?1, ?2)
                 ON CONFLICT (schedule) DO UPDATE SET at = max(at, excluded.at)",
            )?;
            mark.execute(params![schedule, latest])?;
            Ok(gone as u64)
        })
        .await
    }

    async fn erase_slots(&self, schedule: &str) -> Result<u64> {
        limits::name("the name of a schedule", schedule)?;
        let schedule = schedule.to_owned();
        self.write(move |connection, _| {
            connection
                .prepare_cached("DELETE FROM forgotten_slots WHERE schedule = ?1")?
                .execute([&schedule])?;
            Ok(connection.prepare_cached("DELETE FROM slots WHERE schedule = ?1")?.execute([&schedule])?
                as u64)
        })
        .await
    }
}

const SLOTS: &str = "SELECT schedule, at, host, token, claimed_at, slots.ended_at, status, error,
    hosts.id IS NULL OR hosts.ended_at IS NOT NULL, boot, coalesce(heard, 0), coalesce(expires, 0)
    FROM slots LEFT JOIN hosts ON hosts.id = host";

fn slot(row: &rusqlite::Row<'_>, now: &Moment) -> rusqlite::Result<SlotRecord> {
    let status = rows::maybe_parsed(row, 6)?;
    let is_orphaned = row.get::<_, bool>(8)? || expiry(row, 9)?.is_over(now);
    Ok(SlotRecord {
        schedule: row.get(0)?,
        at: rows::time(row, 1)?,
        host: rows::parsed(row, 2)?,
        token: rows::token(row, 3)?,
        claimed_at: rows::time(row, 4)?,
        ended_at: rows::maybe_time(row, 5)?,
        status,
        error: row.get(7)?,
        is_abandoned: status.is_none() && is_orphaned,
    })
}

fn take(
    connection: &Connection,
    host: HostId,
    schedule: &str,
    at: SystemTime,
    may_adopt: bool,
    now: &Moment,
) -> Result<SlotClaim, Stop> {
    hear(connection, host, now)?;
    let mut query = connection.prepare_cached(&format!("{SLOTS} WHERE schedule = ?1 AND at = ?2"))?;
    let known = query.query_row(params![schedule, millis(at)], |row| slot(row, now)).optional()?;
    if let Some(slot) = known {
        if !(may_adopt && slot.is_abandoned) {
            return Ok(SlotClaim::Taken(slot));
        }
        let mut end =
            connection.prepare_cached("UPDATE hosts SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL")?;
        end.execute(params![slot.host.to_string(), millis(now.wall)])?;
    } else {
        let mut query =
            connection.prepare_cached("SELECT at FROM forgotten_slots WHERE schedule = ?1 AND at >= ?2")?;
        let forgotten =
            query.query_row(params![schedule, millis(at)], |row| rows::time(row, 0)).optional()?;
        if let Some(forgotten) = forgotten {
            return Ok(SlotClaim::Past { forgotten });
        }
    }
    let token = rows::next_token(connection)?;
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO slots (schedule, at, host, token, claimed_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    insert.execute(params![schedule, millis(at), host.to_string(), rows::signed(token), millis(now.wall)])?;
    let at = from_millis(millis(at));
    Ok(SlotClaim::Won(SlotLease { schedule: schedule.to_owned(), at, host, token }))
}
