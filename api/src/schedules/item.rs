//! One schedule: show, change, pause, resume, run now, remove.

use super::answer::ScheduleAnswer;
use super::body::ScheduleChangeBody;
use super::check;
use crate::caller::Caller;
use crate::idempotency::Repeatable;
use crate::problem::{Problem, ProblemDocument};
use crate::read::{JsonDraft, PathId};
use crate::request_id::RequestId;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use shared::ids::ScheduleId;
use shared::store::StoreError;
use shared::store::schedules::{Change, run_schedule_now};
use utoipa::ToSchema;
use uuid::Uuid;

/// One schedule.
#[utoipa::path(
    get, path = "/api/schedules/{id}", tag = "schedules", security(("access_token" = [])),
    params(("id" = Uuid, Path)), responses((status = 200, description = "The schedule", body = ScheduleAnswer))
)]
pub(crate) async fn show_schedule(
    State(api): State<Api>,
    PathId(id): PathId<ScheduleId>,
) -> Result<Json<ScheduleAnswer>, Problem> {
    Ok(Json(api.store.schedule(id).await?.ok_or_else(Problem::not_found)?.into()))
}

/// Change a schedule. What is due by now still follows the old definition.
#[utoipa::path(
    patch, path = "/api/schedules/{id}", tag = "schedules", security(("access_token" = [])),
    params(("id" = Uuid, Path)), request_body = ScheduleChangeBody,
    responses(
        (status = 200, description = "Changed", body = ScheduleAnswer),
        (status = 409, description = "Changed by somebody else meanwhile", body = ProblemDocument,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn change_schedule(
    State(api): State<Api>,
    PathId(id): PathId<ScheduleId>,
    JsonDraft { body, mut mistakes }: JsonDraft<ScheduleChangeBody>,
) -> Result<Json<ScheduleAnswer>, Problem> {
    let schedule = api.store.schedule(id).await?.ok_or_else(Problem::not_found)?;
    let Some(body) = body else { return Err(Problem::invalid(mistakes)) };
    let version = body.version.and_then(|version| i32::try_from(version).ok());
    let change = check::change(&api.store, &schedule, body, api.clock.now(), &mut mistakes).await?;
    let change = change.ok_or_else(|| Problem::invalid(mistakes))?;
    Ok(Json(api.store.change_schedule(id, version, &change, None).await?.into()))
}

/// Remove a schedule and its history. Jobs it has started go on.
#[utoipa::path(
    delete, path = "/api/schedules/{id}", tag = "schedules", security(("access_token" = [])),
    params(("id" = Uuid, Path)), responses((status = 204, description = "Removed"))
)]
pub(crate) async fn remove_schedule(
    State(api): State<Api>,
    PathId(id): PathId<ScheduleId>,
) -> Result<StatusCode, Problem> {
    if api.store.remove_schedule(id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}

/// Pause a schedule. Times that come due meanwhile are noted and skipped. A paused one stays paused.
#[utoipa::path(
    post, path = "/api/schedules/{id}/pause", tag = "schedules", security(("access_token" = [])),
    params(("id" = Uuid, Path)), responses((status = 200, description = "Paused", body = ScheduleAnswer))
)]
pub(crate) async fn pause_schedule(
    State(api): State<Api>,
    PathId(id): PathId<ScheduleId>,
) -> Result<Json<ScheduleAnswer>, Problem> {
    set_paused(&api, id, true).await
}

/// Resume a schedule. What was skipped is not made up for.
#[utoipa::path(
    post, path = "/api/schedules/{id}/resume", tag = "schedules", security(("access_token" = [])),
    params(("id" = Uuid, Path)), responses((status = 200, description = "Not paused", body = ScheduleAnswer))
)]
pub(crate) async fn resume_schedule(
    State(api): State<Api>,
    PathId(id): PathId<ScheduleId>,
) -> Result<Json<ScheduleAnswer>, Problem> {
    set_paused(&api, id, false).await
}

async fn set_paused(api: &Api, id: ScheduleId, is_paused: bool) -> Result<Json<ScheduleAnswer>, Problem> {
    let schedule = api.store.schedule(id).await?.ok_or_else(Problem::not_found)?;
    if schedule.paused_at.is_some() == is_paused {
        return Ok(Json(schedule.into()));
    }
    let change = Change { is_paused: Some(is_paused), ..Change::default() };
    Ok(Json(api.store.change_schedule(id, None, &change, None).await?.into()))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct StartedRun {
    job_id: Uuid,
}

/// Run a schedule at once, paused or not. Its next due time stays.
#[utoipa::path(
    post, path = "/api/schedules/{id}/run", tag = "schedules", security(("access_token" = [])),
    params(("id" = Uuid, Path), ("Idempotency-Key" = Option<String>, Header, description = "Chosen by the client: however often the request is sent with it, it is done once")),
    responses(
        (status = 202, description = "The job is accepted", body = StartedRun),
        (status = 409, description = "No job can be made of its args any more", body = ProblemDocument,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn run_schedule(
    State(api): State<Api>,
    caller: Caller,
    request_id: RequestId,
    repeatable: Repeatable,
    PathId(id): PathId<ScheduleId>,
) -> Result<Response, Problem> {
    let schedule = api.store.schedule(id).await?.ok_or_else(Problem::not_found)?;
    let request_id = Some(request_id.as_str().to_owned());
    let mut tx = api.store.begin().await?;
    if let Some(answer) = repeatable.begin(&mut tx).await? {
        return Ok(answer);
    }
    let job_id = run_schedule_now(&mut tx, id, Some(caller.user_id), request_id, None).await?;
    let started = StartedRun { job_id: job_id.0 };
    let response = repeatable.keep(&mut tx, StatusCode::ACCEPTED, None, &started).await?;
    tx.commit().await.map_err(StoreError::from)?;
    api.relay_wake.notify_one();
    metrics::counter!("counterfoil_jobs_accepted_total", "kind" => schedule.kind.clone()).increment(1);
    tracing::info!(%job_id, schedule_id = %id, schedule = schedule.name, "ran a schedule on request");
    Ok(response)
}
