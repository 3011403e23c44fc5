//! Inboxes: what each person finds in the pages.

use crate::ids::{NotificationId, ProjectId, UserId};
use crate::notification::Severity;
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct InboxItem {
    pub id: NotificationId,
    pub project_id: Option<ProjectId>,
    pub event: String,
    pub severity: Severity,
    pub title: String,
    pub says: String,
    pub link: Option<String>,
    pub created_at: DateTime<Utc>,
    pub read_at: Option<DateTime<Utc>>,
}

/// Which items are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marked<'a> {
    These(&'a [NotificationId]),
    /// All up to this one, which somebody has seen at the top of a list; newer ones stay as they are.
    UpTo(NotificationId),
}

/// Who has left a project sees no more of it. `i` is the inbox, `n` the notification.
const SEEN: &str = "(n.project_id IS NULL
    OR EXISTS (SELECT FROM project_members m WHERE m.user_id = i.user_id AND m.project_id = n.project_id)
    OR EXISTS (SELECT FROM users u WHERE u.id = i.user_id AND u.is_platform_admin))";

/// Counted one by one; beyond that it is many.
pub const UNREAD_MAX: i64 = 1000;

impl Store {
    /// Newest first, those before `after`, at most `limit`.
    pub async fn inbox(
        &self,
        user_id: UserId,
        unread_only: bool,
        after: Option<NotificationId>,
        limit: u32,
    ) -> Result<Vec<InboxItem>, StoreError> {
        let statement = format!(
            "SELECT n.id, n.project_id, n.event, n.severity, n.title, n.says, n.link, n.created_at, i.read_at
             FROM inbox i JOIN notifications n ON n.id = i.notification_id
             WHERE i.user_id = $1 AND ($2::uuid IS NULL OR i.notification_id < $2)
               AND (NOT $3 OR i.read_at IS NULL) AND {SEEN}
             ORDER BY i.notification_id DESC LIMIT $4"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(user_id)
            .bind(after)
            .bind(unread_only)
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await?)
    }

    /// Unread items, at most [`UNREAD_MAX`].
    pub async fn unread_count(&self, user_id: UserId) -> Result<i64, StoreError> {
        let statement = format!(
            "SELECT count(*) FROM (
                 SELECT FROM inbox i JOIN notifications n ON n.id = i.notification_id
                 WHERE i.user_id = $1 AND i.read_at IS NULL AND {SEEN} LIMIT $2) AS unread"
        );
        Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .bind(user_id)
            .bind(UNREAD_MAX)
            .fetch_one(self.pool())
            .await?)
    }

    /// Marks items as read, or as unread again; says how many changed. No record in the audit log: it is nobody
    /// else's business what somebody has read.
    pub async fn mark_inbox(
        &self,
        user_id: UserId,
        marked: Marked<'_>,
        is_read: bool,
    ) -> Result<u64, StoreError> {
        let (these, up_to) = match marked {
            Marked::These(ids) => (Some(ids.iter().map(|id| id.0).collect::<Vec<_>>()), None),
            Marked::UpTo(id) => (None, Some(id)),
        };
        let done = sqlx::query(
            "UPDATE inbox SET read_at = CASE WHEN $4 THEN now() END
             WHERE user_id = $1 AND ($2::uuid[] IS NULL OR notification_id = ANY($2))
               AND ($3::uuid IS NULL OR notification_id <= $3) AND (read_at IS NULL) = $4",
        )
        .bind(user_id)
        .bind(these)
        .bind(up_to)
        .bind(is_read)
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected())
    }
}
