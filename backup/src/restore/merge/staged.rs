//! The backup's rows in temporary tables, and found to be what the manifest says, before any of them is used.

use super::Piece;
use crate::error::{Doing, Error, Result};
use crate::kinds::tenant::{Part, TenantRows, columns};
use crate::postgres::{Column, Figures, Table, differences, figures_in};
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use tokio::sync::mpsc;

/// A table to be staged: as it is live, with the backup's columns.
pub(super) struct Staged {
    pub table: Table,
    pub rows: TenantRows,
    /// What the backup says of it.
    figures: Figures,
    /// Name of the temporary table.
    pub stage: String,
}

/// Matches the backup's tables with the live ones. Live columns that the backup does not know get their defaults;
/// anything else that does not fit is refused, all of it at once.
pub(super) fn fitting(live: &[Part], noted: Vec<(Figures, Vec<Column>)>) -> Result<Vec<Staged>> {
    let mut against = vec![];
    let mut staged = vec![];
    for (figures, wanted) in &noted {
        let Some(part) = live.iter().find(|part| part.table.name == figures.table) else {
            against.push(format!("there is no table {}", figures.table));
            continue;
        };
        let mut found = vec![];
        for column in wanted {
            match part.table.columns.iter().find(|c| c.name == column.name) {
                None => against.push(format!("{} has no column {}", figures.table, column.name)),
                Some(here) if here.type_name != column.type_name => against.push(format!(
                    "{}.{} is {} here and {} in the backup",
                    figures.table, column.name, here.type_name, column.type_name
                )),
                Some(here) => found.push(here.clone()),
            }
        }
        staged.push(Staged {
            table: Table { columns: found, ..part.table.clone() },
            rows: part.rows,
            figures: figures.clone(),
            stage: format!("counterfoil_stage_{}", staged.len()),
        });
    }
    if !against.is_empty() {
        return Err(Error::Refused(format!("the backup does not fit this database: {}", against.join("; "))));
    }
    // In the order of the live foreign keys, which may differ from the backup's.
    staged.sort_by_key(|staged| live.iter().position(|part| part.table.name == staged.table.name));
    Ok(staged)
}

pub(super) async fn load(
    session: &mut PgConnection,
    parts: &[Staged],
    mut pieces: mpsc::Receiver<Piece>,
) -> Result<()> {
    for part in parts {
        let make = format!(
            "CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA",
            part.stage,
            columns(&part.table, ""),
            part.table.qualified()
        );
        session.execute(AssertSqlSafe(make)).await.doing(format!("staging {}", part.table.name))?;
    }
    let mut next = pieces.recv().await;
    while let Some((name, first)) = next {
        let part = parts.iter().find(|part| part.table.name == name).ok_or_else(|| Error::Damaged {
            what: "the backup".into(),
            how: format!("it has rows of {name:?}, which its manifest does not know"),
        })?;
        let doing = format!("staging {name}");
        let statement =
            format!("COPY {} ({}) FROM STDIN (FORMAT binary)", part.stage, columns(&part.table, ""));
        let mut copy = session.copy_in_raw(&statement).await.doing(&doing)?;
        copy.send(first).await.doing(&doing)?;
        loop {
            next = pieces.recv().await;
            match next {
                Some((ref same, ref mut piece)) if *same == name => {
                    copy.send(std::mem::take(piece)).await.doing(&doing)?;
                }
                _ => break,
            }
        }
        copy.finish().await.doing(&doing)?;
    }
    Ok(())
}

/// What is staged must be what was backed up, before any of it is used.
pub(super) async fn check_staged(session: &mut PgConnection, staged: &[Staged]) -> Result<()> {
    let mut lines = vec![];
    for part in staged {
        let stage = Table { schema: "pg_temp".into(), name: part.stage.clone(), ..part.table.clone() };
        let mut found = figures_in(session, &stage, None).await?;
        (found.schema, found.table) = (part.figures.schema.clone(), part.figures.table.clone());
        lines.extend(differences(std::slice::from_ref(&part.figures), &[found]));
    }
    if lines.is_empty() { Ok(()) } else { Err(Error::Differs(lines)) }
}

/// Results go to the partition of their month, which retention may have dropped meanwhile.
pub(super) async fn make_partitions(session: &mut PgConnection, staged: &[Staged]) -> Result<()> {
    let Some(runs) = staged.iter().find(|part| part.table.name == "reconciliations") else { return Ok(()) };
    let statement = format!(
        "SELECT ensure_result_partitions(month) FROM (
             SELECT DISTINCT date_trunc('month',
                 to_timestamp(('x' || left(replace(job_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)) AS month
             FROM {}) AS months",
        runs.stage
    );
    session.execute(AssertSqlSafe(statement)).await.doing("making partitions").map(drop)
}
