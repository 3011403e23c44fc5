use super::*;
use shared::ids::BackupId;
use shared::notification::{EventKind, Severity};
use shared::store::backups::AlertSeverity;
use std::collections::BTreeMap;

fn at(hours: f64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000, 0).unwrap() + TimeDelta::seconds((hours * 3600.0) as i64)
}

fn store(name: &str) -> BackupStoreRecord {
    BackupStoreRecord {
        name: name.into(),
        kind: "disk".into(),
        position: 0,
        is_reachable: true,
        share_used: Some(0.3),
        owed_objects: 0,
        owed_bytes: 0,
        objects: None,
        bytes: None,
        error: None,
        checked_at: at(0.0),
    }
}

/// Everything is as it should be at hour 0.
fn well() -> Facts {
    let figures = |class| ClassFigures {
        class,
        last_id: Some(BackupId::new()),
        last_finished_at: Some(at(-0.5)),
        last_bytes: Some(1000),
        last_s: Some(20.0),
        usual_bytes: Some(990.0),
        failures: 0,
        last_error: None,
    };
    Facts {
        classes: BackupKind::ALL.iter().copied().map(figures).collect(),
        verifications: Verifications {
            backups: 40,
            last_verified_at: Some(at(-0.2)),
            oldest_verified_at: Some(at(-3.0)),
            ..Default::default()
        },
        last_proven_restore_at: Some(at(-200.0)),
        stores: vec![store("near"), store("far")],
        archiver: Archiver {
            is_on: true,
            segment_bytes: 16 << 20,
            position: Some("0/5000100".into()),
            last_archived: Some("000000010000000000000004".into()),
            last_archived_at: Some(at(-9.0)),
            last_failed_at: None,
            wal_bytes_max: 1 << 30,
        },
        wal_archive: None,
        removal: None,
        oldest_at: None,
        expected_since: Some(at(-5000.0)),
        slow_after: TimeDelta::hours(1),
    }
}

/// Kind and subject of each alarm, and what is missing of which factor.
fn seen(change: impl FnOnce(&mut Facts)) -> String {
    let mut facts = well();
    change(&mut facts);
    let health = judge(&facts, at(0.0));
    assert_eq!(health.factors.iter().map(|f| f.points_max).sum::<u8>(), 100);
    assert!(health.factors.iter().all(|f| f.points <= f.points_max), "{health:?}");
    assert_eq!(health.factors.iter().map(|f| f.points).sum::<u8>(), health.score);
    let lacks = health.factors.iter().filter(|f| f.points < f.points_max);
    let lacks: Vec<_> = lacks.map(|f| format!("{}-{}", f.name, f.points_max - f.points)).collect();
    let alarms: Vec<_> = alarms(&facts, at(0.0))
        .iter()
        .map(|a| {
            let mark = if a.severity == AlertSeverity::Critical { "!" } else { "" };
            format!("{}{mark} {}", a.kind, a.subject).trim().to_owned()
        })
        .collect();
    format!("{} | {}", lacks.join(" "), alarms.join(", "))
}

#[test]
fn each_condition_costs_its_points_and_rings_its_alarm() {
    let class = |facts: &mut Facts, class: BackupKind, change: fn(&mut ClassFigures)| {
        facts.classes.iter_mut().filter(|f| f.class == class).for_each(change);
    };
    type Change = Box<dyn FnOnce(&mut Facts)>;
    #[rustfmt::skip]
    let table: Vec<(&str, Change)> = vec![
        (" | ", Box::new(|_| {})),
        ("recent_backup-4 | backup_stale!", Box::new(|f| f.classes.iter_mut().for_each(|c| c.last_finished_at = Some(at(-5.0))))),
        ("recent_backup-30 | backup_stale!", Box::new(|f| f.classes.iter_mut().for_each(|c| c.last_finished_at = None))),
        ("recent_backup-30 | ", Box::new(|f| { f.classes.clear(); f.expected_since = Some(at(-1.0)); })),
        (" | backup_failed! full", Box::new(move |f| class(f, BackupKind::Full, |c| c.failures = 2))),
        (" | backup_size_deviates base", Box::new(move |f| class(f, BackupKind::Base, |c| c.last_bytes = Some(700)))),
        (" | ", Box::new(move |f| class(f, BackupKind::Tenant, |c| c.last_bytes = Some(700)))),
        (" | backup_slow full", Box::new(move |f| class(f, BackupKind::Full, |c| c.last_s = Some(4000.0)))),
        ("integrity-20 | backup_lost!", Box::new(|f| { f.verifications.lost = 1; f.verifications.harmed = 1; })),
        ("integrity-10 | backup_harmed", Box::new(|f| f.verifications.harmed = 1)),
        // The newest one waits for its hour.
        (" | ", Box::new(|f| f.verifications.unverified = 1)),
        ("integrity-5 | ", Box::new(|f| f.verifications.unverified = 10)),
        ("integrity-10 | ", Box::new(|f| { f.verifications.unverified = 3; f.verifications.long_unverified = 3; })),
        ("integrity-15 | ", Box::new(|f| { f.verifications.unverified = 30; f.verifications.long_unverified = 1; })),
        // None ever was, though none is old.
        ("integrity-20 | ", Box::new(|f| {
            f.verifications.unverified = f.verifications.backups;
            (f.verifications.last_verified_at, f.verifications.oldest_verified_at) = (None, None);
        })),
        ("stores-9 | backup_store_down far", Box::new(|f| f.stores[1].is_reachable = false)),
        ("stores-20 | backup_stores_down!, backup_store_down near, backup_store_down far", Box::new(|f| f.stores.iter_mut().for_each(|s| s.is_reachable = false))),
        ("stores-4 | ", Box::new(|f| f.stores[0].owed_objects = 7)),
        ("stores-3 | backup_store_full near", Box::new(|f| f.stores[0].share_used = Some(0.81))),
        ("stores-5 | ", Box::new(|f| f.stores.truncate(1))),
        ("stores-20 | ", Box::new(|f| f.stores.clear())),
        ("proven_restore-20 | restore_not_proven", Box::new(|f| f.last_proven_restore_at = None)),
        ("proven_restore-10 | restore_not_proven", Box::new(|f| f.last_proven_restore_at = Some(at(-1188.0)))),
        ("wal-10 | ", Box::new(|f| f.archiver.is_on = false)),
        // 64 KiB beyond the last archived segment, which was archived nine hours ago.
        ("wal-10 | wal_behind!", Box::new(|f| f.archiver.position = Some("0/5010001".into()))),
        (" | wal_archiving_fails!", Box::new(|f| f.archiver.last_failed_at = Some(at(-1.0)))),
        // Archived a moment ago, and still more than may wait.
        (" | wal_piles_up!", Box::new(|f| { f.archiver.position = Some("0/50000000".into()); f.archiver.last_archived_at = Some(at(0.0)); })),
        ("wal-10 | wal_missing!", Box::new(|f| f.wal_archive = Some(WalArchive { missing_segments: 2, first_missing: Some("000000010000000000000003".into()), checked_at: at(0.0) }))),
    ];
    for (expected, change) in table {
        assert_eq!(seen(change), expected);
    }
}

