//! Figures for gauges, alarms and the health score.

use super::BackupKind;
use crate::ids::BackupId;
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use sqlx::FromRow;

/// Of the backups of one kind.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct ClassFigures {
    pub class: BackupKind,
    pub last_id: Option<BackupId>,
    /// Of the newest that is in as many stores as it needs; `None`: there never was one.
    pub last_finished_at: Option<DateTime<Utc>>,
    pub last_bytes: Option<i64>,
    pub last_s: Option<f64>,
    /// Mean size of up to 24 before it.
    pub usual_bytes: Option<f64>,
    /// Since then, up to 100.
    pub failures: i64,
    pub last_error: Option<String>,
}

/// What verification knows of the backups that should be there.
#[derive(Debug, Clone, Default, PartialEq, FromRow)]
pub struct Verifications {
    pub backups: i64,
    /// Found lost by the last verification.
    pub lost: i64,
    /// With a copy that is missing or damaged.
    pub harmed: i64,
    /// Never verified.
    pub unverified: i64,
    /// Of those, older than three hours.
    pub long_unverified: i64,
    /// `None`: no backup that is still there was ever verified.
    pub last_verified_at: Option<DateTime<Utc>>,
    /// Of those that were verified, when the one was that was not verified for the longest time.
    pub oldest_verified_at: Option<DateTime<Utc>>,
}

/// What the server says of its WAL.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Archiver {
    pub is_on: bool,
    pub segment_bytes: i64,
    /// Position now, in text; `None` on a server that recovers.
    pub position: Option<String>,
    pub last_archived: Option<String>,
    pub last_archived_at: Option<DateTime<Utc>>,
    pub last_failed_at: Option<DateTime<Utc>>,
    /// `max_wal_size`: room that WAL may take on the database's disk before checkpoints come sooner.
    pub wal_bytes_max: i64,
}

/// What a worker has seen of the archive of WAL in the stores.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct WalArchive {
    /// Between archived ones that a kept base backup needs, in no store and owed to none.
    pub missing_segments: i64,
    /// Name of the first of them.
    pub first_missing: Option<String>,
    pub checked_at: DateTime<Utc>,
}

