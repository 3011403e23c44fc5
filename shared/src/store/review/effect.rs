//! What a decision does, by set: the same statements for one item and for fifty thousand.

use super::decide::{Item, NewDecision};
use super::hold::{Held, check_not_pending, hold, not_so};
use super::{Action, HAND_RECORDS_MAX, ReviewError, Subject, undo};
use crate::ids::{DecisionId, JobId, ProjectId};
use crate::store::StoreError;
use crate::store::results::StoredRecord;
use sqlx::PgConnection;
use sqlx::types::Json;

/// A decision on its way into effect.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Decision {
    pub id: DecisionId,
    pub job_id: JobId,
    pub action: Action,
    pub subject: Subject,
    pub value: Option<String>,
    pub reason_code: Option<String>,
    pub undoes: Option<DecisionId>,
}

/// Changes the items, which are under lock and in the state the decision was taken for.
pub(super) async fn take_effect(
    conn: &mut PgConnection,
    decision: &Decision,
    ordinals: &[i32],
) -> Result<(), ReviewError> {
    let d = decision;
    match (d.action, d.subject) {
        (Action::Accept, _) => set_match_state(conn, d, ordinals, "accepted").await?,
        (Action::Reject, _) => {
            set_match_state(conn, d, ordinals, "rejected").await?;
            release_records(conn, d.job_id, ordinals, "rejected").await?;
        }
        (Action::Unmatch, Subject::HandMatch) => {
            set_hand_state(conn, d, ordinals, "undone").await?;
            free_exceptions(conn, d, ordinals).await?;
        }
        (Action::Unmatch, _) => {
            set_match_state(conn, d, ordinals, "unmatched").await?;
            release_records(conn, d.job_id, ordinals, "taken apart").await?;
        }
        (Action::Match, _) => {
            let numbers: Vec<i32> = sqlx::query_scalar(
                "SELECT ordinal FROM hand_matches WHERE job_id = $1 AND decided = $2 ORDER BY ordinal",
            )
            .bind(d.job_id)
            .bind(d.id)
            .fetch_all(&mut *conn)
            .await?;
            bind_exceptions(conn, d, &numbers).await?;
        }
        (Action::WriteOff, _) => {
            sqlx::query(
                "UPDATE exceptions SET state = 'written_off', decided = $3, pending = NULL, version = version + 1,
                        reason_code = $4
                 WHERE job_id = $1 AND ordinal = ANY($2)",
            )
            .bind(d.job_id)
            .bind(ordinals)
            .bind(d.id)
            .bind(&d.reason_code)
            .execute(conn)
            .await?;
        }
        (Action::Comment, subject) => {
            set(conn, d, subject, ordinals, "comments = comments + 1", false).await?
        }
        (Action::Assign, subject) => set(conn, d, subject, ordinals, "assignee = $3::uuid", true).await?,
        (Action::SetDue, subject) => set(conn, d, subject, ordinals, "due_on = $3::date", true).await?,
        (Action::SetReason, subject) => set(conn, d, subject, ordinals, "reason_code = $3", true).await?,
        (Action::Undo, _) => undo::take_effect(conn, d).await?,
    }
    Ok(())
}

/// What changes no state. `assignment` may use `$3`, the value.
async fn set(
    conn: &mut PgConnection,
    decision: &Decision,
    subject: Subject,
    ordinals: &[i32],
    assignment: &str,
    takes_value: bool,
) -> Result<(), StoreError> {
    let table = subject.table();
    let version = if takes_value { ", version = version + 1" } else { "" };
    let statement =
        format!("UPDATE {table} SET {assignment}{version} WHERE job_id = $1 AND ordinal = ANY($2)");
    let mut query = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(decision.job_id).bind(ordinals);
    if takes_value {
        query = query.bind(match decision.action {
            Action::SetReason => decision.reason_code.clone(),
            _ => decision.value.clone(),
        });
    }
    query.execute(conn).await?;
    Ok(())
}

