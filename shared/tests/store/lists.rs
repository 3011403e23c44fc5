//! Lists by every combination of filters: right, and read from an index however many jobs there are.

use super::*;
use chrono::{DateTime, Utc};
use shared::ids::{BatchId, ProjectId, UserId, first_id_at};
use shared::store::jobs::{JobFilter, JobLine};
use shared::store::users::NewUser;
use shared::testing::TestDatabase;

/// 60,000 jobs: two projects and none, three kinds, all states, each common and each rare somewhere.
async fn fill(store: &Store) -> [ProjectId; 2] {
    let user = UserId::new();
    let new_user = NewUser {
        id: user,
        email: "a@b.c".into(),
        name: "Ada".into(),
        password_hash: "none".into(),
        is_platform_admin: false,
    };
    store.insert_user(&new_user).await.unwrap();
    let projects = [ProjectId::new(), ProjectId::new()];
    for project in projects {
        store.create_project(project, "Books", user).await.unwrap();
    }
    sqlx::query("INSERT INTO batches (id, name, jobs) VALUES ($1, 'b', 600)")
        .bind(batch())
        .execute(store.pool())
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO jobs (id, kind, queue, project_id, batch_id, state, priority, args, attempts_max, error,
                           request_id, created_at, finished_at, lease_worker, lease_expires_at)
         SELECT (substr(lpad(to_hex(1700000000000 + n * 1000), 12, '0'), 1, 12) || '7' || lpad(to_hex(n), 19, '0'))::uuid,
                kind, kind, CASE WHEN n % 10 = 0 THEN NULL WHEN n % 10 < 3 THEN $1 ELSE $2 END,
                CASE WHEN n % 100 = 7 THEN $3 END, state, 5, '{\"v\": 1}', 3,
                CASE WHEN state = 'dead' THEN format('cause %s failed', chr(97 + n % 7)) END, 'request-' || n,
                to_timestamp(1700000000 + n),
                CASE WHEN state IN ('completed', 'cancelled', 'dead') THEN now() END,
                CASE WHEN state = 'running' THEN 'worker-' || n END, CASE WHEN state = 'running' THEN now() END
         FROM (SELECT n, CASE WHEN n % 1000 = 5 THEN 'rare' WHEN n % 3 = 0 THEN 'mail' ELSE 'reconciliation' END AS kind,
                      (CASE WHEN n % 500 = 17 THEN 'dead' WHEN n % 997 = 3 THEN 'cancelled' WHEN n % 1499 = 4 THEN 'running'
                            WHEN n % 50 = 9 THEN 'available' WHEN n % 211 = 1 THEN 'scheduled' ELSE 'completed' END)::job_state
                      AS state
               FROM generate_series(1, 60000) AS n) AS made",
    )
    .bind(projects[0])
    .bind(projects[1])
    .bind(batch())
    .execute(store.pool())
    .await
    .unwrap();
    sqlx::query("VACUUM ANALYZE jobs").execute(store.pool()).await.unwrap();
    projects
}

fn batch() -> BatchId {
    BatchId(uuid::Uuid::from_u128(7))
}

fn at(n: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + n, 0).unwrap()
}

fn filters(projects: [ProjectId; 2]) -> Vec<JobFilter> {
    let mut all = vec![];
    let kinds = [None, Some("rare"), Some("reconciliation"), Some("nothing")];
    for project_id in [None, Some(projects[0]), Some(ProjectId::new())] {
        for kind in kinds {
            for state in [None, Some(JobState::Dead), Some(JobState::Completed), Some(JobState::Running)] {
                for batch_id in [None, Some(batch())] {
                    for (from, before) in [(None, None), (Some(at(20_000)), Some(at(40_000)))] {
                        all.push(JobFilter {
                            project_id,
                            kind: kind.and_then(JobKind::parse),
                            state,
                            batch_id,
                            created_from: from,
                            created_before: before,
                            ..Default::default()
                        });
                    }
                }
            }
        }
    }
    all
}

/// The same by reading everything.
fn fits(filter: &JobFilter, job: &JobLine) -> bool {
    filter.project_id.is_none_or(|id| job.project_id == Some(id))
        && filter.kind.as_ref().is_none_or(|kind| job.kind == kind.as_str())
        && filter.queue.as_ref().is_none_or(|queue| job.queue == queue.as_str())
        && filter.state.is_none_or(|state| job.state == state)
        && filter.batch_id.is_none_or(|id| job.batch_id == Some(id))
        && filter.created_from.is_none_or(|from| job.id.0 >= first_id_at(from))
        && filter.created_before.is_none_or(|before| job.id.0 < first_id_at(before))
        && filter.error_fingerprint.as_ref().is_none_or(|f| job.error_fingerprint.as_ref() == Some(f))
}

