//! Hot queries read as much as they show, however much there is: counted in rows on every run of the tests, and in
//! milliseconds on demand:
//!
//! `COUNTERFOIL_VOLUME=10000000 sh ops/test.sh -p shared --test store volume -- --ignored --nocapture`

use super::results::accept_reconciliation;
use super::*;
use shared::ids::{ProjectId, UserId};
use shared::store::PoolLimits;
use shared::store::audit::{AuditFilter, AuditedBy, Context, Note, Tenant};
use shared::store::jobs::JobFilter;
use shared::store::review::*;
use shared::store::text::TEXT_WINDOW;
use shared::testing::TestDatabase;
use std::time::{Duration, Instant};

/// Of every page below.
const PAGE: u32 = 50;

/// A store with one connection, so that its statistics are those of the statements.
async fn one_connection(db: &TestDatabase) -> Store {
    let limits =
        PoolLimits { connections_max: 1, acquire_timeout: Duration::from_secs(60), ..PoolLimits::default() };
    Store::new(db.options(), &limits)
}

struct Filled {
    job: JobId,
    project: ProjectId,
}

/// One run with `results` matches and half as many exceptions, of which one in ten is settled, between two smaller
/// runs; `jobs` finished jobs; a chain of `records` in the audit log.
async fn fill(store: &Store, results: i64, jobs: i64, records: i64) -> Filled {
    let before = accept_reconciliation(store).await;
    let job = accept_reconciliation(store).await;
    let after = accept_reconciliation(store).await;
    for (id, share) in [(before, 10), (job, 1), (after, 10)] {
        sqlx::query(
            "INSERT INTO matches (job_id, ordinal, confidence, tier, pass, currency, difference, left_records,
                                  right_records, reasons)
             SELECT $1, n, greatest(1000000 - n / 10, 0),
                    CASE WHEN n % 10 = 9 THEN 'suggested' ELSE 'confirmed' END::match_tier, 0, 'EUR', 0,
                    jsonb_build_array(jsonb_build_object('row', n, 'line', n + 2, 'id', 'L' || n, 'date', '2026-01-05',
                        'amount', n * 7 % 100000, 'fields', jsonb_build_object('reference', 'INV-' || n))),
                    jsonb_build_array(jsonb_build_object('row', n, 'line', n + 2, 'id', 'R' || n, 'date', '2026-01-06',
                        'amount', n * 7 % 100000, 'fields', jsonb_build_object('reference', 'INV ' || n))),
                    '[{\"field\": \"amount\", \"says\": \"the same\", \"weight\": 0.5}]'
             FROM generate_series(0, $2 - 1) AS n",
        )
        .bind(id)
        .bind(results / share)
        .execute(store.pool())
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO exceptions (job_id, ordinal, kind, side, currency, amount, record, says, candidates,
                                     candidates_found)
             SELECT $1, n, CASE n % 50 WHEN 49 THEN 'missing_left' ELSE 'missing_right' END::exception_kind,
                    CASE n % 50 WHEN 49 THEN 'right' ELSE 'left' END::record_side, 'EUR', n * 7919 % 1000003,
                    jsonb_build_object('row', n + $2, 'line', n + 2, 'id', 'X' || n,
                        'date', date '2026-01-01' + (n % 90)::integer, 'amount', n * 7919 % 1000003,
                        'fields', jsonb_build_object('reference', 'INV-' || n)),
                    'nothing like it', '[]', 0
             FROM generate_series(0, $2 / 2 - 1) AS n",
        )
        .bind(id)
        .bind(results / share)
        .execute(store.pool())
        .await
        .unwrap();
        sqlx::query(
            "UPDATE reconciliations SET left_records = 1, right_records = 0, left_matched = 1, right_matched = 0,
                    matches = 0, suggested = 0, exceptions = 0, left_rejected = 0, right_rejected = 0, balance = '[]',
                    exceptions_by_kind = '{}', passes = '[]', completed_at = now() WHERE job_id = $1",
        )
        .bind(id)
        .execute(store.pool())
        .await
        .unwrap();
    }
    let run = store.reconciliation(job).await.unwrap().unwrap();
    let by: UserId = sqlx::query_scalar("SELECT created_by FROM projects WHERE id = $1")
        .bind(run.project_id)
        .fetch_one(store.pool())
        .await
        .unwrap();
    // At the front of the list, where every page of open ones would have to pass them.
    let settled: Vec<Item> =
        (0..(results / 20).min(50_000) as i32).map(|ordinal| Item { ordinal, version: None }).collect();
    let new = NewDecision {
        job_id: job,
        by,
        request_id: None,
        action: Action::WriteOff,
        subject: Subject::Exception,
        items: settled,
        right: vec![],
        flip_sign: false,
        assignee: None,
        due_on: None,
        reason_code: Some("other".into()),
        comment: None,
        undoes: None,
        is_bulk: true,
    };
    let mut tx = store.begin().await.unwrap();
    let started_at = Instant::now();
    decide(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
    println!("{} exceptions written off as one: {:.1?}", new.items.len(), started_at.elapsed());
    sqlx::query(
        "INSERT INTO jobs (id, kind, queue, project_id, state, priority, args, attempts_max, finished_at)
         SELECT gen_random_uuid(), 'reconciliation', 'reconciliation', $1,
                CASE WHEN n % 20 = 0 THEN 'dead' ELSE 'completed' END::job_state, 5, '{}', 3, now()
         FROM generate_series(1, $2) AS n",
    )
    .bind(run.project_id)
    .bind(jobs)
    .execute(store.pool())
    .await
    .unwrap();
    let mut tx = store.begin().await.unwrap();
    for n in 0..records {
        let by =
            AuditedBy { user_id: Some(UserId(uuid::Uuid::from_u128(n as u128 % 7))), ..Default::default() };
        let action = if n % 50 == 0 { "rare.change" } else { "often.change" };
        let note = Note::of(run.project_id, "thing", n % 100);
        Context::new(action, by).around(note.write(&mut tx)).await.unwrap();
    }
    tx.commit().await.unwrap();
    sqlx::query("VACUUM ANALYZE").execute(store.pool()).await.unwrap();
    Filled { job, project: run.project_id }
}

