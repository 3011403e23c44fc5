//! The forms of a match, and the ways in which rows come: whoever reads cannot tell which.

use super::results::{accept_reconciliation, many_matches, record};
use super::*;
use shared::store::results::*;
use shared::store::review::MatchFilter;
use shared::testing::TestDatabase;
use sqlx::PgConnection;
use tokio::sync::mpsc;

/// Records and reasons of every kind.
fn of_every_kind() -> Vec<StoredMatch> {
    let mut matches: Vec<StoredMatch> = many_matches(6).collect();
    let first_seen = FirstSeen { run: 2, job_id: JobId::new(), on: matches[0].left[0].date };
    matches[1].left.push(record(100, -7, "second of one side"));
    matches[2].right[0].fields.clear();
    matches[3].right[0].foreign = Some(StoredForeign { currency: "USD".into(), converted: 900 });
    matches[4].left[0].first_seen = Some(first_seen);
    matches[4].left[0].fields.clear();
    matches[5].tier = "suggested".into();
    matches[5].reasons.clear();
    (matches[5].open_side, matches[5].open_amount) = (Some("left".into()), Some(3));
    matches
}

async fn rows(conn: &mut PgConnection, table: &str, id: JobId) -> Vec<serde_json::Value> {
    let statement = format!(
        "SELECT to_jsonb(t) - 'job_id' FROM {table} t WHERE job_id = $1 AND ordinal < 6 ORDER BY ordinal"
    );
    sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).bind(id).fetch_all(conn).await.unwrap()
}

#[tokio::test]
async fn rows_are_the_same_however_many_there_are_and_whoever_encodes_them() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let [few, many, encoded] = [
        accept_reconciliation(&store).await,
        accept_reconciliation(&store).await,
        accept_reconciliation(&store).await,
    ];
    let every = of_every_kind();
    let all = || every.iter().cloned().chain(many_matches(INSERT_ROWS_MAX as i32 + 100).skip(6));
    let mut tx = store.begin().await.unwrap();
    write_matches(&mut tx, few, every.iter().cloned()).await.unwrap();
    assert_eq!(write_matches(&mut tx, many, all()).await.unwrap(), 600);
    let (sender, chunks) = mpsc::channel(1);
    let encode = async {
        let all: Vec<StoredMatch> = all().collect();
        for chunk in all.chunks(7) {
            let chunk = EncodedRows::of(encoded, chunk.iter().cloned());
            assert!(sender.send(chunk).await.is_ok());
        }
        drop(sender);
    };
    let (written, ()) = tokio::join!(copy_encoded(&mut tx, encoded, chunks), encode);
    assert_eq!(written.unwrap(), 600);
    let inserted = rows(&mut tx, "matches", few).await;
    assert_eq!(inserted.len(), 6);
    assert_eq!(rows(&mut tx, "matches", many).await, inserted);
    assert_eq!(rows(&mut tx, "matches", encoded).await, inserted);
    let all_of = async |conn: &mut PgConnection, id: JobId| -> Vec<String> {
        let statement =
            "SELECT (to_jsonb(m) - 'job_id')::text FROM matches m WHERE job_id = $1 ORDER BY ordinal";
        sqlx::query_scalar(statement).bind(id).fetch_all(conn).await.unwrap()
    };
    assert_eq!(all_of(&mut tx, many).await, all_of(&mut tx, encoded).await);
}

/// With which rows are kept as versions before migration 0090 read them (ops/runbooks/Rollout.md).
const AS_BEFORE: &str = "CREATE TRIGGER matches_as_before BEFORE INSERT OR UPDATE ON matches
                         FOR EACH ROW EXECUTE FUNCTION unpack_match()";
const REWRITE: &str = "UPDATE matches SET pass = pass WHERE left_packed IS NOT NULL";

#[tokio::test]
async fn matches_of_before_are_read_like_packed_ones() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let id = accept_reconciliation(&store).await;
    let mut tx = store.begin().await.unwrap();
    let every = of_every_kind();
    write_matches(&mut tx, id, every.iter().cloned()).await.unwrap();
    tx.commit().await.unwrap();
    let read = async || {
        let mut read = vec![format!("{:?}", store.matches(id, None, 0, 100).await.unwrap())];
        for text in ["second OF", "r3", "quoted", "ünï", "nowhere"] {
            let found = store.search_matches(id, text, None, 0, 100).await.unwrap();
            let filter = MatchFilter { text: Some(text.into()), ..MatchFilter::default() };
            let reviewed = store.search_reviewed_matches(id, &filter, None, 100).await.unwrap();
            assert_eq!(found.items.len(), reviewed.items.len(), "{text}");
            let ordinals: Vec<i32> = found.items.iter().map(|found| found.ordinal).collect();
            read.push(format!("{text}: {ordinals:?}"));
        }
        for (amount_min, amount_max) in [(Some(101), None), (Some(102), None), (None, Some(101))] {
            let filter = MatchFilter { amount_min, amount_max, ..MatchFilter::default() };
            let found = store.review_matches(id, &filter, None, 100).await.unwrap();
            let ordinals: Vec<i32> = found.iter().map(|item| item.found.ordinal).collect();
            read.push(format!("{amount_min:?} to {amount_max:?}: {ordinals:?}"));
        }
        let mut items = vec![];
        let visit = |item| {
            items.push(item);
            Ok::<_, String>(())
        };
        store.visit_open_items(id, visit).await.unwrap();
        read.push(format!("{items:?}"));
        read
    };
    let packed = read().await;
    assert_eq!(
        packed[1..6],
        ["second OF: [1]", "r3: [3]", "quoted: [0, 1, 2, 3, 5]", "ünï: [0, 1, 3, 4, 5]", "nowhere: []"]
    );
    assert_eq!(packed[7], "Some(102) to None: [3]", "what it was converted to counts");
    sqlx::query(AS_BEFORE).execute(store.pool()).await.unwrap();
    assert_eq!(sqlx::query(REWRITE).execute(store.pool()).await.unwrap().rows_affected(), 6);
    assert_eq!(read().await, packed);

    // What is written meanwhile is of that form at once.
    let many = accept_reconciliation(&store).await;
    let mut tx = store.begin().await.unwrap();
    let all = every.into_iter().chain(many_matches(INSERT_ROWS_MAX as i32 + 100).skip(6));
    write_matches(&mut tx, many, all).await.unwrap();
    assert_eq!(rows(&mut tx, "matches", many).await, rows(&mut tx, "matches", id).await);
    assert_eq!(sqlx::query(REWRITE).execute(&mut *tx).await.unwrap().rows_affected(), 0);
}
