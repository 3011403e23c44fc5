//! Taking a decision back, by another one. Only the last word on an item can be taken back.

use super::book::{insert_decision, set_pending, wait};
use super::decide::{Decided, Item, NewDecision, first_status};
use super::effect::{self, Decision};
use super::hold::{check_not_pending, hold};
use super::{Action, ReviewError, Subject};
use crate::ids::{DecisionId, ProjectId};
use sqlx::PgConnection;

/// Decides to take another decision back.
pub(super) async fn decide(
    conn: &mut PgConnection,
    project_id: ProjectId,
    id: DecisionId,
    new: &NewDecision,
) -> Result<Decided, ReviewError> {
    let target = load(conn, new.undoes.unwrap_or_default()).await?.filter(|t| t.job_id == new.job_id);
    let target = target.ok_or(ReviewError::UnknownDecision)?;
    if matches!(target.action, Action::Comment | Action::Undo) {
        let says = format!("{} cannot be taken back; decide anew", target.action.as_str());
        return Err(ReviewError::Refused(says));
    }
    let subject = held_subject(&target);
    let ordinals = held_ordinals(conn, &target).await?;
    let items: Vec<Item> = ordinals.iter().map(|&ordinal| Item { ordinal, version: None }).collect();
    let held = hold(conn, new.job_id, subject, &items).await?;
    for item in &held {
        check_not_pending(subject, item)?;
    }
    check_still_last(conn, &target).await?;
    let needs_approval = target.action.changes_state() && held.iter().any(|item| item.is_above_limit);
    let new = NewDecision { subject: target.subject, is_bulk: held.len() > 1 && new.is_bulk, ..new.clone() };
    insert_decision(conn, project_id, id, &new, held.len(), needs_approval).await?;
    sqlx::query(
        "INSERT INTO review_changes (decision_id, job_id, subject, ordinal, before, after)
         SELECT $1, job_id, subject, ordinal, after, before FROM review_changes WHERE decision_id = $2",
    )
    .bind(id)
    .bind(target.id)
    .execute(&mut *conn)
    .await?;
    if needs_approval {
        set_pending(conn, new.job_id, subject, &ordinals, id).await?;
        wait(conn, project_id, new.job_id, id).await?;
    } else {
        let decision = Decision {
            id,
            job_id: new.job_id,
            action: Action::Undo,
            subject: target.subject,
            value: None,
            reason_code: None,
            undoes: Some(target.id),
        };
        take_effect(conn, &decision).await?;
    }
    Ok(Decided {
        id,
        project_id,
        action: Action::Undo,
        status: first_status(needs_approval),
        items: held.len() as i32,
        hand_match: None,
        version: held.first().map_or(0, |item| item.version) + 1,
    })
}

/// A match by hand is known by itself, not by its records.
fn held_subject(target: &Decision) -> Subject {
    if target.action == Action::Match { Subject::HandMatch } else { target.subject }
}

async fn held_ordinals(conn: &mut PgConnection, target: &Decision) -> Result<Vec<i32>, ReviewError> {
    if target.action == Action::Match {
        let made = made_by(conn, target).await?;
        if made.is_empty() {
            return Err(decided_since());
        }
        return Ok(made);
    }
    Ok(changed_by(conn, target.id).await?)
}

/// The ordinals a decision changes.
pub(super) async fn changed_by(conn: &mut PgConnection, id: DecisionId) -> Result<Vec<i32>, sqlx::Error> {
    sqlx::query_scalar("SELECT ordinal FROM review_changes WHERE decision_id = $1 ORDER BY ordinal")
        .bind(id)
        .fetch_all(conn)
        .await
}

/// The matches by hand whose last word a decision is.
async fn made_by(conn: &mut PgConnection, target: &Decision) -> Result<Vec<i32>, sqlx::Error> {
    sqlx::query_scalar("SELECT ordinal FROM hand_matches WHERE job_id = $1 AND decided = $2")
        .bind(target.job_id)
        .bind(target.id)
        .fetch_all(conn)
        .await
}

pub(super) async fn load(conn: &mut PgConnection, id: DecisionId) -> Result<Option<Decision>, ReviewError> {
    Ok(sqlx::query_as(
        "SELECT id, job_id, action, subject, value, reason_code, undoes FROM review_decisions WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?)
}

fn decided_since() -> ReviewError {
    ReviewError::Refused(
        "it was never in effect, or something it is about has been decided again since".into(),
    )
}

/// Whether everything the decision changed still is as it left it.
async fn check_still_last(conn: &mut PgConnection, target: &Decision) -> Result<(), ReviewError> {
    let table = target.subject.table();
    let differs = match target.action {
        Action::Assign => "t.assignee IS DISTINCT FROM (c.after->>'assignee')::uuid",
        Action::SetDue => "t.due_on IS DISTINCT FROM (c.after->>'due_on')::date",
        Action::SetReason => "t.reason_code IS DISTINCT FROM c.after->>'reason_code'",
        _ => "t.decided IS DISTINCT FROM c.decision_id",
    };
    let statement = format!(
        "SELECT EXISTS (
             SELECT FROM review_changes c JOIN {table} t ON t.job_id = c.job_id AND t.ordinal = c.ordinal
             WHERE c.decision_id = $1 AND {differs})"
    );
    let differs: bool =
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).bind(target.id).fetch_one(&mut *conn).await?;
    if differs {
        return Err(decided_since());
    }
    // Records that were released by it must be free, or they would be in two places.
    let in_use: Option<i32> = match (target.action, target.subject) {
        (Action::Reject | Action::Unmatch, Subject::Match) => {
            sqlx::query_scalar(
                "SELECT e.ordinal FROM review_changes c
                 JOIN exceptions e ON e.job_id = c.job_id AND e.released_from = c.ordinal
                 WHERE c.decision_id = $1 AND e.state <> 'withdrawn' AND (e.state <> 'open' OR e.pending IS NOT NULL)
                 ORDER BY e.ordinal LIMIT 1",
            )
            .bind(target.id)
            .fetch_optional(conn)
            .await?
        }
        (Action::Unmatch, Subject::HandMatch) => {
            sqlx::query_scalar(
                "SELECT e.ordinal FROM review_changes c
                 JOIN hand_matches h ON h.job_id = c.job_id AND h.ordinal = c.ordinal
                 JOIN exceptions e ON e.job_id = h.job_id AND e.ordinal = ANY(h.left_ordinals || h.right_ordinals)
                 WHERE c.decision_id = $1 AND (e.state <> 'open' OR e.pending IS NOT NULL)
                 ORDER BY e.ordinal LIMIT 1",
            )
            .bind(target.id)
            .fetch_optional(conn)
            .await?
        }
        _ => None,
    };
    match in_use {
        None => Ok(()),
        Some(ordinal) => Err(ReviewError::Refused(format!(
            "exception number {} has been decided since: take that back first",
            ordinal + 1
        ))),
    }
}

