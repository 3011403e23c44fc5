//! The whole database: there and back.

use crate::place::{KEY, OTHER_KEY, Place};
use backup::catalogue;
use backup::engine::Run;
use backup::error::Error;
use backup::kinds::full;
use backup::postgres::differences;
use backup::restore::drill;
use backup::restore::full::{acknowledge, perform, plan};
use backup::restore::plan::Wish;
use backup::stores::BackupClass;
use backup::verify::verify;
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_comes_back_as_it_was_and_what_was_there_is_kept() {
    let place = Place::new().await;
    let before = place.figures().await;
    let created =
        full::create(&place.protected, Some("for the test".into()), &Run::default()).await.expect("a backup");
    assert!(created.commit.counts && created.commit.owed_to.is_empty());
    assert_eq!(created.manifest.figures(), before);
    assert!(created.manifest.rows() > 2000, "{}", created.manifest.rows());

    place
        .execute(
            "DELETE FROM exceptions; UPDATE projects SET name = 'changed'; CREATE TABLE newer (a integer)",
        )
        .await;
    let folder = created.manifest.folder().expect("a folder");
    let server = &place.protected.target;
    let planned = plan(place.engine(), server, &folder, Wish::default()).await.expect("a plan");
    let shown = planned.plan.to_string();
    assert!(shown.contains("will stay as") && shown.contains("take a backup"), "{shown}");

    for confirm in [None, Some("yes"), Some("postgres")] {
        let refused = perform(place.engine(), server, &planned, confirm, &Run::default()).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    }
    let name = place.name();
    let report =
        perform(place.engine(), server, &planned, Some(&name), &Run::default()).await.expect("a restore");
    assert!(report.is_proven(), "{report:?}");
    assert_eq!(report.checks.len(), 5, "{:?}", report.checks);
    assert_eq!(differences(&before, &place.figures().await), Vec::<String>::new());

    let kept_as = report.kept_as.expect("it was there");
    let kept = backup::postgres::Target::new(place.database.options()).with_database(&kept_as);
    let mut session = kept.connect().await.expect("it is still there, and open");
    let changed: i64 = sqlx::query_scalar("SELECT count(*) FROM projects WHERE name = 'changed'")
        .fetch_one(&mut session)
        .await
        .expect("counting");
    assert_eq!(changed, 2);
    drop(session);

    // Nobody was told yet: the same restore again finds that it is done, and needs nobody's consent. Once they were
    // told, it is a new one.
    let again = plan(place.engine(), server, &folder, Wish::default()).await.expect("a plan");
    assert_eq!(again.plan.in_place.as_ref().and_then(|done| done.kept_as.clone()), Some(kept_as.clone()));
    let done = perform(place.engine(), server, &again, None, &Run::default()).await.expect("nothing to do");
    assert!(done.is_proven() && done.steps.is_empty() && done.safety_backup.is_none(), "{done:?}");
    acknowledge(server, &name).await.expect("telling");
    let again = plan(place.engine(), server, &folder, Wish::default()).await.expect("a plan");
    assert!(again.plan.in_place.is_none() && again.plan.kept_as.is_some());

    // The safety backup is a backup like any other.
    let safety = report.safety_backup.expect("one was taken");
    let found = catalogue::find(place.engine(), &safety.to_string()).await.expect("it is in the stores");
    assert_eq!(found.class, BackupClass::Full);
    place.drop_database(&kept_as).await;
    assert_eq!(place.scratch_left().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_proves_a_backup_and_leaves_nothing() {
    let place = Place::new().await;
    let created = full::create(&place.protected, None, &Run::default()).await.expect("a backup");
    let folder = created.manifest.folder().expect("a folder");
    // What happens after the backup does not disturb its proof.
    place.execute("DELETE FROM matches").await;
    let report = drill::perform(place.engine(), &place.protected.target, &folder, &Run::default())
        .await
        .expect("a drill");
    assert!(report.is_proven(), "{report:?}");
    assert_eq!((report.rows, report.target.clone()), (created.manifest.rows(), None));
    assert_eq!(place.scratch_left().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_make_sense_is_found_though_it_was_backed_up_that_way() {
    let place = Place::new().await;
    place
        .execute(
            r#"UPDATE reconciliations SET balance = jsonb_set(balance, '{0,right_total}', '"80.00"')
           WHERE job_id = (SELECT job_id FROM reconciliations LIMIT 1);
           DELETE FROM matches WHERE ordinal = 7;
           DELETE FROM job_ledger"#,
        )
        .await;
    let created = full::create(&place.protected, None, &Run::default()).await.expect("a backup");
    let folder = created.manifest.folder().expect("a folder");
    let report = drill::perform(place.engine(), &place.protected.target, &folder, &Run::default())
        .await
        .expect("a drill");
    let failed: Vec<&str> = report.checks.iter().filter(|c| !c.is_ok).map(|c| c.name.as_str()).collect();
    assert_eq!(
        failed,
        [
            "balance proofs close",
            "every match and exception of a reconciliation is there",
            "every accepted job is accounted for"
        ],
        "{report:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_opens_nothing_and_an_older_one_does() {
    let place = Place::new().await;
    let created = full::create(&place.protected, None, &Run::default()).await.expect("a backup");
    let folder = created.manifest.folder().expect("a folder");
    let server = &place.protected.target;
    let other = place.engine_with(&[OTHER_KEY]);
    let refused = plan(&other, server, &folder, Wish::default()).await.err();
    assert!(matches!(refused, Some(Error::Key(_))), "{refused:?}");
    let rotated = place.engine_with(&[OTHER_KEY, KEY]);
    let report = drill::perform(&rotated, server, &folder, &Run::default()).await.expect("a drill");
    assert!(report.is_proven());
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_one_store_is_healed_and_in_all_refused_before_anything_is_touched() {
    let place = Place::new().await;
    let created = full::create(&place.protected, None, &Run::default()).await.expect("a backup");
    let folder = created.manifest.folder().expect("a folder");
    let packs = |store: &str| -> Vec<_> {
        place.files(store).into_iter().filter(|f| f.to_string_lossy().contains("/dump-")).collect()
    };
    flip(&packs("near")[0]);
    let report = drill::perform(place.engine(), &place.protected.target, &folder, &Run::default()).await;
    assert!(report.expect("the other store has it").is_proven());

    let verified =
        verify(place.engine(), &created.manifest, false, &Run::default()).await.expect("a verification");
    assert_eq!((verified.stores["near"].damaged.len(), verified.stores["far"].damaged.len()), (1, 0));
    assert!(verified.is_good() && !verified.is_whole_everywhere());
    let healed =
        verify(place.engine(), &created.manifest, true, &Run::default()).await.expect("a verification");
    assert!(healed.is_whole_everywhere(), "{healed:?}");
    let again =
        verify(place.engine(), &created.manifest, false, &Run::default()).await.expect("a verification");
    assert_eq!(again.stores["near"].damaged, Vec::<String>::new());

    flip(&packs("near")[0]);
    fs::remove_file(&packs("far")[0]).expect("removing");
    let lost =
        verify(place.engine(), &created.manifest, true, &Run::default()).await.expect("a verification");
    assert!(!lost.is_good());
    let before = place.figures().await;
    let planned = plan(
        place.engine(),
        &place.protected.target,
        &folder,
        Wish { without_safety_backup: true, ..Wish::default() },
    )
    .await
    .expect("a plan");
    let refused =
        perform(place.engine(), &place.protected.target, &planned, Some(&place.name()), &Run::default())
            .await;
    assert!(matches!(refused, Err(Error::Damaged { .. })), "{refused:?}");
    assert_eq!(place.figures().await, before);
    assert_eq!(place.scratch_left().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_stopped_or_fails_leaves_nothing() {
    let place = Place::new().await;
    let run = Run::default();
    run.stop.cancel();
    let stopped = full::create(&place.protected, None, &run).await;
    assert!(matches!(stopped, Err(Error::Stopped)), "{stopped:?}");
    // A table that nobody may read makes pg_dump fail.
    place.execute("CREATE ROLE counterfoil_test_reader LOGIN; GRANT CREATE ON SCHEMA public TO counterfoil_test_reader").await;
    let mut lame = place.protected.clone();
    lame.target = backup::postgres::Target::new(place.database.options().username("counterfoil_test_reader"));
    let failed = full::create(&lame, None, &Run::default()).await;
    place.execute("DROP OWNED BY counterfoil_test_reader; DROP ROLE counterfoil_test_reader").await;
    assert!(matches!(failed, Err(Error::Program { .. } | Error::Database { .. })), "{failed:?}");
    assert_eq!(place.files("near"), place.files("far"));
    assert!(place.files("near").is_empty(), "{:?}", place.files("near"));
    assert!(place.scratch_dirs().is_empty(), "{:?}", place.scratch_dirs());
}

fn flip(path: &std::path::Path) {
    let mut bytes = fs::read(path).expect("reading");
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("writing");
}
