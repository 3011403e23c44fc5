//! The conditions that somebody must be told of: the one table of them is [`alarms`], and each names the event that
//! carries it to people.

use super::{Facts, STALE_AFTER, STORE_FULL_FROM, UNPROVEN_AFTER, WAL_BEHIND_AFTER, words};
use chrono::{DateTime, TimeDelta, Utc};
use shared::notification::Event;
use shared::store::backups::{
    AlertSeverity, Archiver, BackupKind, ClassFigures, NewBackupAlert, Verifications,
};

const SIZE_DEVIATES_BY: f64 = 0.2;
/// Of the backup that everything is in, full or base: one of them is enough.
const COMPLETE: &str = "complete";

/// Everything that somebody must be told of now; at most one of each kind and subject.
pub fn alarms(facts: &Facts, now: DateTime<Utc>) -> Vec<NewBackupAlert> {
    let mut found = vec![];
    found.extend(stale(facts, now));
    for of in &facts.classes {
        of_class(&mut found, of, facts.slow_after);
    }
    of_copies(&mut found, &facts.verifications);
    of_stores(&mut found, facts);
    found.extend(unproven(facts, now));
    of_wal(&mut found, facts, now);
    found
}

/// A condition whose event is told once, when it is first seen.
fn critical(kind: &'static str, subject: &str, message: String, event: Event) -> NewBackupAlert {
    let severity = AlertSeverity::Critical;
    NewBackupAlert { kind, subject: subject.to_owned(), severity, message, event: Some(event) }
}

fn warning(kind: &'static str, subject: &str, message: String, event: Event) -> NewBackupAlert {
    NewBackupAlert { severity: AlertSeverity::Warning, ..critical(kind, subject, message, event) }
}

/// Critical, and told already by whoever recorded what happened: the triggers of `backups`.
fn told_when_recorded(kind: &'static str, subject: &str, message: String) -> NewBackupAlert {
    let severity = AlertSeverity::Critical;
    NewBackupAlert { kind, subject: subject.to_owned(), severity, message, event: None }
}

/// Whether something that never was should be there by now.
fn is_expected_for(facts: &Facts, age: TimeDelta, now: DateTime<Utc>) -> bool {
    facts.expected_since.is_none_or(|since| now - since > age)
}

fn stale(facts: &Facts, now: DateTime<Utc>) -> Option<NewBackupAlert> {
    let last_at = facts.last_complete_at();
    let message = match last_at {
        Some(at) if now - at > STALE_AFTER => format!("the newest backup is {} old", words(now - at)),
        None if is_expected_for(facts, STALE_AFTER, now) => "there is no backup of everything".into(),
        _ => return None,
    };
    let age_max_s = STALE_AFTER.num_seconds().unsigned_abs();
    let event = Event::BackupStale { class: COMPLETE.into(), last_at, age_max_s };
    Some(critical("backup_stale", "", message, event))
}

fn of_class(found: &mut Vec<NewBackupAlert>, of: &ClassFigures, slow_after: TimeDelta) {
    let class = of.class.as_str();
    if of.failures > 0 {
        let why = of.last_error.as_deref().unwrap_or_default();
        let message = format!("{} {class} backups have failed since one succeeded: {why}", of.failures);
        found.push(told_when_recorded("backup_failed", class, message));
    }
    let Some(backup_id) = of.last_id else { return };
    // Of tenants every backup has another size.
    if let (Some(bytes), Some(usual), true) = (of.last_bytes, of.usual_bytes, of.class != BackupKind::Tenant)
        && usual > 0.0
        && (bytes as f64 / usual - 1.0).abs() > SIZE_DEVIATES_BY
    {
        let message = format!("the newest {class} backup has {bytes} bytes, {usual:.0} are usual");
        let (bytes, usual_bytes) = (bytes.unsigned_abs(), usual as u64);
        let event = Event::BackupSizeDeviates { backup_id, class: class.into(), bytes, usual_bytes };
        found.push(warning("backup_size_deviates", class, message, event));
    }
    if let Some(seconds) = of.last_s.filter(|s| *s > slow_after.num_seconds() as f64) {
        let message = format!("the newest {class} backup took {seconds:.0} s");
        let (seconds, seconds_max) = (seconds as u64, slow_after.num_seconds().unsigned_abs());
        let event = Event::BackupSlow { backup_id, class: class.into(), seconds, seconds_max };
        found.push(warning("backup_slow", class, message, event));
    }
}

