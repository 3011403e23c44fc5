//! Dead jobs by what killed them.

use crate::guard::Granted;
use crate::problem::Problem;
use crate::read::{Parameters, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::ids::ProjectId;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// More would be a list nobody reads; the largest come first.
const GROUPS_MAX: u32 = 200;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct GroupList {
    /// Platform administrators may leave it out.
    #[param(value_type = Option<Uuid>)]
    project_id: Option<ProjectId>,
}

impl ReadQuery for GroupList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        Some(Self { project_id: parameters.optional("project_id", Parameters::id) })
    }
}

/// Dead jobs of one cause: their failures differ in numbers, ids, machines and quoted texts only.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadGroup)]
pub(crate) struct GroupAnswer {
    /// For `/api/jobs?fingerprint=…` and `/api/jobs/bulk`.
    fingerprint: String,
    kind: String,
    jobs: i64,
    /// The newest of them.
    newest_id: Uuid,
    /// What killed that one.
    error: String,
    oldest_created_at: DateTime<Utc>,
    newest_created_at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DeadGroups {
    /// The largest first, at most 200.
    items: Vec<GroupAnswer>,
}

/// Causes of death.
#[utoipa::path(
    get, path = "/api/jobs/dead/groups", tag = "jobs", security(("access_token" = [])), params(GroupList),
    responses(
        (status = 200, description = "Groups of dead jobs", body = DeadGroups),
        (status = 403, description = "All projects are for platform administrators",
         body = crate::problem::ProblemDocument, content_type = "application/problem+json")
    )
)]
pub(crate) async fn list_dead_groups(
    State(api): State<Api>,
    granted: Granted,
    Query(query): Query<GroupList>,
) -> Result<Json<DeadGroups>, Problem> {
    granted.must_be_or_all(query.project_id)?;
    let groups = api.store.dead_groups(query.project_id, GROUPS_MAX).await?;
    let items = groups
        .into_iter()
        .map(|group| GroupAnswer {
            fingerprint: group.fingerprint,
            kind: group.kind,
            jobs: group.jobs,
            newest_id: group.newest.0,
            error: group.error,
            oldest_created_at: group.oldest_created_at,
            newest_created_at: group.newest_created_at,
        })
        .collect();
    Ok(Json(DeadGroups { items }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::GroupList>();
    }
}
