//! What was decided, newest first, and what waits for a second person.

use super::{Action, Subject, Verdict};
use crate::ids::{DecisionId, JobId, ProjectId, UserId};
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};

/// A decision with its second word.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct DecisionRow {
    pub id: DecisionId,
    pub job_id: JobId,
    pub action: Action,
    pub subject: Subject,
    pub items: i32,
    pub is_bulk: bool,
    pub reason_code: Option<String>,
    pub comment: Option<String>,
    pub needs_approval: bool,
    pub undoes: Option<DecisionId>,
    pub decided_by: UserId,
    pub decided_by_name: String,
    pub decided_at: DateTime<Utc>,
    pub request_id: Option<String>,
    pub verdict: Option<Verdict>,
    pub judged_by: Option<UserId>,
    pub judged_by_name: Option<String>,
    pub judged_at: Option<DateTime<Utc>>,
    pub judged_reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecisionStatus {
    /// Waits for a second person.
    Proposed,
    Effective,
    Refused,
    Withdrawn,
}

impl DecisionRow {
    pub fn status(&self) -> DecisionStatus {
        match (self.needs_approval, self.verdict) {
            (false, _) | (true, Some(Verdict::Approved)) => DecisionStatus::Effective,
            (true, None) => DecisionStatus::Proposed,
            (true, Some(Verdict::Refused)) => DecisionStatus::Refused,
            (true, Some(Verdict::Withdrawn)) => DecisionStatus::Withdrawn,
        }
    }
}

/// One item of a decision.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Change {
    pub subject: Subject,
    pub ordinal: i32,
    pub before: serde_json::Value,
    pub after: serde_json::Value,
}

/// Whose history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryOf {
    Run,
    Item(Subject, i32),
}

const COLUMNS: &str = "d.id, d.job_id, d.action, d.subject, d.items, d.is_bulk, d.reason_code, d.comment,
    d.needs_approval, d.undoes, d.decided_by, u.name AS decided_by_name, d.decided_at, d.request_id,
    v.verdict, v.judged_by, w.name AS judged_by_name, v.judged_at, v.reason AS judged_reason";
const JOINS: &str = "JOIN users u ON u.id = d.decided_by
    LEFT JOIN review_verdicts v ON v.decision_id = d.id
    LEFT JOIN users w ON w.id = v.judged_by";

impl Store {
    /// Decisions of a run, or about one of its items, newest first, those older than `after`, at most `limit`.
    pub async fn decisions(
        &self,
        job_id: JobId,
        of: HistoryOf,
        after: Option<DecisionId>,
        limit: u32,
    ) -> Result<Vec<DecisionRow>, StoreError> {
        let after = after.map_or(uuid::Uuid::max(), |after| after.0);
        let rows = match of {
            HistoryOf::Run => {
                let statement = format!(
                    "SELECT {COLUMNS} FROM review_decisions d {JOINS}
                     WHERE d.job_id = $1 AND d.id < $2 ORDER BY d.id DESC LIMIT $3"
                );
                sqlx::query_as(sqlx::AssertSqlSafe(statement))
                    .bind(job_id)
                    .bind(after)
                    .bind(i64::from(limit))
                    .fetch_all(self.pool())
                    .await?
            }
            HistoryOf::Item(subject, ordinal) => {
                let statement = format!(
                    "SELECT {COLUMNS} FROM review_changes c JOIN review_decisions d ON d.id = c.decision_id {JOINS}
                     WHERE c.job_id = $1 AND c.decision_id < $2 AND c.subject = $4 AND c.ordinal = $5
                     ORDER BY c.decision_id DESC LIMIT $3"
                );
                sqlx::query_as(sqlx::AssertSqlSafe(statement))
                    .bind(job_id)
                    .bind(after)
                    .bind(i64::from(limit))
                    .bind(subject)
                    .bind(ordinal)
                    .fetch_all(self.pool())
                    .await?
            }
        };
        Ok(rows)
    }

    pub async fn decision(&self, job_id: JobId, id: DecisionId) -> Result<Option<DecisionRow>, StoreError> {
        let statement =
            format!("SELECT {COLUMNS} FROM review_decisions d {JOINS} WHERE d.job_id = $1 AND d.id = $2");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(job_id)
            .bind(id)
            .fetch_optional(self.pool())
            .await?)
    }

    /// What a decision changes, in the order of its items, those after `after`, at most `limit`.
    pub async fn decision_changes(
        &self,
        id: DecisionId,
        after: Option<i32>,
        limit: u32,
    ) -> Result<Vec<Change>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT subject, ordinal, before, after FROM review_changes
             WHERE decision_id = $1 AND ordinal > $2 ORDER BY subject, ordinal LIMIT $3",
        )
        .bind(id)
        .bind(after.unwrap_or(-1))
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await?)
    }

    /// Decisions of a project that wait for a second person, newest first; without those of `not_by`, who cannot be
    /// that person.
    pub async fn waiting_decisions(
        &self,
        project_id: ProjectId,
        not_by: Option<UserId>,
        after: Option<DecisionId>,
        limit: u32,
    ) -> Result<Vec<DecisionRow>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM review_waiting q JOIN review_decisions d ON d.id = q.decision_id {JOINS}
             WHERE q.project_id = $1 AND q.decision_id < $2 AND ($3::uuid IS NULL OR d.decided_by <> $3)
             ORDER BY q.decision_id DESC LIMIT $4"
        );
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(project_id)
            .bind(after.map_or(uuid::Uuid::max(), |after| after.0))
            .bind(not_by)
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await?)
    }
}