fn of_copies(found: &mut Vec<NewBackupAlert>, verifications: &Verifications) {
    let Verifications { lost, harmed, .. } = *verifications;
    if lost > 0 {
        let message = format!("{lost} backups are damaged in every store");
        found.push(told_when_recorded("backup_lost", "", message));
    }
    if harmed > lost {
        let message = format!("{harmed} backups have a copy that is missing or damaged");
        let event = Event::BackupHarmed { backups: harmed.unsigned_abs() };
        found.push(warning("backup_harmed", "", message, event));
    }
}

fn of_stores(found: &mut Vec<NewBackupAlert>, facts: &Facts) {
    if !facts.stores.is_empty() && facts.stores.iter().all(|store| !store.is_reachable) {
        let stores = facts.stores.iter().map(|store| store.name.clone()).collect();
        let message = "no store of backups answers".into();
        found.push(critical("backup_stores_down", "", message, Event::StoresDown { stores }));
    }
    for store in &facts.stores {
        let name = store.name.clone();
        if !store.is_reachable {
            let why = store.error.as_deref().unwrap_or("it does not answer");
            let event = Event::StoreDown { store: name.clone(), why: why.into() };
            found.push(warning("backup_store_down", &name, format!("{name}: {why}"), event));
        }
        if let Some(used) = store.share_used.filter(|used| *used > STORE_FULL_FROM) {
            let message = format!("{name} is {:.0} % full", used * 100.0);
            let event = Event::StoreFilling { store: name.clone(), used_percent: (used * 100.0) as u32 };
            found.push(warning("backup_store_full", &name, message, event));
        }
    }
}

fn unproven(facts: &Facts, now: DateTime<Utc>) -> Option<NewBackupAlert> {
    let last_at = facts.last_proven_restore_at;
    let message = match last_at {
        Some(at) if now - at > UNPROVEN_AFTER => format!("no restore was proven for {}", words(now - at)),
        None if is_expected_for(facts, UNPROVEN_AFTER, now) => "no restore was ever proven".into(),
        _ => return None,
    };
    Some(warning("restore_not_proven", "", message, Event::RestoreNotProven { last_at }))
}

fn of_wal(found: &mut Vec<NewBackupAlert>, facts: &Facts, now: DateTime<Utc>) {
    let Archiver { is_on, last_archived_at, last_failed_at, wal_bytes_max, .. } = facts.archiver;
    if let Some(reach) = facts.wal_reach(now) {
        let bytes = reach.behind_bytes;
        if reach.complete_until.is_none_or(|at| now - at > WAL_BEHIND_AFTER) {
            let message = format!("{bytes} bytes of WAL are not archived");
            let event = Event::WalBehind { bytes, since: reach.complete_until };
            found.push(critical("wal_behind", "", message, event));
        }
        // Archiving goes on, but slower than writing: nothing fails until the disk is full.
        let bytes_max = wal_bytes_max.unsigned_abs();
        if bytes > bytes_max {
            let message = format!(
                "{bytes} bytes of WAL wait on the database's disk, {bytes_max} (max_wal_size) are planned for"
            );
            found.push(critical("wal_piles_up", "", message, Event::WalPilesUp { bytes, bytes_max }));
        }
    }
    if is_on && last_failed_at > last_archived_at {
        let message = "archiving WAL fails, and the database's disk fills; see the log of PostgreSQL";
        let event = Event::WalArchivingFails { last_at: last_archived_at };
        found.push(critical("wal_archiving_fails", "", message.into(), event));
    }
    if let Some(archive) = facts.wal_archive.as_ref().filter(|archive| archive.missing_segments > 0) {
        let (segments, first) = (archive.missing_segments.unsigned_abs(), archive.first_missing.clone());
        let first = first.unwrap_or_default();
        let message = format!(
            "{segments} segments of WAL are in no store, from {first} on: no moment after it can be reached \
             until there is a new base backup"
        );
        found.push(critical("wal_missing", "", message, Event::WalMissing { segments, first }));
    }
}