async fn set_match_state(
    conn: &mut PgConnection,
    decision: &Decision,
    ordinals: &[i32],
    state: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE matches SET state = $4::match_state, decided = $3, pending = NULL, version = version + 1,
                reason_code = coalesce($5, reason_code)
         WHERE job_id = $1 AND ordinal = ANY($2)",
    )
    .bind(decision.job_id)
    .bind(ordinals)
    .bind(decision.id)
    .bind(state)
    .bind(&decision.reason_code)
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes the records of matches that no longer stand open again, each as an exception behind all others.
async fn release_records(
    conn: &mut PgConnection,
    job_id: JobId,
    ordinals: &[i32],
    word: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "WITH last AS (
             SELECT coalesce(max(ordinal), -1) AS ordinal FROM exceptions WHERE job_id = $1
         ), freed AS (
             SELECT m.ordinal AS match, m.currency, s.side, s.record, s.n
             FROM matches m
             CROSS JOIN LATERAL (
                 SELECT 'left'::record_side AS side, l.record, l.n
                 FROM jsonb_array_elements(records_of(m.left_records, m.left_packed)) WITH ORDINALITY AS l (record, n)
                 UNION ALL
                 SELECT 'right', r.record, r.n
                 FROM jsonb_array_elements(records_of(m.right_records, m.right_packed)) WITH ORDINALITY AS r (record, n)
             ) AS s
             WHERE m.job_id = $1 AND m.ordinal = ANY($2)
         ), released AS (
             INSERT INTO exceptions (job_id, ordinal, kind, side, currency, amount, record, says, candidates,
                                     candidates_found, released_from)
             SELECT $1, last.ordinal + row_number() OVER (ORDER BY freed.match, side, n), 'released', side,
                    -- Of a record that was compared in another currency, its own.
                    coalesce(record->'foreign'->>'currency', currency), (record->>'amount')::bigint,
                    record - 'foreign', format('was in match number %s, which was %s', freed.match + 1, $3), '[]', 0,
                    freed.match
             FROM freed, last
             RETURNING side, currency, amount, record->>'date' AS record_date
         )
         INSERT INTO exception_totals AS t
             (job_id, kind, side, currency, state, assignee, record_date, count, amount)
         SELECT $1, 'released', side, currency, 'open', '00000000-0000-0000-0000-000000000000', record_date::date,
                count(*), sum(amount)
         FROM released GROUP BY side, currency, record_date
         ON CONFLICT (job_id, state, kind, side, currency, assignee, record_date)
         DO UPDATE SET count = t.count + excluded.count, amount = t.amount + excluded.amount",
    )
    .bind(job_id)
    .bind(ordinals)
    .bind(word)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn set_hand_state(
    conn: &mut PgConnection,
    decision: &Decision,
    ordinals: &[i32],
    state: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE hand_matches SET state = $4::hand_match_state, decided = $3, pending = NULL, version = version + 1
         WHERE job_id = $1 AND ordinal = ANY($2)",
    )
    .bind(decision.job_id)
    .bind(ordinals)
    .bind(decision.id)
    .bind(state)
    .execute(conn)
    .await?;
    Ok(())
}

/// The records of matches by hand → open.
pub(super) async fn free_exceptions(
    conn: &mut PgConnection,
    decision: &Decision,
    hand_matches: &[i32],
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE exceptions SET state = 'open', hand_match = NULL, decided = $3, pending = NULL,
                version = version + 1
         WHERE job_id = $1 AND hand_match = ANY($2)",
    )
    .bind(decision.job_id)
    .bind(hand_matches)
    .bind(decision.id)
    .execute(conn)
    .await?;
    Ok(())
}

/// Matches by hand → standing, and their records into them.
pub(super) async fn bind_exceptions(
    conn: &mut PgConnection,
    decision: &Decision,
    hand_matches: &[i32],
) -> Result<(), StoreError> {
    set_hand_state(conn, decision, hand_matches, "standing").await?;
    sqlx::query(
        "UPDATE exceptions e SET state = 'matched', hand_match = h.ordinal, decided = $3, pending = NULL,
                version = e.version + 1, reason_code = coalesce(h.reason_code, e.reason_code)
         FROM hand_matches h
         WHERE h.job_id = $1 AND h.ordinal = ANY($2)
           AND e.job_id = $1 AND e.ordinal = ANY(h.left_ordinals || h.right_ordinals)",
    )
    .bind(decision.job_id)
    .bind(hand_matches)
    .bind(decision.id)
    .execute(conn)
    .await?;
    Ok(())
}

/// Open records that are to become one match.
pub(super) struct MatchByHand {
    pub held: Vec<Held>,
    pub is_above_limit: bool,
    currency: String,
    left: Vec<(i32, StoredRecord)>,
    right: Vec<(i32, StoredRecord)>,
    left_sum: i64,
    right_sum: i64,
    difference: i64,
}

