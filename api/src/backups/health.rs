//! How well the backups are.

use super::list::KindWord;
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
    /// Null: no backup that is still there was ever verified.
    last_verified_at: Option<DateTime<Utc>>,
    /// Backups that are there, and how many of them were never verified.
    backups: i64,
    unverified: i64,
    /// When a backup was last restored and found to be what it should be.
    last_proven_restore_at: Option<DateTime<Utc>>,
    /// Up to when everything that was written is in the archive of WAL; null while WAL is not archived.
    wal_complete_until: Option<DateTime<Utc>>,
    /// Each kind of backup by itself.
    kinds: Vec<KindHealth>,
}

/// How the backups of one kind are.
#[derive(Serialize, ToSchema)]
pub(crate) struct KindHealth {
    kind: KindWord,
    /// Of the newest that is in as many stores as it needs; null: there never was one.
    last_backup_at: Option<DateTime<Utc>>,
    /// In each store.
    last_bytes: Option<i64>,
    /// How long it took.
    last_s: Option<f64>,
    /// Mean size of up to 24 before it.
    usual_bytes: Option<f64>,
    /// Since then; 100 means that or more.
    failures: i64,
    last_error: Option<String>,
    /// When one of this kind was last restored and found to be what it should be.
    last_proven_restore_at: Option<DateTime<Utc>>,
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
    let proven = api.store.proven_restores().await?;
    let now = api.clock.now();
    let health = judge(&facts, now);
    let factors = health.factors.into_iter().map(|factor| HealthFactor {
        name: factor.name.to_owned(),
        points: factor.points,
        points_max: factor.points_max,
        says: factor.says,
    });
    let kinds = facts.classes.iter().map(|figures| KindHealth {
        kind: figures.class.into(),
        last_backup_at: figures.last_finished_at,
        last_bytes: figures.last_bytes,
        last_s: figures.last_s,
        usual_bytes: figures.usual_bytes,
        failures: figures.failures,
        last_error: figures.last_error.clone(),
        last_proven_restore_at: proven.iter().find(|(kind, _)| *kind == figures.class).map(|(_, at)| *at),
    });
    let kinds = kinds.collect();
    Ok(Json(BackupHealth {
        kinds,
        score: health.score,
        factors: factors.collect(),
        last_backup_at: facts.last_complete_at(),
        last_verified_at: facts.verifications.last_verified_at,
        backups: facts.verifications.backups,
        unverified: facts.verifications.unverified,
        last_proven_restore_at: facts.last_proven_restore_at,
        wal_complete_until: facts.wal_reach(now).and_then(|reach| reach.complete_until),
    }))
}
