//! Results: written in bulk with the completion of their job, read by range, deleted whole.

use super::*;
use chrono::NaiveDate;
use shared::ids::{DataSourceId, FileId, ProjectId, UserId};
use shared::store::clean_up::Retention;
use shared::store::data_sources::NewDataSource;
use shared::store::files::NewFile;
use shared::store::jobs::{become_writer, confirm};
use shared::store::partitions::ExpiredResults;
use shared::store::reconciliations::{NewReconciliation, Summary, complete, insert};
use shared::store::results::*;
use shared::store::users::NewUser;
use shared::testing::TestDatabase;

/// Accepts a reconciliation with everything it refers to.
pub(super) async fn accept_reconciliation(store: &Store) -> JobId {
    let (user, project) = (UserId::new(), ProjectId::new());
    let email = format!("{user}@example.test");
    let new_user = NewUser {
        id: user,
        email,
        name: "Ada".into(),
        password_hash: "none".into(),
        is_platform_admin: false,
    };
    store.insert_user(&new_user).await.unwrap();
    store.create_project(project, "Books", user).await.unwrap();
    let mut sources = vec![];
    for name in ["left", "right"] {
        let (file, source) = (FileId::new(), DataSourceId::new());
        let new_file = NewFile {
            id: file,
            project_id: project,
            name: format!("{name}.csv"),
            size_bytes: 1,
            sha256: [0; 32],
            object_key: shared::objects::ObjectKey::for_upload(project, file),
            uploaded_by: user,
        };
        store.insert_file(&new_file).await.unwrap();
        let mapping = serde_json::json!({});
        let new_source = NewDataSource {
            id: source,
            project_id: project,
            file_id: file,
            name: name.into(),
            mapping,
            created_by: user,
        };
        store.insert_data_source(&new_source).await.unwrap();
        sources.push(source);
    }
    let job = NewJob { project_id: Some(project), created_by: Some(user), ..new_job() };
    let mut tx = store.begin().await.unwrap();
    enqueue(&mut tx, &job).await.unwrap();
    let new = NewReconciliation {
        job_id: job.id,
        project_id: project,
        name: "January".into(),
        left_source_id: sources[0],
        right_source_id: sources[1],
        rules: serde_json::json!({ "version": 1, "pass": [] }),
        continues: None,
    };
    insert(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    job.id
}

pub(super) fn record(row: u32, amount: i64, text: &str) -> StoredRecord {
    StoredRecord {
        row,
        line: u64::from(row) + 2,
        id: format!("R{row}"),
        date: NaiveDate::from_ymd_opt(2026, 1, 31).unwrap(),
        amount,
        foreign: None,
        fields: [("reference".to_owned(), text.to_owned())].into(),
        first_seen: None,
    }
}

fn matched(ordinal: i32, confidence: i32) -> StoredMatch {
    StoredMatch {
        ordinal,
        confidence,
        tier: "confirmed".into(),
        pass: 0,
        currency: "EUR".into(),
        difference: -1,
        left: vec![record(ordinal as u32, 100, "RE-1 \"quoted\" \\ back\u{0}zero")],
        right: vec![record(ordinal as u32, 101, "Ünïcode 💶")],
        reasons: vec![StoredReason { field: "amount".into(), says: "0.01 apart".into(), weight: 0.5 }],
        open_side: None,
        open_amount: None,
    }
}

pub(super) fn many_matches(how_many: i32) -> impl Iterator<Item = StoredMatch> {
    (0..how_many).map(|i| matched(i, 1_000_000 - i))
}

fn unmatched(ordinal: i32, kind: &str, side: &str) -> StoredException {
    StoredException {
        ordinal,
        kind: kind.into(),
        side: side.into(),
        currency: "JPY".into(),
        amount: i64::MIN + 1,
        record: record(ordinal as u32, 7, ""),
        says: "nothing like it".into(),
        candidates: vec![StoredCandidate {
            side: "right".into(),
            currency: "EUR".into(),
            records: vec![record(9, 7, "x")],
            confidence: 0.25,
            reasons: vec![],
        }],
        candidates_found: 12,
    }
}

fn summary(matches: i64, exceptions: i64) -> Summary {
    Summary {
        left_records: matches + exceptions,
        right_records: matches,
        left_matched: matches,
        right_matched: matches,
        matches,
        suggested: 0,
        exceptions,
        left_rejected: 0,
        right_rejected: 0,
        balance: vec![],
        exceptions_by_kind: [("missing_right".to_owned(), exceptions)].into(),
        passes: vec![],
    }
}

/// Runs the job as a worker would.
async fn write(store: &Store, id: JobId, matches: i32, exceptions: &[StoredException]) -> Lease {
    let lease = acquire(store, id).await;
    let mut tx = store.begin().await.unwrap();
    become_writer(&mut tx, store, &lease).await.unwrap();
    write_matches(&mut tx, id, (0..matches).map(|i| matched(i, 1_000_000 - i * 600))).await.unwrap();
    write_exceptions(&mut tx, id, exceptions.iter().cloned()).await.unwrap();
    let line = StoredRejectedLine {
        ordinal: 0,
        side: "left".into(),
        line: 17,
        column_name: None,
        reason: "the amount is empty".into(),
        excerpt: "a,,b\0".into(),
    };
    write_rejected_lines(&mut tx, id, [line].into_iter()).await.unwrap();
    complete(&mut tx, id, &summary(matches.into(), exceptions.len() as i64)).await.unwrap();
    release(&mut tx, &lease, &Finish::Completed { result: serde_json::json!({}) }).await.unwrap();
    tx.commit().await.unwrap();
    lease
}

#[tokio::test]
async fn what_was_written_is_read_back_page_by_page() {
    let db = TestDatabase::create().await;
    let store = db.store();
    // Few rows go in one INSERT, many by COPY.
    for count in [25, 1500] {
        let id = accept_reconciliation(&store).await;
        assert!(store.reconciliation(id).await.unwrap().unwrap().summary.is_none());
        let exceptions: Vec<_> = (0..count)
            .map(|i| unmatched(i, if i < 5 { "missing_right" } else { "ambiguous" }, "left"))
            .collect();
        write(&store, id, count, &exceptions).await;

        let first = store.matches(id, None, 0, 10).await.unwrap();
        let second = store.matches(id, Some(9), 0, 5000).await.unwrap();
        assert_eq!((first.len(), second.len() as i32), (10, count - 10));
        let mut expected = matched(0, 1_000_000);
        let text = expected.left[0].fields.get_mut("reference").unwrap();
        *text = text.replace('\0', "\u{fffd}");
        assert_eq!(first[0], expected);
        let certain = store.matches(id, None, 990_000, 100).await.unwrap();
        assert_eq!(certain.len(), 17, "1.000 down to 0.9904");

        assert_eq!(store.exceptions(id, None, None, 5000).await.unwrap(), exceptions);
        assert_eq!(store.exceptions(id, Some("ambiguous"), None, 5000).await.unwrap(), exceptions[5..]);
        assert_eq!(store.exceptions(id, None, Some(count - 1), 10).await.unwrap(), []);
        let lines = store.rejected_lines(id, None, 10).await.unwrap();
        assert_eq!((lines[0].line, lines[0].excerpt.as_str()), (17, "a,,b\u{fffd}"));
        let stored = store.reconciliation(id).await.unwrap().unwrap();
        assert_eq!(stored.summary, Some(summary(count.into(), count.into())));
        assert!(stored.completed_at.is_some());
    }
}

#[tokio::test]
async fn rows_that_a_frozen_worker_has_written_do_not_hold_up_the_next_one() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept_reconciliation(&store).await;
    let frozen = acquire(&store, id).await;
    let mut tx = store.begin().await.unwrap();
    become_writer(&mut tx, &store, &frozen).await.unwrap();
    write_matches(&mut tx, id, (0..3).map(|i| matched(i, 1000))).await.unwrap();
    // It still holds its connection, its rows and its lock when its lease has gone to somebody else.
    let_pass(&store, id, LEASE * 2).await;
    store.rescue(10, 3).await.unwrap();
    write(&store, id, 3, &[]).await;
    assert_eq!(store.matches(id, None, 0, 10).await.unwrap().len(), 3);
    assert!(complete(&mut tx, id, &summary(3, 0)).await.is_err(), "its session was ended");
}

