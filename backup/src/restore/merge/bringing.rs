//! Rows from temporary tables into live ones.

use super::staged::Staged;
use super::{CONFLICTS_MAX, Comparison, Conflict, KEYS_MAX, Kept, Policy};
use crate::error::{Doing, Error, Result};
use crate::kinds::tenant::{TenantRows, columns};
use crate::postgres::{Table, primary_key, quoted, row_hash};
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};
use uuid::Uuid;

/// Compares a staged table with the live one, and brings its rows in as the policy says.
pub(super) async fn bring_in(
    session: &mut PgConnection,
    part: &Staged,
    project: Uuid,
    policy: Policy,
) -> Result<Comparison> {
    let Staged { table, rows, stage, .. } = part;
    let doing = format!("comparing {}", table.name);
    let key = primary_key(session, table).await?;
    if key.is_empty() || key.iter().any(|k| !table.columns.iter().any(|c| c.name == *k)) {
        return Err(Error::Refused(format!("{} has no primary key to merge by", table.name)));
    }
    let on: Vec<String> = key.iter().map(|k| format!("t.{0} = s.{0}", quoted(k))).collect();
    let on = on.join(" AND ");
    let (live_hash, staged_hash) = (row_hash(table, "t"), row_hash(table, "s"));
    let condition = rows.of(project).unwrap_or_else(|| "false".into());
    let compare = format!(
        "SELECT count(*) FILTER (WHERE t.{k} IS NULL) AS missing,
                count(*) FILTER (WHERE t.{k} IS NOT NULL AND {live_hash} = {staged_hash}) AS equal,
                count(*) FILTER (WHERE t.{k} IS NOT NULL AND {live_hash} <> {staged_hash}) AS different,
                (SELECT count(*) FROM {live} AS t WHERE ({condition})
                   AND NOT EXISTS (SELECT FROM {stage} AS s WHERE {on})) AS extra
         FROM {stage} AS s LEFT JOIN {live} AS t ON {on}",
        k = quoted(&key[0]),
        live = table.qualified(),
    );
    let row = sqlx::query(AssertSqlSafe(compare)).fetch_one(&mut *session).await.doing(&doing)?;
    let count = |name: &str| -> Result<u64> { Ok(row.try_get::<i64, _>(name).doing(&doing)?.unsigned_abs()) };
    let mut comparison = Comparison {
        tenant: project,
        table: table.name.clone(),
        missing: count("missing")?,
        equal: count("equal")?,
        different: count("different")?,
        extra: count("extra")?,
        changed: 0,
        conflicts: vec![],
        added: vec![],
        only_live: vec![],
    };
    let live = table.qualified();
    if comparison.missing > 0 {
        let from = format!(
            "{stage} AS s WHERE NOT EXISTS (SELECT FROM {live} AS t WHERE {on}) AND ({}) IS NOT TRUE",
            rows.unless()
        );
        comparison.added = keys(session, &key, "s", &from, &doing).await?;
    }
    if comparison.extra > 0 {
        let from =
            format!("{live} AS t WHERE ({condition}) AND NOT EXISTS (SELECT FROM {stage} AS s WHERE {on})");
        comparison.only_live = keys(session, &key, "t", &from, &doing).await?;
    }
    let overwrites = policy == Policy::Overwrite && matches!(rows, TenantRows::Changing(_));
    if comparison.different > 0 {
        let differs = format!("{live_hash} <> {staged_hash}");
        comparison.conflicts = conflicts(session, part, &key, &on, &differs, overwrites).await?;
    }
    let conflict_key: Vec<String> = key.iter().map(|k| quoted(k)).collect();
    let set: Vec<String> = table
        .columns
        .iter()
        .filter(|column| !key.contains(&column.name))
        .map(|column| format!("{0} = excluded.{0}", quoted(&column.name)))
        .collect();
    let action = if overwrites && !set.is_empty() {
        let live: Vec<String> = table.columns.iter().map(|c| format!("t.{}", quoted(&c.name))).collect();
        let new: Vec<String> =
            table.columns.iter().map(|c| format!("excluded.{}", quoted(&c.name))).collect();
        format!(
            "DO UPDATE SET {} WHERE ({}) IS DISTINCT FROM ({})",
            set.join(", "),
            live.join(", "),
            new.join(", ")
        )
    } else {
        "DO NOTHING".to_owned()
    };
    // The key is named: a conflict with any other unique key is not to be swallowed.
    let statement = format!(
        "INSERT INTO {} AS t ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {stage} AS s
         WHERE ({}) IS NOT TRUE ON CONFLICT ({}) {action}",
        table.qualified(),
        columns(table, ""),
        columns(table, "s."),
        rows.unless(),
        conflict_key.join(", ")
    );
    let done = session
        .execute(AssertSqlSafe(statement))
        .await
        .map_err(|error| conflict(error, &format!("bringing rows into {}", table.name)))?;
    comparison.changed = done.rows_affected();
    raise_sequences(session, table).await?;
    Ok(comparison)
}

