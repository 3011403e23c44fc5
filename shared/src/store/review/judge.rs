//! The second word on a decision above the four-eyes limit.

use super::effect::take_effect;
use super::hold::lock_run;
use super::{Decided, DecisionStatus, ReviewError, Verdict, undo};
use crate::ids::{DecisionId, JobId, ProjectId, UserId};
use sqlx::PgConnection;

/// Approves a proposed decision, which takes effect with it, or refuses it, or takes it back. That the second person
/// is another one is a constraint (`review_verdicts_another_person`); whether they may is the caller's to know.
pub async fn judge(
    conn: &mut PgConnection,
    job_id: JobId,
    id: DecisionId,
    by: UserId,
    verdict: Verdict,
    reason: Option<&str>,
) -> Result<Decided, ReviewError> {
    let project_id: ProjectId = lock_run(conn, job_id, verdict == Verdict::Approved).await?;
    let decision = undo::load(conn, id).await?.filter(|decision| decision.job_id == job_id);
    let decision = decision.ok_or(ReviewError::UnknownDecision)?;
    let waited = sqlx::query("DELETE FROM review_waiting WHERE decision_id = $1")
        .bind(id)
        .execute(&mut *conn)
        .await?
        .rows_affected();
    if waited == 0 {
        return Err(ReviewError::Refused("the decision does not wait for a second person".into()));
    }
    sqlx::query(
        "INSERT INTO review_verdicts (decision_id, decided_by, verdict, judged_by, reason)
         SELECT id, decided_by, $2, $3, $4 FROM review_decisions WHERE id = $1",
    )
    .bind(id)
    .bind(verdict)
    .bind(by)
    .bind(reason)
    .execute(&mut *conn)
    .await?;
    let ordinals = undo::changed_by(conn, id).await?;
    if verdict == Verdict::Approved {
        take_effect(conn, &decision, &ordinals).await?;
    } else {
        undo::let_go(conn, &decision).await?;
    }
    let status = match verdict {
        Verdict::Approved => DecisionStatus::Effective,
        Verdict::Refused => DecisionStatus::Refused,
        Verdict::Withdrawn => DecisionStatus::Withdrawn,
    };
    Ok(Decided {
        id,
        project_id,
        action: decision.action,
        status,
        items: ordinals.len() as i32,
        hand_match: None,
        version: 0,
    })
}