/// Checks that records may be matched: open, of one currency, and a difference has a reason.
pub(super) async fn prepare_match(
    conn: &mut PgConnection,
    new: &NewDecision,
) -> Result<MatchByHand, ReviewError> {
    let all: Vec<Item> = new.items.iter().chain(&new.right).copied().collect();
    let wrong = |member, detail: String| ReviewError::Wrong { member, detail };
    if !(2..=HAND_RECORDS_MAX).contains(&all.len()) {
        return Err(wrong("left", format!("a match has 2 to {HAND_RECORDS_MAX} records, not {}", all.len())));
    }
    let held = hold(conn, new.job_id, Subject::Exception, &all).await?;
    if held.len() != all.len() {
        return Err(wrong("left", "the same exception is named twice".into()));
    }
    for item in &held {
        check_not_pending(Subject::Exception, item)?;
        if item.state != "open" || item.sort == "already_matched" {
            return Err(not_so(Action::Match, Subject::Exception, item));
        }
    }
    type Row = (i32, String, String, i64, Json<StoredRecord>);
    let ordinals: Vec<i32> = all.iter().map(|item| item.ordinal).collect();
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT ordinal, side::text, currency, amount, record FROM exceptions
         WHERE job_id = $1 AND ordinal = ANY($2) ORDER BY ordinal",
    )
    .bind(new.job_id)
    .bind(ordinals)
    .fetch_all(&mut *conn)
    .await?;
    let currency = rows[0].2.clone();
    let (mut left, mut right) = (vec![], vec![]);
    let (mut left_sum, mut right_sum) = (0i128, 0i128);
    for (ordinal, side, its_currency, amount, Json(record)) in rows {
        if its_currency != currency {
            let detail =
                format!("the records are in {currency} and {its_currency}: a match by hand has one currency");
            return Err(wrong("left", detail));
        }
        let is_left = new.items.iter().any(|item| item.ordinal == ordinal);
        if is_left != (side == "left") {
            let member = if is_left { "left" } else { "right" };
            return Err(wrong(member, format!("exception number {} is on the {side} side", ordinal + 1)));
        }
        if is_left {
            left_sum += i128::from(amount);
            left.push((ordinal, record));
        } else {
            right_sum += i128::from(amount);
            right.push((ordinal, record));
        }
    }
    let difference = left_sum - if new.flip_sign { -right_sum } else { right_sum };
    let small = |sum: i128| i64::try_from(sum).map_err(|_| wrong("left", "the sum is too large".into()));
    let (left_sum, right_sum, difference) = (small(left_sum)?, small(right_sum)?, small(difference)?);
    if difference != 0 && new.reason_code.is_none() {
        return Err(wrong("reason_code", "the sides differ: say why with one of the project's codes".into()));
    }
    let is_above_limit: bool = sqlx::query_scalar(
        "SELECT is_match_above_four_eyes_limit($1, $2, greatest(abs($3::numeric), abs($4::numeric)), '[]')",
    )
    .bind(new.job_id)
    .bind(&currency)
    .bind(left_sum)
    .bind(right_sum)
    .fetch_one(conn)
    .await?;
    // One record above the limit is enough too: its own state changes.
    let is_above_limit = is_above_limit || held.iter().any(|item| item.is_above_limit);
    Ok(MatchByHand { held, is_above_limit, currency, left, right, left_sum, right_sum, difference })
}

/// Writes a match by hand as proposed; [`take_effect`] makes it stand. Gives its ordinal.
pub(super) async fn insert_match(
    conn: &mut PgConnection,
    project_id: ProjectId,
    id: DecisionId,
    new: &NewDecision,
    made: MatchByHand,
    waits: bool,
) -> Result<i32, StoreError> {
    let (left_ordinals, left): (Vec<i32>, Vec<StoredRecord>) = made.left.into_iter().unzip();
    let (right_ordinals, right): (Vec<i32>, Vec<StoredRecord>) = made.right.into_iter().unzip();
    Ok(sqlx::query_scalar(
        "INSERT INTO hand_matches (job_id, ordinal, project_id, state, currency, left_ordinals, right_ordinals,
                                   left_records, right_records, left_sum, right_sum, flip_sign, difference,
                                   reason_code, pending, decided)
         SELECT $1, coalesce(max(ordinal), -1) + 1, $2, 'proposed', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
                CASE WHEN $14 THEN $13 END, $13
         FROM hand_matches WHERE job_id = $1
         RETURNING ordinal",
    )
    .bind(new.job_id)
    .bind(project_id)
    .bind(made.currency)
    .bind(left_ordinals)
    .bind(right_ordinals)
    .bind(Json(left))
    .bind(Json(right))
    .bind(made.left_sum)
    .bind(made.right_sum)
    .bind(new.flip_sign)
    .bind(made.difference)
    .bind(&new.reason_code)
    .bind(id)
    .bind(waits)
    .fetch_one(conn)
    .await?)
}
