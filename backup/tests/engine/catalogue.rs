//! What the stores alone tell.

use crate::place::{OTHER_KEY, Place};
use backup::catalogue::{find, read};
use backup::engine::Run;
use backup::kinds::tenant::Tenants;
use backup::kinds::{configuration, full, tenant};
use backup::retention::{Condition, Policy, plan};
use chrono::Utc;

#[tokio::test(flavor = "multi_thread")]
async fn backups_are_found_without_a_database() {
    let place = Place::new().await;
    let whole = full::create(&place.protected, None, &Run::default()).await.expect("a backup").manifest;
    tenant::create(&place.protected, &Tenants::All, None, &Run::default()).await.expect("backups");
    let settings =
        configuration::create(&place.protected, None, &Run::default()).await.expect("a backup").manifest;
    let found = read(place.engine(), None).await.expect("a catalogue");
    assert_eq!(found.backups.len(), 4);
    assert_eq!(found.backups[0].folder.id, settings.id, "newest first");
    let of_whole = found.backups.iter().find(|b| b.folder.id == whole.id).expect("it is there");
    assert_eq!(of_whole.manifest.as_ref().expect("it opens").figures(), whole.figures());
    assert_eq!(of_whole.held_by.len(), 2);
    assert_eq!(find(place.engine(), &whole.id.to_string()).await.expect("by its id").id, whole.id);
    assert!(find(place.engine(), "0").await.is_err(), "too short to be meant");

    // Each is the last of its line, and stays whatever the policy.
    let kept: Vec<_> = found.backups.iter().map(|b| b.for_retention(false, false)).collect();
    let none = Policy { days: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
    let planned = plan(&kept, &none, Utc::now() + chrono::TimeDelta::days(1000));
    assert!(planned.removed.is_empty(), "{planned:?}");

    // With other keys they are there all the same, and say what is missing.
    let blind = read(&place.engine_with(&[OTHER_KEY]), None).await.expect("a catalogue");
    assert!(blind.backups.iter().all(|b| b.manifest.is_err()));
    assert!(blind.backups.iter().all(|b| b.for_retention(false, false).condition == Condition::Bad));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_configuration() {
    let place = Place::new().await;
    place.execute("UPDATE users SET password_hash = 'canary'").await;
    let taken = configuration::create(&place.protected, None, &Run::default()).await.expect("a backup");
    let (manifest, text) = backup::kinds::configuration::open(
        place.engine(),
        &taken.manifest.folder().expect("one"),
        &Run::default(),
    )
    .await
    .expect("it opens");
    assert_eq!(manifest.id, taken.manifest.id);
    assert!(
        text.contains("ann@example.org") && text.contains("nightly") && !text.contains("canary"),
        "{text}"
    );
}
