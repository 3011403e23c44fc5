//! How well the backups are.

use crate::problem::Problem;
use crate::state::Api;
use axum::Json;
use axum::extract::State;
use backup::health::{Facts, judge};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct BackupHealth {
    /// 0 to 100: the sum of the factors.
    score: u8,
    factors: Vec<HealthFactor>,
    /// Of the newest backup of the whole database or cluster.
    last_backup_at: Option<DateTime<Utc>>,
    last_verified_at: Option<DateTime<Utc>>,
    /// When a backup was last restored and found to be what it should be.
    last_proven_restore_at: Option<DateTime<Utc>>,
    /// Up to when everything that was written is in the archive of WAL; null while WAL is not archived.
    wal_complete_until: Option<DateTime<Utc>>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct HealthFactor {
    /// `recent_backup`, `stores`, `integrity`, `proven_restore` or `wal`.
    name: String,
    points: u8,
    points_max: u8,
    /// Why, in words.
    says: String,
}

/// A score from 0 to 100 with the factors that make it.
#[utoipa::path(
    get, path = "/api/backups/health", tag = "backups", security(("access_token" = [])),
    responses((status = 200, description = "The health of the backups", body = BackupHealth))
)]
pub(crate) async fn show_backup_health(State(api): State<Api>) -> Result<Json<BackupHealth>, Problem> {
    let facts = Facts::read(&api.store, api.backups.slow_after).await?;
    let now = api.clock.now();
    let health = judge(&facts, now);
    let factors = health.factors.into_iter().map(|factor| HealthFactor {
        name: factor.name.to_owned(),
        points: factor.points,
        points_max: factor.points_max,
        says: factor.says,
    });
    Ok(Json(BackupHealth {
        score: health.score,
        factors: factors.collect(),
        last_backup_at: facts.last_complete_at(),
        last_verified_at: facts.verifications.last_verified_at,
        last_proven_restore_at: facts.last_proven_restore_at,
        wal_complete_until: facts.wal_reach(now).and_then(|reach| reach.complete_until),
    }))
}
