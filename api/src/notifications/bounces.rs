//! `/api/mail-bounces`: addresses that get no mail until somebody clears them.

use crate::page::{self, Page};
use crate::problem::Problem;
use crate::read::{Parameters, Query, ReadQuery};
use crate::state::Api;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BounceList {
    /// Only addresses after this one: the last of the page before.
    after: Option<String>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: u32,
}

impl ReadQuery for BounceList {
    fn read(parameters: &mut Parameters) -> Option<Self> {
        let after = parameters.optional("after", |text| match text.chars().count() {
            1..=254 if !text.contains('\0') => Ok(text.to_lowercase()),
            _ => Err("must be an address".to_owned()),
        });
        Some(Self { after, limit: page::limit(parameters) })
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct MailBounce {
    /// In lower case.
    address: String,
    /// What the mail server said.
    says: String,
    bounced_at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BouncePage {
    /// In the order of their addresses.
    items: Vec<MailBounce>,
    /// The last address of this page, where there is another one: `after` of that.
    after: Option<String>,
}

/// Addresses that bounced.
#[utoipa::path(
    get, path = "/api/mail-bounces", tag = "notifications", params(BounceList),
    responses((status = 200, description = "A page of addresses", body = BouncePage))
)]
pub(crate) async fn list_bounces(
    State(api): State<Api>,
    Query(query): Query<BounceList>,
) -> Result<Json<BouncePage>, Problem> {
    let found = api.store.bounces(query.after.as_deref(), query.limit + 1).await?;
    let page = Page::cut(found, query.limit);
    let after = page.items.last().filter(|_| page.has_next).map(|last| last.address.clone());
    let items = page.items.into_iter().map(|bounce| MailBounce {
        address: bounce.address,
        says: bounce.says,
        bounced_at: bounce.bounced_at,
    });
    Ok(Json(BouncePage { items: items.collect(), after }))
}

/// Send mail to an address again.
#[utoipa::path(
    delete, path = "/api/mail-bounces/{address}", tag = "notifications", params(("address" = String, Path)),
    responses((status = 204, description = "Cleared"))
)]
pub(crate) async fn clear_bounce(
    State(api): State<Api>,
    Path(address): Path<String>,
) -> Result<StatusCode, Problem> {
    if address.contains('\0') || !api.store.clear_bounce(&address).await? {
        return Err(Problem::not_found());
    }
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_query_is_read::<super::BounceList>();
    }
}
