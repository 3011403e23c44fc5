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

/// Makes the job in the caller's transaction. Any error but an unavailable database means: not with these args.
pub(super) async fn start(
    conn: &mut PgConnection,
    schedule: &Schedule,
    job_id: JobId,
    created_by: Option<UserId>,
    request_id: Option<String>,
) -> Result<(), StoreError> {
    let Some(row) = kinds::find(&schedule.kind) else {
        return Err(broken(format!("this version cannot schedule {}", schedule.kind)));
    };
    let is_reconciliation = row.kind == JobKind::RECONCILIATION;
    let job = NewJob {
        id: job_id,
        kind: row.kind.clone(),
        project_id: schedule.project_id,
        priority: u8::try_from(schedule.priority).unwrap_or(row.priority),
        // A reconciliation has everything else in a row of its own.
        args: if is_reconciliation { serde_json::json!({"v": 1}) } else { schedule.args.clone() },
        due_at: None,
        attempts_max: row.attempts_max,
        created_by,
        request_id,
    };
    jobs::enqueue(&mut *conn, &job).await?;
    if is_reconciliation {
        let project_id = schedule.project_id.ok_or_else(|| broken("a reconciliation needs a project"))?;
        let args = ReconciliationArgs::deserialize(&schedule.args)
            .map_err(|error| broken(format!("its args cannot be read: {error}")))?;
        let new = NewReconciliation {
            job_id,
            project_id,
            name: args.name,
            left_source_id: args.left_source_id,
            right_source_id: args.right_source_id,
            rules: args.rules,
        };
        reconciliations::insert(conn, &new).await?;
    }
    Ok(())
}

fn broken(says: impl Into<String>) -> StoreError {
    StoreError::Broken(sqlx::Error::Decode(says.into().into()))
}
