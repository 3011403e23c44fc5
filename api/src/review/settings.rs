//! A project's reason codes and four-eyes limits.

use super::values::{self, minor};
use crate::problem::{Problem, ProblemDocument};
use crate::read::{Fields, JsonBody, PathId, ReadBody, boolean, text};
use crate::reconciliation::exponent;
use crate::state::Api;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use matching::format_minor;
use serde::Serialize;
use serde_json::json;
use shared::ids::ProjectId;
use shared::store::audit::Note;
use shared::store::review::{self, FourEyesLimit, ReviewReason};
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[schema(as = ReviewReason)]
pub(crate) struct ReasonAnswer {
    code: String,
    label: String,
    /// Offered to reviewers; one that is not stays where it was used.
    is_active: bool,
}

impl From<ReviewReason> for ReasonAnswer {
    fn from(reason: ReviewReason) -> Self {
        Self { code: reason.code, label: reason.label, is_active: reason.is_active }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = ReviewReasonList)]
pub(crate) struct ReasonList {
    /// By code.
    items: Vec<ReasonAnswer>,
}

/// The reason codes of a project.
#[utoipa::path(
    get, path = "/api/projects/{id}/review/reasons", tag = "review", security(("access_token" = [])),
    params(("id" = Uuid, Path)), responses((status = 200, description = "The codes", body = ReasonList))
)]
pub(crate) async fn list_review_reasons(
    State(api): State<Api>,
    PathId(id): PathId<ProjectId>,
) -> Result<Json<ReasonList>, Problem> {
    let items = api.store.review_reasons(id).await?.into_iter().map(Into::into).collect();
    Ok(Json(ReasonList { items }))
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewReviewReason)]
pub(crate) struct ReasonBody {
    #[schema(min_length = 1, max_length = 200)]
    label: String,
    #[schema(nullable = false, default = true, value_type = Option<bool>)]
    is_active: bool,
}

impl ReadBody for ReasonBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let label = fields.required("label", text(1..=200));
        let is_active = fields.optional("is_active", boolean).unwrap_or(true);
        Some(Self { label: label?, is_active })
    }
}

/// Add a reason code, or change one. A code that was used is never removed: set `is_active` to false.
#[utoipa::path(
    put, path = "/api/projects/{id}/review/reasons/{code}", tag = "review", security(("access_token" = [])),
    params(("id" = Uuid, Path), ("code" = String, Path)), request_body = ReasonBody,
    responses((status = 200, description = "As it is now", body = ReasonAnswer))
)]
pub(crate) async fn set_review_reason(
    State(api): State<Api>,
    Path((id, code)): Path<(String, String)>,
    JsonBody(body): JsonBody<ReasonBody>,
) -> Result<Json<ReasonAnswer>, Problem> {
    let id: ProjectId = id.parse().map_err(|_| Problem::not_found())?;
    let code = values::reason_code(&code).map_err(|_| Problem::not_found())?;
    let reason = ReviewReason { code, label: body.label, is_active: body.is_active };
    let mut tx = api.store.begin().await?;
    let before = review::set_review_reason(&mut tx, id, &reason).await?;
    let shown = |reason: &ReviewReason| json!({"label": reason.label, "is_active": reason.is_active});
    Note::of(id, "reason_code", &reason.code)
        .before(before.as_ref().map(shown))
        .after(shown(&reason))
        .commit(tx)
        .await?;
    Ok(Json(reason.into()))
}

#[derive(Serialize, ToSchema)]
#[schema(as = FourEyesLimit)]
pub(crate) struct LimitAnswer {
    currency: String,
    /// Decimal of major units, in text. What is larger takes a second person.
    amount: String,
}

impl From<FourEyesLimit> for LimitAnswer {
    fn from(limit: FourEyesLimit) -> Self {
        let amount = format_minor(limit.amount.into(), exponent(&limit.currency));
        Self { currency: limit.currency, amount }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = FourEyesLimitList)]
