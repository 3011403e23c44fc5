//! Submitting: one transaction makes the job, its doorbell and the reconciliation.

use super::address;
use super::submission::{Accepted, Submission, has_own_ids, mistake};
use crate::caller::Caller;
use crate::guard::Granted;
use crate::idempotency::Repeatable;
use crate::problem::{Mistake, Problem, ProblemDocument, ProblemKind};
use crate::read::JsonDraft;
use crate::request_id::RequestId;
use crate::state::Api;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::json;
use shared::ids::{DataSourceId, JobId, ProjectId};
use shared::job::{JobKind, NewJob};
use shared::store::audit::Note;
use shared::store::reconciliations::{Continuable, NewReconciliation, lock_to_continue};
use shared::store::{Connection, jobs, reconciliations};
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

/// Submit a reconciliation. It runs as soon as a worker is free.
#[utoipa::path(
    post, path = "/api/reconciliation/jobs", tag = "reconciliation", security(("access_token" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Chosen by the client: however often the request is sent with it, it is done once")),
    request_body = Submission,
    responses(
        (status = 202, description = "Accepted; Location is the job's address", body = Submitted),
        (status = 409, description = "The first request with this key is being worked on, the run to continue has not completed, or another continues it",
         body = ProblemDocument<'static>, content_type = "application/problem+json"),
        (status = 429, description = "The project has too many waiting jobs; see Retry-After",
         body = ProblemDocument<'static>, content_type = "application/problem+json")
    )
)]
pub(crate) async fn submit_reconciliation(
    State(api): State<Api>,
    caller: Caller,
    granted: Granted,
    request_id: RequestId,
    repeatable: Repeatable,
    JsonDraft { body, mut mistakes }: JsonDraft<Submission>,
) -> Result<Response, Problem> {
    let Some((submission, project_id)) = body.and_then(|body| body.project_id.map(|id| (body, id))) else {
        return Err(Problem::invalid(mistakes));
    };
    granted.must_be(project_id)?;
    if let Some(answer) = repeatable.known(&api).await? {
        return Ok(answer);
    }
    let named: Vec<DataSourceId> =
        [submission.left_source_id, submission.right_source_id].into_iter().flatten().collect();
    let found = api.store.data_sources_of(project_id, &named).await?;
    if let Some(before) = submission.continues {
        look_at_run_before(&api, project_id, before, &mut mistakes).await?;
    }
    let Some(accepted) = submission.check(&found, &mut mistakes) else {
        return Err(Problem::invalid(mistakes));
    };
    let job = new_job(&api, &caller, project_id, &request_id, accepted.priority);
    let dropped_passes = accepted.dropped_passes.iter().map(ToString::to_string).collect();
    let new = new_reconciliation(job.id, project_id, accepted);
    api.admission.admit(project_id, 1).await?;
    let mut tx = api.store.begin().await?;
    if let Some(answer) = repeatable.begin(&mut tx).await? {
        return Ok(answer);
    }
    continue_run(&mut tx, &new).await?;
    jobs::enqueue(&mut tx, &job).await?;
    reconciliations::insert(&mut tx, &new).await?;
    let submitted = Submitted::at(job.id, dropped_passes);
    let location = Some(submitted.status_url.clone());
    let response = repeatable.keep(&mut tx, StatusCode::ACCEPTED, location, &submitted).await?;
    let asked = json!({"name": new.name, "left_source_id": new.left_source_id, "right_source_id": new.right_source_id});
    Note::of(project_id, "reconciliation", job.id).after(asked).commit(tx).await?;
    api.relay_wake.notify_one();
    metrics::counter!("counterfoil_jobs_accepted_total", "kind" => job.kind.as_str().to_owned()).increment(1);
    tracing::info!(job_id = %job.id, %project_id, priority = job.priority, "accepted a reconciliation");
    Ok(response)
}

impl Submitted {
    fn at(id: JobId, dropped_passes: Vec<String>) -> Self {
        let status_url = address(id);
        let below = |what: &str| format!("{status_url}/{what}");
        Self {
            id: id.0,
            events_url: below("events"),
            results_url: below("results"),
            exceptions_url: below("exceptions"),
            summary_url: below("summary"),
            status_url: status_url.clone(),
            dropped_passes,
        }
    }
}

/// The job of a reconciliation.
pub(crate) fn new_job(
    api: &Api,
    caller: &Caller,
    project_id: ProjectId,
    request_id: &RequestId,
    priority: u8,
) -> NewJob {
    NewJob {
        id: JobId::new(),
        kind: JobKind::RECONCILIATION,
        project_id: Some(project_id),
        priority,
        concurrency_key: None,
        // Everything else is in the row of the reconciliation.
        args: serde_json::json!({"v": 1}),
        due_at: None,
        attempts_max: api.policies.of(&JobKind::RECONCILIATION).attempts_max,
        created_by: Some(caller.user_id),
        request_id: Some(request_id.as_str().to_owned()),
    }
}

pub(crate) fn new_reconciliation(
    job_id: JobId,
    project_id: ProjectId,
    accepted: Accepted,
) -> NewReconciliation {
    NewReconciliation {
        job_id,
        project_id,
        name: accepted.name,
        left_source_id: accepted.left,
        right_source_id: accepted.right,
        rules: serde_json::to_value(&accepted.rules).expect("checked rules are always JSON"),
        continues: accepted.continues,
    }
}

/// Holds the run before, if there is one to continue, until the caller's transaction ends: two cannot continue it.
pub(crate) async fn continue_run(tx: &mut Connection, new: &NewReconciliation) -> Result<(), Problem> {
    let Some(before) = new.continues else { return Ok(()) };
    let conflict = |detail: String| Err(Problem::new(ProblemKind::Conflict, detail));
    match lock_to_continue(tx, new.project_id, before).await? {
        Continuable::Yes => Ok(()),
        Continuable::Unknown => Err(Problem::invalid(vec![unknown_run()])),
        Continuable::NotCompleted => conflict("The reconciliation to continue has not completed".into()),
        Continuable::ContinuedBy(by) => {
            conflict(format!("The reconciliation {by} continues it already; delete that one first"))
        }
        Continuable::TooOld => {
            conflict("An older version completed it and kept too little to continue it".into())
        }
    }
}

/// What the run to continue says against it, besides its state, which is looked at when the job is stored.
pub(crate) async fn look_at_run_before(
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
