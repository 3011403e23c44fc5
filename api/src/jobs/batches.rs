//! `/api/batches`: many reconciliations accepted together.

use crate::caller::Caller;
use crate::guard::Granted;
use crate::idempotency::Repeatable;
use crate::page::{self, Page};
use crate::problem::{Mistake, Problem, ProblemDocument};
use crate::read::{
    Fields, JsonDraft, Parameters, PathId, Query, ReadBody, ReadQuery, id, integer, list, number, object,
    text,
};
use crate::reconciliation::{
    RuleSetBody, Submission, continue_run, look_at_run_before, new_job, new_reconciliation,
};
use crate::request_id::RequestId;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use shared::ids::{BatchId, DataSourceId, ProjectId};
use shared::store::audit::Note;
use shared::store::batches::{BatchView, Completion, CompletionReconciliation, NewBatch, enqueue_batch};
use shared::store::reconciliations;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Reconciliations of one request; what fits into a body of 1 MiB with some rules each.
const RECONCILIATIONS_MAX: usize = 1_000;

/// Reconciliations to accept together: all of them or none. `then` follows once all of them are final, however they
/// ended.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewBatch)]
pub(crate) struct BatchBody {
    #[schema(value_type = Uuid)]
    project_id: Option<ProjectId>,
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: Option<String>,
    #[schema(value_type = Vec<BatchItem>, min_items = 1, max_items = 1000)]
    reconciliations: Option<Vec<BatchItem>>,
    #[schema(nullable = false)]
    then: Option<BatchItem>,
}

/// As a submission of its own, in the batch's project.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchItem {
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    name: Option<String>,
    #[schema(value_type = Uuid)]
    left_source_id: Option<DataSourceId>,
    #[schema(value_type = Uuid)]
    right_source_id: Option<DataSourceId>,
    #[schema(nullable = false)]
    rules: Option<RuleSetBody>,
    #[schema(nullable = false, minimum = 0, maximum = 1)]
    confidence_threshold: Option<f64>,
    #[schema(nullable = false, minimum = 0, maximum = 9, default = 5)]
    priority: Option<u32>,
}

impl ReadBody for BatchBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            project_id: fields.required("project_id", id),
            name: fields.required("name", text(1..=200)),
            reconciliations: fields.required("reconciliations", |value, place| {
                let items = list(RECONCILIATIONS_MAX, |value, place| object(BatchItem::read)(value, place))(
                    value, place,
                )?;
                if items.is_empty() {
                    place.wrong("too_few", "must have at least 1 element")
                } else {
                    Some(items)
                }
            }),
            then: fields.optional("then", object(BatchItem::read)),
        })
    }
}

impl ReadBody for BatchItem {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            name: fields.optional("name", text(1..=200)),
            left_source_id: fields.required("left_source_id", id),
            right_source_id: fields.required("right_source_id", id),
            rules: fields.optional("rules", object(RuleSetBody::read)),
            confidence_threshold: fields.optional("confidence_threshold", number(0.0..=1.0)),
            priority: fields.optional("priority", integer(0..=9)),
        })
    }
}

impl From<BatchItem> for Submission {
    fn from(item: BatchItem) -> Self {
        Self {
            name: item.name,
            left_source_id: item.left_source_id,
            right_source_id: item.right_source_id,
            rules: item.rules,
            confidence_threshold: item.confidence_threshold,
            priority: item.priority,
            ..Default::default()
        }
    }
}

/// Where to look from here on.
#[derive(Serialize, ToSchema)]
pub(crate) struct BatchSubmitted {
    id: Uuid,
    status_url: String,
    /// Its jobs, page by page.
    jobs_url: String,
    /// In the order of the request; each is also at `/api/reconciliation/jobs/{id}`.
    job_ids: Vec<Uuid>,
    /// The job of `then`. It exists once all others are final; until then `/api/jobs/{id}/explain` knows it.
    completion_job_id: Option<Uuid>,
}