pub(crate) struct LimitList {
    /// By currency. One that is not here has no limit.
    items: Vec<LimitAnswer>,
}

/// Above which amounts a decision takes a second person.
#[utoipa::path(
    get, path = "/api/projects/{id}/review/limits", tag = "review", security(("access_token" = [])),
    params(("id" = Uuid, Path)), responses((status = 200, description = "The limits", body = LimitList))
)]
pub(crate) async fn list_four_eyes_limits(
    State(api): State<Api>,
    PathId(id): PathId<ProjectId>,
) -> Result<Json<LimitList>, Problem> {
    let items = api.store.four_eyes_limits(id).await?.into_iter().map(Into::into).collect();
    Ok(Json(LimitList { items }))
}

#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewFourEyesLimit)]
pub(crate) struct LimitBody {
    /// Decimal of major units, without a sign.
    #[schema(min_length = 1, max_length = 20)]
    amount: String,
}

impl ReadBody for LimitBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let amount = fields.required("amount", |value, place| {
            let amount = text(1..=20)(value, place)?;
            values::decimal(&amount).map_err(|detail| place.wrong::<String>("format", detail)).ok()
        });
        Some(Self { amount: amount? })
    }
}

/// Ask for a second person above this amount. Decisions that were taken stay; those that wait go on waiting.
#[utoipa::path(
    put, path = "/api/projects/{id}/review/limits/{currency}", tag = "review", security(("access_token" = [])),
    params(("id" = Uuid, Path), ("currency" = String, Path)), request_body = LimitBody,
    responses(
        (status = 200, description = "As it is now", body = LimitAnswer),
        (status = 409, description = "The amount has more digits than the currency", body = ProblemDocument,
         content_type = "application/problem+json")
    )
)]
pub(crate) async fn set_four_eyes_limit(
    State(api): State<Api>,
    Path((id, currency)): Path<(String, String)>,
    JsonBody(body): JsonBody<LimitBody>,
) -> Result<Json<LimitAnswer>, Problem> {
    let id: ProjectId = id.parse().map_err(|_| Problem::not_found())?;
    let currency = values::currency(&currency).map_err(|_| Problem::not_found())?;
    let amount = minor(&body.amount, &currency).ok_or_else(|| {
        Problem::new(crate::problem::ProblemKind::Conflict, "The amount has more digits than the currency")
    })?;
    let limit = FourEyesLimit { currency, amount };
    let mut tx = api.store.begin().await?;
    let before = review::set_four_eyes_limit(&mut tx, id, &limit).await?;
    Note::of(id, "four_eyes_limit", &limit.currency)
        .before(before.map(|amount| json!({"amount_minor": amount})))
        .after(json!({"amount_minor": limit.amount}))
        .commit(tx)
        .await?;
    Ok(Json(limit.into()))
}

/// Ask for no second person in this currency.
#[utoipa::path(
    delete, path = "/api/projects/{id}/review/limits/{currency}", tag = "review", security(("access_token" = [])),
    params(("id" = Uuid, Path), ("currency" = String, Path)),
    responses((status = 204, description = "There is no limit"))
)]
pub(crate) async fn remove_four_eyes_limit(
    State(api): State<Api>,
    Path((id, currency)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let id: ProjectId = id.parse().map_err(|_| Problem::not_found())?;
    let currency = values::currency(&currency).map_err(|_| Problem::not_found())?;
    let mut tx = api.store.begin().await?;
    let before = review::remove_four_eyes_limit(&mut tx, id, &currency).await?;
    Note::of(id, "four_eyes_limit", currency)
        .before(before.map(|amount| json!({"amount_minor": amount})))
        .commit(tx)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    #[test]
    fn input_is_read_as_documented() {
        crate::document::assert_schema_is_read::<super::ReasonBody>();
        crate::document::assert_schema_is_read::<super::LimitBody>();
    }
}
