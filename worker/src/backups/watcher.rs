//! The watcher: records → gauges and alarms; stores → records. Runs in every worker; what two of them write is the same,
//! and people are told by one of them.

use super::Backups;
use ::backup::engine::Engine;
use ::backup::health::{self, Facts};
use ::backup::stores::{StoreKind, StoreName};
use ::backup::wal::{self, Lsn};
use chrono::{DateTime, TimeDelta, Utc};
use shared::store::backups::{AlertSeverity, BackupAlert, BackupStoreRecord};
use shared::store::{Store, StoreError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const PERIOD: Duration = Duration::from_secs(30);
/// Counting what stores hold asks them for long lists.
const COUNT_PERIOD: Duration = Duration::from_secs(600);

pub(super) async fn watch_until(backups: &Backups, engine: &Engine, stop: CancellationToken) {
    let mut counted_at: Option<Instant> = None;
    loop {
        let counts = counted_at.is_none_or(|at| at.elapsed() >= COUNT_PERIOD);
        let round = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            round = look(backups, engine, counts) => round,
        };
        if counts && round.is_ok() {
            counted_at = Some(Instant::now());
        }
        note_round(&round);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

/// One round; `counts`: also what each store holds.
async fn look(backups: &Backups, engine: &Engine, counts: bool) -> Result<(), StoreError> {
    let store = &backups.0.store;
    match look_at_stores(engine, counts).await {
        Ok(seen) => store.record_backup_stores(&seen).await?,
        Err(error) => tracing::warn!(%error, "the notes of what is owed to stores cannot be read"),
    }
    if counts {
        look_at_wal(store, engine).await?;
    }
    store.end_abandoned_restores().await?;
    let now = Utc::now();
    let slow_after = TimeDelta::seconds(backups.config().slow_after_s.cast_signed());
    let facts = Facts::read(store, slow_after).await?;
    publish(&facts, TimeDelta::days(backups.config().retention.days.into()), now);
    raise(store, &facts, now).await
}

async fn look_at_stores(
    engine: &Engine,
    counts: bool,
) -> Result<Vec<BackupStoreRecord>, ::backup::stores::StoreError> {
    let holdings = if counts { engine.stores.holdings(&engine.cluster).await } else { vec![] };
    let held = |name: &StoreName| {
        let found = holdings.iter().find(|(of, _)| of == name)?;
        found.1.as_ref().ok().copied()
    };
    let mut seen = vec![];
    for (position, status) in engine.stores.status().await?.into_iter().enumerate() {
        let name = status.name.to_string();
        if let Some(share) = status.share_used {
            metrics::gauge!("counterfoil_backup_store_used_ratio", "store" => name.clone()).set(share);
        }
        // From zero, so that the first one shows.
        metrics::counter!("counterfoil_backup_healed_total", "store" => name.clone()).increment(0);
        let held = held(&status.name);
        if let Some(held) = held {
            metrics::gauge!("counterfoil_backup_store_bytes", "store" => name.clone()).set(held.bytes as f64);
        }
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        seen.push(BackupStoreRecord {
            name,
            kind: match status.kind {
                StoreKind::Disk => "disk".into(),
                StoreKind::S3 => "s3".into(),
            },
            position: i16::try_from(position).unwrap_or(i16::MAX),
            is_reachable: status.is_reachable,
            share_used: status.share_used,
            owed_objects: number(status.owed_objects),
            owed_bytes: number(status.owed_bytes),
            objects: held.map(|held| number(held.objects)),
            bytes: held.map(|held| number(held.bytes)),
            error: status.contact.failure.filter(|_| !status.is_reachable),
            checked_at: Utc::now(),
        });
    }
    Ok(seen)
}

/// Lists the archive of WAL, and writes down whether it has holes. A store that does not answer is not the end of the
/// round: it has an alarm of its own.
async fn look_at_wal(store: &Store, engine: &Engine) -> Result<(), StoreError> {
    let archiver = store.archiver().await?;
    let starts: Vec<(u32, Lsn)> = store
        .wal_needed_from()
        .await?
        .iter()
        .filter_map(|(timeline, lsn)| Some((u32::try_from(*timeline).ok()?, lsn.parse().ok()?)))
        .collect();
    if !archiver.is_on || starts.is_empty() {
        return store.record_wal_archive(0, None).await;
    }
    match wal::look_for_missing(engine, &starts, archiver.segment_bytes.unsigned_abs()).await {
        Ok(None) => Ok(()),
        Ok(Some(missing)) => {
            let segments = i64::try_from(missing.segments).unwrap_or(i64::MAX);
            store.record_wal_archive(segments, missing.first.as_deref()).await
        }
        Err(error) => {
            tracing::warn!(error = shared::chain(&error), "the archive of WAL cannot be looked at");
            Ok(())
        }
    }
}

/// The same in every worker, since all read the same records. `kept_for`: what is older is kept by other rules, or removed.
fn publish(facts: &Facts, kept_for: TimeDelta, now: DateTime<Utc>) {
    let seconds = |at: Option<DateTime<Utc>>| at.map_or(0.0, |at| at.timestamp_millis() as f64 / 1000.0);
    for of in &facts.classes {
        let kind = of.class.as_str();
        metrics::gauge!("counterfoil_backup_last_success_timestamp_seconds", "kind" => kind)
            .set(seconds(of.last_finished_at));
        metrics::gauge!("counterfoil_backup_size_bytes", "kind" => kind)
            .set(of.last_bytes.unwrap_or(0) as f64);
        metrics::gauge!("counterfoil_backup_duration_seconds", "kind" => kind).set(of.last_s.unwrap_or(0.0));
        metrics::gauge!("counterfoil_backup_duration_max_seconds", "kind" => kind)
            .set(facts.slow_after.num_seconds() as f64);
    }
    metrics::gauge!("counterfoil_backup_last_proven_restore_timestamp_seconds")
        .set(seconds(facts.last_proven_restore_at));
    let removal = facts.removal.as_ref();
    metrics::gauge!("counterfoil_backup_last_removal_timestamp_seconds")
        .set(seconds(removal.and_then(|removal| removal.complete_at)));
    metrics::gauge!("counterfoil_backup_removal_due_since_timestamp_seconds")
        .set(seconds(facts.oldest_at.and_then(|at| at.checked_add_signed(kept_for))));
    for (reason, held) in [
        ("locked", removal.map_or(0, |removal| removal.locked)),
        ("failed", removal.map_or(0, |removal| removal.failed)),
    ] {
        metrics::gauge!("counterfoil_backup_held_objects", "reason" => reason).set(held as f64);
    }
    if let Some(reach) = facts.wal_reach(now) {
        metrics::gauge!("counterfoil_wal_last_archived_timestamp_seconds").set(seconds(reach.complete_until));
        metrics::gauge!("counterfoil_wal_behind_bytes").set(reach.behind_bytes as f64);
    }
    metrics::gauge!("counterfoil_backup_health").set(f64::from(health::judge(facts, now).score));
}

async fn raise(store: &Store, facts: &Facts, now: DateTime<Utc>) -> Result<(), StoreError> {
    let alarms = health::alarms(facts, now);
    for (severity, name) in [(AlertSeverity::Warning, "warning"), (AlertSeverity::Critical, "critical")] {
        let count = alarms.iter().filter(|alarm| alarm.severity == severity).count();
        metrics::gauge!("counterfoil_backup_alerts", "severity" => name).set(count as f64);
    }
    for BackupAlert { kind, subject, message, severity, .. } in store.note_backup_alerts(&alarms).await? {
        match severity {
            AlertSeverity::Critical => tracing::error!(kind, subject, "backups: {message}"),
            AlertSeverity::Warning => tracing::warn!(kind, subject, "backups: {message}"),
        }
    }
    Ok(())
}

fn note_round(round: &Result<(), StoreError>) {
    const LOOP: &str = "backup_watcher";
    let outcome = if round.is_ok() { "ok" } else { "failed" };
    metrics::counter!("counterfoil_loop_runs_total", "loop" => LOOP, "outcome" => outcome).increment(1);
    match round {
        Ok(()) => metrics::gauge!("counterfoil_loop_last_success_timestamp_seconds", "loop" => LOOP)
            .set(Utc::now().timestamp_millis() as f64 / 1000.0),
        Err(error) => {
            tracing::warn!(error = shared::chain(error), "the records of backups cannot be looked at");
        }
    }
}
