//! What the database itself keeps from tenants, asked for in plain SQL past all checks of ours.

use super::results::accept_reconciliation;
use super::*;
use shared::ids::{ProjectId, UserId};
use shared::store::Connection;
use shared::store::reach::{Reach, SYSTEM_ROLE, TENANT_ROLE};
use shared::testing::TestDatabase;
use sqlx::{AssertSqlSafe, PgPool};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Two tenants with rows in every table that has rows of tenants.
const SEED: &str = include_str!("../../../backup/tests/engine/seed.sql");
const ACME: ProjectId = ProjectId(Uuid::from_u128(0xa));
const BOLT: ProjectId = ProjectId(Uuid::from_u128(0xb));

/// Tables without row security, and why that is right.
const OPEN: &[(&str, &str)] = &[
    ("_sqlx_migrations", "of the schema"),
    ("backup_alerts", "the role of tenants has no right to it"),
    ("backup_copies", "the role of tenants has no right to it"),
    ("backup_removals", "the role of tenants has no right to it"),
    ("backup_stores", "the role of tenants has no right to it"),
    ("concurrency_limits", "read by every submission; changed by the system"),
    ("dispatch_marks", "how far the relay is"),
    ("idempotency_keys", "of people: they see their own, by a policy of its own"),
    ("identities", "the role of tenants has no right to it"),
    ("inbox", "of people, the role of tenants has no right to it"),
    ("job_ledger", "sums over all tenants, which the role of tenants may only add to"),
    ("last_writes", "the role of tenants has no right to it"),
    ("login_failures", "the role of tenants has no right to it"),
    ("mail_bounces", "the role of tenants has no right to it"),
    ("notification_preferences", "of people, the role of tenants has no right to it"),
    ("notification_settings", "of people, the role of tenants has no right to it"),
    ("organisations", "names; tenants may only read"),
    ("password_resets", "the role of tenants has no right to it"),
    ("provider_logins", "the role of tenants has no right to it"),
    ("queue_pauses", "of the system; tenants may only read"),
    ("rate_limits", "the role of tenants has no right to it"),
    ("recovery_codes", "the role of tenants has no right to it"),
    ("refresh_tokens", "the role of tenants has no right to it"),
    ("restores", "the role of tenants has no right to it"),
    ("second_factors", "the role of tenants has no right to it"),
    ("sessions", "the role of tenants has no right to it"),
    ("shipped_schedules", "the role of tenants has no right to it"),
    ("users", "of people; tenants may only read their names"),
    ("wal_archive", "the role of tenants has no right to it"),
    ("workers", "processes; tenants may only read"),
];

/// What backups do not bring back, and the seed therefore lacks.
const MORE: &str = "
INSERT INTO api_keys (id, project_id, user_id, name, role, prefix, digest, created_at, expires_at)
SELECT gen_random_uuid(), id, created_by, 'key', 'viewer', 'cf_', sha256(id::text::bytea), now(), now() + interval '1 day'
FROM projects;
INSERT INTO invitations (id, digest, project_id, role, created_at, expires_at)
SELECT gen_random_uuid(), sha256(('i' || id)::bytea), id, 'viewer', now(), now() + interval '1 day' FROM projects;
INSERT INTO backups (id, class, state, project_id, started_at, finished_at, error)
SELECT gen_random_uuid(), 'tenant', 'failed', id, now(), now(), 'no' FROM projects;
INSERT INTO doorbells_out (job_id, kind, project_id, concurrency_key)
SELECT id, kind, project_id, '' FROM jobs WHERE project_id IS NOT NULL;
INSERT INTO outbox (job_id, queue, priority, project_id)
SELECT id, queue, 5, project_id FROM jobs WHERE project_id IS NOT NULL;
INSERT INTO exception_totals (job_id, kind, side, currency, state, assignee, record_date, count, amount)
SELECT job_id, 'missing_right', 'left', 'EUR', 'open', project_id, now(), 10, 1000 FROM reconciliations;
INSERT INTO notifications (id, project_id, event, data) SELECT new_notification_id(), id, 'test', '{}' FROM projects;
INSERT INTO deliveries (id, notification_id, channel, recipient, state, due_at)
SELECT gen_random_uuid(), id, 'email', 'x@example.org', 'held', now() FROM notifications;
INSERT INTO webhook_attempts (delivery_id, attempt, duration_ms) SELECT id, 1, 1 FROM deliveries;
INSERT INTO webhooks (id, project_id, url, description, secret)
SELECT gen_random_uuid(), id, 'https://example.org/', '', sha256('') FROM projects;
INSERT INTO alerts (id, project_id, event, severity, says, condition)
SELECT gen_random_uuid(), id, 'test', 'info', '', 'of ' || id FROM projects;
INSERT INTO audit_heads (tenant, seq, hash) SELECT id, 0, sha256('') FROM projects;
INSERT INTO audit_records (tenant, seq, at, action, subject_kind, subject_id, content, previous_hash, hash)
SELECT id, 1, now(), 'a.b', 'project', id::text, '{}', sha256(''), sha256(sha256('') || convert_to('{}', 'UTF8'))
FROM projects;
INSERT INTO audit_checkpoints (tenant, seq, hash, key_id, signature)
SELECT tenant, seq, hash, 'k', sha256('') FROM audit_heads;";

