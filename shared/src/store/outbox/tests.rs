//! How the relay's statements are performed when the outbox is long.

use super::*;
use crate::testing::TestDatabase;
use serde_json::Value;
use sqlx::AssertSqlSafe;

const ROWS: i64 = 200_000;
const TENANTS: i64 = 50;

/// One tenant's flood and a few rows of others, as after a burst: never analysed.
async fn flooded() -> (TestDatabase, Store) {
    let db = TestDatabase::create().await;
    let store = db.store();
    sqlx::query(
        "INSERT INTO outbox (job_id, queue, priority, project_id, concurrency_key)
         SELECT gen_random_uuid(), 'test', CASE WHEN n % 1000 = 0 THEN 9 ELSE 5 END,
                CASE WHEN n > $1 - 20 * $2 THEN lpad((n % $2 + 1)::text, 32, '0')::uuid
                     ELSE '00000000-0000-0000-0000-000000000001' END,
                CASE WHEN n % 3 = 0 THEN 'key-' || n % 7 ELSE '' END
         FROM generate_series(1, $1) AS n",
    )
    .bind(ROWS)
    .bind(TENANTS)
    .execute(store.pool())
    .await
    .expect("inserted");
    (db, store)
}

/// Rows read from tables and indexes, and the names of the scans, of a plan and all below it.
fn scans(plan: &Value, rows: &mut f64, names: &mut Vec<String>) {
    if let Some(relation) = plan["Relation Name"].as_str() {
        let number = |name: &str| plan[name].as_f64().unwrap_or(0.0);
        let read = number("Actual Rows") + number("Rows Removed by Filter");
        *rows += read * number("Actual Loops");
        names.push(format!("{} on {relation} {}", plan["Node Type"], plan["Index Name"]));
    }
    for below in plan["Plans"].as_array().into_iter().flatten() {
        scans(below, rows, names);
    }
}

#[tokio::test]
async fn a_look_at_a_long_outbox_reads_one_row_for_each_lane() {
    let (_db, store) = flooded().await;
    let explained: Value =
        sqlx::query_scalar(AssertSqlSafe(format!("EXPLAIN (ANALYZE, FORMAT JSON) {LANES}")))
            .bind("test")
            .bind((0..=9_i16).collect::<Vec<_>>())
            .bind(vec![Uuid::nil(); 10])
            .bind(256)
            .bind(32)
            .bind(Vec::<i16>::new())
            .bind(Vec::<Uuid>::new())
            .bind(Vec::<String>::new())
            .fetch_one(store.pool())
            .await
            .expect("explained");
    let (mut rows, mut names) = (0.0, vec![]);
    scans(&explained[0]["Plan"], &mut rows, &mut names);
    assert!(names.iter().all(|n| n.contains("outbox_lanes")), "{names:?}");
    let queue = QueueName::parse("test").expect("a name");
    let max = LanesMax { tenants: 256, keys: 32 };
    let (heads, _) = store.lanes(&queue, &LanesFrom::default(), max).await.expect("lanes");
    assert!(heads.len() > 2 * TENANTS as usize, "{}", heads.len());
    // A probe for each lane and each tenant, and one more at the end of each.
    assert!(rows <= 3.0 * heads.len() as f64, "{rows} rows for {} lanes", heads.len());
}

#[tokio::test]
async fn taking_doorbells_reads_what_it_takes() {
    let (_db, store) = flooded().await;
    let mut tx = store.begin().await.expect("begun");
    let explained: Value =
        sqlx::query_scalar(AssertSqlSafe(format!("EXPLAIN (ANALYZE, FORMAT JSON) {TAKE}")))
            .bind("test")
            .bind(vec![5_i16, 5])
            .bind(vec![Uuid::from_u128(1), Uuid::from_u128(2)])
            .bind(vec!["", ""])
            .bind(vec![100, 3])
            .fetch_one(&mut *tx)
            .await
            .expect("explained");
    let (mut rows, mut names) = (0.0, vec![]);
    scans(&explained[0]["Plan"], &mut rows, &mut names);
    assert!(names.iter().all(|n| n.contains("outbox_lanes")), "{names:?}");
    // Averages over both lanes are rounded.
    assert!(rows <= 105.0, "{rows}");
}
