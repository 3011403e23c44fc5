//! What is wrong with backups, from when to when, and who has taken note of it.

use crate::ids::BackupAlertId;
use crate::notification::Event;
use crate::store::audit::{Note, Tenant};
use crate::store::notifications::notify;
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use sqlx::FromRow;

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, sqlx::Type, serde::Serialize, serde::Deserialize,
)]
#[sqlx(type_name = "backup_alert_severity", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum AlertSeverity {
    Warning,
    Critical,
}

/// A condition that holds now.
#[derive(Debug, Clone, PartialEq)]
pub struct NewBackupAlert {
    /// Which one: `backup_stale`; see `backup::health::alarms`.
    pub kind: &'static str,
    /// Of which store or kind of backup; may be empty.
    pub subject: String,
    pub severity: AlertSeverity,
    pub message: String,
    /// Tells people of it, once, and has a condition of its own; `None`: somebody else has told them.
    pub event: Option<Event>,
}

#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct BackupAlert {
    pub id: BackupAlertId,
    pub kind: String,
    pub subject: String,
    pub severity: AlertSeverity,
    pub message: String,
    pub raised_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    /// `None` while it holds.
    pub resolved_at: Option<DateTime<Utc>>,
    pub acknowledged_at: Option<DateTime<Utc>>,
    pub acknowledged_by: Option<String>,
}

const COLUMNS: &str =
    "id, kind, subject, severity, message, raised_at, seen_at, resolved_at, acknowledged_at, acknowledged_by";

impl Store {
    /// Brings the records up to what holds now: what is new is raised, what has ended is resolved. Returns what is new,
    /// once, whoever calls at the same moment. People are told of it in the same transaction, and of its end by the notifier,
    /// which looks at these records ([`Store::resolve_past_alerts`]).
    pub async fn note_backup_alerts(&self, now: &[NewBackupAlert]) -> Result<Vec<BackupAlert>, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock(hashtext('backup alerts'))").execute(&mut *tx).await?;
        let mut raised = vec![];
        for alert in now {
            let known = sqlx::query(
                "UPDATE backup_alerts SET seen_at = now(), message = left($3, 1000), severity = $4
                 WHERE kind = $1 AND subject = $2 AND resolved_at IS NULL",
            )
            .bind(alert.kind)
            .bind(&alert.subject)
            .bind(&alert.message)
            .bind(alert.severity)
            .execute(&mut *tx)
            .await?;
            if known.rows_affected() > 0 {
                continue;
            }
            let statement = format!(
                "INSERT INTO backup_alerts (id, kind, subject, severity, message, condition)
                 VALUES ($1, $2, $3, $4, left($5, 1000), $6) RETURNING {COLUMNS}"
            );
            let new = sqlx::query_as(sqlx::AssertSqlSafe(statement))
                .bind(BackupAlertId::new())
                .bind(alert.kind)
                .bind(&alert.subject)
                .bind(alert.severity)
                .bind(&alert.message)
                .bind(alert.event.as_ref().and_then(Event::condition))
                .fetch_one(&mut *tx)
                .await?;
            if let Some(event) = &alert.event {
                notify(&mut tx, None, event).await?;
            }
            raised.push(new);
        }
        let kinds: Vec<&str> = now.iter().map(|alert| alert.kind).collect();
        let subjects: Vec<&str> = now.iter().map(|alert| alert.subject.as_str()).collect();
        sqlx::query(
            "UPDATE backup_alerts SET resolved_at = now()
             WHERE resolved_at IS NULL
               AND (kind, subject) NOT IN (SELECT * FROM unnest($1::text[], $2::text[]))",
        )
        .bind(kinds)
        .bind(subjects)
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM backup_alerts WHERE resolved_at < now() - interval '400 days'")
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(raised)
    }

    /// Newest first, before `before`; at most `limit`. `only_open`: those that hold.
    pub async fn backup_alerts(
        &self,
        only_open: bool,
        before: Option<BackupAlertId>,
        limit: u32,
    ) -> Result<Vec<BackupAlert>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM backup_alerts
             WHERE ($1 IS FALSE OR resolved_at IS NULL) AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(only_open)
            .bind(before)
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await?)
    }

    /// Somebody has taken note; the first one stays. `None`: there is none of that id.
    pub async fn acknowledge_backup_alert(
        &self,
        id: BackupAlertId,
        by: &str,
    ) -> Result<Option<BackupAlert>, StoreError> {
        let mut tx = self.begin().await?;
        let statement = format!(
            "UPDATE backup_alerts SET acknowledged_at = coalesce(acknowledged_at, now()),
                    acknowledged_by = coalesce(acknowledged_by, $2)
             WHERE id = $1 RETURNING {COLUMNS}"
        );
        let found: Option<BackupAlert> =
            sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(id).bind(by).fetch_optional(&mut *tx).await?;
        let Some(alert) = found else { return Ok(None) };
        let shown = serde_json::json!({"kind": alert.kind, "subject": alert.subject});
        Note::of(Tenant::SYSTEM, "backup_alert", id).after(shown).commit(tx).await?;
        Ok(Some(alert))
    }
}