async fn seeded() -> (TestDatabase, Store, PgPool) {
    let db = TestDatabase::create().await;
    let pool = db.pool();
    sqlx::raw_sql(SEED).execute(&pool).await.unwrap();
    sqlx::raw_sql(MORE).execute(&pool).await.unwrap();
    let tenants = db.store().for_tenants();
    (db, tenants, pool)
}

fn of(project: ProjectId) -> Reach {
    Reach::Project { project, job: None }
}

async fn tables(pool: &PgPool, condition: &str) -> Vec<String> {
    let statement = format!(
        "SELECT c.relname::text FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
           AND {condition} ORDER BY 1"
    );
    sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(pool).await.unwrap()
}

/// Rows as text, as the connection sees them.
async fn rows(conn: &mut Connection, table: &str) -> Vec<String> {
    let statement = format!("SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1");
    sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(conn).await.unwrap()
}

async fn rows_of(store: &Store, reach: Option<Reach>, table: &str) -> Vec<String> {
    let reading = async { rows(&mut store.pool().acquire().await.unwrap(), table).await };
    match reach {
        Some(reach) => reach.around(reading).await,
        None => reading.await,
    }
}

/// Everything, past row security.
async fn everything(pool: &PgPool, tables: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for table in tables {
        all.insert(table.clone(), rows(&mut pool.acquire().await.unwrap(), table).await);
    }
    all
}

const PROTECTED: &str = "c.relrowsecurity AND c.relforcerowsecurity
    AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'of_the_tenant')
    AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'of_the_system')";

#[tokio::test]
async fn every_table_has_row_security_or_a_reason_to_have_none() {
    let db = TestDatabase::create().await;
    let pool = db.pool();
    let open = tables(&pool, &format!("NOT ({PROTECTED})")).await;
    let listed: Vec<&str> = OPEN.iter().map(|(table, _)| *table).collect();
    assert_eq!(open, listed, "a table of tenants needs `SELECT protect_rows(…)` in its migration");
    let telling = "EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped
                           AND a.attname IN ('project_id', 'tenant', 'job_id'))";
    let wrong = tables(&pool, &format!("NOT ({PROTECTED}) AND {telling}")).await;
    assert_eq!(wrong, Vec::<String>::new(), "these say whose their rows are");
}