/// Kind, severity and event of every alarm there is; and that the docs name each of them.
#[test]
fn each_alarm_is_told_by_an_event_of_its_own_severity() {
    let mut facts = well();
    facts.expected_since = None;
    facts.last_proven_restore_at = None;
    for of in &mut facts.classes {
        (of.last_finished_at, of.failures) = (Some(at(-5.0)), 1);
        (of.last_s, of.last_bytes) = (Some(4000.0), Some(5000));
    }
    (facts.verifications.lost, facts.verifications.harmed) = (1, 2);
    for store in &mut facts.stores {
        (store.is_reachable, store.share_used) = (false, Some(0.9));
    }
    facts.archiver.position = Some("1/0".into());
    facts.archiver.last_failed_at = Some(at(0.0));
    facts.wal_archive =
        Some(WalArchive { missing_segments: 2, first_missing: Some("x".into()), checked_at: at(0.0) });
    let found: BTreeMap<&str, (&str, Option<&str>)> = alarms(&facts, at(0.0))
        .iter()
        .map(|alarm| {
            let severity = if alarm.severity == AlertSeverity::Critical { "critical" } else { "warning" };
            if let Some(event) = &alarm.event {
                assert!(event.condition().is_some(), "{} would ring every half minute", alarm.kind);
                let of_event =
                    if event.kind().severity() == Severity::Critical { "critical" } else { "warning" };
                assert_eq!(of_event, severity, "{}", alarm.kind);
            }
            (alarm.kind, (severity, alarm.event.as_ref().map(|event| event.kind().as_str())))
        })
        .collect();
    #[rustfmt::skip]
    let expected = [
        ("backup_stale", ("critical", Some("backup.stale"))),
        // The triggers of the table tell of each.
        ("backup_failed", ("critical", None)),
        ("backup_lost", ("critical", None)),
        ("backup_stores_down", ("critical", Some("backup.stores_down"))),
        ("wal_behind", ("critical", Some("wal.behind"))),
        ("wal_piles_up", ("critical", Some("wal.piles_up"))),
        ("wal_archiving_fails", ("critical", Some("wal.archiving_fails"))),
        ("wal_missing", ("critical", Some("wal.missing"))),
        ("backup_size_deviates", ("warning", Some("backup.size_deviates"))),
        ("backup_slow", ("warning", Some("backup.slow"))),
        ("backup_harmed", ("warning", Some("backup.harmed"))),
        ("backup_store_down", ("warning", Some("backup.store_down"))),
        ("backup_store_full", ("warning", Some("backup.store_filling"))),
        ("restore_not_proven", ("warning", Some("backup.restore_not_proven"))),
    ];
    assert_eq!(found, expected.into_iter().collect());
    let (alerts, events) =
        (include_str!("../../../docs/backup.md"), include_str!("../../../docs/notifications.md"));
    for kind in found.keys() {
        assert!(alerts.contains(&format!("`{kind}`")), "docs/backup.md does not name {kind}");
    }
    for kind in
        EventKind::ALL.iter().map(|kind| kind.as_str()).filter(|kind| !kind.starts_with("notification."))
    {
        assert!(events.contains(&format!("`{kind}`")), "docs/notifications.md does not name {kind}");
    }
}

#[test]
fn what_was_never_verified_is_not_called_whole() {
    let says = |unverified, long_unverified| {
        let mut facts = well();
        let of = &mut facts.verifications;
        (of.unverified, of.long_unverified) = (unverified, long_unverified);
        if unverified == of.backups {
            (of.last_verified_at, of.oldest_verified_at) = (None, None);
        }
        let health = judge(&facts, at(0.0));
        health.factors.into_iter().find(|factor| factor.name == "integrity").unwrap().says
    };
    assert_eq!(says(0, 0), "all 40 backups are whole, as of 3 h ago or later");
    assert_eq!(
        says(2, 0),
        "2 of 40 backups were never verified; the others are whole, as of 3 h ago or later"
    );
    assert!(says(2, 1).starts_with("2 of 40 backups were never verified, 1 of them older than three hours;"));
    assert_eq!(says(40, 0), "none of 40 backups was ever verified");
}