/// Rows that statements have read so far: from tables, and from indexes.
async fn rows_read(store: &Store) -> i64 {
    // Reported with the next statement that ends a transaction, and read by the one after that.
    sqlx::query("SELECT pg_stat_force_next_flush()").execute(store.pool()).await.unwrap();
    sqlx::query("SELECT 1").execute(store.pool()).await.unwrap();
    sqlx::query_scalar(
        "SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables)::bigint
              + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)::bigint",
    )
    .fetch_one(store.pool())
    .await
    .unwrap()
}

fn day(n: i64) -> chrono::NaiveDate {
    chrono::NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + chrono::TimeDelta::days(n)
}

/// What finding by hand begins with. One record in fifty is on the right.
fn of_a_side() -> ExceptionFilter {
    ExceptionFilter {
        state: Some(ExceptionState::Open),
        side: Some("right"),
        currency: Some("EUR".into()),
        is_waiting: Some(false),
        ..Default::default()
    }
}

/// What is looked at all the time, each from the middle of what there is.
async fn look(store: &Store, filled: &Filled, which: usize, middle: i32) -> Option<&'static str> {
    let Filled { job, project } = *filled;
    let open = || ExceptionFilter { state: Some(ExceptionState::Open), ..Default::default() };
    let after = |ordinal| Some(ExceptionCursor { ordinal, key: i64::from(middle) });
    let records = |filter: AuditFilter| async move {
        store.audit_records(Tenant::from(project), &filter, None, PAGE).await.unwrap().len()
    };
    let what = match which {
        0 => {
            store.matches(job, Some(middle), 0, PAGE).await.unwrap();
            "results page"
        }
        1 => {
            store.exceptions(job, None, Some(middle / 2), PAGE).await.unwrap();
            "exceptions page"
        }
        2 => {
            store.review_exceptions(job, &open(), ExceptionOrder::Found, None, PAGE).await.unwrap();
            "queue, first open ones"
        }
        3 => {
            let after = after(middle / 2);
            store.review_exceptions(job, &open(), ExceptionOrder::Found, after, PAGE).await.unwrap();
            "queue, a later page"
        }
        4 => {
            let after = after(0);
            store.review_exceptions(job, &open(), ExceptionOrder::Amount, after, PAGE).await.unwrap();
            "queue, by amount"
        }
        5 => {
            let filter = MatchFilter {
                tier: Some("suggested"),
                state: Some(MatchState::AsFound),
                ..Default::default()
            };
            store.review_matches(job, &filter, Some(middle), PAGE).await.unwrap();
            "suggestions to review"
        }
        6 => {
            store.review_exception(job, middle / 4).await.unwrap();
            "one exception"
        }
        7 => {
            store.places_of_records(job, &[("left".into(), middle as u32)]).await.unwrap();
            "where a record is"
        }
        8 => {
            store.decisions(job, HistoryOf::Item(Subject::Exception, 3), None, PAGE).await.unwrap();
            "history of an item"
        }
        9 => {
            let filter = ExceptionFilter { assignee: Some(Who::User(UserId::new())), ..open() };
            store.review_exceptions(job, &filter, ExceptionOrder::Found, None, PAGE).await.unwrap();
            "queue, mine"
        }
        10 => {
            records(AuditFilter::default()).await;
            "audit list"
        }
        11 => {
            records(AuditFilter { action: Some("rare.change".into()), ..Default::default() }).await;
            "audit list by action"
        }
        12 => {
            let (subject_kind, subject_id) = (Some("thing".into()), Some("7".into()));
            records(AuditFilter { subject_kind, subject_id, ..Default::default() }).await;
            "audit list by subject"
        }
        13 => {
            let filter = JobFilter { project_id: Some(project), ..Default::default() };
            store.list_jobs(&filter, None, None, PAGE).await.unwrap();
            "job list"
        }
        14 => {
            store.reconciliation_lines(project, None, None, PAGE).await.unwrap();
            "reconciliations"
        }
        15 => {
            store.waiting_decisions(project, None, None, PAGE).await.unwrap();
            "what waits"
        }
        16 => {
            store.review_counts(job, chrono::NaiveDate::from_ymd_opt(2026, 4, 1).unwrap()).await.unwrap();
            "counts of a review"
        }
        17 => {
            store.review_proof(job).await.unwrap();
            "proof of a review"
        }
        18 => {
            let period = Duration::from_secs(30 * 86_400);
            store.job_states(project, period).await.unwrap();
            store.statistics(project, period).await.unwrap();
            "dashboard"
        }
        19 => {
            let filter = ExceptionFilter { text: Some("INV-1".into()), ..open() };
            store.search_exceptions(job, &filter, ExceptionOrder::Amount, after(0), PAGE).await.unwrap();
            "queue, a text that many have"
        }
        20 => {
            let filter = ExceptionFilter { text: Some("nowhere".into()), ..open() };
            store.search_exceptions(job, &filter, ExceptionOrder::Found, None, PAGE).await.unwrap();
            "queue, a text that none has"
        }
        21 => {
            store.search_matches(job, "nowhere", None, 0, PAGE).await.unwrap();
            "results, a text that none has"
        }
        22 => {
            let filter = MatchFilter { text: Some("nowhere".into()), ..Default::default() };
            store.search_reviewed_matches(job, &filter, None, PAGE).await.unwrap();
            "matches under review, a text that none has"
        }
        23 => {
            store.review_exceptions(job, &of_a_side(), ExceptionOrder::Amount, after(0), PAGE).await.unwrap();
            "find and match, the rarer side by amount"
        }
        24 => {
            let filter =
                ExceptionFilter { dated_from: Some(day(20)), dated_through: Some(day(40)), ..of_a_side() };
            store.review_exceptions(job, &filter, ExceptionOrder::Day, None, PAGE).await.unwrap();
            "find and match, by day"
        }
        25 => {
            store.open_records_beginning(job, "left", "inv-1", PAGE).await.unwrap();
            "find and match, what begins so"
        }
        26 => {
            let filter = ExceptionFilter { dated_from: Some(day(80)), ..of_a_side() };
            store.search_exceptions(job, &filter, ExceptionOrder::Amount, None, PAGE).await.unwrap();
            "find and match, days by amount"
        }
        _ => return None,
    };
    Some(what)
}