#[tokio::test]
async fn rows_of_another_tenant_are_invisible_and_unchangeable() {
    let (_db, tenants, pool) = seeded().await;
    let protected = tables(&pool, PROTECTED).await;
    let before = everything(&pool, &protected).await;
    let mut tried = 0;
    for table in &protected {
        let (acme, bolt) =
            (rows_of(&tenants, Some(of(ACME)), table).await, rows_of(&tenants, Some(of(BOLT)), table).await);
        let all = &before[table];
        assert!(acme.iter().all(|row| !bolt.contains(row)), "{table}: both see the same row");
        assert!(acme.iter().chain(&bolt).all(|row| all.contains(row)), "{table}");
        assert!(!acme.is_empty() && !bolt.is_empty(), "{table} is not seeded: {}", all.len());
        assert_eq!(rows_of(&tenants, None, table).await, Vec::<String>::new(), "{table} without a tenant");
        assert_eq!(rows_of(&tenants, Some(Reach::undecided()), table).await, Vec::<String>::new(), "{table}");
        assert_eq!(&rows_of(&tenants, Some(Reach::System("this test")), table).await, all, "{table}");
        tried += of(ACME).around(try_to_change(&tenants, &pool, table, &bolt)).await;
    }
    assert!(tried >= 3 * 25, "{tried} tries");
    assert_eq!(everything(&pool, &protected).await, before, "somebody changed something");
}

/// Tries to update, delete and add what is another's, each in a transaction that is rolled back only if it failed.
async fn try_to_change(tenants: &Store, pool: &PgPool, table: &str, others: &[String]) -> usize {
    let Some(row) = others.first() else { return 0 };
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT quote_ident(attname) FROM pg_attribute
         WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
    )
    .bind(table)
    .fetch_all(pool)
    .await
    .unwrap();
    let (first, all) = (&columns[0], columns.join(", "));
    for statement in [
        format!("UPDATE {table} t SET {first} = {first} WHERE to_jsonb(t) = ANY($1::jsonb[])"),
        format!("DELETE FROM {table} t WHERE to_jsonb(t) = ANY($1::jsonb[])"),
    ] {
        // An identity column refuses any update by itself.
        let done = sqlx::query(AssertSqlSafe(statement.clone())).bind(others).execute(tenants.pool()).await;
        match done {
            Ok(done) => assert_eq!(done.rows_affected(), 0, "{statement}"),
            Err(error) => assert_eq!(code(&error), "428C9", "{statement}: {error}"),
        }
    }
    let adding = format!(
        "INSERT INTO {table} ({all}) OVERRIDING SYSTEM VALUE
         SELECT {all} FROM jsonb_populate_record(NULL::{table}, $1::jsonb)"
    );
    let error = sqlx::query(AssertSqlSafe(adding)).bind(row).execute(tenants.pool()).await.unwrap_err();
    // Triggers before the insert look first, and find nothing that the row could belong to.
    let by_trigger = ["audit_records", "hand_matches"].contains(&table);
    assert!(code(&error) == "42501" || by_trigger && code(&error) == "23514", "{table}: {error}");
    3
}

fn code(error: &sqlx::Error) -> String {
    error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned()
}

#[tokio::test]
async fn own_rows_cannot_be_given_away() {
    let (_db, tenants, pool) = seeded().await;
    let telling = "EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'project_id')";
    for table in tables(&pool, &format!("{PROTECTED} AND {telling}")).await {
        let statement = format!("UPDATE {table} SET project_id = $1");
        let giving =
            of(ACME).around(sqlx::query(AssertSqlSafe(statement)).bind(BOLT).execute(tenants.pool()));
        match giving.await {
            Ok(done) => assert_eq!(done.rows_affected(), 0, "{table}"),
            // By row security, by a trigger that keeps history, or by a reference that would be left behind.
            Err(error) => {
                assert!(["42501", "23001", "23503"].contains(&code(&error).as_str()), "{table}: {error}")
            }
        }
    }
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM files WHERE project_id = $1")
        .bind(ACME)
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(kept, 10);
}

