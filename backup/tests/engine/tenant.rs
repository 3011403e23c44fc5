//! One tenant's rows.

use crate::place::Place;
use backup::engine::Run;
use backup::error::Error;
use backup::kinds::tenant::{self, TENANT_TABLES, TenantRows, Tenants};
use backup::postgres::whole_tables;
use std::collections::BTreeSet;
use uuid::Uuid;

#[tokio::test]
async fn every_table_of_the_schema_has_a_path_to_its_tenant_or_a_reason_to_have_none() {
    let place = Place::new().await;
    let mut session = place.protected.target.connect().await.expect("connecting");
    let tables = backup::postgres::tables(&mut session).await.expect("tables");
    let there: BTreeSet<String> = whole_tables(tables).into_iter().map(|table| table.name).collect();
    let known: BTreeSet<String> = TENANT_TABLES.iter().map(|table| table.name.to_owned()).collect();
    assert_eq!(known, there, "kinds/tenant/paths.rs must name every table, and no other");
}

#[tokio::test]
async fn the_rows_of_all_tenants_are_all_rows_of_tenants() {
    let place = Place::new().await;
    let mut session = place.protected.target.connect().await.expect("connecting");
    for table in TENANT_TABLES {
        if matches!(table.rows, TenantRows::Shared(_) | TenantRows::Left(_)) {
            continue;
        }
        let of = place.tenants.map(|tenant| table.rows.of(tenant).expect("it has rows of tenants"));
        let [of_a, of_b] = &of;
        let statement = format!(
            "SELECT count(*) FILTER (WHERE {of_a}), count(*) FILTER (WHERE {of_b}), count(*) FROM {} t
             WHERE '{}' <> 'concurrency_limits' OR to_jsonb(t) ->> 'scope' = 'project'",
            table.name, table.name
        );
        let (a, b, all): (i64, i64, i64) =
            sqlx::query_as(sqlx::AssertSqlSafe(statement)).fetch_one(&mut session).await.expect("counting");
        assert!(a > 0 && b > 0 && a + b == all, "{}: {a} + {b} of {all}", table.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_tenants_are_backed_up_at_one_moment_with_a_key_each() {
    let place = Place::new().await;
    let all = tenant::create(&place.protected, &Tenants::All, None, &Run::default()).await.expect("backups");
    let manifests: Vec<_> =
        all.into_iter().map(|(id, taken)| (id, taken.expect("a backup").manifest)).collect();
    assert_eq!(manifests.iter().map(|(id, _)| *id).collect::<Vec<_>>(), place.tenants);
    let [(_, a), (_, b)] = manifests.as_slice() else { panic!("two") };
    assert_eq!((a.group, &a.snapshot), (b.group, &b.snapshot));
    assert_eq!((a.tenants.len(), a.rows()), (1, b.rows()));

    let unknown = Tenants::These(vec![place.tenants[0], Uuid::from_u128(99)]);
    let refused = tenant::create(&place.protected, &unknown, None, &Run::default()).await.err();
    assert!(matches!(refused, Some(Error::Refused(_))), "{refused:?}");
}
