//! One action for every job that fits a filter, in bounded steps.

use super::filter;
use crate::caller::Caller;
use crate::guard::Granted;
use crate::problem::Problem;
use crate::read::{Fields, JsonBody, Place, ReadBody, boolean, choice, id, integer};
use crate::reconciliation::State as StateWord;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::ids::{BatchId, ProjectId};
use shared::job::{JobKind, JobState};
use shared::queue::QueueName;
use shared::store::jobs::{BulkAction, JobFilter};
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobAction)]
pub(crate) enum Action {
    /// Scheduled, available and running jobs stop.
    Cancel,
    /// Scheduled jobs need not wait any longer.
    RetryNow,
    /// Dead jobs start over.
    Redrive,
}

impl From<Action> for BulkAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Cancel => BulkAction::Cancel,
            Action::RetryNow => BulkAction::RetryNow,
            Action::Redrive => BulkAction::Redrive,
        }
    }
}

/// Jobs one request may change.
const JOBS_MAX: u32 = 10_000;
const JOBS_DEFAULT: u32 = 1_000;

/// What to do, and to which jobs: those that fit all that is given.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = JobActionRequest)]
pub(crate) struct BulkBody {
    action: Action,
    /// Count what fits instead of changing it.
    #[schema(nullable = false, default = false, value_type = Option<bool>)]
    preview: bool,
    /// The newest that many; ask again until `is_complete`.
    #[schema(nullable = false, minimum = 1, maximum = 10000, default = 1000, value_type = Option<u32>)]
    jobs_max: u32,
    /// Platform administrators may leave it out.
    #[schema(nullable = false, value_type = Option<Uuid>)]
    project_id: Option<ProjectId>,
    #[schema(nullable = false, value_type = Option<StateWord>)]
    state: Option<JobState>,
    #[schema(nullable = false, value_type = Option<String>)]
    kind: Option<JobKind>,
    #[schema(nullable = false, value_type = Option<String>)]
    queue: Option<QueueName>,
    #[schema(nullable = false, value_type = Option<Uuid>)]
    batch_id: Option<BatchId>,
    #[schema(nullable = false)]
    created_from: Option<DateTime<Utc>>,
    #[schema(nullable = false)]
    created_before: Option<DateTime<Utc>>,
    /// Dead jobs of one group, see `/api/jobs/dead/groups`.
    #[schema(nullable = false)]
    fingerprint: Option<String>,
}

/// A member whose text `read` understands.
fn word<T>(read: impl FnOnce(&str) -> Result<T, String>) -> impl FnOnce(Value, &mut Place<'_>) -> Option<T> {
    move |value, place| match &value {
        Value::String(text) => read(text).map_err(|detail| place.wrong::<T>("format", detail)).ok(),
        _ => place.wrong("type", "must be a text"),
    }
}

impl ReadBody for BulkBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let action = fields.required("action", choice);
        // Everything is read, so that all mistakes are found, even without an action.
        let body = Self {
            action: action.unwrap_or(Action::Cancel),
            preview: fields.optional("preview", boolean).unwrap_or(false),
            jobs_max: fields.optional("jobs_max", integer(1..=JOBS_MAX)).unwrap_or(JOBS_DEFAULT),
            project_id: fields.optional("project_id", id),
            state: fields.optional("state", choice),
            kind: fields.optional("kind", word(filter::kind)),
            queue: fields.optional("queue", word(filter::queue)),
            batch_id: fields.optional("batch_id", id),
            created_from: fields.optional("created_from", word(filter::moment)),
            created_before: fields.optional("created_before", word(filter::moment)),
            fingerprint: fields.optional("fingerprint", word(filter::fingerprint)),
        };
        action.map(|_| body)
    }
}

/// What came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = JobActionDone)]
pub(crate) struct BulkAnswer {
    action: Action,
    preview: bool,
    /// Jobs that fit, up to `jobs_max`.
    matched: u64,
    /// Of those, how many changed; the others had moved on, had been asked already, or have a unique twin that is
    /// unfinished.
    changed: u64,
    /// Whether no more fit.
    is_complete: bool,
}

/// Cancel, hurry or re-drive every job that fits.
#[utoipa::path(
    post, path = "/api/jobs/bulk", tag = "jobs", security(("access_token" = [])), request_body = BulkBody,
    responses((status = 200, description = "Done, as far as jobs_max allows", body = BulkAnswer))
)]
pub(crate) async fn act_on_jobs(
    State(api): State<Api>,
    caller: Caller,
    granted: Granted,
    JsonBody(body): JsonBody<BulkBody>,
) -> Result<Json<BulkAnswer>, Problem> {
    granted.must_be_or_all(body.project_id)?;
    let action = BulkAction::from(body.action);
    let filter = JobFilter {
        project_id: body.project_id,
        state: body.state,
        kind: body.kind,
        queue: body.queue,
        batch_id: body.batch_id,
        created_from: body.created_from,
        created_before: body.created_before,
        error_fingerprint: body.fingerprint,
    };
    let mut answer =
        BulkAnswer { action: body.action, preview: body.preview, matched: 0, changed: 0, is_complete: false };
    if body.preview {
        let found = api.store.count_for_action(action, &filter, body.jobs_max + 1).await?;
        answer.matched = found.min(u64::from(body.jobs_max));
        answer.is_complete = found <= u64::from(body.jobs_max);
    } else {
        let done = api.store.act_on_jobs(action, &filter, body.jobs_max, &caller.asker()).await?;
        api.relay_wake.notify_one();
        tracing::info!(?action, changed = done.changed, "changed jobs by filter");
        (answer.matched, answer.changed, answer.is_complete) = (done.matched, done.changed, done.is_complete);
    }
    Ok(Json(answer))
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<super::BulkBody>();
    }
}
