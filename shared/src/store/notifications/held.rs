//! What was held for a digest or the end of quiet hours, once its time has come.

use super::address::Routing;
use super::deliveries::{NewDelivery, insert_delivery, job_of};
use crate::ids::{DeliveryId, NotificationId, UserId};
use crate::notification::{Channel, DigestItem, Event, Severity};
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

/// Named one by one in a digest; the others are counted.
const ITEMS_MAX: usize = 100;

#[derive(sqlx::FromRow)]
struct Held {
    id: DeliveryId,
    severity: Severity,
    created_at: DateTime<Utc>,
    title: String,
    link: Option<String>,
}

impl Store {
    /// Sends what one recipient is due: a single delivery as it is, several as one digest. `false`: nothing is due.
    /// May run anywhere, any number of times. `at` replaces the database's time in tests.
    pub async fn release_held(
        &self,
        routing: &Routing,
        at: Option<DateTime<Utc>>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let due: Option<(UserId, Channel, String)> = sqlx::query_as(
            "SELECT user_id, channel, recipient FROM deliveries
             WHERE state = 'held' AND due_at <= coalesce($1, now()) AND user_id IS NOT NULL
             ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED",
        )
        .bind(at)
        .fetch_optional(&mut *tx)
        .await?;
        let Some((user_id, channel, recipient)) = due else { return Ok(false) };
        let held: Vec<Held> = sqlx::query_as(
            "SELECT d.id, n.severity, n.created_at, n.title, n.link
             FROM deliveries d JOIN notifications n ON n.id = d.notification_id
             WHERE d.state = 'held' AND d.due_at <= coalesce($1, now())
               AND d.user_id = $2 AND d.channel = $3 AND d.recipient = $4
             ORDER BY d.id LIMIT 10000 FOR UPDATE OF d SKIP LOCKED",
        )
        .bind(at)
        .bind(user_id)
        .bind(channel)
        .bind(&recipient)
        .fetch_all(&mut *tx)
        .await?;
        match held.as_slice() {
            [] => return Ok(false),
            [one] => send_alone(&mut tx, one, channel, routing).await?,
            many => send_digest(&mut tx, many, user_id, channel, recipient, routing).await?,
        }
        tx.commit().await?;
        Ok(true)
    }
}

async fn send_alone(
    conn: &mut PgConnection,
    held: &Held,
    channel: Channel,
    routing: &Routing,
) -> Result<(), StoreError> {
    let job = job_of(held.id, channel, held.severity, routing);
    sqlx::query("UPDATE deliveries SET state = 'waiting', due_at = NULL, job_id = $2 WHERE id = $1")
        .bind(held.id)
        .bind(job.id)
        .execute(&mut *conn)
        .await?;
    crate::store::jobs::enqueue(conn, &job).await
}

async fn send_digest(
    conn: &mut PgConnection,
    held: &[Held],
    user_id: UserId,
    channel: Channel,
    recipient: String,
    routing: &Routing,
) -> Result<(), StoreError> {
    let items = held.iter().take(ITEMS_MAX).map(|one| DigestItem {
        at: one.created_at,
        title: one.title.clone(),
        link: one.link.clone(),
    });
    let more = held.len().saturating_sub(ITEMS_MAX) as u32;
    let digest = Event::Digest { user_id, items: items.collect(), more };
    let (id, message) = (NotificationId::new(), digest.message());
    sqlx::query(
        "INSERT INTO notifications (id, event, data, severity, title, says, addressed_at)
         VALUES ($1, $2, $3, $4, $5, $6, now())",
    )
    .bind(id)
    .bind(digest.kind().as_str())
    .bind(Json(&digest))
    .bind(digest.kind().severity())
    .bind(&message.title)
    .bind(&message.says)
    .execute(&mut *conn)
    .await?;
    let ids: Vec<uuid::Uuid> = held.iter().map(|one| one.id.0).collect();
    sqlx::query(
        "UPDATE deliveries SET state = 'digested', due_at = NULL, finished_at = now() WHERE id = ANY($1)",
    )
    .bind(ids)
    .execute(&mut *conn)
    .await?;
    let delivery = NewDelivery::now(id, channel, recipient, Some(user_id), Severity::Info);
    insert_delivery(conn, &delivery, routing).await?;
    Ok(())
}
