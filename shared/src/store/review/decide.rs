//! Taking a decision: looked at, noted, and in effect at once or once a second person agrees.

use super::book::{insert_changes, insert_decision, set_pending, value_of, wait};
use super::effect::{Decision, take_effect};
use super::hold::{check_member, check_reason, check_state, hold, lock_run};
use super::{Action, DecisionStatus, ReviewError, Subject, undo};
use crate::ids::{DecisionId, JobId, ProjectId, UserId};
use crate::notification::Event;
use crate::store::StoreError;
use crate::store::notifications::notify;
use chrono::NaiveDate;
use sqlx::PgConnection;

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