#[tokio::test]
async fn what_is_looked_at_often_reads_little_more_than_it_shows() {
    let db = TestDatabase::create().await;
    let store = one_connection(&db).await;
    let filled = fill(&store, 20_000, 20_000, 1_000).await;
    for which in 0.. {
        // Once before, for the catalogue.
        look(&store, &filled, which, 9_000).await;
        let before = rows_read(&store).await;
        let around = rows_read(&store).await - before;
        let Some(what) = look(&store, &filled, which, 9_000).await else { break };
        let read = rows_read(&store).await - before - 2 * around;
        let most = match which {
            // Adds up figures that are kept for it: one per sort and day.
            16 | 17 => 5_000,
            // Counts the jobs of its period in an index: what is measured below, and cached.
            18 => continue,
            // One window, and once more through an index to its end.
            19..=22 | 26 => i64::from(TEXT_WINDOW) * 3,
            _ => i64::from(PAGE) * 8,
        };
        assert!(read <= most, "{what} read {read} rows");
    }
}

#[tokio::test]
async fn texts_are_looked_for_in_bounded_steps_until_the_end() {
    let db = TestDatabase::create().await;
    let store = one_connection(&db).await;
    let Filled { job, .. } = fill(&store, 90_000, 1, 1).await;
    let found = async |text: &str, order: ExceptionOrder| {
        let filter = ExceptionFilter {
            text: Some(text.into()),
            state: Some(ExceptionState::Open),
            ..Default::default()
        };
        let (mut pages, mut ids, mut after) = (0, vec![], None);
        loop {
            let looked = store.search_exceptions(job, &filter, order, after, 7).await.unwrap();
            pages += 1;
            ids.extend(looked.items.into_iter().map(|item| item.found.record.id));
            after = looked.resume_after;
            if after.is_none() {
                return (pages, ids);
            }
        }
    };
    // 40,500 open ones, behind 4,500 that are settled: three windows, whether there is something in them or not.
    for order in [ExceptionOrder::Found, ExceptionOrder::Amount] {
        assert_eq!(found("x44999", order).await, (3, vec!["X44999".into()]), "{order:?}");
        assert_eq!(found("inv-44998", order).await, (3, vec!["X44998".into()]), "{order:?}");
        assert_eq!(found("X7", order).await.1.len(), 1_000, "{order:?}");
        assert_eq!(found("INV_44998", order).await, (3, vec![]), "{order:?}");
    }
    let (mut pages, mut after) = (0, None);
    loop {
        let looked = store.search_matches(job, "r89999", after, 0, 7).await.unwrap();
        pages += 1;
        after = looked.resume_after;
        assert_eq!(looked.items.len(), usize::from(after.is_none()));
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, 5);
    // Below the least confidence nothing is looked at.
    let looked = store.search_matches(job, "r89999", None, 999_000, 7).await.unwrap();
    assert_eq!((looked.items.len(), looked.resume_after), (0, None));
}

