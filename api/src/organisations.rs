//! `/api/organisations`: what keeps projects together.

use crate::caller::Caller;
use crate::page::{self, Page};
use crate::problem::{Problem, ProblemKind};
use crate::read::{Fields, JsonBody, Parameters, Query, ReadBody, ReadQuery, text};
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::ids::OrganisationId;
use shared::store::organisations::{FOUNDED_MAX, Organisation};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrganisation {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
}

impl ReadBody for NewOrganisation {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { name: fields.required("name", text(1..=200))? })
    }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OrganisationList {
    /// Only organisations before this one: the last of the page before.
    #[param(value_type = Option<Uuid>)]
    after: Option<OrganisationId>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for OrganisationList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let after = parameters.optional("after", Parameters::id);
        Some(Self { after, limit: page::limit(parameters) })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Organisation)]
pub(crate) struct OrganisationAnswer {
    id: Uuid,
    name: String,
    created_at: DateTime<Utc>,
}

impl From<Organisation> for OrganisationAnswer {
    fn from(organisation: Organisation) -> Self {
        Self { id: organisation.id.0, name: organisation.name, created_at: organisation.created_at }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct OrganisationPage {
    items: Vec<OrganisationAnswer>,
    /// Address of the next page; null on the last one.
    next: Option<String>,
}

/// Organisations that the caller founded or has a project of.
#[utoipa::path(
    get, path = "/api/organisations", tag = "projects", params(OrganisationList),
    responses((status = 200, description = "A page of organisations", body = OrganisationPage))
)]
pub(crate) async fn list_organisations(
    State(api): State<Api>,
    caller: Caller,
    Query(query): Query<OrganisationList>,
) -> Result<Json<OrganisationPage>, Problem> {
    let found = api.store.organisations(caller.user_id, query.after, query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let next = page.next("/api/organisations", &[("limit", Some(query.limit.to_string()))], |last| last.id);
    Ok(Json(OrganisationPage { items: page.items.into_iter().map(Into::into).collect(), next }))
}

/// Found an organisation. Its founder may make projects in it.
#[utoipa::path(
    post, path = "/api/organisations", tag = "projects", request_body = NewOrganisation,
    responses(
        (status = 201, description = "Founded", body = OrganisationAnswer),
        (status = 409, description = "The caller has founded 100", body = crate::problem::ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn found_organisation(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(new): JsonBody<NewOrganisation>,
) -> Result<(StatusCode, Json<OrganisationAnswer>), Problem> {
    let founded = api.store.found_organisation(OrganisationId::new(), &new.name, caller.user_id).await?;
    let founded = founded.ok_or_else(|| {
        Problem::new(ProblemKind::Conflict, format!("Nobody may found more than {FOUNDED_MAX} organisations"))
    })?;
    Ok((StatusCode::CREATED, Json(founded.into())))
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<super::NewOrganisation>();
        crate::document::assert_query_is_read::<super::OrganisationList>();
    }
}
