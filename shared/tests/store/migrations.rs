//! Migrations, and what the schema itself promises.

use super::*;
use shared::testing::TestDatabase;

#[tokio::test]
async fn an_empty_database_is_brought_up_once_however_many_try() {
    let db = TestDatabase::create_empty().await;
    let store = db.store();
    assert!(!store.is_migrated().await.unwrap());
    let tries = futures_util::future::join_all((0..3).map(|_| store.migrate())).await;
    assert!(tries.iter().all(Result::is_ok), "{tries:?}");
    assert!(store.is_migrated().await.unwrap());
    store.migrate().await.unwrap();
}

#[tokio::test]
async fn states_in_rust_and_postgres_are_the_same() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let labels = async |name: &str| -> Vec<String> {
        sqlx::query_scalar(
            "SELECT enumlabel::text FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid
             WHERE typname = $1 ORDER BY enumsortorder",
        )
        .bind(name)
        .fetch_all(store.pool())
        .await
        .unwrap()
    };
    assert_eq!(labels("job_state").await, JobState::ALL.map(|s| s.as_str().to_owned()));
    let outcomes = shared::schedule::TickOutcome::ALL.map(|outcome| outcome.as_str().to_owned());
    assert_eq!(labels("tick_outcome").await, outcomes);
    let missed_runs = shared::schedule::MissedRuns::ALL.map(|policy| policy.as_str().to_owned());
    assert_eq!(labels("missed_runs").await, missed_runs);
    {
        use shared::store::backups::{BackupKind, BackupState, CopyState, RestoreMode, RestoreState};
        let stored = labels("backup_class").await;
        assert_eq!(stored, BackupKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>());
        let stored = labels("backup_state").await;
        assert_eq!(stored, BackupState::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>());
        let stored = labels("backup_copy_state").await;
        assert_eq!(stored, CopyState::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>());
        let stored = labels("restore_mode").await;
        assert_eq!(stored, RestoreMode::ALL.iter().map(|mode| mode.as_str()).collect::<Vec<_>>());
        let stored = labels("restore_state").await;
        assert_eq!(stored, RestoreState::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>());
    }
    {
        use shared::store::review::*;
        let stored = labels("match_state").await;
        assert_eq!(stored, MatchState::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>());
        let stored = labels("exception_state").await;
        assert_eq!(stored, ExceptionState::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>());
        let stored = labels("hand_match_state").await;
        assert_eq!(stored, HandMatchState::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>());
        let stored = labels("review_action").await;
        assert_eq!(stored, Action::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>());
        let stored = labels("review_subject").await;
        assert_eq!(stored, Subject::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>());
        let stored = labels("review_verdict").await;
        assert_eq!(stored, Verdict::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>());
    }
    let mut kinds: Vec<String> = matching::ExceptionKind::ALL.map(|k| k.as_str().to_owned()).into();
    // Only review makes these.
    kinds.push("released".into());
    let mut stored = labels("exception_kind").await;
    kinds.sort();
    stored.sort();
    assert_eq!(stored, kinds);
}

#[tokio::test]
async fn a_running_job_without_a_lease_cannot_be_written() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept(&store, &new_job()).await;
    for statement in [
        "UPDATE jobs SET state = 'running' WHERE id = $1",
        "UPDATE jobs SET state = 'completed' WHERE id = $1",
        "UPDATE jobs SET finished_at = now() WHERE id = $1",
        "UPDATE jobs SET priority = 10 WHERE id = $1",
    ] {
        let refused = sqlx::query(statement).bind(id).execute(store.pool()).await.unwrap_err();
        let error = shared::store::StoreError::from(refused);
        assert!(error.constraint().is_some_and(|c| c.starts_with("jobs_")), "{statement}: {error}");
    }
}
