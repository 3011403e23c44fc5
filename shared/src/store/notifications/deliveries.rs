//! Deliveries: one notification to one recipient over one channel that leaves the system.

use super::address::Routing;
use super::bounces;
use crate::ids::{DeliveryId, JobId, NotificationId, ProjectId, UserId};
use crate::job::{JobKind, NewJob};
use crate::notification::{Channel, Event, Severity};
use crate::store::jobs::enqueue;
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

/// Postgres has the same type; what the states mean is said there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "delivery_state", rename_all = "snake_case")]
pub enum DeliveryState {
    Waiting,
    Held,
    Sent,
    Digested,
    Bounced,
    Failed,
    Suppressed,
}

/// A delivery with what it tells.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: DeliveryId,
    pub notification_id: NotificationId,
    pub project_id: Option<ProjectId>,
    pub channel: Channel,
    pub recipient: String,
    pub state: DeliveryState,
    pub severity: Severity,
    pub event: Event,
    /// The event as it is stored: what webhooks get.
    pub data: Value,
    /// When it happened.
    pub at: DateTime<Utc>,
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryEnd {
    Sent,
    /// The recipient's address takes no mail: none is sent there from now on.
    Bounced {
        says: String,
    },
    Failed {
        says: String,
    },
}

pub(super) struct NewDelivery {
    notification_id: NotificationId,
    pub channel: Channel,
    recipient: String,
    user_id: Option<UserId>,
    severity: Severity,
    state: DeliveryState,
    due_at: Option<DateTime<Utc>>,
}

impl NewDelivery {
    pub fn now(
        notification_id: NotificationId,
        channel: Channel,
        recipient: String,
        user_id: Option<UserId>,
        severity: Severity,
    ) -> Self {
        let state = DeliveryState::Waiting;
        Self { notification_id, channel, recipient, user_id, severity, state, due_at: None }
    }

    pub fn held_until(self, at: DateTime<Utc>) -> Self {
        Self { state: DeliveryState::Held, due_at: Some(at), ..self }
    }

    pub fn suppressed(self) -> Self {
        Self { state: DeliveryState::Suppressed, ..self }
    }
}

/// The kind of job that sends over a channel.
pub fn job_kind(channel: Channel) -> JobKind {
    match channel {
        Channel::Email => JobKind::EMAIL,
        Channel::Webhook => JobKind::WEBHOOK,
        Channel::Sms | Channel::Slack | Channel::Pagerduty => JobKind::NOTIFICATION,
    }
}

pub(super) fn job_of(id: DeliveryId, channel: Channel, severity: Severity, routing: &Routing) -> NewJob {
    let kind = job_kind(channel);
    NewJob {
        id: JobId::new(),
        // The system's own: addresses are nobody else's business.
        project_id: None,
        priority: if severity == Severity::Critical { 9 } else { 5 },
        concurrency_key: None,
        args: json!({"delivery_id": id}),
        due_at: None,
        attempts_max: routing.policies.of(&kind).attempts_max,
        created_by: None,
        request_id: None,
        kind,
    }
}

