use super::*;

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
        },
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
        ("integrity-10 | ", Box::new(|f| f.verifications.never_verified = 3)),
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
    ];
    for (expected, change) in table {
        assert_eq!(seen(change), expected);
    }
}
