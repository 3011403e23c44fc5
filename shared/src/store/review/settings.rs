//! A project's reason codes and four-eyes limits.

use crate::ids::ProjectId;
use crate::store::{Store, StoreError};
use sqlx::PgConnection;

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ReviewReason {
    pub code: String,
    pub label: String,
    /// Offered to reviewers; one that is not stays where it was used.
    pub is_active: bool,
}

/// Above this a decision takes a second person.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct FourEyesLimit {
    pub currency: String,
    /// Minor units.
    pub amount: i64,
}

/// Adds a reason code or changes one. Gives what it was.
pub async fn set_review_reason(
    conn: &mut PgConnection,
    project_id: ProjectId,
    reason: &ReviewReason,
) -> Result<Option<ReviewReason>, StoreError> {
    let before = sqlx::query_as(
        "SELECT code, label, is_active FROM review_reasons WHERE project_id = $1 AND code = $2 FOR UPDATE",
    )
    .bind(project_id)
    .bind(&reason.code)
    .fetch_optional(&mut *conn)
    .await?;
    sqlx::query(
        "INSERT INTO review_reasons (project_id, code, label, is_active) VALUES ($1, $2, $3, $4)
         ON CONFLICT (project_id, code) DO UPDATE SET label = excluded.label, is_active = excluded.is_active",
    )
    .bind(project_id)
    .bind(&reason.code)
    .bind(&reason.label)
    .bind(reason.is_active)
    .execute(conn)
    .await?;
    Ok(before)
}

/// Sets the limit of a currency. Decisions that wait already go on waiting. Gives what it was.
pub async fn set_four_eyes_limit(
    conn: &mut PgConnection,
    project_id: ProjectId,
    limit: &FourEyesLimit,
) -> Result<Option<i64>, StoreError> {
    let before = sqlx::query_scalar(
        "SELECT amount FROM four_eyes_limits WHERE project_id = $1 AND currency = $2 FOR UPDATE",
    )
    .bind(project_id)
    .bind(&limit.currency)
    .fetch_optional(&mut *conn)
    .await?;
    sqlx::query(
        "INSERT INTO four_eyes_limits (project_id, currency, amount) VALUES ($1, $2, $3)
         ON CONFLICT (project_id, currency) DO UPDATE SET amount = excluded.amount",
    )
    .bind(project_id)
    .bind(&limit.currency)
    .bind(limit.amount)
    .execute(conn)
    .await?;
    Ok(before)
}

/// Gives what it was; `None`: there was none.
pub async fn remove_four_eyes_limit(
    conn: &mut PgConnection,
    project_id: ProjectId,
    currency: &str,
) -> Result<Option<i64>, StoreError> {
    Ok(sqlx::query_scalar(
        "DELETE FROM four_eyes_limits WHERE project_id = $1 AND currency = $2 RETURNING amount",
    )
    .bind(project_id)
    .bind(currency)
    .fetch_optional(conn)
    .await?)
}

impl Store {
    pub async fn review_reasons(&self, project_id: ProjectId) -> Result<Vec<ReviewReason>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT code, label, is_active FROM review_reasons WHERE project_id = $1 ORDER BY code LIMIT 1000",
        )
        .bind(project_id)
        .fetch_all(self.pool())
        .await?)
    }

    pub async fn four_eyes_limits(&self, project_id: ProjectId) -> Result<Vec<FourEyesLimit>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT currency, amount FROM four_eyes_limits WHERE project_id = $1 ORDER BY currency LIMIT 1000",
        )
        .bind(project_id)
        .fetch_all(self.pool())
        .await?)
    }
}
