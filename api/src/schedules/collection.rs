//! Lists of schedules, and making one.

use super::answer::{OutcomeWord, ScheduleAnswer};
use super::body::{MissedRunsWord, ScheduleBody};
use super::{address, check};
use crate::caller::Caller;
use crate::idempotency::Repeatable;
use crate::page::{self, Page};
use crate::problem::{Problem, ProblemDocument};
use crate::read::{JsonDraft, Parameters, PathId, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::ids::{ProjectId, ScheduleId};
use shared::store::StoreError;
use shared::store::schedules::{ScheduleLine, insert_schedule};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ScheduleList {
    /// Only schedules older than this one: the last of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<ScheduleId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for ScheduleList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let after = parameters.optional("after", Parameters::id);
        Some(Self { after, limit: page::limit(parameters) })
    }
}

/// A schedule in a list: without its args, which may be long.
#[derive(Serialize, ToSchema)]
#[schema(as = ScheduleLine)]
pub(crate) struct ScheduleLineAnswer {
    id: Uuid,
    name: String,
    kind: String,
    cron: String,
    time_zone: String,
    missed_runs: MissedRunsWord,
    paused: bool,
    /// Null: never again.
    next_due_at: Option<DateTime<Utc>>,
    /// The newest due time that was decided, and how.
    last_due_at: Option<DateTime<Utc>>,
    last_outcome: Option<OutcomeWord>,
}

impl From<ScheduleLine> for ScheduleLineAnswer {
    fn from(line: ScheduleLine) -> Self {
        let schedule = line.schedule;
        Self {
            id: schedule.id.0,
            name: schedule.name,
            kind: schedule.kind,
            cron: schedule.cron,
            time_zone: schedule.time_zone,
            missed_runs: schedule.missed_runs.into(),
            paused: schedule.paused_at.is_some(),
            next_due_at: schedule.next_due_at,
            last_due_at: line.last_due_at,
            last_outcome: line.last_outcome.map(Into::into),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SchedulePage {
    /// Newest first.
    items: Vec<ScheduleLineAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// The system's own schedules. For platform administrators.
#[utoipa::path(
    get, path = "/api/schedules", tag = "schedules", security(("access_token" = [])), params(ScheduleList),
    responses((status = 200, description = "A page of schedules", body = SchedulePage))
)]
pub(crate) async fn list_system_schedules(
    State(api): State<Api>,
    Query(query): Query<ScheduleList>,
) -> Result<Json<SchedulePage>, Problem> {
    list(&api, None, query).await
}

/// The schedules of a project.
#[utoipa::path(
    get, path = "/api/projects/{id}/schedules", tag = "schedules", security(("access_token" = [])),
    params(("id" = Uuid, Path), ScheduleList),
    responses((status = 200, description = "A page of schedules", body = SchedulePage))
)]
pub(crate) async fn list_project_schedules(
    State(api): State<Api>,
    PathId(project_id): PathId<ProjectId>,
    Query(query): Query<ScheduleList>,
) -> Result<Json<SchedulePage>, Problem> {
    list(&api, Some(project_id), query).await
}

async fn list(
    api: &Api,
    project_id: Option<ProjectId>,
    query: ScheduleList,
) -> Result<Json<SchedulePage>, Problem> {
    let found = api.store.schedules(project_id, query.after, query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let path = match project_id {
        Some(id) => format!("/api/projects/{id}/schedules"),
        None => "/api/schedules".to_owned(),
    };
    let next = page.next(&path, &[("limit", Some(query.limit.to_string()))], |last| last.schedule.id);
    Ok(Json(SchedulePage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

/// Make a schedule of the system. For platform administrators.
#[utoipa::path(
    post, path = "/api/schedules", tag = "schedules", security(("access_token" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Chosen by the client: however often the request is sent with it, it is done once")), request_body = ScheduleBody,
    responses(
        (status = 201, description = "Made; Location is its address", body = ScheduleAnswer),
        (status = 409, description = "There are as many schedules as there may be", body = ProblemDocument,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create_system_schedule(
    State(api): State<Api>,
    caller: Caller,
    repeatable: Repeatable,
    draft: JsonDraft<ScheduleBody>,
) -> Result<Response, Problem> {
    create(&api, &caller, None, &repeatable, draft).await
}

/// Make a schedule of a project.
#[utoipa::path(
    post, path = "/api/projects/{id}/schedules", tag = "schedules", security(("access_token" = [])),
    params(("id" = Uuid, Path), ("Idempotency-Key" = Option<String>, Header, description = "Chosen by the client: however often the request is sent with it, it is done once")), request_body = ScheduleBody,
    responses(
        (status = 201, description = "Made; Location is its address", body = ScheduleAnswer),
        (status = 409, description = "There are as many schedules as there may be", body = ProblemDocument,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create_project_schedule(
    State(api): State<Api>,
    caller: Caller,
    repeatable: Repeatable,
    PathId(project_id): PathId<ProjectId>,
    draft: JsonDraft<ScheduleBody>,
) -> Result<Response, Problem> {
    create(&api, &caller, Some(project_id), &repeatable, draft).await
}

async fn create(
    api: &Api,
    caller: &Caller,
    project_id: Option<ProjectId>,
    repeatable: &Repeatable,
    JsonDraft { body, mut mistakes }: JsonDraft<ScheduleBody>,
) -> Result<Response, Problem> {
    if let Some(answer) = repeatable.known(api).await? {
        return Ok(answer);
    }
    let Some(body) = body else { return Err(Problem::invalid(mistakes)) };
    let now = api.clock.now();
    let new =
        check::new_schedule(&api.store, project_id, body, Some(caller.user_id), now, &mut mistakes).await?;
    let new = new.ok_or_else(|| Problem::invalid(mistakes))?;
    let mut tx = api.store.begin().await?;
    if let Some(answer) = repeatable.begin(&mut tx).await? {
        return Ok(answer);
    }
    let schedule = insert_schedule(&mut tx, &new, None).await?;
    let location = Some(address(schedule.id));
    let answer = ScheduleAnswer::from(schedule);
    let response = repeatable.keep(&mut tx, StatusCode::CREATED, location, &answer).await?;
    tx.commit().await.map_err(StoreError::from)?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::ScheduleList>();
    }
}