#[tokio::test]
async fn a_worker_that_is_late_does_not_end_the_one_that_took_over() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept_reconciliation(&store).await;
    let late = acquire(&store, id).await;
    let_pass(&store, id, LEASE * 2).await;
    store.rescue(10, 3).await.unwrap();
    let current = acquire(&store, id).await;
    let mut writing = store.begin().await.unwrap();
    become_writer(&mut writing, &store, &current).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert!(matches!(become_writer(&mut tx, &store, &late).await, Err(ReleaseError::LeaseLost(_))));
    confirm(&mut writing, &current).await.unwrap();
}

#[tokio::test]
async fn results_of_a_lost_lease_vanish_with_it() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept_reconciliation(&store).await;
    let lease = acquire(&store, id).await;
    let_pass(&store, id, LEASE * 2).await;
    store.rescue(10, 3).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    write_matches(&mut tx, id, (0..3).map(|i| matched(i, 1000))).await.unwrap();
    complete(&mut tx, id, &summary(3, 0)).await.unwrap();
    assert!(release(&mut tx, &lease, &Finish::Completed { result: serde_json::json!({}) }).await.is_err());
    drop(tx);
    // The attempt that took over writes the same rows and meets nothing of the first.
    write(&store, id, 3, &[]).await;
    assert_eq!(store.matches(id, None, 0, 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_summary_that_forgets_a_record_is_refused() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept_reconciliation(&store).await;
    let mut tx = store.begin().await.unwrap();
    let forgets = Summary { exceptions: 1, ..summary(3, 2) };
    let refused = complete(&mut tx, id, &forgets).await.unwrap_err();
    assert_eq!(refused.constraint(), Some("reconciliations_every_record_once"));
}

#[tokio::test]
async fn a_finished_reconciliation_is_deleted_whole_and_a_running_one_not_at_all() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let (kept, deleted) = (accept_reconciliation(&store).await, accept_reconciliation(&store).await);
    assert!(!store.delete_reconciliation(deleted).await.unwrap(), "not finished");
    for id in [kept, deleted] {
        write(&store, id, 2, &[unmatched(0, "duplicate", "right")]).await;
    }
    assert!(store.delete_reconciliation(deleted).await.unwrap());
    assert_eq!(store.job_balance().await.unwrap().unaccounted(), 0);
    assert!(store.reconciliation(deleted).await.unwrap().is_none());
    assert!(store.matches(deleted, None, 0, 10).await.unwrap().is_empty());
    assert!(store.exceptions(deleted, None, None, 10).await.unwrap().is_empty());
    assert!(store.rejected_lines(deleted, None, 10).await.unwrap().is_empty());
    assert_eq!(store.matches(kept, None, 0, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn every_page_is_a_range_of_an_index() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept_reconciliation(&store).await;
    write(&store, id, 500, &[unmatched(0, "duplicate", "right")]).await;
    sqlx::query("ANALYZE matches, exceptions, rejected_lines").execute(store.pool()).await.unwrap();
    for page in [
        "SELECT * FROM matches WHERE job_id = $1 AND ordinal > 200 ORDER BY ordinal LIMIT 50",
        "SELECT * FROM exceptions WHERE job_id = $1 AND ordinal > 0 ORDER BY ordinal LIMIT 50",
        "SELECT * FROM exceptions WHERE job_id = $1 AND kind = 'ambiguous' AND ordinal > 0 ORDER BY ordinal LIMIT 50",
        "SELECT * FROM rejected_lines WHERE job_id = $1 AND ordinal > 0 ORDER BY ordinal LIMIT 50",
    ] {
        let mut tx = store.begin().await.unwrap();
        // With a handful of rows a scan is cheaper; at volume only the index is left.
        sqlx::query("SET LOCAL enable_seqscan = off").execute(&mut *tx).await.unwrap();
        let statement = format!("EXPLAIN (COSTS OFF) {}", page.replace("$1", &format!("'{id}'")));
        let plan: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_all(&mut *tx).await.unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains("Index"), "{page}\n{plan}");
        assert!(!plan.contains("Sort") && !plan.contains("Append"), "one partition, in order:\n{plan}");
    }
}

#[tokio::test]
async fn a_month_past_its_retention_is_dropped_whole() {
    let db = TestDatabase::create().await;
    let store = db.store();
    store.ensure_result_partitions().await.unwrap();
    store.ensure_result_partitions().await.unwrap();
    let recent = accept_reconciliation(&store).await;
    write(&store, recent, 2, &[]).await;

    // A reconciliation of half a year ago, in a partition of its own.
    let back = chrono::Utc::now() - chrono::TimeDelta::days(180);
    sqlx::query("SELECT ensure_result_partitions($1)").bind(back).execute(store.pool()).await.unwrap();
    let old_id = accept_reconciliation_at(&store, back).await;
    let (day, nothing) = (Duration::from_secs(86_400), ExpiredResults::default());
    assert!(store.drop_expired_results(day * 60, 100).await.unwrap() == nothing, "its job has not finished");
    write(&store, old_id, 3, &[]).await;
    assert!(
        store.drop_expired_results(day * 60, 100).await.unwrap() == nothing,
        "its job has only just finished"
    );
    let_pass(&store, old_id, day * 180).await;
    let overdue = store.results_overdue(day * 60).await.unwrap();
    assert!((day * 85..day * 121).contains(&overdue), "{overdue:?}: its month ended so long ago");
    assert_eq!(store.results_overdue(day * 365).await.unwrap(), Duration::ZERO);
    assert!(store.drop_expired_results(day * 365, 100).await.unwrap() == nothing, "still kept");
    let removed = store.drop_expired_results(day * 60, 1).await.unwrap();
    assert_eq!(removed, ExpiredResults { jobs: 1, partitions: vec![] }, "first what points at the month");
    assert!(store.job(old_id).await.unwrap().is_none());
    let dropped = store.drop_expired_results(day * 60, 1).await.unwrap();
    assert_eq!((dropped.jobs, dropped.partitions.len()), (0, 4), "{dropped:?}");
    assert_eq!(store.results_overdue(day * 60).await.unwrap(), Duration::ZERO);
    assert!(store.job(old_id).await.unwrap().is_none());
    assert_eq!(store.job_balance().await.unwrap().unaccounted(), 0, "what retention removes is booked");
    assert!(store.drop_expired_results(day * 60, 100).await.unwrap() == nothing);
    assert_eq!(store.matches(recent, None, 0, 10).await.unwrap().len(), 2);
}

/// As if it had been accepted by a process whose clock showed `at`.
async fn accept_reconciliation_at(store: &Store, at: chrono::DateTime<chrono::Utc>) -> JobId {
    let old = accept_reconciliation(store).await;
    let old_id = JobId(shared::ids::first_id_at(at));
    for statement in [
        "UPDATE reconciliations SET job_id = $2 WHERE job_id = $1",
        "UPDATE outbox SET job_id = $2 WHERE job_id = $1",
    ] {
        let mut tx = store.begin().await.unwrap();
        if statement.contains("reconciliations") {
            sqlx::query(
                "INSERT INTO jobs (id, kind, queue, project_id, state, priority, args, attempts_max, created_by)
                 SELECT $2, kind, queue, project_id, state, priority, args, attempts_max, created_by
                 FROM jobs WHERE id = $1",
            )
            .bind(old)
            .bind(old_id)
            .execute(&mut *tx)
            .await
            .unwrap();
        }
        sqlx::query(statement).bind(old).bind(old_id).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }
    old_id
}

#[tokio::test]
async fn results_that_a_clock_far_off_put_beside_the_months_are_removed_with_their_jobs() {
    let db = TestDatabase::create().await;
    let store = db.store();
    store.ensure_result_partitions().await.unwrap();
    let kept = accept_reconciliation(&store).await;
    write(&store, kept, 2, &[]).await;
    let day = Duration::from_secs(86_400);
    let years = chrono::TimeDelta::days(3 * 365);
    for at in [chrono::Utc::now() - years, chrono::Utc::now() + years] {
        let stray = accept_reconciliation_at(&store, at).await;
        let retention = Retention { finished: day * 60, idempotency_keys: day };
        assert!(store.clean_up(&retention, 100).await.unwrap().is_empty(), "its job has not finished");
        write(&store, stray, 3, &[]).await;
        assert!(store.clean_up(&retention, 100).await.unwrap().is_empty(), "its job has only just finished");
        let_pass(&store, stray, day * 61).await;
        assert_eq!(store.clean_up(&retention, 100).await.unwrap().jobs, 1);
        assert!(store.job(stray).await.unwrap().is_none());
        assert!(store.matches(stray, None, 0, 10).await.unwrap().is_empty());
        assert_eq!(store.job_balance().await.unwrap().unaccounted(), 0, "what retention removes is booked");
    }
    assert_eq!(store.matches(kept, None, 0, 10).await.unwrap().len(), 2);
}