#[tokio::test]
async fn every_combination_of_filters_gives_the_right_jobs_without_reading_the_rest() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let projects = fill(&store).await;
    let everything = store.list_jobs(&JobFilter::default(), None, None, 100_000).await.unwrap();
    assert_eq!(everything.jobs.len(), 60_000);
    assert!(everything.jobs.is_sorted_by(|a, b| a.id > b.id));
    let mut filters = filters(projects);
    let fingerprint = everything.jobs.iter().find_map(|j| j.error_fingerprint.clone());
    assert!(fingerprint.is_some());
    for project_id in [None, Some(projects[1])] {
        for batch_id in [None, Some(batch())] {
            let of_group = JobFilter {
                project_id,
                batch_id,
                error_fingerprint: fingerprint.clone(),
                ..Default::default()
            };
            filters.push(JobFilter { state: Some(JobState::Completed), ..of_group.clone() });
            filters.push(of_group);
        }
    }
    filters.push(JobFilter { queue: Some(JobKind::parse("mail").unwrap().queue()), ..Default::default() });
    let before = rows_read(&db, store).await;
    let store = db.store();
    let mut asked = 0;
    for filter in &filters {
        let expected: Vec<_> =
            everything.jobs.iter().filter(|job| fits(filter, job)).map(|job| job.id).collect();
        // Two pages and where the third begins.
        let first = store.list_jobs(filter, None, None, 20).await.unwrap();
        let ids = |jobs: &[JobLine]| jobs.iter().map(|job| job.id).collect::<Vec<_>>();
        assert_eq!(ids(&first.jobs), expected[..expected.len().min(20)], "{filter:?}");
        assert_eq!(first.resume_after.is_some(), expected.len() > 20, "{filter:?}");
        asked += 1;
        if let Some(after) = first.resume_after {
            let second = store.list_jobs(filter, None, Some(after), 20).await.unwrap();
            assert_eq!(ids(&second.jobs), expected[20..expected.len().min(40)], "{filter:?}");
            asked += 1;
        }
        assert_eq!(
            store.count_jobs(filter, 500).await.unwrap(),
            expected.len().min(500) as u64,
            "{filter:?}"
        );
    }
    let after = rows_read(&db, store).await;
    assert_eq!(after.0, before.0, "no table was read whole");
    // Reading past other jobs would cost up to 60,000 rows each.
    let fetched = after.1 - before.1;
    println!("{asked} pages and {} counts fetched {fetched} rows", filters.len());
    assert!(fetched > 0 && fetched < (asked + filters.len() as i64) * 100, "{fetched}");
}

/// Sequential scans of `jobs` and rows fetched by its indexes, of all sessions so far. Sessions report when they end,
/// so the store is closed first.
async fn rows_read(db: &TestDatabase, store: Store) -> (i64, i64) {
    store.close().await;
    // One connection: a pool may open another beside one that it is still taking back, and that would not end.
    let mut conn = db.pool().acquire().await.unwrap();
    let ended = async {
        loop {
            let others: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
            )
            .fetch_one(&mut *conn)
            .await
            .unwrap();
            if others == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        sqlx::query_as(
            "SELECT seq_scan, coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = 'jobs'",
        )
        .fetch_one(&mut *conn)
        .await
        .unwrap()
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("the sessions end")
}

#[tokio::test]
async fn texts_are_looked_for_in_bounded_steps() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let projects = fill(&store).await;
    let of_project = JobFilter { project_id: Some(projects[1]), ..Default::default() };
    // Far back: the first page looks at the newest 5,000 and says where to go on.
    let mut pages = 0;
    let mut after = None;
    let found = loop {
        let page = store.list_jobs(&of_project, Some("REQUEST-1009"), after, 50).await.unwrap();
        pages += 1;
        if let Some(job) = page.jobs.iter().find(|job| job.request_id.as_deref() == Some("request-1009")) {
            break job.id;
        }
        after = page.resume_after;
        assert!(after.is_some(), "not found");
    };
    assert!(pages > 5, "{pages}");
    assert!(store.job(found).await.unwrap().is_some());
    // Wildcards are taken as they are.
    let dead = JobFilter { state: Some(JobState::Dead), ..Default::default() };
    let by_text = |text: &'static str| {
        let (store, dead) = (store.clone(), dead.clone());
        async move { store.list_jobs(&dead, Some(text), None, 500).await.unwrap().jobs.len() }
    };
    assert_eq!(by_text("cause _ failed").await, 0);
    assert_eq!(by_text("%").await, 0);
    assert!(by_text("Cause A").await > 0);
    assert_eq!(by_text("cause").await, 120);
}