#[tokio::test]
async fn any_open_record_of_a_large_run_is_found() {
    let db = TestDatabase::create().await;
    let store = one_connection(&db).await;
    let Filled { job, .. } = fill(&store, 90_000, 1, 1).await;
    // 45,000 exceptions, the first 4,500 of them settled.
    for n in [4_549, 20_100, 44_999_i64] {
        let side = if n % 50 == 49 { "right" } else { "left" };
        let begins = async |text: String| -> Vec<i32> {
            let found = store.open_records_beginning(job, side, &text, PAGE).await.unwrap();
            found.into_iter().map(|item| item.found.ordinal).collect()
        };
        assert_eq!(begins(format!("x{n}")).await, [n as i32], "by its id");
        assert_eq!(begins(format!("inv-{n}")).await, [n as i32], "by its reference");
        assert_eq!(begins(format!("NV-{n}")).await, [0i32; 0], "which does not begin so");
        let amount = n * 7919 % 1_000_003;
        for order in [ExceptionOrder::Amount, ExceptionOrder::Day] {
            let filter = ExceptionFilter {
                side: Some(side),
                amount_min: Some(amount),
                amount_max: Some(amount),
                dated_from: Some(day(n % 90)),
                dated_through: Some(day(n % 90)),
                ..of_a_side()
            };
            let looked = store.search_exceptions(job, &filter, order, None, PAGE).await.unwrap();
            let found: Vec<i32> = looked.items.iter().map(|item| item.found.ordinal).collect();
            assert_eq!((found, looked.resume_after), (vec![n as i32], None), "{order:?}");
        }
    }
    let settled = store.open_records_beginning(job, "left", "X44", 100).await.unwrap();
    assert!(settled.iter().all(|item| item.found.ordinal >= 4_500), "those that were settled are not open");
    let long = "X".repeat(150);
    assert_eq!(store.open_records_beginning(job, "left", &long, PAGE).await.unwrap().len(), 0);

    // Page by page each of a side comes once, in order, whatever the order.
    for order in [ExceptionOrder::Found, ExceptionOrder::Amount, ExceptionOrder::Day] {
        let (mut seen, mut after) = (vec![], None);
        loop {
            let looked = store.search_exceptions(job, &of_a_side(), order, after, 77).await.unwrap();
            seen.extend(looked.items);
            after = looked.resume_after;
            if after.is_none() {
                break;
            }
        }
        let keys: Vec<i64> = seen.iter().map(|item| ExceptionCursor::of(item, order).key).collect();
        let ordered = match order {
            ExceptionOrder::Amount => keys.is_sorted_by(|one, next| one >= next),
            _ => keys.is_sorted(),
        };
        assert!(ordered, "{order:?}");
        let ordinals: std::collections::BTreeSet<i32> = seen.iter().map(|item| item.found.ordinal).collect();
        assert_eq!((seen.len(), ordinals.len()), (810, 810), "{order:?}");
    }
}

