//! Alerts: conditions that somebody has to look at, from their first occurrence until they are over.

use super::address::tell_over;
use crate::ids::{AlertId, ProjectId, UserId};
use crate::notification::{Channel, EventKind, Severity};
use crate::store::audit::{Note, Tenant};
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Alert {
    pub id: AlertId,
    pub project_id: Option<ProjectId>,
    pub event: String,
    pub severity: Severity,
    pub says: String,
    pub channels: Vec<String>,
    pub occurrences: i32,
    pub opened_at: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
    pub acknowledged_at: Option<DateTime<Utc>>,
    pub acknowledged_by: Option<UserId>,
    pub resolved_at: Option<DateTime<Utc>>,
}

/// What somebody does about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertAct {
    /// Further occurrences go to inboxes only.
    Acknowledge(UserId),
    /// It is over: whoever was told is told that, too.
    Resolve,
}

/// Opens an alert, or counts one more occurrence of the open one; says whether that is acknowledged.
pub(super) async fn open(
    conn: &mut PgConnection,
    project_id: Option<ProjectId>,
    condition: &str,
    kind: EventKind,
    says: &str,
) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "INSERT INTO alerts AS a (id, project_id, event, severity, says, condition) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (condition) WHERE resolved_at IS NULL
         DO UPDATE SET occurrences = a.occurrences + 1, last_at = now(), says = excluded.says
         RETURNING acknowledged_at IS NOT NULL",
    )
    .bind(AlertId::new())
    .bind(project_id)
    .bind(kind.as_str())
    .bind(kind.severity())
    .bind(says)
    .bind(condition)
    .fetch_one(conn)
    .await?)
}

pub(super) async fn add_channels(
    conn: &mut PgConnection,
    condition: &str,
    channels: &[Channel],
) -> Result<(), StoreError> {
    let words: Vec<&str> = channels.iter().map(|channel| channel.as_str()).chain(["inbox"]).collect();
    sqlx::query(
        "UPDATE alerts SET channels = ARRAY(SELECT DISTINCT c FROM unnest(channels || $2) AS c ORDER BY c)
         WHERE condition = $1 AND resolved_at IS NULL",
    )
    .bind(condition)
    .bind(words)
    .execute(conn)
    .await?;
    Ok(())
}

/// The condition is over, in the caller's transaction: its open alert is resolved, and whoever was told is told so.
/// `false`: there was none.
pub async fn resolve(conn: &mut PgConnection, condition: &str) -> Result<bool, StoreError> {
    let found: Option<(Option<ProjectId>, String, String)> = sqlx::query_as(
        "UPDATE alerts SET resolved_at = now() WHERE condition = $1 AND resolved_at IS NULL
         RETURNING project_id, event, says",
    )
    .bind(condition)
    .fetch_optional(&mut *conn)
    .await?;
    let Some((project_id, event, says)) = found else { return Ok(false) };
    tell_over(conn, project_id, condition, &event, &says).await?;
    Ok(true)
}

impl Store {
    /// Newest first, those before `after`, at most `limit`; of one project, or the system's own.
    pub async fn alerts(
        &self,
        project_id: Option<ProjectId>,
        open_only: bool,
        after: Option<AlertId>,
        limit: u32,
    ) -> Result<Vec<Alert>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT id, project_id, event, severity, says, channels, occurrences, opened_at, last_at,
                    acknowledged_at, acknowledged_by, resolved_at
             FROM alerts
             WHERE project_id IS NOT DISTINCT FROM $1 AND ($2::uuid IS NULL OR id < $2)
               AND (NOT $3 OR resolved_at IS NULL)
             ORDER BY id DESC LIMIT $4",
        )
        .bind(project_id)
        .bind(after)
        .bind(open_only)
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }

    /// `false`: there is no such alert that is open.
    pub async fn act_on_alert(&self, id: AlertId, act: AlertAct) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let found: Option<(Option<ProjectId>, String)> = sqlx::query_as(
            "SELECT project_id, condition FROM alerts WHERE id = $1 AND resolved_at IS NULL FOR UPDATE",
        )
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        let Some((project_id, condition)) = found else { return Ok(false) };
        match act {
            AlertAct::Acknowledge(user) => {
                sqlx::query(
                    "UPDATE alerts SET acknowledged_at = now(), acknowledged_by = $2
                     WHERE id = $1 AND acknowledged_at IS NULL",
                )
                .bind(id)
                .bind(user)
                .execute(&mut *tx)
                .await?;
            }
            AlertAct::Resolve => {
                resolve(&mut tx, &condition).await?;
            }
        }
        let note = Note::of(Tenant::from(project_id), "alert", id).after(json!({"condition": condition}));
        note.commit(tx).await?;
        Ok(true)
    }
}