#[tokio::test]
async fn the_role_of_tenants_owns_nothing_and_cannot_look_behind_the_tables() {
    let (_db, tenants, pool) = seeded().await;
    let (can_login, is_special, owns): (bool, bool, i64) = sqlx::query_as(
        "SELECT rolcanlogin, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication,
                (SELECT count(*) FROM pg_class WHERE relowner = r.oid)
         FROM pg_roles r WHERE rolname = $1",
    )
    .bind(TENANT_ROLE)
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!((can_login, is_special, owns), (false, false, 0));
    // Partitions have no row security of their own: nothing can be read or changed there.
    let readable: Vec<String> = sqlx::query_scalar(
        "SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
         WHERE c.relkind = 'r'
           AND has_table_privilege($1, inhrelid, 'SELECT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')",
    )
    .bind(TENANT_ROLE)
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(readable, Vec::<String>::new());
    // No way out of the role, and no way to what is not a tenant's.
    for statement in [
        "SELECT password_hash FROM users",
        "SELECT * FROM sessions",
        "SELECT * FROM refresh_tokens",
        "SELECT * FROM second_factors",
        "UPDATE users SET is_platform_admin = true",
        "UPDATE organisations SET name = 'mine'",
        "DELETE FROM job_ledger",
        "ALTER TABLE jobs DISABLE ROW LEVEL SECURITY",
        "SELECT drop_result_partition('matches_2020_01')",
        "TRUNCATE matches",
    ] {
        let mut conn = of(ACME).around(tenants.pool().acquire()).await.unwrap();
        sqlx::query("RESET ROLE").execute(&mut *conn).await.unwrap();
        let error = sqlx::query(statement).execute(&mut *conn).await.unwrap_err();
        assert_eq!(code(&error), "42501", "{statement}: {error}");
    }
    let sessions: Vec<String> =
        sqlx::query_scalar("SELECT current_user::text").fetch_all(tenants.pool()).await.unwrap();
    assert_eq!(sessions, [TENANT_ROLE]);
}

#[tokio::test]
async fn a_connection_forgets_its_last_tenant() {
    let (_db, tenants, _pool) = seeded().await;
    let count = || async {
        let counted: i64 =
            sqlx::query_scalar("SELECT count(*) FROM files").fetch_one(tenants.pool()).await.unwrap();
        counted
    };
    for _ in 0..50 {
        assert_eq!(of(ACME).around(count()).await, 10);
        assert_eq!(count().await, 0);
    }
    // A transaction that is dropped in the middle, too.
    drop(of(BOLT).around(tenants.begin()).await.unwrap());
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn results_go_by_copy_to_the_job_at_hand_only() {
    let db = TestDatabase::create().await;
    let store = db.store();
    store.ensure_result_partitions().await.unwrap();
    let (mine, other) = (accept_reconciliation(&store).await, accept_reconciliation(&store).await);
    let project = store.reconciliation(mine).await.unwrap().unwrap().project_id;
    let reach = Reach::Project { project, job: Some(mine) };
    let many = super::results::many_matches;
    let write = async |job: JobId| {
        let mut tx = store.for_tenants().begin().await.unwrap();
        let written = shared::store::results::write_matches(&mut tx, job, many(2_000)).await;
        tx.commit().await.unwrap();
        written
    };
    assert_eq!(reach.clone().around(write(mine)).await.unwrap(), 2_000);
    assert!(reach.clone().around(write(other)).await.is_err(), "rows of another tenant's run");
    assert!(of(project).around(write(other)).await.is_err());
    // Few rows go by INSERT, under the policy.
    let few = async |job: JobId| {
        let mut tx = store.for_tenants().begin().await.unwrap();
        shared::store::results::write_matches(&mut tx, job, many(3)).await
    };
    assert!(reach.around(few(other)).await.is_err());
    assert_eq!(store.matches(other, None, 0, 10).await.unwrap(), []);
}

#[tokio::test]
async fn pages_of_results_are_one_range_of_an_index_for_tenants_too() {
    let db = TestDatabase::create().await;
    let store = db.store();
    store.ensure_result_partitions().await.unwrap();
    let id = accept_reconciliation(&store).await;
    let project = store.reconciliation(id).await.unwrap().unwrap().project_id;
    for page in [
        "SELECT * FROM matches WHERE job_id = $1 AND ordinal > 3 ORDER BY ordinal LIMIT 50",
        "SELECT * FROM exceptions WHERE job_id = $1 AND ordinal > 3 AND released_from IS NULL ORDER BY ordinal LIMIT 50",
        "SELECT * FROM rejected_lines WHERE job_id = $1 AND ordinal > 3 ORDER BY ordinal LIMIT 50",
        "SELECT * FROM jobs WHERE id = $1",
        "SELECT * FROM reconciliations WHERE project_id = $2 ORDER BY job_id DESC LIMIT 50",
        "SELECT * FROM files WHERE project_id = $2 ORDER BY id DESC LIMIT 50",
        "SELECT * FROM audit_records WHERE tenant = $2 AND seq < 50 ORDER BY seq DESC LIMIT 50",
    ] {
        let mut tx = of(project).around(store.for_tenants().begin()).await.unwrap();
        // With a handful of rows a scan or a sort is cheaper; at volume only the index is left.
        for setting in ["enable_seqscan", "enable_bitmapscan", "enable_sort"] {
            let statement = format!("SET LOCAL {setting} = off");
            sqlx::query(AssertSqlSafe(statement)).execute(&mut *tx).await.unwrap();
        }
        let asked = page.replace("$1", &format!("'{id}'")).replace("$2", &format!("'{project}'"));
        let statement = format!("EXPLAIN (COSTS OFF) {asked}");
        let plan: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(&mut *tx).await.unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains("Index Cond"), "{page}\n{plan}");
        assert!(!plan.contains("Sort") && !plan.contains("Append"), "one range, in order:\n{plan}");
    }
}

