//! Requests that are sent again.

use super::*;
use shared::ids::UserId;
use shared::store::idempotency::{KeyedRequest, Seen, StoredAnswer, begin_request, keep_answer};
use shared::store::users::NewUser;
use shared::testing::TestDatabase;

const DAY: Duration = Duration::from_secs(86_400);

async fn user(store: &Store) -> UserId {
    let id = UserId::new();
    let new = NewUser {
        id,
        email: format!("{id}@example.test"),
        name: "Ada".into(),
        password_hash: "none".into(),
        is_platform_admin: false,
    };
    store.insert_user(&new).await.unwrap();
    id
}

fn request(user_id: UserId, body: &str) -> KeyedRequest {
    let fingerprint = KeyedRequest::fingerprint_of("POST", "/x", body.as_bytes());
    KeyedRequest { user_id, key: "k-1".into(), fingerprint }
}

fn answer() -> StoredAnswer {
    StoredAnswer { status: 202, location: Some("/x/1".into()), body: b"{}".to_vec() }
}

#[tokio::test]
async fn the_answer_lives_and_dies_with_the_change() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let first = request(user(&store).await, "a");
    let mut tx = store.begin().await.unwrap();
    assert_eq!(begin_request(&mut tx, &first, DAY).await.unwrap(), Seen::New);
    keep_answer(&mut tx, &first, &answer()).await.unwrap();
    drop(tx);
    assert_eq!(store.look_up_key(&first, DAY).await.unwrap(), Seen::New, "rolled back with it");

    let mut tx = store.begin().await.unwrap();
    assert_eq!(begin_request(&mut tx, &first, DAY).await.unwrap(), Seen::New);
    let mut other = store.begin().await.unwrap();
    assert_eq!(begin_request(&mut other, &first, DAY).await.unwrap(), Seen::InFlight);
    drop(other);
    keep_answer(&mut tx, &first, &answer()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.look_up_key(&first, DAY).await.unwrap(), Seen::Answered(answer()));
    let mut tx = store.begin().await.unwrap();
    assert_eq!(begin_request(&mut tx, &first, DAY).await.unwrap(), Seen::Answered(answer()));
}

#[tokio::test]
async fn a_key_is_for_one_request_of_one_user() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let first = request(user(&store).await, "a");
    let mut tx = store.begin().await.unwrap();
    begin_request(&mut tx, &first, DAY).await.unwrap();
    keep_answer(&mut tx, &first, &answer()).await.unwrap();
    tx.commit().await.unwrap();
    let other_body = request(first.user_id, "b");
    assert_eq!(store.look_up_key(&other_body, DAY).await.unwrap(), Seen::OtherRequest);
    let somebody_else = request(user(&store).await, "a");
    assert_eq!(store.look_up_key(&somebody_else, DAY).await.unwrap(), Seen::New);
}

#[tokio::test]
async fn keys_expire_and_are_pruned() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let first = request(user(&store).await, "a");
    let keep = async || {
        let mut tx = store.begin().await.unwrap();
        assert_eq!(begin_request(&mut tx, &first, DAY).await.unwrap(), Seen::New);
        keep_answer(&mut tx, &first, &answer()).await.unwrap();
        tx.commit().await.unwrap();
    };
    keep().await;
    assert_eq!(store.prune_idempotency_keys(DAY, 10).await.unwrap(), 0);
    let age = "UPDATE idempotency_keys SET created_at = created_at - interval '25 hours'";
    sqlx::query(age).execute(store.pool()).await.unwrap();
    // Expired, and not pruned yet: as good as gone.
    keep().await;
    assert_eq!(store.look_up_key(&first, DAY).await.unwrap(), Seen::Answered(answer()));
    sqlx::query(age).execute(store.pool()).await.unwrap();
    assert_eq!(store.prune_idempotency_keys(DAY, 10).await.unwrap(), 1);
}

#[test]
fn fingerprints_tell_the_parts_apart() {
    let of = |method, path, body: &str| KeyedRequest::fingerprint_of(method, path, body.as_bytes());
    assert_eq!(of("POST", "/a", "{}"), of("POST", "/a", "{}"));
    for other in [of("PUT", "/a", "{}"), of("POST", "/a{", "}"), of("POST", "/a", "{ }")] {
        assert_ne!(of("POST", "/a", "{}"), other);
    }
}