/// Keys of rows as text, in their order, up to [`KEYS_MAX`].
async fn keys(
    session: &mut PgConnection,
    key: &[String],
    alias: &str,
    from: &str,
    doing: &str,
) -> Result<Vec<String>> {
    let names: Vec<String> = key.iter().map(|k| format!("{alias}.{}", quoted(k))).collect();
    let texts: Vec<String> = names.iter().map(|name| format!("{name}::text")).collect();
    let statement = format!(
        "SELECT concat_ws(', ', {}) FROM {from} ORDER BY {} LIMIT {KEYS_MAX}",
        texts.join(", "),
        names.join(", ")
    );
    sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(session).await.doing(doing)
}

/// The rows that are live and in the backup, and differ: which, in what, and whose stays. By key, up to
/// [`CONFLICTS_MAX`].
async fn conflicts(
    session: &mut PgConnection,
    part: &Staged,
    key: &[String],
    on: &str,
    differs: &str,
    overwrites: bool,
) -> Result<Vec<Conflict>> {
    let doing = format!("listing conflicts of {}", part.table.name);
    let keys: Vec<String> = key.iter().map(|k| format!("s.{}", quoted(k))).collect();
    let texts: Vec<String> = keys.iter().map(|k| format!("{k}::text")).collect();
    let names: Vec<String> = part
        .table
        .columns
        .iter()
        .map(|column| {
            let name = quoted(&column.name);
            let word = column.name.replace('\'', "''");
            format!("CASE WHEN t.{name}::text IS DISTINCT FROM s.{name}::text THEN '{word}' END")
        })
        .collect();
    let statement = format!(
        "SELECT concat_ws(', ', {}), array_remove(ARRAY[{}]::text[], NULL)
         FROM {} AS s JOIN {} AS t ON {on} WHERE {differs} ORDER BY {} LIMIT {CONFLICTS_MAX}",
        texts.join(", "),
        names.join(", "),
        part.stage,
        part.table.qualified(),
        keys.join(", ")
    );
    let found: Vec<(String, Vec<String>)> =
        sqlx::query_as(AssertSqlSafe(statement)).fetch_all(session).await.doing(doing)?;
    let kept = if overwrites { Kept::Backup } else { Kept::Live };
    Ok(found.into_iter().map(|(key, columns)| Conflict { key, columns, kept }).collect())
}

/// Numbers that came back must not be given out again.
async fn raise_sequences(session: &mut PgConnection, table: &Table) -> Result<()> {
    let doing = format!("raising the sequences of {}", table.name);
    let sequences: Vec<(String, String)> = sqlx::query_as(
        "SELECT a.attname::text, pg_get_serial_sequence($1, a.attname)
         FROM pg_attribute a WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
           AND pg_get_serial_sequence($1, a.attname) IS NOT NULL",
    )
    .bind(table.qualified())
    .fetch_all(&mut *session)
    .await
    .doing(&doing)?;
    for (column, sequence) in sequences {
        let statement = format!(
            "SELECT setval('{0}', top) FROM (SELECT max({1}) AS top FROM {2}) AS m
             WHERE top > (SELECT last_value FROM {0})",
            sequence.replace('\'', "''"),
            quoted(&column),
            table.qualified()
        );
        session.execute(AssertSqlSafe(statement)).await.doing(&doing)?;
    }
    Ok(())
}

/// What the database will not have is somebody's to decide; nothing was changed.
pub(super) fn conflict(error: sqlx::Error, doing: &str) -> Error {
    match error.as_database_error() {
        Some(refused) if refused.constraint().is_some() => Error::Refused(format!(
            "{doing}: the backup's rows conflict with live ones by {} ({}); nothing was changed",
            refused.constraint().unwrap_or_default(),
            refused.message()
        )),
        _ => Error::Database { doing: doing.into(), source: error },
    }
}