impl Store {
    /// All kinds, also those of which there is none.
    pub async fn backup_figures(&self) -> Result<Vec<ClassFigures>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT c.class, last.id AS last_id, last.finished_at AS last_finished_at, last.sealed_bytes AS last_bytes,
                    extract(epoch FROM last.finished_at - last.started_at)::float8 AS last_s,
                    usual.bytes AS usual_bytes, coalesce(failed.failures, 0) AS failures, failed.last_error
             FROM unnest(enum_range(NULL::backup_class)) AS c (class)
             LEFT JOIN LATERAL (
                 SELECT b.id, b.started_at, b.finished_at, b.sealed_bytes FROM backups b
                 WHERE b.class = c.class AND b.state <> 'failed' AND b.counts ORDER BY b.id DESC LIMIT 1
             ) AS last ON true
             LEFT JOIN LATERAL (
                 SELECT avg(before.sealed_bytes)::float8 AS bytes FROM (
                     SELECT b.sealed_bytes FROM backups b
                     WHERE b.class = c.class AND b.state <> 'failed' AND b.id < last.id ORDER BY b.id DESC LIMIT 24
                 ) AS before
             ) AS usual ON true
             LEFT JOIN LATERAL (
                 SELECT count(*) AS failures, (array_agg(since.error))[1] AS last_error FROM (
                     SELECT b.error FROM backups b
                     WHERE b.class = c.class AND b.state = 'failed'
                       AND (last.finished_at IS NULL OR b.finished_at > last.finished_at)
                     ORDER BY b.id DESC LIMIT 100
                 ) AS since
             ) AS failed ON true",
        )
        .fetch_all(self.pool())
        .await?)
    }

    /// When a backup of each kind was last brought back, in earnest or as a drill, and found to be what it should be;
    /// kinds of which none ever was are missing. Of the rows of projects, a merge proves that; a merge from a full
    /// backup does not prove that the whole database comes back.
    pub async fn proven_restores(&self) -> Result<Vec<(BackupKind, DateTime<Utc>)>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT b.class, max(r.finished_at) FROM restores r JOIN backups b ON b.id = r.backup_id
             WHERE r.state = 'succeeded' AND NOT r.is_dry_run AND r.finished_at IS NOT NULL
               AND (r.mode IN ('full', 'drill', 'point_in_time') OR b.class = 'tenant')
             GROUP BY b.class",
        )
        .fetch_all(self.pool())
        .await?)
    }

    /// Reads a row for each backup that is kept.
    pub async fn backup_verifications(&self) -> Result<Verifications, StoreError> {
        Ok(sqlx::query_as(
            "SELECT count(*) AS backups, count(*) FILTER (WHERE NOT is_good) AS lost,
                    count(*) FILTER (WHERE EXISTS (SELECT FROM backup_copies c WHERE c.backup_id = b.id
                                                   AND c.state IN ('missing', 'damaged'))) AS harmed,
                    count(*) FILTER (WHERE verified_at IS NULL) AS unverified,
                    count(*) FILTER (WHERE verified_at IS NULL AND finished_at < now() - interval '3 hours')
                        AS long_unverified,
                    max(verified_at) AS last_verified_at, min(verified_at) AS oldest_verified_at
             FROM backups b WHERE state = 'committed'",
        )
        .fetch_one(self.pool())
        .await?)
    }

    /// Since when the schedule of hourly backups is there, or was; before the scheduler has made it, since the database is
    /// there.
    pub async fn backups_expected_since(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT coalesce((SELECT offered_at FROM shipped_schedules WHERE key = 'hourly_backup'),
                             (SELECT min(installed_on) FROM _sqlx_migrations))",
        )
        .fetch_one(self.pool())
        .await?)
    }

    pub async fn archiver(&self) -> Result<Archiver, StoreError> {
        Ok(sqlx::query_as(
            "SELECT current_setting('archive_mode') <> 'off' AS is_on,
                    pg_size_bytes(current_setting('wal_segment_size')) AS segment_bytes,
                    CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_lsn()::text END AS position,
                    last_archived_wal AS last_archived, last_archived_time AS last_archived_at,
                    last_failed_time AS last_failed_at,
                    (SELECT setting::bigint << 20 FROM pg_settings WHERE name = 'max_wal_size') AS wal_bytes_max
             FROM pg_stat_archiver",
        )
        .fetch_one(self.pool())
        .await?)
    }

    /// `None`: nobody has looked yet.
    pub async fn wal_archive(&self) -> Result<Option<WalArchive>, StoreError> {
        Ok(sqlx::query_as("SELECT missing_segments, first_missing, checked_at FROM wal_archive")
            .fetch_optional(self.pool())
            .await?)
    }

    /// What was seen now; whoever was last is right.
    pub async fn record_wal_archive(
        &self,
        missing_segments: i64,
        first_missing: Option<&str>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO wal_archive (missing_segments, first_missing) VALUES ($1, $2)
             ON CONFLICT (is_it) DO UPDATE
             SET missing_segments = excluded.missing_segments, first_missing = excluded.first_missing,
                 checked_at = now()",
        )
        .bind(missing_segments)
        .bind(first_missing)
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// From where on each kept base backup needs WAL: its timeline, and the position in text.
    pub async fn wal_needed_from(&self) -> Result<Vec<(i64, String)>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT (manifest -> 'wal' ->> 'timeline')::bigint, manifest -> 'wal' ->> 'start_lsn' FROM backups
             WHERE class = 'base' AND state = 'committed' AND manifest -> 'wal' ->> 'start_lsn' IS NOT NULL",
        )
        .fetch_all(self.pool())
        .await?)
    }
}
