//! What a run stands in, and by which rules it was made: what is needed to continue it.

use super::State as StateWord;
use crate::problem::Problem;
use crate::read::PathId;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::ids::JobId;
use shared::store::chains::ChainRun;
use utoipa::ToSchema;
use uuid::Uuid;

/// One run of a chain.
#[derive(Serialize, ToSchema)]
#[schema(as = ChainRun)]
pub(crate) struct ChainRunAnswer {
    id: Uuid,
    name: String,
    /// From 1. Runs that were cancelled or failed keep the place that they wanted: another may have it, too.
    position: i32,
    state: StateWord,
    left_source_id: Uuid,
    right_source_id: Uuid,
    created_at: DateTime<Utc>,
    /// Of both sides together, open items that were carried in included; these figures are null until it has completed.
    records: Option<i64>,
    matched: Option<i64>,
    exceptions: Option<i64>,
}

impl From<ChainRun> for ChainRunAnswer {
    fn from(run: ChainRun) -> Self {
        Self {
            id: run.id.0,
            name: run.name,
            position: run.position,
            state: run.state.into(),
            left_source_id: run.left_source_id.0,
            right_source_id: run.right_source_id.0,
            created_at: run.created_at,
            records: run.records,
            matched: run.matched,
            exceptions: run.exceptions,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Chain {
    /// First run first; the newest 500 of it. A run that continues nothing and is not continued is alone.
    items: Vec<ChainRunAnswer>,
}

/// The chain that a reconciliation belongs to: what it continues, and what continues it.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/chain", tag = "reconciliation", security(("access_token" = [])),
    params(("id" = Uuid, Path)), responses((status = 200, description = "The runs of the chain", body = Chain))
)]
pub(crate) async fn show_chain(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
) -> Result<Json<Chain>, Problem> {
    let runs = api.store.chain_of(id).await?;
    if runs.is_empty() {
        return Err(Problem::not_found());
    }
    Ok(Json(Chain { items: runs.into_iter().map(Into::into).collect() }))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RulesOfRun {
    /// As they were at its submission, whatever preset they came from: they can be submitted again as they are.
    #[schema(value_type = super::RuleSetBody)]
    rules: serde_json::Value,
}

/// The rules that a reconciliation was made by.
#[utoipa::path(
    get, path = "/api/reconciliation/jobs/{id}/rules", tag = "reconciliation", security(("access_token" = [])),
    params(("id" = Uuid, Path)), responses((status = 200, description = "The rules", body = RulesOfRun))
)]
pub(crate) async fn show_rules(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
) -> Result<Json<RulesOfRun>, Problem> {
    let run = api.store.reconciliation(id).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(RulesOfRun { rules: run.rules }))
}
