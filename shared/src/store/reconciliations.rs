//! Reconciliations: what was asked, and the summary of what came out.

use super::open_items::OpenItemsSummary;
use super::{Store, StoreError};
use crate::ids::{DataSourceId, JobId, ProjectId, UserId};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::BTreeMap;

/// What a client asked for; written together with its job.
#[derive(Debug, Clone)]
pub struct NewReconciliation {
    pub job_id: JobId,
    pub project_id: ProjectId,
    pub name: String,
    pub left_source_id: DataSourceId,
    pub right_source_id: DataSourceId,
    /// A `matching::RuleSet`.
    pub rules: serde_json::Value,
    /// A run of the same project that [`lock_to_continue`] allowed in this transaction.
    pub continues: Option<JobId>,
}

/// The figures of a completed reconciliation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub left_records: i64,
    pub right_records: i64,
    /// Records of the left side inside matches.
    pub left_matched: i64,
    pub right_matched: i64,
    pub matches: i64,
    /// Of [`Self::matches`], those that wait for a person's word.
    pub suggested: i64,
    /// One per record that is in no match.
    pub exceptions: i64,
    /// Lines that could not be read as records.
    pub left_rejected: i64,
    pub right_rejected: i64,
    pub balance: Vec<CurrencyBalance>,
    /// By the kind's name; kinds without exceptions are absent.
    pub exceptions_by_kind: BTreeMap<String, i64>,
    pub passes: Vec<PassSummary>,
}

/// The balance proof of one currency: decimal strings in major units, so that no JSON reader rounds money.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurrencyBalance {
    pub currency: String,
    pub left_count: u64,
    pub right_count: u64,
    pub left_total: String,
    pub right_total: String,
    pub left_matched: String,
    pub right_matched: String,
    pub left_unmatched: String,
    pub right_unmatched: String,
    /// What tolerances let through inside matches.
    pub matched_difference: String,
    /// The part of `right_matched` that was matched with its sign flipped; `difference` includes it twice.
    pub right_flipped: String,
    /// The part of `left_matched` that stays open after part payments; absent in results older than these.
    #[serde(default = "zero")]
    pub open_remainder_left: String,
    #[serde(default = "zero")]
    pub open_remainder_right: String,
    /// Amounts that were compared in another currency, left less right; absent in results older than conversion.
    #[serde(default = "zero")]
    pub converted_out: String,
    /// Amounts of other currencies, converted into this one, left less right.
    #[serde(default = "zero")]
    pub converted_in: String,
    /// The part of `matched_difference` that matches with converted amounts left; absent in older results.
    #[serde(default = "zero")]
    pub converted_difference: String,
    /// Left minus right.
    pub difference: String,
    /// What of `difference` nothing explains: "0.00", or money is unaccounted for.
    pub residual: String,
}