/// Writes a delivery, and its job if it goes out now. `false`: no job was made; perhaps the recipient has it already.
pub(super) async fn insert_delivery(
    conn: &mut PgConnection,
    new: &NewDelivery,
    routing: &Routing,
) -> Result<bool, StoreError> {
    let id = DeliveryId::new();
    let job = (new.state == DeliveryState::Waiting).then(|| job_of(id, new.channel, new.severity, routing));
    let inserted = sqlx::query(
        "INSERT INTO deliveries (id, notification_id, channel, recipient, user_id, state, due_at, job_id, error, finished_at)
         VALUES ($1, $2, $3, $4, $5, $6::delivery_state, $7, $8,
                 CASE WHEN $6::delivery_state = 'suppressed' THEN 'the address bounced before' END,
                 CASE WHEN $6::delivery_state = 'suppressed' THEN now() END)
         ON CONFLICT (notification_id, channel, recipient) DO NOTHING",
    )
    .bind(id)
    .bind(new.notification_id)
    .bind(new.channel)
    .bind(&new.recipient)
    .bind(new.user_id)
    .bind(new.state)
    .bind(new.due_at)
    .bind(job.as_ref().map(|job| job.id))
    .execute(&mut *conn)
    .await?;
    match job {
        Some(job) if inserted.rows_affected() == 1 => {
            enqueue(conn, &job).await?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Notes a try that may be repeated.
pub async fn note_try(conn: &mut PgConnection, id: DeliveryId, says: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE deliveries SET attempts = attempts + 1, error = left($2, 1000) WHERE id = $1")
        .bind(id)
        .bind(says.replace('\0', ""))
        .execute(conn)
        .await?;
    Ok(())
}

/// Records how a delivery ended, in the transaction that ends its job. A bounce is remembered by address.
pub async fn finish(conn: &mut PgConnection, id: DeliveryId, end: &DeliveryEnd) -> Result<(), StoreError> {
    let (state, says) = match end {
        DeliveryEnd::Sent => (DeliveryState::Sent, None),
        DeliveryEnd::Bounced { says } => (DeliveryState::Bounced, Some(says.replace('\0', ""))),
        DeliveryEnd::Failed { says } => (DeliveryState::Failed, Some(says.replace('\0', ""))),
    };
    let recipient: Option<String> = sqlx::query_scalar(
        "UPDATE deliveries SET state = $2, error = left($3, 1000), attempts = attempts + 1, finished_at = now()
         WHERE id = $1 RETURNING recipient",
    )
    .bind(id)
    .bind(state)
    .bind(&says)
    .fetch_optional(&mut *conn)
    .await?;
    if let (DeliveryState::Bounced, Some(address), Some(says)) = (state, recipient, says) {
        bounces::note(conn, &address, &says).await?;
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: DeliveryId,
    notification_id: NotificationId,
    project_id: Option<ProjectId>,
    channel: Channel,
    recipient: String,
    state: DeliveryState,
    severity: Option<Severity>,
    data: Value,
    created_at: DateTime<Utc>,
}

impl Store {
    /// What is to be sent. `None`: it is gone with its project or person, or this version cannot read it.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT d.id, d.notification_id, n.project_id, d.channel, d.recipient, d.state, n.severity, n.data,
                    n.created_at
             FROM deliveries d JOIN notifications n ON n.id = d.notification_id WHERE d.id = $1",
        )
        .bind(id)
        .fetch_optional(self.pool())
        .await?;
        Ok(row.and_then(|row| {
            let event: Event = serde_json::from_value(row.data.clone()).ok()?;
            Some(Delivery {
                id: row.id,
                notification_id: row.notification_id,
                project_id: row.project_id,
                channel: row.channel,
                recipient: row.recipient,
                state: row.state,
                severity: row.severity.unwrap_or(event.kind().severity()),
                event,
                data: row.data,
                at: row.created_at,
            })
        }))
    }

    /// Whether mail to this address bounced.
    pub async fn has_bounced(&self, address: &str) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar("SELECT EXISTS (SELECT FROM mail_bounces WHERE address = lower($1))")
            .bind(address)
            .fetch_one(self.pool())
            .await?)
    }

    /// Deliveries whose job gave up or was cancelled → failed; says over which channels.
    pub async fn give_up_deliveries(&self, limit: u32) -> Result<Vec<Channel>, StoreError> {
        Ok(sqlx::query_scalar(
            "UPDATE deliveries SET state = 'failed', finished_at = now(),
                    error = left(coalesce(lost.error, deliveries.error, 'its job is gone'), 1000)
             FROM (SELECT d.id, j.error FROM deliveries d LEFT JOIN jobs j ON j.id = d.job_id
                   WHERE d.state = 'waiting' AND (j.id IS NULL OR j.state IN ('dead', 'cancelled'))
                   LIMIT $1) AS lost
             WHERE deliveries.id = lost.id AND deliveries.state = 'waiting' RETURNING channel",
        )
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }

    /// Deliveries that have a job and are not sent yet.
    pub async fn waiting_deliveries(&self) -> Result<Vec<(Channel, i64)>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT channel, count(*) FROM deliveries WHERE state = 'waiting' GROUP BY channel",
        )
        .fetch_all(self.pool())
        .await?)
    }
}
