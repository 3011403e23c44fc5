use super::*;
use crate::manifest_samples::{at, manifest};

fn facts() -> Facts {
    Facts {
        server_major: 15,
        roles: ["owner".to_owned()].into(),
        may_create_databases: true,
        is_superuser: true,
        database_bytes: Some(5),
        sessions: 3,
        databases: ["live".to_owned()].into(),
        mark: None,
    }
}

fn plan_of(facts: &Facts, wish: &Wish) -> std::result::Result<Plan, Vec<String>> {
    plan_full(&manifest(BackupClass::Full, 1, 0), facts, wish, at(9))
}

#[test]
fn what_is_there_is_saved_first_and_swapped_last() {
    let plan = plan_of(&facts(), &Wish { jobs: 4, ..Wish::default() }).unwrap();
    let names: Vec<String> = plan.steps.iter().map(|step| step.to_string()).collect();
    assert!(names[0].starts_with("take a backup of live"), "{names:?}");
    assert_eq!(names[4], "rename live to live_before_20241004_090000, and the scratch database to live");
    assert!(plan.owners);
    assert!(plan.notes.iter().any(|note| note.contains("3 open sessions")), "{:?}", plan.notes);
}

#[test]
fn where_nothing_is_nothing_is_saved() {
    let facts = Facts { database_bytes: None, databases: BTreeSet::new(), ..facts() };
    let plan = plan_of(&facts, &Wish::default()).unwrap();
    assert_eq!((plan.kept_as.clone(), plan.steps.len()), (None, 4), "{plan}");
}

#[test]
fn unknown_roles_are_said_and_do_without() {
    let plan = plan_of(&Facts { roles: BTreeSet::new(), ..facts() }, &Wish::default()).unwrap();
    assert!(!plan.owners && plan.notes[0].contains("owner"), "{:?}", plan.notes);
}

#[test]
fn every_reason_against_it_comes_at_once() {
    let facts = Facts { server_major: 14, may_create_databases: false, ..facts() };
    let wish = Wish { database: Some("template1".into()), ..Wish::default() };
    let against = plan_full(&manifest(BackupClass::Tenant, 1, 0), &facts, &wish, at(9)).unwrap_err();
    assert_eq!(against.len(), 4, "{against:?}");
}

#[test]
fn the_name_that_is_kept_is_free_and_fits() {
    let long = "é".repeat(31) + "x";
    let first = kept_name(&long, at(9), &BTreeSet::new());
    let second = kept_name(&long, at(9), &[first.clone()].into());
    assert!(second == format!("{first}_2") && second.len() <= 63, "{second}");
}

#[test]
fn what_is_in_place_is_not_restored_again_unless_it_is_another_backup() {
    let backup = manifest(BackupClass::Full, 1, 0).id;
    let mark = |backup| RestoreMark::InPlace { backup, kept_as: Some("old".into()), at: at(8) };
    let plan = plan_of(&Facts { mark: Some(mark(backup)), ..facts() }, &Wish::default()).unwrap();
    assert!(plan.in_place.is_some() && plan.steps.is_empty() && plan.kept_as.is_none(), "{plan}");
    assert!(plan.notes.iter().any(|note| note.contains("old")), "{:?}", plan.notes);
    let loaded = RestoreMark::Loaded { backup, owners: true, at: at(8) };
    for mark in [mark(Uuid::nil()), loaded] {
        let plan = plan_of(&Facts { mark: Some(mark), ..facts() }, &Wish::default()).unwrap();
        assert!(plan.in_place.is_none() && plan.steps.len() == 5, "{plan}");
    }
}