#[tokio::test]
#[ignore = "a measurement"]
async fn volume() {
    let results: i64 =
        std::env::var("COUNTERFOIL_VOLUME").map_or(1_000_000, |n| n.parse().expect("a number"));
    let db = TestDatabase::create().await;
    let store = one_connection(&db).await;
    let started_at = Instant::now();
    let filled = fill(&store, results, results / 10, 20_000).await;
    println!("{results} matches, {} exceptions: filled in {:.0?}", results / 2, started_at.elapsed());
    for which in 0.. {
        let mut took = vec![];
        let mut name = None;
        for n in 0..200i32 {
            let middle = (i64::from(n) * 7_919_231 % results) as i32;
            let started_at = Instant::now();
            name = look(&store, &filled, which, middle).await;
            took.push(started_at.elapsed());
        }
        let Some(name) = name else { break };
        took.sort();
        println!("{name}: p50 {:.1?}, p95 {:.1?}, most {:.1?}", took[100], took[190], took[199]);
    }
    let mut writes = vec![];
    for n in 0..100 {
        let started_at = Instant::now();
        let mut tx = store.begin().await.unwrap();
        let by = AuditedBy::default();
        Context::new("a.change", by)
            .around(Note::of(filled.project, "thing", n).write(&mut tx))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        writes.push(started_at.elapsed());
    }
    writes.sort();
    println!("an audit record and its commit: p50 {:.1?}, p95 {:.1?}", writes[50], writes[95]);
}