fn zero() -> String {
    "0".to_owned()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PassSummary {
    pub name: String,
    pub matches: u64,
    pub left_records: u64,
    pub right_records: u64,
    /// Blocks left to later passes because they hit a limit of work.
    pub gave_up: u64,
    /// Connected pieces too large for the best choice of all; absent in results older than that.
    #[serde(default)]
    pub beyond_bound: u64,
}

/// A reconciliation as stored. The summary is there exactly when the job has completed.
#[derive(Debug, Clone)]
pub struct Reconciliation {
    pub job_id: JobId,
    pub project_id: ProjectId,
    pub name: String,
    pub left_source_id: DataSourceId,
    pub right_source_id: DataSourceId,
    pub rules: serde_json::Value,
    /// The run whose open items were carried in.
    pub continues: Option<JobId>,
    /// The first run of its chain: its own id where it continues nothing.
    pub chain_id: JobId,
    /// From 1.
    pub chain_position: i32,
    pub created_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
    pub summary: Option<Summary>,
    /// There with the summary, unless an older version completed it.
    pub open_items: Option<OpenItemsSummary>,
}

#[derive(sqlx::FromRow)]
struct ReconciliationRow {
    job_id: JobId,
    project_id: ProjectId,
    name: String,
    left_source_id: DataSourceId,
    right_source_id: DataSourceId,
    rules: serde_json::Value,
    continues: Option<JobId>,
    chain_id: JobId,
    chain_position: i32,
    created_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    summary: Option<Json<Summary>>,
    open_items: Option<Json<OpenItemsSummary>>,
}

impl From<ReconciliationRow> for Reconciliation {
    fn from(row: ReconciliationRow) -> Self {
        Reconciliation {
            job_id: row.job_id,
            project_id: row.project_id,
            name: row.name,
            left_source_id: row.left_source_id,
            right_source_id: row.right_source_id,
            rules: row.rules,
            continues: row.continues,
            chain_id: row.chain_id,
            chain_position: row.chain_position,
            created_at: row.created_at,
            completed_at: row.completed_at,
            summary: row.summary.map(|Json(summary)| summary),
            open_items: row.open_items.map(|Json(open_items)| open_items),
        }
    }
}

const COLUMNS: &str = "job_id, project_id, name, left_source_id, right_source_id, rules, continues,
    coalesce(chain_id, job_id) AS chain_id, chain_position, created_at, completed_at, open_items,
    CASE WHEN completed_at IS NOT NULL THEN jsonb_build_object(
        'left_records', left_records, 'right_records', right_records, 'left_matched', left_matched,
        'right_matched', right_matched, 'matches', matches, 'suggested', suggested, 'exceptions', exceptions,
        'left_rejected', left_rejected, 'right_rejected', right_rejected, 'balance', balance,
        'exceptions_by_kind', exceptions_by_kind, 'passes', passes) END AS summary";

/// The name of a reconciliation and who submitted it; nobody, if a schedule or a batch did.
pub async fn submitter(
    conn: &mut PgConnection,
    job_id: JobId,
) -> Result<(String, Option<UserId>), StoreError> {
    Ok(sqlx::query_as(
        "SELECT r.name, CASE WHEN j.batch_id IS NULL THEN j.created_by END
         FROM reconciliations r JOIN jobs j ON j.id = r.job_id WHERE r.job_id = $1",
    )
    .bind(job_id)
    .fetch_one(conn)
    .await?)
}

/// Written in the transaction that enqueues the job of the same id, after it.
pub async fn insert(conn: &mut PgConnection, new: &NewReconciliation) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO reconciliations (job_id, project_id, name, left_source_id, right_source_id, rules, continues,
                                      chain_id, chain_position)
         SELECT $1, $2, $3, $4, $5, $6, before.job_id, coalesce(before.chain_id, before.job_id),
                coalesce(before.chain_position, 0) + 1
         FROM (VALUES (1)) AS one LEFT JOIN reconciliations before ON before.job_id = $7",
    )
    .bind(new.job_id)
    .bind(new.project_id)
    .bind(&new.name)
    .bind(new.left_source_id)
    .bind(new.right_source_id)
    .bind(&new.rules)
    .bind(new.continues)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a run may be continued, by what the client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuable {
    Yes,
    /// The project has no such reconciliation.
    Unknown,
    /// It has no results: not yet, or it never will.
    NotCompleted,
    /// By this run, which is at work or has completed. A chain does not branch: which records are matched already
    /// would depend on the branch.
    ContinuedBy(JobId),
    /// An older version completed it and did not keep what a next run needs.
    TooOld,
}

/// Looks at a run that another is to continue, and keeps it as it is until the transaction ends.
pub async fn lock_to_continue(
    conn: &mut PgConnection,
    project_id: ProjectId,
    job_id: JobId,
) -> Result<Continuable, StoreError> {
    let found: Option<(bool, bool)> = sqlx::query_as(
        "SELECT completed_at IS NOT NULL, open_items IS NOT NULL
         FROM reconciliations WHERE job_id = $1 AND project_id = $2 FOR UPDATE",
    )
    .bind(job_id)
    .bind(project_id)
    .fetch_optional(&mut *conn)
    .await?;
    let by: Option<JobId> = sqlx::query_scalar(
        "SELECT r.job_id FROM reconciliations r JOIN jobs j ON j.id = r.job_id
         WHERE r.continues = $1 AND j.state NOT IN ('cancelled', 'dead') ORDER BY r.job_id LIMIT 1",
    )
    .bind(job_id)
    .fetch_optional(conn)
    .await?;
    Ok(match (found, by) {
        (None, _) => Continuable::Unknown,
        (Some((false, _)), _) => Continuable::NotCompleted,
        (_, Some(by)) => Continuable::ContinuedBy(by),
        (Some((_, false)), _) => Continuable::TooOld,
        (Some((true, true)), None) => Continuable::Yes,
    })
}

/// Sets the summary, in the transaction that writes the results and releases the lease.
pub async fn complete(conn: &mut PgConnection, job_id: JobId, summary: &Summary) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE reconciliations SET
             left_records = $2, right_records = $3, left_matched = $4, right_matched = $5, matches = $6,
             suggested = $7, exceptions = $8, left_rejected = $9, right_rejected = $10, balance = $11,
             exceptions_by_kind = $12, passes = $13, completed_at = clock_timestamp()
         WHERE job_id = $1",
    )
    .bind(job_id)
    .bind(summary.left_records)
    .bind(summary.right_records)
    .bind(summary.left_matched)
    .bind(summary.right_matched)
    .bind(summary.matches)
    .bind(summary.suggested)
    .bind(summary.exceptions)
    .bind(summary.left_rejected)
    .bind(summary.right_rejected)
    .bind(Json(&summary.balance))
    .bind(Json(&summary.exceptions_by_kind))
    .bind(Json(&summary.passes))
    .execute(conn)
    .await?;
    Ok(())
}

impl Store {
    pub async fn reconciliation(&self, job_id: JobId) -> Result<Option<Reconciliation>, StoreError> {
        let row: Option<ReconciliationRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM reconciliations WHERE job_id = $1"
        )))
        .bind(job_id)
        .fetch_optional(self.pool())
        .await?;
        Ok(row.map(Into::into))
    }
}
