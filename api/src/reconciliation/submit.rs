//! Submitting: one transaction makes the job, its doorbell and the reconciliation.

use super::address;
use super::submission::{Accepted, Submission};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::read::JsonDraft;
use crate::request_id::RequestId;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use serde::Serialize;
use shared::ids::{DataSourceId, JobId, ProjectId};
use shared::job::{JobKind, NewJob};
use shared::store::projects::ProjectRole;
use shared::store::reconciliations::NewReconciliation;
use shared::store::{Store, StoreError, jobs, reconciliations};
use utoipa::ToSchema;
use uuid::Uuid;

/// Where to look from here on.
#[derive(Serialize, ToSchema)]
pub(crate) struct Submitted {
    id: Uuid,
    status_url: String,
    events_url: String,
    results_url: String,
    exceptions_url: String,
    summary_url: String,
    /// Of a preset: the passes that were left out, each with the fields that are missing.
    dropped_passes: Vec<String>,
}

/// Attempts before a failing job is dead.
const ATTEMPTS_MAX: u16 = 5;

/// Submit a reconciliation. It runs as soon as a worker is free.
#[utoipa::path(
    post, path = "/api/reconciliation/jobs", tag = "reconciliation", security(("access_token" = [])),
    request_body = Submission,
    responses((status = 202, description = "Accepted; Location is the job's address", body = Submitted))
)]
pub(super) async fn submit_reconciliation(
    State(api): State<Api>,
    caller: Caller,
    request_id: RequestId,
    JsonDraft { body, mut mistakes }: JsonDraft<Submission>,
) -> Result<impl IntoResponse, Problem> {
    let Some((submission, project_id)) = body.and_then(|body| body.project_id.map(|id| (body, id))) else {
        return Err(Problem::invalid(mistakes));
    };
    api.access_project(&caller, project_id, ProjectRole::Operator).await?;
    let named: Vec<DataSourceId> =
        [submission.left_source_id, submission.right_source_id].into_iter().flatten().collect();
    let found = api.store.data_sources_of(project_id, &named).await?;
    let Some(accepted) = submission.check(&found, &mut mistakes) else {
        return Err(Problem::invalid(mistakes));
    };
    let job = NewJob {
        id: JobId::new(),
        kind: JobKind::RECONCILIATION,
        project_id: Some(project_id),
        priority: accepted.priority,
        // Everything else is in the row of the reconciliation.
        args: serde_json::json!({"v": 1}),
        due_at: None,
        attempts_max: ATTEMPTS_MAX,
        created_by: Some(caller.user_id),
        request_id: Some(request_id.as_str().to_owned()),
    };
    let dropped_passes = accepted.dropped_passes.iter().map(ToString::to_string).collect();
    store(&api.store, &job, project_id, accepted).await?;
    api.relay_wake.notify_one();
    metrics::counter!("counterfoil_jobs_accepted_total", "kind" => job.kind.as_str().to_owned()).increment(1);
    tracing::info!(job_id = %job.id, %project_id, priority = job.priority, "accepted a reconciliation");

    let status_url = address(job.id);
    let below = |what: &str| format!("{status_url}/{what}");
    let submitted = Submitted {
        id: job.id.0,
        events_url: below("events"),
        results_url: below("results"),
        exceptions_url: below("exceptions"),
        summary_url: below("summary"),
        status_url: status_url.clone(),
        dropped_passes,
    };
    Ok((StatusCode::ACCEPTED, AppendHeaders([(header::LOCATION, status_url)]), Json(submitted)))
}

async fn store(
    store: &Store,
    job: &NewJob,
    project_id: ProjectId,
    accepted: Accepted,
) -> Result<(), StoreError> {
    let new = NewReconciliation {
        job_id: job.id,
        project_id,
        name: accepted.name,
        left_source_id: accepted.left,
        right_source_id: accepted.right,
        rules: serde_json::to_value(&accepted.rules).expect("checked rules are always JSON"),
    };
    let mut tx = store.begin().await?;
    jobs::enqueue(&mut tx, job).await?;
    reconciliations::insert(&mut tx, &new).await?;
    Ok(tx.commit().await?)
}
