use super::*;
use crate::wal::WalFile;
use chrono::TimeZone;
use proptest::prelude::*;

fn at(text: &str) -> DateTime<Utc> {
    Utc.from_utc_datetime(&chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").expect("a time"))
}

fn good(number: u128, taken_at: DateTime<Utc>) -> Kept {
    Kept {
        id: Uuid::from_u128(number),
        line: "full".into(),
        taken_at,
        condition: Condition::Good,
        protected: false,
        needs: None,
        wal_from: None,
    }
}

/// One a day at two in the morning, the oldest first.
fn daily(days: u32, until: DateTime<Utc>) -> Vec<Kept> {
    (0..days).map(|day| good(u128::from(day), until - Duration::days(i64::from(days - 1 - day)))).collect()
}

fn kept_days(backups: &[Kept], plan: &Plan, reason: &Reason) -> Vec<String> {
    let of =
        |id: &Uuid| backups.iter().find(|backup| backup.id == *id).expect("a backup of the list").taken_at;
    let kept = plan.kept.iter().filter(|(_, reasons)| reasons.contains(reason));
    kept.map(|(id, _)| of(id).format("%Y-%m-%d").to_string()).collect()
}

#[test]
fn grandfather_father_and_son_over_three_years() {
    let until = at("2026-11-22 02:00");
    let backups = daily(1000, until);
    let policy = Policy { days: 1, ..Policy::default() };
    let plan = plan(&backups, &policy, at("2026-11-22 09:00"));
    let days = |reason| kept_days(&backups, &plan, &reason);
    assert_eq!(
        days(Reason::Daily),
        ["2026-11-22", "2026-11-21", "2026-11-20", "2026-11-19", "2026-11-18", "2026-11-17", "2026-11-16"]
    );
    // Sundays end a week; the current one is represented by its newest day so far.
    assert_eq!(days(Reason::Weekly), ["2026-11-22", "2026-11-15", "2026-11-08", "2026-11-01"]);
    assert_eq!(days(Reason::Monthly)[..3], ["2026-11-22", "2026-10-31", "2026-09-30"]);
    assert_eq!(days(Reason::Monthly).len(), 12);
    assert_eq!(days(Reason::Yearly), ["2026-11-22", "2025-12-31", "2024-12-31"]);
    assert_eq!(plan.kept.len() + plan.removed.len(), backups.len());
}

#[test]
fn ninety_days_are_kept_whole_by_default() {
    let now = at("2026-11-22 09:00");
    let backups = daily(400, at("2026-11-22 02:00"));
    let plan = plan(&backups, &Policy::default(), now);
    assert_eq!(kept_days(&backups, &plan, &Reason::Recent).len(), 90);
}

#[test]
fn the_last_good_backup_stays_however_old_and_however_many_bad_ones_follow() {
    let mut backups = daily(10, at("2020-01-10 02:00"));
    for backup in &mut backups[4..] {
        backup.condition = Condition::Bad;
    }
    let none = Policy { days: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
    let plan = plan(&backups, &none, at("2026-11-22 09:00"));
    assert_eq!(plan.kept, [(Uuid::from_u128(3), BTreeSet::from([Reason::LastGood]))]);
}

#[test]
fn a_kept_backup_keeps_what_it_needs_and_its_wal() {
    let mut backups = daily(4, at("2020-01-04 02:00"));
    for (number, backup) in backups.iter_mut().enumerate() {
        backup.wal_from = Some(Segment { timeline: 1, number: number as u64 * 10 });
        backup.needs = (number > 1).then(|| Uuid::from_u128(number as u128 - 1));
    }
    let none = Policy { days: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
    let plan = plan(&backups, &none, at("2026-11-22 09:00"));
    let kept: Vec<Uuid> = plan.kept.iter().map(|(id, _)| *id).collect();
    assert_eq!(kept, [3, 2, 1].map(Uuid::from_u128), "the chain down to the full backup");
    assert_eq!(plan.removed, [Uuid::from_u128(0)]);
    assert_eq!(plan.wal_from, Some(Segment { timeline: 1, number: 10 }));
}

#[test]
fn what_people_protect_and_what_is_being_taken_stays() {
    let mut backups = daily(3, at("2020-01-03 02:00"));
    backups[0].protected = true;
    backups[1].condition = Condition::Running;
    let none = Policy { days: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
    let plan = plan(&backups, &none, at("2026-11-22 09:00"));
    assert!(plan.removed.is_empty(), "{plan:?}");
}

fn any_backups() -> impl Strategy<Value = Vec<Kept>> {
    let one = (0..3u8, 0..3000i64, 0..8u8, any::<bool>(), 0..60usize, 0..3u8);
    prop::collection::vec(one, 0..60).prop_map(|drawn| {
        let start = at("2020-01-01 00:00");
        let draw = |(number, (line, hours, condition, _, needs, protected)): (
            usize,
            (u8, i64, u8, bool, usize, u8),
        )| Kept {
            line: format!("line {line}"),
            condition: match condition {
                0 => Condition::Bad,
                1 => Condition::Running,
                _ => Condition::Good,
            },
            protected: protected == 0,
            needs: (needs < number && needs % 3 == 0).then(|| Uuid::from_u128(needs as u128)),
            wal_from: (hours % 2 == 0).then_some(Segment { timeline: 1, number: hours as u64 }),
            ..good(number as u128, start + Duration::hours(hours * 8))
        };
        drawn.into_iter().enumerate().map(draw).collect()
    })
}

const SEGMENT_BYTES: u64 = 16 << 20;

/// Timelines from 1 on: which one each branched off from, and in which segment it begins.
fn any_timelines() -> impl Strategy<Value = Vec<(u32, u64)>> {
    prop::collection::vec((any::<prop::sample::Index>(), 0..40u64), 0..6).prop_map(|drawn| {
        let mut timelines = vec![(0, 0)];
        for (ancestor, later) in drawn {
            let ancestor = ancestor.index(timelines.len());
            timelines.push((ancestor as u32 + 1, timelines[ancestor].1 + later));
        }
        timelines
    })
}

/// What recovery from a base backup may ask for, wherever it goes: the rest of its own timeline, and of every one that
/// branched off from there on.
fn asked_for(timelines: &[(u32, u64)], from: Segment) -> Vec<WalFile> {
    let mut entered = BTreeMap::from([(from.timeline, from.number)]);
    for (timeline, (ancestor, begins)) in (1..).zip(timelines) {
        if entered.get(ancestor).is_some_and(|entered| entered <= begins) {
            entered.entry(timeline).or_insert(*begins);
        }
    }
    let files = |(timeline, first): (u32, u64)| {
        (first..first + 60).map(move |number| WalFile::numbered(timeline, number, SEGMENT_BYTES))
    };
    entered.into_iter().flat_map(files).collect()
}

proptest! {
    #[test]
    fn no_wal_goes_that_a_kept_backup_leads_to_over_any_switch_of_timelines(
        timelines in any_timelines(), days in 1..60u32,
        bases in prop::collection::vec((any::<prop::sample::Index>(), 0..50u64, 0..120i64), 1..12),
    ) {
        let now = at("2026-11-22 09:00");
        let backups: Vec<Kept> = (0..).zip(&bases).map(|(number, (timeline, later, age))| {
            let timeline = timeline.index(timelines.len());
            let wal_from = Segment { timeline: timeline as u32 + 1, number: timelines[timeline].1 + later };
            Kept { wal_from: Some(wal_from), line: "base".into(), ..good(number, now - Duration::days(*age)) }
        }).collect();
        let policy = Policy { days, daily: 1, weekly: 0, monthly: 1, yearly: 0 };
        let planned = plan(&backups, &policy, now);
        let from = planned.wal_from.expect("a backup is kept, and needs WAL");
        let kept = |backup: &&Kept| planned.kept.iter().any(|(id, _)| *id == backup.id);
        for backup in backups.iter().filter(kept) {
            for file in asked_for(&timelines, backup.wal_from.expect("a base backup")) {
                prop_assert!(!file.is_before(from, SEGMENT_BYTES), "{file} of {backup:?} goes, from {from:?}");
            }
        }
        // It is the beginning of one of them: what is before is of no use to any.
        prop_assert!(backups.iter().filter(kept).any(|backup| backup.wal_from == Some(from)));
        let last_before = from.number.checked_sub(1);
        if let Some(number) = last_before {
            prop_assert!(WalFile::numbered(from.timeline, number, SEGMENT_BYTES).is_before(from, SEGMENT_BYTES));
        }
        for timeline in 1..from.timeline {
            prop_assert!(WalFile::numbered(timeline, 1000, SEGMENT_BYTES).is_before(from, SEGMENT_BYTES));
        }
    }

    #[test]
    fn nothing_that_is_needed_ever_goes(
        backups in any_backups(), days in 0..900i64, policy in (1..100u32, 0..8u32, 0..5u32, 0..13u32, 0..6u32),
        turn in any::<prop::sample::Index>(),
    ) {
        let (days_kept, daily, weekly, monthly, yearly) = policy;
        let policy = Policy { days: days_kept, daily, weekly, monthly, yearly };
        let now = at("2020-01-01 00:00") + Duration::days(days);
        let planned = plan(&backups, &policy, now);
        prop_assert_eq!(planned.kept.len() + planned.removed.len(), backups.len());

        let kept: BTreeSet<Uuid> = planned.kept.iter().map(|(id, _)| *id).collect();
        for backup in &backups {
            if !kept.contains(&backup.id) {
                prop_assert!(!backup.protected && backup.condition != Condition::Running);
                prop_assert!(backup.taken_at < now - Duration::days(i64::from(days_kept)));
                continue;
            }
            if let Some(needs) = backup.needs {
                prop_assert!(kept.contains(&needs), "a chain without its base");
            }
            if let Some(wal) = backup.wal_from {
                prop_assert!(planned.wal_from.is_some_and(|from| from <= wal), "WAL of a kept backup");
            }
        }
        // Of every line that has a good backup a good one stays, the newest.
        for line in ["line 0", "line 1", "line 2"] {
            let newest = backups.iter()
                .filter(|b| b.line == line && b.condition == Condition::Good)
                .max_by_key(|b| (b.taken_at, b.id));
            prop_assert!(newest.is_none_or(|b| kept.contains(&b.id)));
        }
        // The order of the list means nothing, and a second run finds nothing more to do.
        let mut turned = backups.clone();
        if !turned.is_empty() {
            turned.rotate_left(turn.index(backups.len()));
        }
        prop_assert_eq!(&plan(&turned, &policy, now), &planned);
        let left: Vec<Kept> = backups.iter().filter(|b| kept.contains(&b.id)).cloned().collect();
        prop_assert_eq!(plan(&left, &policy, now).removed, Vec::<Uuid>::new());
    }
}
