//! Where backups are.

use crate::problem::Problem;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::store::backups::BackupStoreRecord;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[schema(as = BackupStore)]
pub(crate) struct StoreAnswer {
    name: String,
    /// `disk` or `s3`.
    kind: String,
    is_reachable: bool,
    /// 0 to 1, where the store says so.
    share_used: Option<f64>,
    /// Objects that it should have and has not; they are brought when it answers.
    owed_objects: i64,
    owed_bytes: i64,
    /// What it holds, counted every ten minutes.
    objects: Option<i64>,
    bytes: Option<i64>,
    /// The last word of a store that does not answer.
    error: Option<String>,
    /// When a worker last looked.
    checked_at: DateTime<Utc>,
}

impl From<BackupStoreRecord> for StoreAnswer {
    fn from(store: BackupStoreRecord) -> Self {
        Self {
            name: store.name,
            kind: store.kind,
            is_reachable: store.is_reachable,
            share_used: store.share_used,
            owed_objects: store.owed_objects,
            owed_bytes: store.owed_bytes,
            objects: store.objects,
            bytes: store.bytes,
            error: store.error,
            checked_at: store.checked_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BackupStoreList {
    /// In the order in which they are read.
    items: Vec<StoreAnswer>,
}

/// The stores of backups, as a worker last saw them: they are looked at every half minute.
#[utoipa::path(
    get, path = "/api/backups/stores", tag = "backups", security(("access_token" = [])),
    responses((status = 200, description = "The stores", body = BackupStoreList))
)]
pub(crate) async fn list_backup_stores(State(api): State<Api>) -> Result<Json<BackupStoreList>, Problem> {
    let items = api.store.backup_stores().await?.into_iter().map(Into::into).collect();
    Ok(Json(BackupStoreList { items }))
}
