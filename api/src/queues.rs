//! `/api/queues`: how deep they are, and stopping them for a while. For platform administrators.

use crate::caller::Administrator;
use crate::problem::Problem;
use crate::read::{Fields, JsonBody, PathId, ReadBody, text};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::job::{JobKind, JobState};
use shared::queue::QueueName;
use shared::store::queues::QueuePause;
use std::collections::BTreeMap;
use utoipa::ToSchema;

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPause {
    /// Why, for whoever wonders.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

impl ReadBody for NewPause {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { reason: fields.required("reason", text(1..=500))? })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = QueuePause)]
pub(crate) struct PauseAnswer {
    reason: String,
    paused_by: String,
    paused_at: DateTime<Utc>,
}

impl From<QueuePause> for PauseAnswer {
    fn from(pause: QueuePause) -> Self {
        Self { reason: pause.reason, paused_by: pause.paused_by, paused_at: pause.paused_at }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Queue)]
pub(crate) struct QueueAnswer {
    name: String,
    available: i64,
    scheduled: i64,
    running: i64,
    /// Since the oldest available job could have started; 0 without one.
    oldest_age_s: f64,
    /// Null when it is not paused.
    pause: Option<PauseAnswer>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct QueueList {
    /// By name.
    items: Vec<QueueAnswer>,
}

/// All queues: those of every kind of job, and any other that has jobs or is paused.
#[utoipa::path(
    get, path = "/api/queues", tag = "administration", security(("access_token" = [])),
    responses((status = 200, description = "The queues", body = QueueList))
)]
pub(crate) async fn list_queues(
    State(api): State<Api>,
    _: Administrator,
) -> Result<Json<QueueList>, Problem> {
    let counts = api.store.queue_counts().await?;
    let pauses = api.store.queue_pauses().await?;
    let empty = |name: &str| QueueAnswer {
        name: name.to_owned(),
        available: 0,
        scheduled: 0,
        running: 0,
        oldest_age_s: 0.0,
        pause: None,
    };
    let mut queues: BTreeMap<String, QueueAnswer> =
        JobKind::ALL.iter().map(|kind| (kind.to_string(), empty(kind.as_str()))).collect();
    for count in counts {
        let queue = queues.entry(count.queue.clone()).or_insert_with(|| empty(&count.queue));
        match count.state {
            JobState::Available => {
                (queue.available, queue.oldest_age_s) = (count.jobs, count.oldest_age_s);
            }
            JobState::Scheduled => queue.scheduled = count.jobs,
            JobState::Running => queue.running = count.jobs,
            JobState::Completed | JobState::Cancelled | JobState::Dead => {}
        }
    }
    for pause in pauses {
        let queue = queues.entry(pause.queue.clone()).or_insert_with(|| empty(&pause.queue));
        queue.pause = Some(pause.into());
    }
    Ok(Json(QueueList { items: queues.into_values().collect() }))
}

/// Start nothing more of this queue. Jobs are accepted and wait; those that run go on. A queue that is paused
/// already keeps its first reason.
#[utoipa::path(
    post, path = "/api/queues/{queue}/pause", tag = "administration", security(("access_token" = [])),
    params(("queue" = String, Path)), request_body = NewPause,
    responses((status = 200, description = "Paused", body = PauseAnswer))
)]
pub(crate) async fn pause_queue(
    State(api): State<Api>,
    Administrator(user): Administrator,
    PathId(queue): PathId<QueueName>,
    JsonBody(new): JsonBody<NewPause>,
) -> Result<Json<PauseAnswer>, Problem> {
    known(&queue)?;
    let pause = api.store.pause_queue(&queue, &new.reason, &user.email).await?;
    tracing::warn!(%queue, user_id = %user.id, reason = pause.reason, "a queue is paused");
    Ok(Json(pause.into()))
}

/// Start jobs of this queue again.
#[utoipa::path(
    post, path = "/api/queues/{queue}/resume", tag = "administration", security(("access_token" = [])),
    params(("queue" = String, Path)),
    responses((status = 204, description = "It is not paused (any more)"))
)]
pub(crate) async fn resume_queue(
    State(api): State<Api>,
    Administrator(user): Administrator,
    PathId(queue): PathId<QueueName>,
) -> Result<axum::http::StatusCode, Problem> {
    // Also one of a kind that this version does not know: it may have been paused by a newer one.
    if api.store.resume_queue(&queue).await? {
        tracing::warn!(%queue, user_id = %user.id, "a queue is resumed");
        api.relay_wake.notify_one();
    }
    Ok(axum::http::StatusCode::NO_CONTENT)
}

/// A slip of the pen must not look like a paused queue.
fn known(queue: &QueueName) -> Result<(), Problem> {
    let is_known = JobKind::ALL.iter().any(|kind| kind.as_str() == queue.as_str());
    if is_known { Ok(()) } else { Err(Problem::not_found()) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<super::NewPause>();
    }
}
