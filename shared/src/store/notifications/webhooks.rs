//! Webhooks: addresses of other systems, what was sent to them, and whether they still answer.

use super::address::Routing;
use super::deliveries::{DeliveryState, NewDelivery, insert_delivery, job_of};
use super::notify;
use crate::ids::{DeliveryId, NotificationId, ProjectId, UserId, WebhookId};
use crate::notification::{Channel, Event, Severity};
use crate::store::audit::{Note, Tenant};
use crate::store::{Store, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;
use sqlx::types::Json;

/// Of one project, and of the system.
pub const WEBHOOKS_MAX: i64 = 50;
/// Sent again in one request.
pub const RESEND_MAX: i64 = 1000;

#[derive(Debug, Clone)]
pub struct NewWebhook {
    pub id: WebhookId,
    pub project_id: Option<ProjectId>,
    pub url: String,
    pub description: String,
    /// Empty: all.
    pub events: Vec<String>,
    /// Sealed.
    pub secret: Vec<u8>,
    pub created_by: UserId,
}

/// A webhook without its secrets.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Webhook {
    pub id: WebhookId,
    pub project_id: Option<ProjectId>,
    pub url: String,
    pub description: String,
    pub events: Vec<String>,
    pub created_at: DateTime<Utc>,
    /// The old secret signs, too, until then.
    pub previous_until: Option<DateTime<Utc>>,
    pub failing_since: Option<DateTime<Utc>>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub disabled_for: Option<String>,
}

/// Where to send, and what signs.
#[derive(Clone, sqlx::FromRow)]
pub struct WebhookTarget {
    pub url: String,
    pub secret: Vec<u8>,
    /// Still live after a change of the secret.
    pub previous_secret: Option<Vec<u8>>,
    pub failing_since: Option<DateTime<Utc>>,
    pub is_disabled: bool,
}

/// One delivery in the log of a webhook.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct LoggedDelivery {
    pub id: DeliveryId,
    pub notification_id: NotificationId,
    pub event: String,
    pub state: DeliveryState,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Newest last, at most the last ten.
    pub tries: Json<Vec<Try>>,
}

/// One request and what came of it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Try {
    pub attempt: i32,
    pub at: DateTime<Utc>,
    pub status: Option<i16>,
    pub duration_ms: i32,
    pub error: Option<String>,
}

/// Which deliveries are sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resent {
    These(Vec<DeliveryId>),
    /// Those that failed and are not older.
    FailedSince(DateTime<Utc>),
}

const COLUMNS: &str = "id, project_id, url, description, events, created_at,
    CASE WHEN previous_until > now() THEN previous_until END AS previous_until, failing_since, disabled_at, disabled_for";

/// Notes a request, in the caller's transaction.
pub async fn note_request(
    conn: &mut PgConnection,
    delivery_id: DeliveryId,
    status: Option<u16>,
    duration_ms: u64,
    error: Option<&str>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO webhook_attempts (delivery_id, attempt, status, duration_ms, error)
         SELECT $1, coalesce(max(attempt), 0) + 1, $2, $3, left($4, 500)
         FROM webhook_attempts WHERE delivery_id = $1",
    )
    .bind(delivery_id)
    .bind(status.and_then(|status| i16::try_from(status).ok()))
    .bind(i32::try_from(duration_ms).unwrap_or(i32::MAX))
    .bind(error.map(|error| error.replace('\0', "")))
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes whether a webhook answers. After `failing_max` of nothing but failures, or when `is_gone`, it is disabled, and
/// its owners are told in the same transaction. `true`: it has just been disabled.
pub async fn note_health(
    conn: &mut PgConnection,
    id: WebhookId,
    works: bool,
    is_gone: bool,
    failing_max: TimeDelta,
) -> Result<bool, StoreError> {
    let disabled: Option<(Option<ProjectId>, String, String)> = sqlx::query_as(
        "WITH noted AS (
             UPDATE webhooks SET failing_since = CASE WHEN $2 THEN NULL ELSE coalesce(failing_since, now()) END
             WHERE id = $1 AND ($2 = (failing_since IS NOT NULL) OR NOT $2)
             RETURNING id, failing_since
         )
         SELECT w.project_id, w.url,
                CASE WHEN $3 THEN 'It answered that it is gone for good (410)'
                     ELSE 'It has not taken anything since ' || to_char(n.failing_since AT TIME ZONE 'UTC',
                                                                        'YYYY-MM-DD HH24:MI \"UTC\"') END
         FROM noted n JOIN webhooks w USING (id)
         WHERE w.disabled_at IS NULL AND NOT $2 AND ($3 OR n.failing_since < now() - $4 * interval '1 second')",
    )
    .bind(id)
    .bind(works)
    .bind(is_gone)
    .bind(failing_max.num_seconds() as f64)
    .fetch_optional(&mut *conn)
    .await?;
    let Some((project_id, url, why)) = disabled else { return Ok(false) };
    sqlx::query("UPDATE webhooks SET disabled_at = now(), disabled_for = $2 WHERE id = $1")
        .bind(id)
        .bind(&why)
        .execute(&mut *conn)
        .await?;
    let event = Event::WebhookDisabled { webhook_id: id.0, host: host_of(&url).to_owned(), why };
    notify(conn, project_id, &event).await?;
    Ok(true)
}

