//! `/api/limits`: how many jobs run at once. For platform administrators.

use crate::caller::Administrator;
use crate::problem::{Mistake, Problem, ProblemKind};
use crate::read::{Fields, JsonBody, ReadBody, integer};
use crate::state::Api;
use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::limits::{LimitName, LimitScope};
use shared::store::limits::{LIMITS_MAX, LimitSet, StoredLimit};
use utoipa::ToSchema;

/// What a limit counts together.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LimitScope)]
enum Scope {
    Global,
    Kind,
    Project,
    Key,
}

impl From<LimitScope> for Scope {
    fn from(scope: LimitScope) -> Self {
        match scope {
            LimitScope::Global => Scope::Global,
            LimitScope::Kind => Scope::Kind,
            LimitScope::Project => Scope::Project,
            LimitScope::Key => Scope::Key,
        }
    }
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLimit {
    /// 0: none.
    #[schema(minimum = 0, maximum = 100_000)]
    jobs_max: u32,
}

impl ReadBody for NewLimit {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { jobs_max: fields.required("jobs_max", integer(0..=100_000))? })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Limit)]
pub(crate) struct LimitAnswer {
    scope: Scope,
    /// A kind, project or key, or the beginning of one and `*`.
    name: String,
    jobs_max: i32,
    updated_at: DateTime<Utc>,
    updated_by: String,
}

impl From<StoredLimit> for LimitAnswer {
    fn from(limit: StoredLimit) -> Self {
        Self {
            scope: limit.scope.into(),
            name: limit.name,
            jobs_max: limit.jobs_max,
            updated_at: limit.updated_at,
            updated_by: limit.updated_by,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct LimitList {
    /// Broad to narrow, then by name; at most 1000.
    items: Vec<LimitAnswer>,
}

/// The two words of a limit's address.
pub(crate) struct Address {
    scope: LimitScope,
    name: LimitName,
}

impl<S: Send + Sync> FromRequestParts<S> for Address {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((scope, name)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::not_found())?;
        let scope = scope.parse().map_err(|_| Problem::not_found())?;
        let name = LimitName::parse(scope, &name).map_err(|detail| mistake("value", detail))?;
        Ok(Self { scope, name })
    }
}

fn mistake(code: &'static str, detail: String) -> Problem {
    Problem::invalid(vec![Mistake { pointer: None, parameter: Some("name".into()), code, detail }])
}

/// All limits. Of each scope the one counts whose name says most: exactly the job's, else the longest beginning.
#[utoipa::path(
    get, path = "/api/limits", tag = "administration", security(("access_token" = [])),
    responses((status = 200, description = "The limits", body = LimitList))
)]
pub(crate) async fn list_limits(
    State(api): State<Api>,
    _: Administrator,
) -> Result<Json<LimitList>, Problem> {
    let limits = api.store.limits().await?;
    Ok(Json(LimitList { items: limits.into_iter().map(Into::into).collect() }))
}

/// Make or change a limit. It counts for whatever starts from now on; what runs goes on.
#[utoipa::path(
    put, path = "/api/limits/{scope}/{name}", tag = "administration", security(("access_token" = [])),
    params(("scope" = Scope, Path), ("name" = String, Path, description = "`*` for the global one; a kind, a project's id, a key, or the beginning of one and `*`: each that begins so has as many places")),
    request_body = NewLimit, responses((status = 200, description = "Stored", body = LimitAnswer))
)]
pub(crate) async fn set_limit(
    State(api): State<Api>,
    Administrator(user): Administrator,
    Address { scope, name }: Address,
    JsonBody(new): JsonBody<NewLimit>,
) -> Result<Json<LimitAnswer>, Problem> {
    if let Some(why) = api.store.why_limit_is_idle(scope, &name).await? {
        return Err(mistake("unknown", why.into()));
    }
    match api.store.set_limit(scope, &name, new.jobs_max, &user.email).await? {
        LimitSet::Stored(limit) => {
            tracing::warn!(
                scope = scope.as_str(), name = limit.name, jobs_max = limit.jobs_max, user_id = %user.id,
                "a limit is set"
            );
            api.relay_wake.notify_one();
            Ok(Json(limit.into()))
        }
        LimitSet::TooMany => Err(Problem::new(
            ProblemKind::Conflict,
            format!("There are {LIMITS_MAX} limits; remove one first"),
        )),
    }
}

/// Take a limit away.
#[utoipa::path(
    delete, path = "/api/limits/{scope}/{name}", tag = "administration", security(("access_token" = [])),
    params(("scope" = Scope, Path), ("name" = String, Path)),
    responses((status = 204, description = "Gone"))
)]
pub(crate) async fn remove_limit(
    State(api): State<Api>,
    Administrator(user): Administrator,
    Address { scope, name }: Address,
) -> Result<StatusCode, Problem> {
    if !api.store.remove_limit(scope, &name).await? {
        return Err(Problem::not_found());
    }
    tracing::warn!(scope = scope.as_str(), name = name.as_str(), user_id = %user.id, "a limit is removed");
    api.relay_wake.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<super::NewLimit>();
    }
}
