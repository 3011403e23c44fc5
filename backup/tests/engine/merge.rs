//! Rows of tenants, back into a database that runs.

use crate::place::Place;
use backup::engine::Run;
use backup::error::Error;
use backup::kinds::tenant::Tenants;
use backup::kinds::{full, tenant};
use backup::restore::merge::{Conflict, KEYS_MAX, Kept, MergeWish, Merged, Policy, perform};
use backup::stores::BackupFolder;

async fn tenant_backup(place: &Place) -> BackupFolder {
    let chosen = Tenants::These(vec![place.tenants[0]]);
    let mut taken = tenant::create(&place.protected, &chosen, None, &Run::default()).await.expect("backups");
    taken.remove(0).1.expect("a backup").manifest.folder().expect("a folder")
}

fn wish(policy: Policy, dry_run: bool, tenants: Tenants) -> MergeWish {
    MergeWish { tenants, policy, dry_run, without_safety_backup: false }
}

fn of(merged: &Merged, table: &str) -> [u64; 5] {
    let c = merged.comparisons.iter().find(|c| c.table == table).unwrap_or_else(|| panic!("{table}"));
    [c.missing, c.equal, c.different, c.extra, c.changed]
}

const HARM: &str = "
    DELETE FROM matches WHERE ordinal <= 5;
    DELETE FROM schedules;
    UPDATE projects SET name = 'newer';
    INSERT INTO files (id, project_id, name, size_bytes, sha256, object_key, uploaded_by)
    SELECT gen_random_uuid(), id, 'newer', 1, sha256('x'), 'newer ' || id, created_by FROM projects";

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_brings_back_what_is_missing_and_leaves_what_is_newer() {
    let place = Place::new().await;
    let before = place.figures().await;
    let folder = tenant_backup(&place).await;
    place.execute(HARM).await;
    let harmed = place.figures().await;

    let target = &place.protected.target;
    let dry = wish(Policy::Preserve, true, Tenants::All);
    let counted =
        perform(place.engine(), target, &folder, &dry, None, &Run::default()).await.expect("a dry run");
    assert!(counted.is_dry_run);
    assert_eq!(place.figures().await, harmed, "a dry run changes nothing");
    assert_eq!(of(&counted, "matches"), [95, 855, 0, 0, 95]);
    assert_eq!(of(&counted, "projects"), [0, 0, 1, 0, 0]);
    let conflict =
        |merged: &Merged| merged.comparisons.iter().flat_map(|c| c.conflicts.clone()).collect::<Vec<_>>();
    let expected = |kept| Conflict { key: place.tenants[0].to_string(), columns: vec!["name".into()], kept };
    assert_eq!(conflict(&counted), [expected(Kept::Live)]);
    assert_eq!(of(&counted, "files"), [0, 10, 0, 1, 0]);
    let table = |name: &str| counted.comparisons.iter().find(|c| c.table == name).expect("a table");
    let (matches, files) = (table("matches"), table("files"));
    assert_eq!(
        (matches.added.len(), matches.only_live.len()),
        (KEYS_MAX, 0),
        "the first of many: {matches:?}"
    );
    assert!(matches.added.iter().all(|key| key.contains(", ") && key.ends_with(['1', '2', '3', '4', '5'])));
    assert_eq!((files.added.len(), files.only_live.len()), (0, 1));
    assert!(files.only_live[0].parse::<uuid::Uuid>().is_ok(), "{files:?}");
    assert_eq!(of(&counted, "users"), [0, 2, 0, 0, 0]);

    let preserve = wish(Policy::Preserve, false, Tenants::All);
    let merged =
        perform(place.engine(), target, &folder, &preserve, None, &Run::default()).await.expect("a merge");
    assert_eq!(merged.comparisons, counted.comparisons);
    assert_eq!(merged.safety_backups.len(), 1);
    assert_eq!(place.count("SELECT count(*) FROM schedules").await, 1, "the other tenant is left alone");
    assert_eq!(place.count("SELECT count(*) FROM projects WHERE name = 'newer'").await, 2);

    let overwrite = wish(Policy::Overwrite, false, Tenants::All);
    let refused = perform(place.engine(), target, &folder, &overwrite, None, &Run::default()).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    let name = place.name();
    let merged = perform(place.engine(), target, &folder, &overwrite, Some(&name), &Run::default())
        .await
        .expect("a merge");
    assert_eq!(of(&merged, "projects"), [0, 0, 1, 0, 1]);
    assert_eq!(conflict(&merged), [expected(Kept::Backup)]);
    assert_eq!(place.count("SELECT count(*) FROM projects WHERE name = 'Acme'").await, 1);
    // What is newer was taken out by hand: all else is as it was.
    place
        .execute(
            "DELETE FROM files WHERE name = 'newer'; UPDATE projects SET name = 'Bolt' WHERE name = 'newer'",
        )
        .await;
    let of_tables =
        |figures: &[backup::postgres::Figures], name: &str| figures.iter().find(|f| f.table == name).cloned();
    for table in ["projects", "files", "jobs", "attempts", "job_events", "reconciliations"] {
        assert_eq!(of_tables(&place.figures().await, table), of_tables(&before, table), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_jobs_and_people_did_since_the_backup_is_not_turned_back() {
    let place = Place::new().await;
    let folder = tenant_backup(&place).await;
    place
        .execute(
            "UPDATE jobs SET fence = fence + 7;
             UPDATE reconciliations SET name = 'since';
             DELETE FROM project_members;
             INSERT INTO review_verdicts (decision_id, decided_by, verdict, judged_by, reason)
             SELECT w.decision_id, d.decided_by, 'refused', u.id, 'no' FROM review_waiting w
             JOIN review_decisions d ON d.id = w.decision_id JOIN users u ON u.id <> d.decided_by
             ON CONFLICT DO NOTHING;
             DELETE FROM review_waiting",
        )
        .await;
    let fences = "SELECT sum(fence)::bigint FROM jobs";
    let before = place.count(fences).await;
    let (target, name) = (&place.protected.target, place.name());
    let wish = wish(Policy::Overwrite, false, Tenants::All);
    perform(place.engine(), target, &folder, &wish, Some(&name), &Run::default()).await.expect("a merge");
    assert_eq!(place.count(fences).await, before, "a fence is never given out twice");
    assert_eq!(place.count("SELECT count(*) FROM reconciliations WHERE name <> 'since'").await, 0);
    assert_eq!(place.count("SELECT count(*) FROM project_members").await, 0, "who was let out stays out");
    assert_eq!(place.count("SELECT count(*) FROM review_waiting").await, 0, "what was judged waits no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_gone_comes_back_from_its_own_backup_and_from_a_full_one() {
    let place = Place::new().await;
    let before = place.figures().await;
    let folders = [
        tenant_backup(&place).await,
        full::create(&place.protected, None, &Run::default())
            .await
            .expect("a backup")
            .manifest
            .folder()
            .expect("one"),
    ];
    for folder in folders {
        place
            .execute(
                "WITH gone AS (SELECT id FROM jobs WHERE project_id = '00000000-0000-0000-0000-00000000000a')
                 DELETE FROM matches WHERE job_id IN (SELECT id FROM gone);
                 DELETE FROM exceptions WHERE job_id IN (SELECT id FROM jobs WHERE project_id = '00000000-0000-0000-0000-00000000000a');
                 DELETE FROM rejected_lines WHERE job_id IN (SELECT id FROM jobs WHERE project_id = '00000000-0000-0000-0000-00000000000a');
                 DELETE FROM matched_records WHERE job_id IN (SELECT id FROM jobs WHERE project_id = '00000000-0000-0000-0000-00000000000a');
                 DELETE FROM concurrency_limits WHERE name = '00000000-0000-0000-0000-00000000000a';
                 DELETE FROM reconciliations WHERE project_id = '00000000-0000-0000-0000-00000000000a';
                 INSERT INTO job_ledger SELECT 0, count(*) FROM jobs WHERE project_id = '00000000-0000-0000-0000-00000000000a';
                 DELETE FROM jobs WHERE project_id = '00000000-0000-0000-0000-00000000000a';
                 DELETE FROM batches WHERE project_id = '00000000-0000-0000-0000-00000000000a';
                 DELETE FROM data_sources WHERE project_id = '00000000-0000-0000-0000-00000000000a';
                 DELETE FROM projects WHERE name = 'Acme'",
            )
            .await;
        let chosen = wish(Policy::Preserve, false, Tenants::These(vec![place.tenants[0]]));
        let merged =
            perform(place.engine(), &place.protected.target, &folder, &chosen, None, &Run::default()).await;
        let merged = merged.expect("a merge");
        assert!(merged.comparisons.iter().all(|c| c.extra == 0 && c.different == 0), "{merged:?}");
        let after = place.figures().await;
        let differs: Vec<_> =
            before.iter().zip(&after).filter(|(b, a)| b != a).map(|(b, _)| b.table.clone()).collect();
        // The books have other lines, and the same sum.
        assert_eq!(differs, ["job_ledger"], "{after:?}");
        let unaccounted =
            "SELECT (SELECT sum(accepted) - sum(removed) FROM job_ledger)::bigint - count(*) FROM jobs";
        assert_eq!(place.count(unaccounted).await, 0);
    }
    assert_eq!(place.scratch_left().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_conflict_by_another_key_are_reported_and_nothing_changes() {
    let place = Place::new().await;
    let folder = tenant_backup(&place).await;
    place
        .execute("DELETE FROM schedules; INSERT INTO schedules (id, project_id, name, kind, args, priority, cron, time_zone, missed_runs)
             SELECT gen_random_uuid(), id, 'NIGHTLY', 'clean_up', '{}', 5, '0 2 * * *', 'UTC', 'once' FROM projects")
        .await;
    let before = place.figures().await;
    let preserve = wish(Policy::Preserve, false, Tenants::All);
    let refused =
        perform(place.engine(), &place.protected.target, &folder, &preserve, None, &Run::default()).await;
    let Err(Error::Refused(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("schedules_name_unique_in_project"), "{why}");
    assert_eq!(place.figures().await, before);
}
