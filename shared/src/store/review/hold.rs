//! What a decision is about, under lock: the run, so that its decisions take turns, and the items, in a state that allows it.

use super::decide::Item;
use super::filter::WORTH_OF_MATCH;
use super::{Action, ITEMS_MAX, ReviewError, Subject};
use crate::ids::{DecisionId, JobId, ProjectId, UserId};
use chrono::NaiveDate;
use sqlx::PgConnection;
use std::collections::HashMap;

/// An item under lock.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Held {
    pub ordinal: i32,
    pub version: i32,
    pub state: String,
    /// A match's tier, an exception's kind.
    pub sort: String,
    pub pending: Option<DecisionId>,
    pub assignee: Option<UserId>,
    pub due_on: Option<NaiveDate>,
    pub reason_code: Option<String>,
    /// The four-eyes limit of its currency.
    pub is_above_limit: bool,
}

/// Waits for the other decisions of the run, and refuses one that no longer may be decided.
pub(super) async fn lock_run(
    conn: &mut PgConnection,
    job_id: JobId,
    changes_state: bool,
) -> Result<ProjectId, ReviewError> {
    let found: Option<(ProjectId, bool)> = sqlx::query_as(
        "SELECT project_id, completed_at IS NOT NULL FROM reconciliations WHERE job_id = $1 FOR NO KEY UPDATE",
    )
    .bind(job_id)
    .fetch_optional(&mut *conn)
    .await?;
    let Some((project_id, true)) = found else {
        return Err(ReviewError::Refused("the reconciliation has no results to decide about".into()));
    };
    if changes_state {
        let by: Option<JobId> = sqlx::query_scalar(
            "SELECT r.job_id FROM reconciliations r JOIN jobs j ON j.id = r.job_id
             WHERE r.continues = $1 AND j.state NOT IN ('cancelled', 'dead') ORDER BY r.job_id LIMIT 1",
        )
        .bind(job_id)
        .fetch_optional(&mut *conn)
        .await?;
        if let Some(by) = by {
            let says =
                format!("the reconciliation {by} continues this one and has its open items: decide there");
            return Err(ReviewError::Refused(says));
        }
    }
    sqlx::query("SELECT count_exceptions($1)").bind(job_id).execute(conn).await?;
    Ok(project_id)
}

pub(super) async fn check_reason(
    conn: &mut PgConnection,
    project_id: ProjectId,
    code: &str,
) -> Result<(), ReviewError> {
    let known: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM review_reasons WHERE project_id = $1 AND code = $2 AND is_active)",
    )
    .bind(project_id)
    .bind(code)
    .fetch_one(conn)
    .await?;
    if known {
        return Ok(());
    }
    let detail = format!("the project has no reason code {code:?}; see its list");
    Err(ReviewError::Wrong { member: "reason_code", detail })
}

pub(super) async fn check_member(
    conn: &mut PgConnection,
    project_id: ProjectId,
    user_id: UserId,
) -> Result<(), ReviewError> {
    let known: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM project_members WHERE project_id = $1 AND user_id = $2)",
    )
    .bind(project_id)
    .bind(user_id)
    .fetch_one(conn)
    .await?;
    if known {
        return Ok(());
    }
    Err(ReviewError::Wrong { member: "assignee", detail: "is no member of the project".into() })
}

/// Locks items in their order, so that nobody waits in a circle. All must be there, in the version asked for.
pub(super) async fn hold(
    conn: &mut PgConnection,
    job_id: JobId,
    subject: Subject,
    items: &[Item],
) -> Result<Vec<Held>, ReviewError> {
    if items.is_empty() || items.len() > ITEMS_MAX {
        let says = format!("one decision is about 1 to {ITEMS_MAX} items, not {}", items.len());
        return Err(ReviewError::Refused(says));
    }
    let (sort, assigned, worth, records) = match subject {
        Subject::Match => (
            "tier::text",
            "assignee, due_on",
            WORTH_OF_MATCH,
            "records_of(left_records, left_packed) || records_of(right_records, right_packed)",
        ),
        Subject::Exception => ("kind::text", "assignee, due_on", "amount", "'[]'"),
        Subject::HandMatch => (
            "''",
            "NULL::uuid AS assignee, NULL::date AS due_on",
            "greatest(abs(left_sum::numeric), abs(right_sum::numeric))",
            "left_records || right_records",
        ),
    };
    let table = subject.table();
    let statement = format!(
        "SELECT ordinal, version, state::text AS state, {sort} AS sort, pending, {assigned}, reason_code,
                CASE WHEN EXISTS (SELECT FROM four_eyes_limits_on($1))
                     THEN is_match_above_four_eyes_limit($1, currency, {worth}, {records}) ELSE false END AS is_above_limit
         FROM {table} WHERE job_id = $1 AND ordinal = ANY($2) ORDER BY ordinal FOR UPDATE"
    );
    let ordinals: Vec<i32> = items.iter().map(|item| item.ordinal).collect();
    let held: Vec<Held> =
        sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(job_id).bind(&ordinals).fetch_all(conn).await?;
    let by_ordinal: HashMap<i32, &Held> = held.iter().map(|item| (item.ordinal, item)).collect();
    for item in items {
        let Some(found) = by_ordinal.get(&item.ordinal) else {
            return Err(ReviewError::Unknown { subject, ordinal: item.ordinal });
        };
        if item.version.is_some_and(|version| version != found.version) {
            return Err(ReviewError::Stale { subject, ordinal: item.ordinal, version: found.version });
        }
    }
    Ok(held)
}

/// Whether an item may be decided so.
pub(super) fn check_state(action: Action, subject: Subject, item: &Held) -> Result<(), ReviewError> {
    if action.changes_state() {
        check_not_pending(subject, item)?;
    }
    let may = match (action, subject) {
        (Action::Accept | Action::Reject, Subject::Match) => {
            item.state == "as_found" && item.sort == "suggested"
        }
        (Action::Unmatch, Subject::Match) => {
            item.state == "accepted" || (item.state == "as_found" && item.sort == "confirmed")
        }
        (Action::Unmatch, Subject::HandMatch) => item.state == "standing",
        (Action::WriteOff, Subject::Exception) => item.state == "open",
        (Action::Comment, _) => true,
        (Action::Assign | Action::SetDue | Action::SetReason, Subject::Match) => true,
        (Action::Assign | Action::SetDue | Action::SetReason, Subject::Exception) => {
            item.state != "withdrawn"
        }
        _ => false,
    };
    if may { Ok(()) } else { Err(not_so(action, subject, item)) }
}

pub(super) fn not_so(action: Action, subject: Subject, item: &Held) -> ReviewError {
    let sort = if item.sort.is_empty() { String::new() } else { format!(" ({})", item.sort) };
    ReviewError::Refused(format!(
        "{} number {}{sort} is in the state {}, which {} does not go with",
        subject.as_str(),
        item.ordinal + 1,
        item.state,
        action.as_str()
    ))
}

pub(super) fn check_not_pending(subject: Subject, item: &Held) -> Result<(), ReviewError> {
    match item.pending {
        None => Ok(()),
        Some(pending) => Err(ReviewError::Refused(format!(
            "{} number {} waits for a second person's word on the decision {pending}",
            subject.as_str(),
            item.ordinal + 1
        ))),
    }
}