/// Submit many reconciliations at once: all are accepted, or none.
#[utoipa::path(
    post, path = "/api/batches", tag = "jobs", security(("access_token" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Chosen by the client: however often the request is sent with it, it is done once")),
    request_body = BatchBody,
    responses(
        (status = 202, description = "Accepted; Location is the batch's address", body = BatchSubmitted),
        (status = 409, description = "The first request with this key is being worked on", body = ProblemDocument,
         content_type = "application/problem+json"),
        (status = 429, description = "The project has too many waiting jobs; see Retry-After", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn submit_batch(
    State(api): State<Api>,
    caller: Caller,
    granted: Granted,
    request_id: RequestId,
    repeatable: Repeatable,
    JsonDraft { body, mut mistakes }: JsonDraft<BatchBody>,
) -> Result<Response, Problem> {
    let Some((body, project_id)) = body.and_then(|body| body.project_id.map(|id| (body, id))) else {
        return Err(Problem::invalid(mistakes));
    };
    granted.must_be(project_id)?;
    if let Some(answer) = repeatable.known(&api).await? {
        return Ok(answer);
    }
    let items: Vec<Submission> = body.reconciliations.into_iter().flatten().map(Into::into).collect();
    let then: Option<Submission> = body.then.map(Into::into);
    let named: Vec<DataSourceId> = items
        .iter()
        .chain(&then)
        .flat_map(|item| [item.left_source_id, item.right_source_id])
        .flatten()
        .collect();
    let found = api.store.data_sources_of(project_id, &named).await?;
    let mut accepted = vec![];
    for (i, item) in items.into_iter().enumerate() {
        let mut wrong = vec![];
        if let Some(before) = item.continues {
            look_at_run_before(&api, project_id, before, &mut wrong).await?;
        }
        accepted.extend(item.check(&found, &mut wrong));
        mistakes.extend(wrong.into_iter().map(|mistake| below(i, mistake)));
    }
    let then = then.and_then(|then| {
        let mut wrong = vec![];
        let accepted = then.check(&found, &mut wrong);
        mistakes.extend(wrong.into_iter().map(|mistake| inside("#/then", mistake)));
        accepted
    });
    let (Some(name), true) = (body.name, mistakes.is_empty()) else {
        return Err(Problem::invalid(mistakes));
    };
    let completion = then.map(|then| {
        let job = new_job(&api, &caller, project_id, &request_id, then.priority);
        let new = new_reconciliation(job.id, project_id, then);
        Completion {
            id: job.id,
            kind: job.kind,
            priority: job.priority,
            args: job.args,
            attempts_max: job.attempts_max,
            reconciliation: Some(CompletionReconciliation {
                name: new.name,
                left_source_id: new.left_source_id,
                right_source_id: new.right_source_id,
                rules: new.rules,
            }),
        }
    });
    let completion_job_id = completion.as_ref().map(|completion| completion.id.0);
    let batch = NewBatch {
        id: BatchId::new(),
        project_id: Some(project_id),
        name,
        completion,
        created_by: Some(caller.user_id),
        request_id: Some(request_id.as_str().to_owned()),
    };
    let jobs: Vec<_> =
        accepted.iter().map(|item| new_job(&api, &caller, project_id, &request_id, item.priority)).collect();
    api.admission.admit(project_id, jobs.len() as u64).await?;

    let mut tx = api.store.begin().await?;
    if let Some(answer) = repeatable.begin(&mut tx).await? {
        return Ok(answer);
    }
    enqueue_batch(&mut tx, &batch, &jobs).await?;
    for (job, item) in jobs.iter().zip(accepted) {
        let new = new_reconciliation(job.id, project_id, item);
        continue_run(&mut tx, &new).await?;
        reconciliations::insert(&mut tx, &new).await?;
    }
    let status_url = format!("/api/batches/{}", batch.id);
    let submitted = BatchSubmitted {
        id: batch.id.0,
        jobs_url: format!("/api/jobs?project_id={project_id}&batch_id={}", batch.id),
        status_url: status_url.clone(),
        job_ids: jobs.iter().map(|job| job.id.0).collect(),
        completion_job_id,
    };
    let response = repeatable.keep(&mut tx, StatusCode::ACCEPTED, Some(status_url), &submitted).await?;
    let asked = json!({"name": batch.name, "job_ids": submitted.job_ids});
    Note::of(project_id, "batch", batch.id).after(asked).commit(tx).await?;
    api.relay_wake.notify_one();
    metrics::counter!("counterfoil_jobs_accepted_total", "kind" => "reconciliation")
        .increment(jobs.len() as u64);
    tracing::info!(batch_id = %batch.id, %project_id, jobs = jobs.len(), "accepted a batch");
    Ok(response)
}

/// The same mistake as seen from the whole body.
fn below(item: usize, mistake: Mistake) -> Mistake {
    inside(&format!("#/reconciliations/{item}"), mistake)
}

fn inside(place: &str, mistake: Mistake) -> Mistake {
    let pointer =
        mistake.pointer.map(|pointer| format!("{place}{}", pointer.strip_prefix('#').unwrap_or(&pointer)));
    Mistake { pointer, ..mistake }
}

/// A batch and how its jobs are: the states add up to `jobs`.
#[derive(Serialize, ToSchema)]
#[schema(as = Batch)]
pub(crate) struct BatchAnswer {
    id: Uuid,
    project_id: Option<Uuid>,
    name: String,
    jobs: i32,
    scheduled: i64,
    available: i64,
    running: i64,
    completed: i64,
    cancelled: i64,
    dead: i64,
    /// The job that follows when all are final; it exists from then on.
    completion_job_id: Option<Uuid>,
    created_at: DateTime<Utc>,
    cancel_requested_at: Option<DateTime<Utc>>,
    /// When all were final. From then on the figures stay as they are, whatever is re-driven or pruned.
    finished_at: Option<DateTime<Utc>>,
}

impl From<BatchView> for BatchAnswer {
    fn from(batch: BatchView) -> Self {
        Self {
            id: batch.id.0,
            project_id: batch.project_id.map(|id| id.0),
            name: batch.name,
            jobs: batch.jobs,
            scheduled: batch.scheduled,
            available: batch.available,
            running: batch.running,
            completed: batch.completed,
            cancelled: batch.cancelled,
            dead: batch.dead,
            completion_job_id: batch.completion_job_id.map(|id| id.0),
            created_at: batch.created_at,
            cancel_requested_at: batch.cancel_requested_at,
            finished_at: batch.finished_at,
        }
    }
}

/// How a batch is.
#[utoipa::path(
    get, path = "/api/batches/{id}", tag = "jobs", security(("access_token" = [])), params(("id" = Uuid, Path)),
    responses((status = 200, description = "The batch", body = BatchAnswer))
)]
pub(crate) async fn show_batch(
    State(api): State<Api>,
    PathId(id): PathId<BatchId>,
) -> Result<Json<BatchAnswer>, Problem> {
    let batch = api.store.batch(id).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(batch.into()))
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BatchList {
    #[param(value_type = Uuid)]
    project_id: ProjectId,
    /// Only batches older than this one: the last of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<BatchId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for BatchList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let project_id = parameters.required("project_id", Parameters::id);
        let after = parameters.optional("after", Parameters::id);
        let limit = page::limit(parameters);
        Some(Self { project_id: project_id?, after, limit })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BatchPage {
    /// Newest first.
    items: Vec<BatchAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// Batches of a project.
#[utoipa::path(
    get, path = "/api/batches", tag = "jobs", security(("access_token" = [])), params(BatchList),
    responses((status = 200, description = "A page of batches", body = BatchPage))
)]
pub(crate) async fn list_batches(
    State(api): State<Api>,
    granted: Granted,
    Query(query): Query<BatchList>,
) -> Result<Json<BatchPage>, Problem> {
    granted.must_be(query.project_id)?;
    let found = api.store.batches(query.project_id, query.after, query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let kept = [("project_id", Some(query.project_id.to_string())), ("limit", Some(query.limit.to_string()))];
    let next = page.next("/api/batches", &kept, |last| last.id);
    Ok(Json(BatchPage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

/// Stop every job of a batch that has not finished. Asking twice does no harm.
#[utoipa::path(
    post, path = "/api/batches/{id}/cancel", tag = "jobs", security(("access_token" = [])),
    params(("id" = Uuid, Path)),
    responses((status = 202, description = "They stop, within about a second", body = BatchAnswer))
)]
pub(crate) async fn cancel_batch(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId<BatchId>,
) -> Result<(StatusCode, Json<BatchAnswer>), Problem> {
    let done = api.store.cancel_batch(id, &caller.asker()).await?.ok_or_else(Problem::not_found)?;
    tracing::info!(batch_id = %id, jobs = done.changed, "asked a batch to stop");
    let batch = api.store.batch(id).await?.ok_or_else(Problem::not_found)?;
    Ok((StatusCode::ACCEPTED, Json(batch.into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{assert_query_is_read, assert_schema_is_read};

    #[test]
    fn input_is_read_as_documented() {
        assert_schema_is_read::<BatchBody>();
        assert_schema_is_read::<BatchItem>();
        assert_query_is_read::<BatchList>();
    }
}
