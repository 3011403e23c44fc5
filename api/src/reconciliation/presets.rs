//! The rule sets that come with the program.

use axum::Json;
use matching::Preset;
use serde::Serialize;
use utoipa::ToSchema;

/// A rule set for a common pair of books.
#[derive(Serialize, ToSchema)]
#[schema(as = PresetDescription)]
pub(crate) struct PresetAnswer {
    /// As a submission names it.
    name: &'static str,
    /// What is compared with what.
    title: &'static str,
    /// The whole rule set in TOML, to be taken as it is or changed.
    text: &'static str,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PresetList {
    items: Vec<PresetAnswer>,
}

/// Rule sets that come with the program.
#[utoipa::path(
    get, path = "/api/reconciliation/presets", tag = "reconciliation", security(("access_token" = [])),
    responses((status = 200, description = "All of them", body = PresetList))
)]
pub(crate) async fn list_presets() -> Json<PresetList> {
    let preset =
        |preset: Preset| PresetAnswer { name: preset.as_str(), title: preset.title(), text: preset.text() };
    Json(PresetList { items: Preset::ALL.map(preset).into() })
}
