//! Taking a decision: looked at, noted, and in effect at once or once a second person agrees.

use super::effect::{Decision, take_effect};
use super::{Action, DecisionStatus, ITEMS_MAX, ReviewError, Subject, undo};
use crate::ids::{DecisionId, JobId, ProjectId, UserId};
use crate::notification::Event;
use crate::store::StoreError;
use crate::store::notifications::notify;
use chrono::NaiveDate;
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::collections::HashMap;

/// What somebody wants.
#[derive(Debug, Clone)]
pub struct NewDecision {
    pub job_id: JobId,
    pub by: UserId,
    pub request_id: Option<String>,
    pub action: Action,
    pub subject: Subject,
    /// What it is about; of a match by hand, the exceptions of the left side. Empty for an undo.
    pub items: Vec<Item>,
    /// Of a match by hand.
    pub right: Vec<Item>,
    /// The sides write the same money with opposite signs.
    pub flip_sign: bool,
    pub assignee: Option<UserId>,
    pub due_on: Option<NaiveDate>,
    pub reason_code: Option<String>,
    pub comment: Option<String>,
    pub undoes: Option<DecisionId>,
    /// A whole filter at once.
    pub is_bulk: bool,
}

/// An item by its ordinal; with a version, only as long as it has that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    pub ordinal: i32,
    pub version: Option<i32>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    pub id: DecisionId,
    pub project_id: ProjectId,
    pub action: Action,
    pub status: DecisionStatus,
    pub items: i32,
    /// The match by hand that was made.
    pub hand_match: Option<i32>,
    /// Of the first item; for whoever decides on.
    pub version: i32,
}

impl Decided {
    /// It waits for a second person; nothing has changed so far.
    pub fn is_proposed(&self) -> bool {
        self.status == DecisionStatus::Proposed
    }
}

/// Where a new decision begins.
pub(super) fn first_status(needs_approval: bool) -> DecisionStatus {
    if needs_approval { DecisionStatus::Proposed } else { DecisionStatus::Effective }
}

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

/// Takes a decision in the caller's transaction. Costs a few statements, whatever the number of items.
pub async fn decide(conn: &mut PgConnection, new: &NewDecision) -> Result<Decided, ReviewError> {
    let project_id = lock_run(conn, new.job_id, new.action.changes_state()).await?;
    if let Some(code) = &new.reason_code {
        check_reason(conn, project_id, code).await?;
    }
    if let Some(assignee) = new.assignee {
        check_member(conn, project_id, assignee).await?;
    }
    let id = DecisionId::new();
    if new.action == Action::Undo {
        return undo::decide(conn, project_id, id, new).await;
    }
    let mut hand_match = None;
    let (held, needs_approval) = match new.action {
        Action::Match => {
            let made = super::effect::prepare_match(conn, new).await?;
            let needs_approval = made.is_above_limit;
            let held = made.held.clone();
            hand_match = Some(made);
            (held, needs_approval)
        }
        action => {
            let held = hold(conn, new.job_id, new.subject, &new.items).await?;
            for item in &held {
                check_state(action, new.subject, item)?;
            }
            let needs_approval = action.changes_state() && held.iter().any(|item| item.is_above_limit);
            (held, needs_approval)
        }
    };
    insert_decision(conn, project_id, id, new, held.len(), needs_approval).await?;
    insert_changes(conn, id, new, &held).await?;
    let ordinals: Vec<i32> = held.iter().map(|item| item.ordinal).collect();
    let made = match hand_match {
        Some(made) => {
            Some(super::effect::insert_match(conn, project_id, id, new, made, needs_approval).await?)
        }
        None => None,
    };
    if needs_approval {
        set_pending(conn, new.job_id, new.subject, &ordinals, id).await?;
        wait(conn, project_id, new.job_id, id).await?;
    } else {
        let decision = Decision {
            id,
            job_id: new.job_id,
            action: new.action,
            subject: new.subject,
            value: value_of(new),
            reason_code: new.reason_code.clone(),
            undoes: None,
        };
        take_effect(conn, &decision, &ordinals).await?;
    }
    tell(conn, project_id, id, new, held.len(), needs_approval).await?;
    let version = held.first().map_or(0, |item| item.version) + i32::from(new.action != Action::Comment);
    Ok(Decided {
        id,
        project_id,
        action: new.action,
        status: first_status(needs_approval),
        items: held.len() as i32,
        hand_match: made,
        version,
    })
}

/// Whoever has something to do now is told.
async fn tell(
    conn: &mut PgConnection,
    project_id: ProjectId,
    decision_id: DecisionId,
    new: &NewDecision,
    items: usize,
    needs_approval: bool,
) -> Result<(), StoreError> {
    let (job_id, by, items) = (new.job_id, new.by, u32::try_from(items).unwrap_or(u32::MAX));
    if needs_approval {
        let action = new.action.as_str().to_owned();
        let event = Event::ApprovalWanted { decision_id, job_id, by, action, items };
        notify(conn, Some(project_id), &event).await?;
    }
    // Who takes something on themselves knows.
    if let (Action::Assign, Some(assignee)) = (new.action, new.assignee.filter(|assignee| *assignee != by)) {
        let comment = new.comment.clone();
        let event = Event::ExceptionAssigned { job_id, assignee, by, items, comment };
        notify(conn, Some(project_id), &event).await?;
    }
    Ok(())
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

async fn check_reason(conn: &mut PgConnection, project_id: ProjectId, code: &str) -> Result<(), ReviewError> {
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

async fn check_member(
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
            "worth_of_match(left_records, right_records)",
            "left_records || right_records",
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
fn check_state(action: Action, subject: Subject, item: &Held) -> Result<(), ReviewError> {
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

/// The value as the decision keeps it.
fn value_of(new: &NewDecision) -> Option<String> {
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
async fn insert_changes(
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
