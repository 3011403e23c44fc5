//! What `counterfoil doctor` sees of a server.

use shared::store::examination::SchemaVersion;
use shared::testing::TestDatabase;

#[tokio::test]
async fn the_server_is_seen_as_it_is() {
    let database = TestDatabase::create().await;
    let store = database.store();
    let before = chrono::Utc::now();
    let seen = store.examine().await.expect("an answer");
    assert!(seen.version >= 150_000 && seen.may_create && !seen.is_replica, "{seen:?}");
    assert_eq!((seen.encoding.as_str(), seen.foreign_tables), ("UTF8", 0));
    assert!((seen.clock - before).abs() < chrono::TimeDelta::minutes(5), "{seen:?}");
    assert_eq!(store.schema_version().await.expect("a version"), SchemaVersion::Same);

    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        .execute(store.pool())
        .await
        .expect("deleted");
    assert_eq!(store.schema_version().await.expect("a version"), SchemaVersion::Older(1));
}

#[tokio::test]
async fn a_schema_of_another_version_is_told() {
    let database = TestDatabase::create_empty().await;
    let store = database.store();
    assert_eq!(store.schema_version().await.expect("a version"), SchemaVersion::Empty);
    store.migrate().await.expect("migrated");
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of a later version', true, '', 0)",
    )
    .execute(store.pool())
    .await
    .expect("inserted");
    assert_eq!(store.schema_version().await.expect("a version"), SchemaVersion::Newer);
}
