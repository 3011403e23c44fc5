//! The job of a tick, with whatever else its kind needs to exist.

use super::Schedule;
use super::takes::{Took, Wanted, take};
use crate::ids::{DataSourceId, JobId, UserId};
use crate::job::{JobKind, NewJob};
use crate::schedule::kinds;
use crate::store::reconciliations::{self, NewReconciliation};
use crate::store::{StoreError, jobs};
use serde::Deserialize;
use sqlx::PgConnection;
use sqlx::types::Json;

/// The args of a scheduled reconciliation, as stored: names resolved, rules made.
#[derive(Deserialize)]
struct ReconciliationArgs {
    name: String,
    left_source_id: DataSourceId,
    right_source_id: DataSourceId,
    /// Patterns of names: the newest upload that fits is taken, read as the source is.
    left_file_name: Option<String>,
    right_file_name: Option<String>,
    rules: serde_json::Value,
}

/// Why there is no job.
#[derive(Debug)]
pub(super) enum StartError {
    /// The same call may succeed later.
    Unavailable(StoreError),
    /// Not with these args; a sentence for the schedule's owner.
    Refused(String),
    /// It takes the newest files, and there is none that the last run had not; a sentence that says which.
    NothingNew(String),
}

/// Who wants a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskedBy {
    /// The time: only where there is something new to do.
    Time,
    /// Whatever there is.
    Person,
}

impl StartError {
    /// The owner reads which step was refused, the operator why.
    pub(super) fn at(doing: &'static str) -> impl FnOnce(StoreError) -> Self {
        move |error| {
            if error.is_unavailable() {
                return Self::Unavailable(error);
            }
            tracing::error!(error = crate::chain(&error), "a schedule's job was refused: {doing}");
            Self::Refused(doing.into())
        }
    }
}

/// Makes the job in the caller's transaction, which after an error can only be rolled back. Gives the files that it takes.
pub(super) async fn start(
    conn: &mut PgConnection,
    schedule: &Schedule,
    job_id: JobId,
    asked_by: AskedBy,
    created_by: Option<UserId>,
    request_id: Option<String>,
) -> Result<Option<Took>, StartError> {
    let Some(row) = kinds::find(&schedule.kind) else {
        return Err(StartError::Refused(format!("this version cannot schedule {}", schedule.kind)));
    };
    let is_reconciliation = row.kind == JobKind::RECONCILIATION;
    let job = NewJob {
        id: job_id,
        kind: row.kind.clone(),
        project_id: schedule.project_id,
        concurrency_key: None,
        priority: u8::try_from(schedule.priority).unwrap_or(row.priority),
        // A reconciliation has everything else in a row of its own.
        args: if is_reconciliation { serde_json::json!({"v": 1}) } else { schedule.args.clone() },
        due_at: None,
        attempts_max: row.attempts_max,
        created_by,
        request_id,
    };
    jobs::enqueue(&mut *conn, &job).await.map_err(StartError::at("the job was refused"))?;
    if !is_reconciliation {
        return Ok(None);
    }
    let project_id =
        schedule.project_id.ok_or_else(|| StartError::Refused("a reconciliation needs a project".into()))?;
    let args = ReconciliationArgs::deserialize(&schedule.args)
        .map_err(|error| StartError::Refused(format!("its args cannot be read: {error}")))?;
    let left =
        Wanted { side: "left", source_id: args.left_source_id, file_name: args.left_file_name.as_deref() };
    let right =
        Wanted { side: "right", source_id: args.right_source_id, file_name: args.right_file_name.as_deref() };
    let took = take(&mut *conn, schedule, project_id, [left, right], asked_by == AskedBy::Time).await?;
    let new = NewReconciliation {
        job_id,
        project_id,
        name: args.name,
        left_source_id: took.left.source_id,
        right_source_id: took.right.source_id,
        rules: args.rules,
        continues: None,
    };
    let inserted = reconciliations::insert(&mut *conn, &new).await;
    inserted.map_err(StartError::at("a data source that it names is gone"))?;
    sqlx::query("UPDATE schedules SET last_took = $2 WHERE id = $1")
        .bind(schedule.id)
        .bind(Json(&took))
        .execute(conn)
        .await
        .map_err(|error| StartError::at("what it takes could not be noted")(error.into()))?;
    Ok(Some(took))
}