/// Most databases are not owned by a superuser: the owner is under row security, too, and passes as a member. So does a
/// login that owns nothing.
#[tokio::test]
async fn an_owner_without_special_rights_can_run_everything_and_so_can_a_member() {
    let db = TestDatabase::create_empty().await;
    let pool = db.pool();
    let unique = Uuid::new_v4().simple();
    let (owner, member) =
        (format!("counterfoil_test_owner_{unique}"), format!("counterfoil_test_member_{unique}"));
    let database = db.options().get_database().unwrap().to_owned();
    let run = async |statement: String| {
        sqlx::query(AssertSqlSafe(statement.clone()))
            .execute(&pool)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"))
    };
    run(format!("CREATE ROLE {owner} LOGIN CREATEROLE PASSWORD 'of this test'")).await;
    run(format!("CREATE ROLE {member} LOGIN PASSWORD 'of this test'")).await;
    run(format!(r#"ALTER DATABASE "{database}" OWNER TO {owner}"#)).await;
    let limits = shared::store::PoolLimits {
        connections_max: 5,
        acquire_timeout: std::time::Duration::from_secs(30),
        ..Default::default()
    };
    let store_of = |login: &str| Store::new(db.options().username(login).password("of this test"), &limits);
    let owners = store_of(&owner);
    owners.migrate().await.unwrap();
    owners.migrate().await.unwrap();
    run(format!("GRANT {TENANT_ROLE}, {SYSTEM_ROLE} TO {member}")).await;
    for store in [owners, store_of(&member)] {
        assert!(store.is_migrated().await.unwrap());
        store.ensure_result_partitions().await.unwrap();
        let id = accept_reconciliation(&store).await;
        let project = store.reconciliation(id).await.unwrap().unwrap().project_id;
        let reach = Reach::Project { project, job: Some(id) };
        let tenants = store.for_tenants();
        let mut tx = reach.clone().around(tenants.begin()).await.unwrap();
        let many = super::results::many_matches(1_000);
        shared::store::results::write_matches(&mut tx, id, many).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(reach.clone().around(tenants.matches(id, None, 0, 5)).await.unwrap().len(), 5);
        assert_eq!(tenants.matches(id, None, 0, 5).await.unwrap().len(), 0, "without a tenant");
        assert_eq!(store.matches(id, None, 0, 5).await.unwrap().len(), 5, "as {SYSTEM_ROLE}");
        assert!(store.acquire(id, "worker", LEASE).await.unwrap().is_some());
        assert!(
            store.drop_expired_results(Duration::from_secs(86_400), 10).await.unwrap().partitions.is_empty()
        );
        store.close().await;
    }
    // The roles belong to the cluster, which outlives the database.
    run(format!(r#"ALTER DATABASE "{database}" OWNER TO CURRENT_USER"#)).await;
    run(format!("REASSIGN OWNED BY {owner}, {member} TO CURRENT_USER")).await;
    run(format!("DROP OWNED BY {owner}, {member}")).await;
    run(format!("DROP ROLE {owner}, {member}")).await;
}

/// Beneath all checks of routes: a tenant with the ids of another's things in its hands.
#[tokio::test]
async fn ten_thousand_tries_with_anothers_ids_reach_nothing() {
    const TRIES: usize = 10_000;
    let (_db, tenants, pool) = seeded().await;
    let protected = tables(&pool, PROTECTED).await;
    let before = everything(&pool, &protected).await;
    let theirs: Vec<JobId> = sqlx::query_scalar("SELECT job_id FROM reconciliations WHERE project_id = $1")
        .bind(BOLT)
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(theirs.len(), 19);
    let found = of(ACME).around(async {
        let mut found = 0;
        for tried in 0..TRIES {
            let id = theirs[tried % theirs.len()];
            found += usize::from(match (tried / theirs.len()) % 10 {
                0 => !tenants.matches(id, None, 0, 10).await.unwrap().is_empty(),
                1 => !tenants.exceptions(id, None, None, 10).await.unwrap().is_empty(),
                2 => !tenants.exceptions(id, Some("missing_right"), None, 10).await.unwrap().is_empty(),
                3 => !tenants.rejected_lines(id, None, 10).await.unwrap().is_empty(),
                4 => tenants.job(id).await.unwrap().is_some(),
                5 => tenants.reconciliation(id).await.unwrap().is_some(),
                6 => tenants.delete_reconciliation(id).await.unwrap(),
                7 => tenants.review_exception(id, 1).await.unwrap().is_some(),
                8 => !tenants.hand_matches(id, None, None, 10).await.unwrap().is_empty(),
                _ => !tenants.places_of_records(id, &[("left".into(), 1)]).await.unwrap().is_empty(),
            });
        }
        found
    });
    assert_eq!(found.await, 0, "of {TRIES} tries");
    assert_eq!(everything(&pool, &protected).await, before, "somebody changed something");
}

#[tokio::test]
async fn answers_that_are_kept_are_seen_by_whoever_asked() {
    use shared::store::audit::{AuditedBy, Context};
    let (_db, tenants, pool) = seeded().await;
    let people: Vec<UserId> =
        sqlx::query_scalar("SELECT id FROM users ORDER BY id LIMIT 2").fetch_all(&pool).await.unwrap();
    sqlx::query(
        "INSERT INTO idempotency_keys (user_id, key, fingerprint, status, body)
         SELECT id, 'row security', sha256('x'), 201, 'kept' FROM users",
    )
    .execute(&pool)
    .await
    .unwrap();
    let seen = async || -> Vec<UserId> {
        let asked = sqlx::query_scalar("SELECT user_id FROM idempotency_keys WHERE key = 'row security'");
        of(ACME).around(asked.fetch_all(tenants.pool())).await.unwrap()
    };
    for id in &people {
        let by = AuditedBy { user_id: Some(*id), ..AuditedBy::default() };
        assert_eq!(Context::new("a test", by.clone()).around(seen()).await, [*id]);
        let taking = async {
            sqlx::query("UPDATE idempotency_keys SET user_id = $1 WHERE key = 'row security'")
                .bind(people.iter().find(|other| *other != id))
                .execute(tenants.pool())
                .await
        };
        let error = Context::new("a test", by).around(of(ACME).around(taking)).await.unwrap_err();
        assert_eq!(code(&error), "42501");
    }
    assert_eq!(seen().await, [], "nobody");
}
