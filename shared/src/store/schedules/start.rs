//! The job of a tick, with whatever else its kind needs to exist.

use super::Schedule;
use crate::ids::{DataSourceId, JobId, UserId};
use crate::job::{JobKind, NewJob};
use crate::schedule::kinds;
use crate::store::reconciliations::{self, NewReconciliation};
use crate::store::{StoreError, jobs};
use serde::Deserialize;
use sqlx::PgConnection;

/// The args of a scheduled reconciliation, as stored: names resolved, rules made.
#[derive(Deserialize)]
struct ReconciliationArgs {
    name: String,
    left_source_id: DataSourceId,
    right_source_id: DataSourceId,
    rules: serde_json::Value,
}

/// Why there is no job.
#[derive(Debug)]
pub(super) enum StartError {
    /// The same call may succeed later.
    Unavailable(StoreError),
    /// Not with these args; a sentence for the schedule's owner.
    Refused(String),
}

impl StartError {
    /// The owner reads which step was refused, the operator why.
    fn at(doing: &'static str) -> impl FnOnce(StoreError) -> Self {
        move |error| {
            if error.is_unavailable() {
                return Self::Unavailable(error);
            }
            tracing::error!(error = crate::chain(&error), "a schedule's job was refused: {doing}");
            Self::Refused(doing.into())
        }
    }
}

/// Makes the job in the caller's transaction, which after an error can only be rolled back.
pub(super) async fn start(
    conn: &mut PgConnection,
    schedule: &Schedule,
    job_id: JobId,
    created_by: Option<UserId>,
    request_id: Option<String>,
) -> Result<(), StartError> {
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
    if is_reconciliation {
        let project_id = schedule
            .project_id
            .ok_or_else(|| StartError::Refused("a reconciliation needs a project".into()))?;
        let args = ReconciliationArgs::deserialize(&schedule.args)
            .map_err(|error| StartError::Refused(format!("its args cannot be read: {error}")))?;
        let new = NewReconciliation {
            job_id,
            project_id,
            name: args.name,
            left_source_id: args.left_source_id,
            right_source_id: args.right_source_id,
            rules: args.rules,
            continues: None,
        };
        let inserted = reconciliations::insert(conn, &new).await;
        inserted.map_err(StartError::at("a data source that it names is gone"))?;
    }
    Ok(())
}
