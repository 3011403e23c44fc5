//! Jobs, newest first, by any combination of filters.

use super::filter;
use crate::caller::Caller;
use crate::guard::Granted;
use crate::page;
use crate::problem::Problem;
use crate::read::{Parameters, Query, ReadQuery};
use crate::reconciliation::State as StateWord;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::ids::{BatchId, JobId, ProjectId};
use shared::job::{JobKind, JobState};
use shared::queue::QueueName;
use shared::store::jobs::{JobFilter, JobLine};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobList {
    /// Platform administrators may leave it out.
    #[param(value_type = Option<Uuid>)]
    project_id: Option<ProjectId>,
    #[param(value_type = Option<StateWord>)]
    state: Option<JobState>,
    #[param(value_type = Option<String>)]
    kind: Option<JobKind>,
    /// One queue per kind, of the same name.
    #[param(value_type = Option<String>)]
    queue: Option<QueueName>,
    #[param(value_type = Option<Uuid>)]
    batch_id: Option<BatchId>,
    /// Accepted at or after this time (RFC 3339).
    created_from: Option<DateTime<Utc>>,
    /// Accepted before this time.
    created_before: Option<DateTime<Utc>>,
    /// Dead jobs of one group, see `/api/jobs/dead/groups`.
    fingerprint: Option<String>,
    /// Somewhere in the job's error, args, worker, request id or name, in any letter case. A page looks at 5,000
    /// jobs: it may be short, or empty, and have a next one.
    #[param(min_length = 1, max_length = 200)]
    text: Option<String>,
    /// Only jobs older than this one: take it from `next`.
    #[param(value_type = Option<Uuid>)]
    after: Option<JobId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for JobList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        Some(Self {
            project_id: parameters.optional("project_id", Parameters::id),
            state: parameters.optional("state", Parameters::choice),
            kind: parameters.optional("kind", filter::kind),
            queue: parameters.optional("queue", filter::queue),
            batch_id: parameters.optional("batch_id", Parameters::id),
            created_from: parameters.optional("created_from", filter::moment),
            created_before: parameters.optional("created_before", filter::moment),
            fingerprint: parameters.optional("fingerprint", filter::fingerprint),
            text: parameters.optional("text", page::text),
            after: parameters.optional("after", Parameters::id),
            limit: page::limit(parameters),
        })
    }
}

/// A job in a list.
#[derive(Serialize, ToSchema)]
#[schema(as = JobLine)]
pub(crate) struct LineAnswer {
    id: Uuid,
    kind: String,
    queue: String,
    /// Null for jobs of the system itself.
    project_id: Option<Uuid>,
    batch_id: Option<Uuid>,
    state: StateWord,
    priority: i16,
    /// Counted attempts so far.
    attempt: i32,
    attempts_max: i32,
    created_at: DateTime<Utc>,
    /// Earliest start of the next attempt.
    due_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
    cancel_requested_at: Option<DateTime<Utc>>,
    /// Who runs it.
    worker: Option<String>,
    /// 0 to 100, while running.
    percent: Option<f64>,
    /// The first 500 characters of the last failure.
    error: Option<String>,
    /// Equal for dead jobs of one cause.
    error_fingerprint: Option<String>,
    request_id: Option<String>,
}

impl From<JobLine> for LineAnswer {
    fn from(line: JobLine) -> Self {
        Self {
            id: line.id.0,
            kind: line.kind,
            queue: line.queue,
            project_id: line.project_id.map(|id| id.0),
            batch_id: line.batch_id.map(|id| id.0),
            state: line.state.into(),
            priority: line.priority,
            attempt: line.attempt,
            attempts_max: line.attempts_max,
            created_at: line.created_at,
            due_at: line.due_at,
            finished_at: line.finished_at,
            cancel_requested_at: line.cancel_requested_at,
            worker: line.worker,
            percent: line.percent,
            error: line.error,
            error_fingerprint: line.error_fingerprint,
            request_id: line.request_id,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct JobPage {
    /// Newest first.
    items: Vec<LineAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// Jobs of a project.
#[utoipa::path(
    get, path = "/api/jobs", tag = "jobs", security(("access_token" = [])), params(JobList),
    responses(
        (status = 200, description = "A page of jobs", body = JobPage),
        (status = 403, description = "All projects are for platform administrators",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json")
    )
)]
pub(crate) async fn list_jobs(
    State(api): State<Api>,
    caller: Caller,
    granted: Granted,
    Query(query): Query<JobList>,
) -> Result<Json<JobPage>, Problem> {
    granted.must_be_or_all(query.project_id)?;
    let filter = JobFilter {
        project_id: query.project_id,
        state: query.state,
        kind: query.kind,
        queue: query.queue,
        batch_id: query.batch_id,
        created_from: query.created_from,
        created_before: query.created_before,
        error_fingerprint: query.fingerprint,
    };
    let store = api.reading(&caller).await?;
    let listed = store.list_jobs(&filter, query.text.as_deref(), query.after, query.limit).await?;
    let next = listed.resume_after.map(|after| address(&filter, query.text.as_deref(), query.limit, after));
    Ok(Json(JobPage { items: listed.jobs.into_iter().map(Into::into).collect(), next }))
}

fn address(filter: &JobFilter, text: Option<&str>, limit: u32, after: JobId) -> String {
    let parameters = [
        ("project_id", filter.project_id.map(|id| id.to_string())),
        ("state", filter.state.map(|state| state.to_string())),
        ("kind", filter.kind.as_ref().map(|kind| kind.to_string())),
        ("queue", filter.queue.as_ref().map(|queue| queue.to_string())),
        ("batch_id", filter.batch_id.map(|id| id.to_string())),
        ("created_from", filter.created_from.map(filter::moment_text)),
        ("created_before", filter.created_before.map(filter::moment_text)),
        ("fingerprint", filter.error_fingerprint.clone()),
        ("text", text.map(filter::escaped)),
        ("limit", Some(limit.to_string())),
        ("after", Some(after.to_string())),
    ];
    let pairs: Vec<_> =
        parameters.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?))).collect();
    format!("/api/jobs?{}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::JobList>();
    }
}
