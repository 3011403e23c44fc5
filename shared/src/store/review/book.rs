//! Writing a decision down: itself, what it changes item by item, and that it waits, if it does.

use super::decide::NewDecision;
use super::hold::Held;
use super::{Action, Subject};
use crate::ids::{DecisionId, JobId, ProjectId};
use crate::store::StoreError;
use serde_json::{Value, json};
use sqlx::PgConnection;

/// The value as the decision keeps it.
pub(super) fn value_of(new: &NewDecision) -> Option<String> {
    match new.action {
        Action::Assign => new.assignee.map(|user| user.to_string()),
        Action::SetDue => new.due_on.map(|day| day.to_string()),
        _ => None,
    }
}

pub(super) async fn insert_decision(
    conn: &mut PgConnection,
    project_id: ProjectId,
    id: DecisionId,
    new: &NewDecision,
    items: usize,
    needs_approval: bool,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO review_decisions (id, job_id, project_id, action, items, is_bulk, subject, value, reason_code,
                                       comment, needs_approval, undoes, decided_by, request_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(id)
    .bind(new.job_id)
    .bind(project_id)
    .bind(new.action)
    .bind(i32::try_from(items).unwrap_or(i32::MAX))
    .bind(new.is_bulk)
    .bind(new.subject)
    .bind(value_of(new))
    .bind(&new.reason_code)
    .bind(&new.comment)
    .bind(needs_approval)
    .bind(new.undoes)
    .bind(new.by)
    .bind(&new.request_id)
    .execute(conn)
    .await?;
    Ok(())
}

/// What each item is, and what it is to become.
pub(super) async fn insert_changes(
    conn: &mut PgConnection,
    id: DecisionId,
    new: &NewDecision,
    held: &[Held],
) -> Result<(), StoreError> {
    let state = |word: &str| json!({"state": word, "reason_code": new.reason_code});
    let pair = |item: &Held| -> (Value, Value) {
        let was = || json!({"state": item.state, "reason_code": item.reason_code});
        match new.action {
            Action::Accept => (was(), state("accepted")),
            Action::Reject => (was(), state("rejected")),
            Action::Unmatch if new.subject == Subject::HandMatch => (was(), state("undone")),
            Action::Unmatch => (was(), state("unmatched")),
            Action::Match => (was(), state("matched")),
            Action::WriteOff => (was(), state("written_off")),
            Action::Assign => (json!({"assignee": item.assignee}), json!({"assignee": new.assignee})),
            Action::SetDue => (json!({"due_on": item.due_on}), json!({"due_on": new.due_on})),
            Action::SetReason => {
                (json!({"reason_code": item.reason_code}), json!({"reason_code": new.reason_code}))
            }
            Action::Comment | Action::Undo => (json!({}), json!({"comment": new.comment})),
        }
    };
    let (before, after): (Vec<Value>, Vec<Value>) = held.iter().map(pair).unzip();
    let ordinals: Vec<i32> = held.iter().map(|item| item.ordinal).collect();
    sqlx::query(
        "INSERT INTO review_changes (decision_id, job_id, subject, ordinal, before, after)
         SELECT $1, $2, $3, c.* FROM unnest($4::integer[], $5::jsonb[], $6::jsonb[]) AS c",
    )
    .bind(id)
    .bind(new.job_id)
    .bind(new.subject)
    .bind(ordinals)
    .bind(before)
    .bind(after)
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps the items for the one decision that waits.
pub(super) async fn set_pending(
    conn: &mut PgConnection,
    job_id: JobId,
    subject: Subject,
    ordinals: &[i32],
    id: DecisionId,
) -> Result<(), StoreError> {
    let table = subject.table();
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE {table} SET pending = $3, version = version + 1 WHERE job_id = $1 AND ordinal = ANY($2)"
    )))
    .bind(job_id)
    .bind(ordinals)
    .bind(id)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn wait(
    conn: &mut PgConnection,
    project_id: ProjectId,
    job_id: JobId,
    id: DecisionId,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO review_waiting (decision_id, project_id, job_id) VALUES ($1, $2, $3)")
        .bind(id)
        .bind(project_id)
        .bind(job_id)
        .execute(conn)
        .await?;
    Ok(())
}
