//! What people and machines are told, from the transaction in which it happened to the recipient.
//!
//! [`notify`] writes one row in the transaction of the change, and nothing else: whoever calls it waits for no mail
//! server and fails because of none. The notifier ([`address`]) then decides to whom it goes, and makes a delivery and a
//! job for each of them in one transaction. A delivery is sent at least once on the wire, under one id that never
//! changes, by which its recipient can tell a repetition.

mod address;
pub mod alerts;
mod bounces;
pub mod deliveries;
mod held;
mod inbox;
mod preferences;
pub mod webhooks;

pub use address::{Addressed, Routing};
pub use bounces::Bounce;
pub use inbox::{InboxItem, Marked};
pub use preferences::{ChosenMode, PersonalSettings};

use super::{Store, StoreError};
use crate::ids::{NotificationId, ProjectId};
use crate::notification::Event;
use sqlx::PgConnection;
use sqlx::types::Json;
use std::time::Duration;

/// Notes that something happened, in the caller's transaction: it is told exactly if the change is there. One
/// statement, which waits for nobody. `project_id`: whose it is; `None`: the system's.
pub async fn notify(
    conn: &mut PgConnection,
    project_id: Option<ProjectId>,
    event: &Event,
) -> Result<NotificationId, StoreError> {
    let id = NotificationId::new();
    sqlx::query("INSERT INTO notifications (id, project_id, event, data) VALUES ($1, $2, $3, $4)")
        .bind(id)
        .bind(project_id)
        .bind(event.kind().as_str())
        .bind(Json(event))
        .execute(conn)
        .await?;
    Ok(id)
}

impl Store {
    /// [`notify`] as a change of its own.
    pub async fn notify(
        &self,
        project_id: Option<ProjectId>,
        event: &Event,
    ) -> Result<NotificationId, StoreError> {
        let mut conn = self.pool().acquire().await?;
        notify(&mut conn, project_id, event).await
    }

    /// Removes at most `limit` notifications that are older, with their deliveries and what is in inboxes; says how
    /// many. Those that are not addressed or still under way stay.
    pub async fn prune_notifications(&self, older_than: Duration, limit: u32) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "DELETE FROM notifications WHERE id IN (
                 SELECT id FROM notifications n
                 WHERE id < first_id_at(now() - $1 * interval '1 second') AND addressed_at IS NOT NULL
                   AND NOT EXISTS (SELECT FROM deliveries d
                                   WHERE d.notification_id = n.id AND d.state IN ('waiting', 'held'))
                 ORDER BY id LIMIT $2)",
        )
        .bind(older_than.as_secs_f64())
        .bind(i64::from(limit))
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected())
    }
}