/// Brings everything back to what it was before the decision that is undone.
pub(super) async fn take_effect(conn: &mut PgConnection, undo: &Decision) -> Result<(), ReviewError> {
    let target = load(conn, undo.undoes.unwrap_or_default()).await?.ok_or(ReviewError::UnknownDecision)?;
    check_still_last(conn, &target).await?;
    match (target.action, target.subject) {
        (Action::Match, _) => {
            let made = made_by(conn, &target).await?;
            effect::set_hand_state(conn, undo, &made, "undone").await?;
            effect::free_exceptions(conn, undo, &made).await?;
            restore(conn, undo, Subject::Exception, "reason_code = c.before->>'reason_code'", &target)
                .await?;
        }
        (Action::Unmatch, Subject::HandMatch) => {
            let ordinals = changed_by(conn, target.id).await?;
            effect::bind_exceptions(conn, undo, &ordinals).await?;
        }
        (Action::Accept | Action::Reject | Action::Unmatch, _) => {
            withdraw_released(conn, undo, &target).await?;
            let assignment =
                "state = (c.before->>'state')::match_state, reason_code = c.before->>'reason_code',
                              decided = $2, pending = NULL, version = t.version + 1";
            restore(conn, undo, Subject::Match, assignment, &target).await?;
        }
        (Action::WriteOff, _) => {
            let assignment =
                "state = 'open', reason_code = c.before->>'reason_code', decided = $2, pending = NULL,
                              version = t.version + 1";
            restore(conn, undo, Subject::Exception, assignment, &target).await?;
        }
        (Action::Assign, subject) => {
            let assignment = "assignee = (c.before->>'assignee')::uuid, version = t.version + 1";
            restore(conn, undo, subject, assignment, &target).await?;
        }
        (Action::SetDue, subject) => {
            let assignment = "due_on = (c.before->>'due_on')::date, version = t.version + 1";
            restore(conn, undo, subject, assignment, &target).await?;
        }
        (Action::SetReason, subject) => {
            let assignment = "reason_code = c.before->>'reason_code', version = t.version + 1";
            restore(conn, undo, subject, assignment, &target).await?;
        }
        (Action::Comment | Action::Undo, _) => return Err(ReviewError::UnknownDecision),
    }
    Ok(())
}

/// Sets what each item of `target` was before it. `$2` is the decision that does so.
async fn restore(
    conn: &mut PgConnection,
    undo: &Decision,
    subject: Subject,
    assignment: &str,
    target: &Decision,
) -> Result<(), ReviewError> {
    let table = subject.table();
    let statement = format!(
        "UPDATE {table} t SET {assignment}
         FROM review_changes c
         WHERE c.decision_id = $1 AND c.subject = '{}' AND t.job_id = $3 AND c.job_id = $3 AND t.ordinal = c.ordinal
           AND $2::uuid IS NOT NULL",
        subject.as_str()
    );
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(target.id)
        .bind(undo.id)
        .bind(target.job_id)
        .execute(conn)
        .await?;
    Ok(())
}

async fn withdraw_released(
    conn: &mut PgConnection,
    undo: &Decision,
    target: &Decision,
) -> Result<(), ReviewError> {
    sqlx::query(
        "UPDATE exceptions e SET state = 'withdrawn', decided = $2, version = e.version + 1
         FROM review_changes c
         WHERE c.decision_id = $1 AND e.job_id = $3 AND c.job_id = $3 AND e.released_from = c.ordinal
           AND e.state = 'open'",
    )
    .bind(target.id)
    .bind(undo.id)
    .bind(target.job_id)
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets the items go that a decision kept waiting, as they are.
pub(super) async fn let_go(conn: &mut PgConnection, decision: &Decision) -> Result<(), ReviewError> {
    let about = match decision.undoes {
        Some(target) => load(conn, target).await?.ok_or(ReviewError::UnknownDecision)?,
        None => decision.clone(),
    };
    let (subject, ordinals) = match decision.undoes {
        Some(_) => (held_subject(&about), held_ordinals(conn, &about).await?),
        None => (about.subject, changed_by(conn, about.id).await?),
    };
    let table = subject.table();
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE {table} SET pending = NULL, version = version + 1
         WHERE job_id = $1 AND ordinal = ANY($2) AND pending = $3"
    )))
    .bind(decision.job_id)
    .bind(ordinals)
    .bind(decision.id)
    .execute(&mut *conn)
    .await?;
    if decision.action == Action::Match {
        let made = made_by(conn, decision).await?;
        effect::set_hand_state(conn, decision, &made, "refused").await?;
    }
    Ok(())
}