/// Scheme and host of an address: the rest may be secret.
fn host_of(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url[after_scheme..].find(['/', '?', '#']).map_or(url.len(), |at| after_scheme + at);
    &url[..end]
}

impl Store {
    /// `false`: there are [`WEBHOOKS_MAX`] already.
    pub async fn add_webhook(&self, new: &NewWebhook) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('webhooks', 0))")
            .execute(&mut *tx)
            .await?;
        let inserted = sqlx::query(
            "INSERT INTO webhooks (id, project_id, url, description, events, secret, created_by)
             SELECT $1, $2, $3, $4, $5, $6, $7
             WHERE (SELECT count(*) FROM webhooks WHERE project_id IS NOT DISTINCT FROM $2) < $8",
        )
        .bind(new.id)
        .bind(new.project_id)
        .bind(&new.url)
        .bind(&new.description)
        .bind(&new.events)
        .bind(&new.secret)
        .bind(new.created_by)
        .bind(WEBHOOKS_MAX)
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(false);
        }
        let after = json!({"host": host_of(&new.url), "events": new.events});
        Note::of(Tenant::from(new.project_id), "webhook", new.id).after(after).commit(tx).await?;
        Ok(true)
    }

    /// Those of a project, or the system's own, oldest first.
    pub async fn webhooks(&self, project_id: Option<ProjectId>) -> Result<Vec<Webhook>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM webhooks WHERE project_id IS NOT DISTINCT FROM $1 ORDER BY id LIMIT $2"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(project_id)
            .bind(WEBHOOKS_MAX)
            .fetch_all(self.pool())
            .await?)
    }

    pub async fn webhook(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM webhooks WHERE id = $1");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(self.pool()).await?)
    }

    pub async fn webhook_target(&self, id: WebhookId) -> Result<Option<WebhookTarget>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT url, secret, CASE WHEN previous_until > now() THEN previous_secret END AS previous_secret,
                    failing_since, disabled_at IS NOT NULL AS is_disabled
             FROM webhooks WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(self.pool())
        .await?)
    }

    /// Changes what is given. `false`: there is no such webhook.
    pub async fn change_webhook(
        &self,
        id: WebhookId,
        url: Option<&str>,
        description: Option<&str>,
        events: Option<&[String]>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let changed: Option<(Option<ProjectId>, String, Vec<String>)> = sqlx::query_as(
            "UPDATE webhooks SET url = coalesce($2, url), description = coalesce($3, description),
                    events = coalesce($4, events)
             WHERE id = $1 RETURNING project_id, url, events",
        )
        .bind(id)
        .bind(url)
        .bind(description)
        .bind(events)
        .fetch_optional(&mut *tx)
        .await?;
        let Some((project_id, url, events)) = changed else { return Ok(false) };
        let after = json!({"host": host_of(&url), "events": events});
        Note::of(Tenant::from(project_id), "webhook", id).after(after).commit(tx).await?;
        Ok(true)
    }

    /// Removes a webhook; what waits for it is given up. `false`: there is no such webhook.
    pub async fn remove_webhook(&self, id: WebhookId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let removed: Option<(Option<ProjectId>, String)> =
            sqlx::query_as("DELETE FROM webhooks WHERE id = $1 RETURNING project_id, url")
                .bind(id)
                .fetch_optional(&mut *tx)
                .await?;
        let Some((project_id, url)) = removed else { return Ok(false) };
        let before = json!({"host": host_of(&url)});
        Note::of(Tenant::from(project_id), "webhook", id).before(before).commit(tx).await?;
        Ok(true)
    }

    /// Puts a new secret in place; the old one signs, too, for `both_for`. `false`: there is no such webhook.
    pub async fn change_webhook_secret(
        &self,
        id: WebhookId,
        secret: &[u8],
        both_for: TimeDelta,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let changed: Option<(Option<ProjectId>,)> = sqlx::query_as(
            "UPDATE webhooks SET previous_secret = secret, previous_until = now() + $3 * interval '1 second',
                    secret = $2
             WHERE id = $1 RETURNING project_id",
        )
        .bind(id)
        .bind(secret)
        .bind(both_for.num_seconds() as f64)
        .fetch_optional(&mut *tx)
        .await?;
        let Some((project_id,)) = changed else { return Ok(false) };
        Note::of(Tenant::from(project_id), "webhook", id).commit(tx).await?;
        Ok(true)
    }

    /// Switches a webhook on again. `false`: there is no such webhook.
    pub async fn enable_webhook(&self, id: WebhookId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let enabled: Option<(Option<ProjectId>,)> = sqlx::query_as(
            "UPDATE webhooks SET disabled_at = NULL, disabled_for = NULL, failing_since = NULL
             WHERE id = $1 RETURNING project_id",
        )
        .bind(id)
        .fetch_optional(&mut *tx)
        .await?;
        let Some((project_id,)) = enabled else { return Ok(false) };
        super::alerts::resolve(&mut tx, &format!("webhook.disabled:{id}")).await?;
        Note::of(Tenant::from(project_id), "webhook", id).commit(tx).await?;
        Ok(true)
    }

    /// What was sent to a webhook, newest first, before `after`, at most `limit`.
    pub async fn webhook_deliveries(
        &self,
        id: WebhookId,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Vec<LoggedDelivery>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT d.id, d.notification_id, n.event, d.state, d.created_at, d.finished_at,
                    (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'delivery_id' ORDER BY t.attempt), '[]')
                     FROM (SELECT attempt, at, status, duration_ms, error FROM webhook_attempts a
                           WHERE a.delivery_id = d.id ORDER BY attempt DESC LIMIT 10) AS t) AS tries
             FROM deliveries d JOIN notifications n ON n.id = d.notification_id
             WHERE d.channel = 'webhook' AND d.recipient = $1::text AND ($2::uuid IS NULL OR d.id < $2)
             ORDER BY d.id DESC LIMIT $3",
        )
        .bind(id.to_string())
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }

    /// Sends deliveries of a webhook again, under the ids they had; says how many. Those that wait already stay as they
    /// are. At most [`RESEND_MAX`], oldest first.
    pub async fn resend_to_webhook(
        &self,
        id: WebhookId,
        which: &Resent,
        routing: &Routing,
    ) -> Result<u64, StoreError> {
        let (these, since) = match which {
            Resent::These(ids) => (Some(ids.iter().map(|id| id.0).collect::<Vec<_>>()), None),
            Resent::FailedSince(at) => (None, Some(*at)),
        };
        let mut tx = self.begin().await?;
        let project_id: Option<ProjectId> =
            sqlx::query_scalar("SELECT project_id FROM webhooks WHERE id = $1")
                .bind(id)
                .fetch_one(&mut *tx)
                .await?;
        let found: Vec<(DeliveryId, Option<Severity>)> = sqlx::query_as(
            "SELECT d.id, n.severity FROM deliveries d JOIN notifications n ON n.id = d.notification_id
             WHERE d.channel = 'webhook' AND d.recipient = $1::text AND d.state IN ('sent', 'failed')
               AND ($2::uuid[] IS NULL OR d.id = ANY($2))
               AND ($3::timestamptz IS NULL OR (d.state = 'failed' AND d.created_at >= $3))
             ORDER BY d.id LIMIT $4 FOR UPDATE OF d",
        )
        .bind(id.to_string())
        .bind(these)
        .bind(since)
        .bind(RESEND_MAX)
        .fetch_all(&mut *tx)
        .await?;
        for (delivery, severity) in &found {
            let job = job_of(*delivery, Channel::Webhook, severity.unwrap_or(Severity::Info), routing);
            sqlx::query(
                "UPDATE deliveries SET state = 'waiting', finished_at = NULL, job_id = $2 WHERE id = $1",
            )
            .bind(delivery)
            .bind(job.id)
            .execute(&mut *tx)
            .await?;
            crate::store::jobs::enqueue(&mut tx, &job).await?;
        }
        let after = json!({"resent": found.len()});
        Note::of(Tenant::from(project_id), "webhook", id).after(after).commit(tx).await?;
        Ok(found.len() as u64)
    }

    /// Sends a test to one webhook, whatever events it wants.
    pub async fn test_webhook(&self, id: WebhookId, by: UserId, routing: &Routing) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let project_id: Option<ProjectId> =
            sqlx::query_scalar("SELECT project_id FROM webhooks WHERE id = $1")
                .bind(id)
                .fetch_one(&mut *tx)
                .await?;
        let event = Event::Test { user_id: by };
        let message = event.message();
        let notification_id = NotificationId::new();
        sqlx::query(
            "INSERT INTO notifications (id, project_id, event, data, severity, title, says, addressed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, now())",
        )
        .bind(notification_id)
        .bind(project_id)
        .bind(event.kind().as_str())
        .bind(Json(&event))
        .bind(event.kind().severity())
        .bind(&message.title)
        .bind(&message.says)
        .execute(&mut *tx)
        .await?;
        let delivery =
            NewDelivery::now(notification_id, Channel::Webhook, id.to_string(), None, Severity::Info);
        insert_delivery(&mut tx, &delivery, routing).await?;
        let after: Value = json!({"tested": true});
        Note::of(Tenant::from(project_id), "webhook", id).after(after).commit(tx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scheme_and_host_of_an_address_are_told() {
        for (url, host) in [
            ("https://hooks.example.org/T0/secret?x=1", "https://hooks.example.org"),
            ("https://hooks.example.org:8443?token=1", "https://hooks.example.org:8443"),
            ("https://hooks.example.org", "https://hooks.example.org"),
        ] {
            assert_eq!(host_of(url), host);
        }
    }
}
