//! The audit log: chains without gaps, and what tampering looks like.

use super::*;
use serde_json::json;
use shared::ids::{ProjectId, UserId};
use shared::store::StoreError;
use shared::store::audit::*;
use shared::testing::TestDatabase;

struct Stamp;

impl CheckpointSigner for Stamp {
    fn key_id(&self) -> String {
        "stamp".into()
    }

    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        bytes.iter().rev().copied().collect()
    }
}

fn is_stamped(checkpoint: &Checkpoint, bytes: &[u8]) -> Option<bool> {
    Some(checkpoint.signature == Stamp.sign(bytes))
}

async fn write(store: &Store, tenant: Tenant, n: usize) {
    let by = AuditedBy { user_id: Some(UserId::new()), ip: Some("127.0.0.1".into()), ..Default::default() };
    let note =
        Note::of(tenant, "thing", n).before(json!({"n": n})).after(json!({"n": n + 1, "text": "ä\u{0}\"\n"}));
    let mut tx = store.begin().await.unwrap();
    Context::new("thing.change", by).around(note.write(&mut tx)).await.unwrap();
    tx.commit().await.unwrap();
}

impl From<TenantOf> for Tenant {
    fn from(of: TenantOf) -> Self {
        of.0.into()
    }
}

/// A project nobody made: chains need none.
#[derive(Clone, Copy)]
struct TenantOf(ProjectId);

async fn verify(store: &Store, tenant: Tenant) -> ChainState {
    store.verify_audit_chain(tenant, is_stamped).await.unwrap()
}

/// As the database's superuser, who can switch triggers and constraints off.
async fn tamper(store: &Store, statements: &[&str]) {
    let mut tx = store.begin().await.unwrap();
    sqlx::query("SET LOCAL session_replication_role = replica").execute(&mut *tx).await.unwrap();
    sqlx::query("ALTER TABLE audit_records DROP CONSTRAINT IF EXISTS audit_records_hash")
        .execute(&mut *tx)
        .await
        .unwrap();
    for statement in statements {
        let changed = sqlx::query(sqlx::AssertSqlSafe(*statement)).execute(&mut *tx).await.unwrap();
        assert!(changed.rows_affected() > 0, "{statement}");
    }
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_make_one_chain() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let tenants: Vec<Tenant> = (0..3).map(|_| TenantOf(ProjectId::new()).into()).collect();
    let writing = (0..8).map(|w| {
        let (store, tenants) = (store.clone(), tenants.clone());
        tokio::spawn(async move {
            for n in 0..15 {
                write(&store, tenants[(w + n) % 3], n).await;
            }
        })
    });
    futures_util::future::join_all(writing).await.into_iter().for_each(Result::unwrap);
    for tenant in &tenants {
        assert_eq!(verify(&store, *tenant).await, ChainState { records: 40, checkpoints: 0, broken: None });
    }
    assert_eq!(store.audit_chains().await.unwrap().len(), 3);
    let page = store.audit_records(tenants[0], &AuditFilter::default(), Some(11), 5).await.unwrap();
    assert_eq!(page.iter().map(|record| record.seq).collect::<Vec<_>>(), [10, 9, 8, 7, 6]);
}

#[tokio::test]
async fn a_change_that_is_rolled_back_leaves_no_record() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let tenant: Tenant = TenantOf(ProjectId::new()).into();
    write(&store, tenant, 1).await;
    let mut tx = store.begin().await.unwrap();
    let note = Note::of(tenant, "thing", 2);
    Context::new("thing.change", AuditedBy::default()).around(note.write(&mut tx)).await.unwrap();
    drop(tx);
    write(&store, tenant, 3).await;
    assert_eq!(verify(&store, tenant).await.records, 2);
    let mut tx = store.begin().await.unwrap();
    Note::of(tenant, "thing", 4).write(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(verify(&store, tenant).await.records, 2, "nobody is behind that one");
}

#[tokio::test]
async fn the_log_is_only_ever_added_to() {
    let db = TestDatabase::create().await;
    let store = db.store();
    let tenant = Tenant::SYSTEM;
    write(&store, tenant, 1).await;
    assert_eq!(store.sign_audit_heads(&Stamp, 10).await.unwrap(), 1);
    assert_eq!(store.sign_audit_heads(&Stamp, 10).await.unwrap(), 0, "nothing has grown");
    for (statement, constraint) in [
        ("UPDATE audit_records SET content = content", "audit_append_only"),
        ("DELETE FROM audit_records", "audit_append_only"),
        ("TRUNCATE audit_records", "audit_append_only"),
        ("UPDATE audit_checkpoints SET seq = seq", "audit_append_only"),
        ("TRUNCATE audit_checkpoints", "audit_append_only"),
        ("DELETE FROM audit_heads", "audit_append_only"),
        ("INSERT INTO audit_records SELECT tenant, 3, at, action, user_id, subject_kind, subject_id, content,
          previous_hash, hash FROM audit_records", "audit_chain"),
    ] {
        let error = sqlx::query(statement).execute(store.pool()).await.expect_err(statement);
        assert_eq!(StoreError::from(error).constraint(), Some(constraint), "{statement}");
    }
}

#[tokio::test]
async fn the_first_bad_record_is_named() {
    let cases: [(&[&str], i64, &str); 8] = [
        (
            &["UPDATE audit_records SET content = replace(content, '127.0.0.1', '127.0.0.2') WHERE seq = 4"],
            4,
            "another content",
        ),
        (
            &[
                "UPDATE audit_records SET content = replace(content, '127.0.0.1', '127.0.0.2') WHERE seq = 4",
                "UPDATE audit_records SET hash = sha256(previous_hash || convert_to(content, 'UTF8')) WHERE seq = 4",
            ],
            5,
            "does not continue",
        ),
        (&["UPDATE audit_records SET user_id = NULL WHERE seq = 3"], 3, "columns"),
        (&["UPDATE audit_records SET at = at + interval '1 hour' WHERE seq = 3"], 3, "columns"),
        (&["DELETE FROM audit_records WHERE seq = 5"], 5, "is missing"),
        (&["DELETE FROM audit_records WHERE seq > 8"], 9, "is missing"),
        // The end cut off and the head put back: nothing but the signature of the old end shows it.
        (
            &[
                "DELETE FROM audit_records WHERE seq > 6",
                "UPDATE audit_heads SET seq = 6, hash = (SELECT hash FROM audit_records WHERE seq = 6)",
            ],
            7,
            "signed 7",
        ),
        (&["UPDATE audit_checkpoints SET signature = '\\x00'"], 7, "wrong signature"),
    ];
    for (statements, seq, says) in cases {
        let db = TestDatabase::create().await;
        let store = db.store();
        for n in 0..7 {
            write(&store, Tenant::SYSTEM, n).await;
        }
        store.sign_audit_heads(&Stamp, 10).await.unwrap();
        for n in 7..10 {
            write(&store, Tenant::SYSTEM, n).await;
        }
        let whole = ChainState { records: 10, checkpoints: 1, broken: None };
        assert_eq!(verify(&store, Tenant::SYSTEM).await, whole);
        tamper(&store, statements).await;
        let broken = verify(&store, Tenant::SYSTEM).await.broken.unwrap_or_else(|| panic!("{statements:?}"));
        assert_eq!(broken.seq, seq, "{statements:?}: {broken:?}");
        assert!(broken.says.contains(says), "{statements:?}: {broken:?}");
    }
}
