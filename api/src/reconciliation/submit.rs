//! Submitting: one transaction makes the job, its doorbell and the reconciliation.

use super::address;
use super::submission::{Accepted, Submission, has_own_ids, mistake};
use crate::caller::Caller;
use crate::problem::{Mistake, Problem, ProblemKind};
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
use shared::store::reconciliations::{Continuable, NewReconciliation, lock_to_continue};
use shared::store::{Store, jobs, reconciliations};
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
}

/// Attempts before a failing job is dead.
const ATTEMPTS_MAX: u16 = 5;

/// Submit a reconciliation. It runs as soon as a worker is free.
#[utoipa::path(
    post, path = "/api/reconciliation/jobs", tag = "reconciliation", security(("access_token" = [])),
    request_body = Submission,
    responses(
        (status = 202, description = "Accepted; Location is the job's address", body = Submitted),
        (status = 409, description = "The run to continue has not completed, or another continues it",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json")
    )
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
    if let Some(before) = submission.continues {
        look_at_run_before(&api, project_id, before, &mut mistakes).await?;
    }
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
    };
    Ok((StatusCode::ACCEPTED, AppendHeaders([(header::LOCATION, status_url)]), Json(submitted)))
}

async fn store(
    store: &Store,
    job: &NewJob,
    project_id: ProjectId,
    accepted: Accepted,
) -> Result<(), Problem> {
    let new = NewReconciliation {
        job_id: job.id,
        project_id,
        name: accepted.name,
        left_source_id: accepted.left,
        right_source_id: accepted.right,
        rules: serde_json::to_value(&accepted.rules).expect("checked rules are always JSON"),
        continues: accepted.continues,
    };
    let mut tx = store.begin().await?;
    if let Some(before) = new.continues {
        let conflict = |detail: String| Problem::new(ProblemKind::Conflict, detail);
        match lock_to_continue(&mut tx, project_id, before).await? {
            Continuable::Yes => {}
            Continuable::Unknown => return Err(Problem::invalid(vec![unknown_run()])),
            Continuable::NotCompleted => {
                return Err(conflict("The reconciliation to continue has not completed".into()));
            }
            Continuable::ContinuedBy(by) => {
                return Err(conflict(format!(
                    "The reconciliation {by} continues it already; delete that one first"
                )));
            }
            Continuable::TooOld => {
                return Err(conflict(
                    "An older version completed it and kept too little to continue it".into(),
                ));
            }
        }
    }
    jobs::enqueue(&mut tx, job).await?;
    reconciliations::insert(&mut tx, &new).await?;
    tx.commit().await.map_err(shared::store::StoreError::from)?;
    Ok(())
}

/// What the run to continue says against it, besides its state, which is looked at when the job is stored.
async fn look_at_run_before(
    api: &Api,
    project_id: ProjectId,
    before: JobId,
    mistakes: &mut Vec<Mistake>,
) -> Result<(), Problem> {
    let found = api.store.reconciliation(before).await?.filter(|run| run.project_id == project_id);
    let Some(run) = found else {
        mistakes.push(unknown_run());
        return Ok(());
    };
    let sources = api.store.data_sources_of(project_id, &[run.left_source_id, run.right_source_id]).await?;
    if !sources.iter().all(has_own_ids) {
        mistakes.push(mistake(
            "#/continues",
            "no_ids",
            "a source of that reconciliation has no id column, so that its records cannot be known again",
        ));
    }
    Ok(())
}

fn unknown_run() -> Mistake {
    mistake("#/continues", "unknown", "there is no such reconciliation in the project")
}
