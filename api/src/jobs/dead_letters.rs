//! Messages that nobody could read or keep, in the broker's dead letter queue.

use crate::problem::{Problem, ProblemKind};
use crate::read::{Parameters, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::queue::{DeadLetter, QueueError};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Oldest {
    /// The oldest that many.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for Oldest {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        Some(Self { limit: crate::page::limit(parameters) })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(crate) struct LetterAnswer {
    /// Where it died; null when it was put there past us.
    queue: Option<String>,
    /// `rejected`: nobody can read it. `delivery_limit`: nobody survives it.
    reason: Option<String>,
    /// The job it rang for, if it is readable.
    job_id: Option<Uuid>,
    /// The first 500 characters.
    body: String,
    size_bytes: u64,
}

impl From<DeadLetter> for LetterAnswer {
    fn from(letter: DeadLetter) -> Self {
        Self {
            queue: letter.queue.map(|queue| queue.to_string()),
            reason: letter.reason,
            job_id: letter.job_id.map(|id| id.0),
            body: letter.body,
            size_bytes: letter.size_bytes,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DeadLetters {
    /// How many there are; the newest 10,000 are kept.
    total: u64,
    /// Oldest first.
    items: Vec<LetterAnswer>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DeadLettersRedriven {
    /// Back in the queues they died in.
    redriven: u64,
    /// Still dead: nobody knows where they belong, or the queue there is full.
    kept: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DeadLettersPurged {
    purged: u64,
}

/// Messages that nobody could read or keep. For platform administrators.
#[utoipa::path(
    get, path = "/api/dead-letters", tag = "jobs", security(("access_token" = [])), params(Oldest),
    responses((status = 200, description = "The oldest of them", body = DeadLetters))
)]
pub(crate) async fn look_at_dead_letters(
    State(api): State<Api>,
    Query(query): Query<Oldest>,
) -> Result<Json<DeadLetters>, Problem> {
    let total = api.queue.dead_letters().await.map_err(broker_away)?;
    let letters = api.queue.look_at_dead_letters(query.limit).await.map_err(broker_away)?;
    Ok(Json(DeadLetters { total, items: letters.into_iter().map(Into::into).collect() }))
}

/// Send the oldest back to the queues they died in. For platform administrators.
#[utoipa::path(
    post, path = "/api/dead-letters/redrive", tag = "jobs", security(("access_token" = [])), params(Oldest),
    responses((status = 200, description = "Done", body = DeadLettersRedriven))
)]
pub(crate) async fn redrive_dead_letters(
    State(api): State<Api>,
    Query(query): Query<Oldest>,
) -> Result<Json<DeadLettersRedriven>, Problem> {
    let done = api.queue.redrive_dead_letters(query.limit).await.map_err(broker_away)?;
    tracing::info!(redriven = done.redriven, kept = done.kept, "re-drove dead letters");
    Ok(Json(DeadLettersRedriven { redriven: done.redriven, kept: done.kept }))
}

/// Throw all of them away. The jobs they rang for stay, and are rung again. For platform administrators.
#[utoipa::path(
    post, path = "/api/dead-letters/purge", tag = "jobs", security(("access_token" = [])),
    responses((status = 200, description = "Done", body = DeadLettersPurged))
)]
pub(crate) async fn purge_dead_letters(State(api): State<Api>) -> Result<Json<DeadLettersPurged>, Problem> {
    let purged = api.queue.purge_dead_letters().await.map_err(broker_away)?;
    tracing::info!(purged, "purged the dead letters");
    Ok(Json(DeadLettersPurged { purged }))
}

fn broker_away(error: QueueError) -> Problem {
    tracing::warn!(error = shared::chain(&error), "the broker did not answer");
    Problem::new(ProblemKind::Unavailable, "The broker did not answer")
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::Oldest>();
    }
}
