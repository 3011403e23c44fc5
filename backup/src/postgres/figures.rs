//! What a table holds, in two numbers that do not depend on the order of its rows.

use super::{Snapshot, Table, close};
use crate::error::{Doing, Error, Result};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgConnection, Row};
use tokio_util::sync::CancellationToken;

/// Two tables with the same figures hold the same rows, but for an accident of one in 2^64 or somebody's intent:
/// the hash is not a cryptographic one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    pub schema: String,
    pub table: String,
    pub rows: u64,
    /// Sum of the rows' 64-bit hashes, a whole number in decimal digits. Sums of parts add up to that of the whole.
    pub digest: String,
}

/// Reads every row of `tables`, one table after the other in each of `sessions` sessions at a time.
pub async fn figures_of(
    snapshot: &Snapshot,
    tables: &[Table],
    sessions: usize,
    stop: &CancellationToken,
) -> Result<Vec<Figures>> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let worker = async || {
        let mut session = snapshot.session().await?;
        let mut found = vec![];
        while let Some((index, table)) = {
            let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            tables.get(index).map(|table| (index, table))
        } {
            let figures = tokio::select! {
                figures = figures_in(&mut session, table, None) => figures?,
                () = stop.cancelled() => return Err(Error::Stopped),
            };
            found.push((index, figures));
        }
        close(session).await;
        Ok(found)
    };
    let found = futures_util::future::try_join_all((0..sessions.max(1)).map(|_| worker())).await?;
    let mut found: Vec<(usize, Figures)> = found.into_iter().flatten().collect();
    found.sort_unstable_by_key(|(index, _)| *index);
    Ok(found.into_iter().map(|(_, figures)| figures).collect())
}

/// Of one table as the session sees it; of those rows `t` that meet `condition`, if there is one.
pub(crate) async fn figures_in(
    session: &mut PgConnection,
    table: &Table,
    condition: Option<&str>,
) -> Result<Figures> {
    let doing = || format!("computing the digest of {}", table.qualified());
    let filter = condition.map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
    // A plain parent of inheritance must not count its children's rows: they are tables of their own.
    let only = if table.is_partitioned { "" } else { "ONLY " };
    let statement = format!(
        "SELECT count(*) AS rows, coalesce(sum({}::numeric), 0)::text AS digest FROM {only}{} AS t{filter}",
        row_hash(table, "t"),
        table.qualified()
    );
    let row = sqlx::query(AssertSqlSafe(statement)).fetch_one(session).await.doing(doing())?;
    let rows: i64 = row.try_get("rows").doing(doing())?;
    Ok(Figures {
        schema: table.schema.clone(),
        table: table.name.clone(),
        rows: rows.unsigned_abs(),
        digest: row.try_get("digest").doing(doing())?,
    })
}

/// The hash of a row of `alias`. Columns whose hash differs from database to database are taken as text.
pub(crate) fn row_hash(table: &Table, alias: &str) -> String {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let cast = if column.has_stable_hash { "" } else { "::text" };
            format!("{alias}.{}{cast}", super::quoted(&column.name))
        })
        .collect();
    format!("hash_record_extended(ROW({}), 0)", columns.join(", "))
}

/// One line for every table whose figures differ; `found` may hold more tables than `expected` only when they are
/// not of the backup's time.
pub fn differences(expected: &[Figures], found: &[Figures]) -> Vec<String> {
    let name = |figures: &Figures| format!("{}.{}", figures.schema, figures.table);
    let mut lines = vec![];
    for wanted in expected {
        match found.iter().find(|f| f.schema == wanted.schema && f.table == wanted.table) {
            None => lines.push(format!("table {} is missing", name(wanted))),
            Some(got) if got.rows != wanted.rows => {
                lines.push(format!(
                    "table {} has {} rows instead of {}",
                    name(wanted),
                    got.rows,
                    wanted.rows
                ));
            }
            Some(got) if got.digest != wanted.digest => lines.push(format!(
                "table {} has its {} rows, but their digest is {} instead of {}",
                name(wanted),
                got.rows,
                got.digest,
                wanted.digest
            )),
            Some(_) => {}
        }
    }
    for extra in found.iter().filter(|f| !expected.iter().any(|e| e.schema == f.schema && e.table == f.table))
    {
        lines.push(format!("table {} was not in the backup", name(extra)));
    }
    lines
}
