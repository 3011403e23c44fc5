//! The rows of one tenant: every table with a path to it, by binary COPY under one snapshot. Each tenant is a backup
//! of its own with a key of its own, so that it can be restored, or its key destroyed, alone.

mod paths;

pub use paths::{TENANT_TABLES, TenantRows, TenantTable};

use super::{Created, PartsWriter, Writer};
use crate::engine::{Protected, Run};
use crate::error::{Doing, Error, Result};
use crate::manifest::{Manifest, TableNote};
use crate::postgres::{
    Snapshot, Surroundings, Table, close, figures_in, foreign_keys, load_order, quoted, tables, whole_tables,
};
use crate::stores::BackupClass;
use futures_util::StreamExt;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use std::io;
use tokio::runtime::Handle;
use uuid::Uuid;

/// The only part: the COPY output of each table.
pub const STREAM: &str = "rows";

/// A table with rows of tenants, without the columns that the database computes.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub table: Table,
    pub rows: TenantRows,
}

/// Which tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tenants {
    All,
    These(Vec<Uuid>),
}

/// Takes one backup for each tenant, all of the same moment. Refuses unknown tenants before it begins; then one that
/// fails does not keep the others from being taken.
pub async fn create(
    protected: &Protected,
    tenants: &Tenants,
    note: Option<String>,
    run: &Run,
) -> Result<Vec<(Uuid, Result<Created>)>> {
    run.enter("reading the catalogue");
    let snapshot = Snapshot::export(&protected.target).await?;
    let mut session = snapshot.session().await?;
    let of = Surroundings::read(&mut session).await?;
    let parts = parts(&mut session).await?;
    let chosen = choose(&mut session, tenants).await?;
    close(session).await;

    let group = Uuid::now_v7();
    let mut created = vec![];
    for project in chosen {
        run.enter("copying a tenant");
        let mut writer = Writer::begin(&protected.engine, BackupClass::Tenant)?;
        let taken = match copy_tenant(&mut writer, &snapshot, &parts, project, run).await {
            Ok(noted) => {
                let manifest = Manifest {
                    note: note.clone(),
                    tenants: vec![project],
                    group: Some(group),
                    snapshot: Some(snapshot.note.clone()),
                    tables: noted,
                    ..writer.manifest(of.clone())
                };
                writer.commit(manifest, run).await
            }
            Err(error) => {
                writer.abandon().await;
                Err(error)
            }
        };
        let is_stopped = matches!(taken, Err(Error::Stopped));
        created.push((project, taken));
        if is_stopped {
            break;
        }
    }
    snapshot.release().await;
    Ok(created)
}

/// The tables that are there and have rows of tenants, in an order in which they can be loaded.
pub(crate) async fn parts(session: &mut PgConnection) -> Result<Vec<Part>> {
    let mut found = BTreeMap::new();
    for mut table in whole_tables(tables(session).await?) {
        if table.schema != "public" {
            continue;
        }
        match TENANT_TABLES.iter().find(|known| known.name == table.name) {
            None => tracing::warn!(table = table.name, "unknown to tenant backups, and not in them"),
            Some(TenantTable { rows: TenantRows::Left(_), .. }) => {}
            Some(known) => {
                table.columns.retain(|column| !column.is_generated);
                found.insert(table.qualified(), Part { table, rows: known.rows });
            }
        }
    }
    // The server quotes names only where it must.
    let mut keys = foreign_keys(session).await?;
    for key in &mut keys {
        for name in [&mut key.from, &mut key.to] {
            if let Some((schema, table)) = name.split_once('.').filter(|_| !name.contains('"')) {
                *name = format!("{}.{}", quoted(schema), quoted(table));
            }
        }
    }
    let names: Vec<String> = found.keys().cloned().collect();
    Ok(load_order(&names, &keys)?.into_iter().filter_map(|name| found.remove(&name)).collect())
}

async fn choose(session: &mut PgConnection, tenants: &Tenants) -> Result<Vec<Uuid>> {
    let there: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM projects ORDER BY id")
        .fetch_all(session)
        .await
        .doing("listing tenants")?;
    match tenants {
        Tenants::All => Ok(there),
        Tenants::These(chosen) => {
            let unknown: Vec<String> =
                chosen.iter().filter(|id| !there.contains(id)).map(Uuid::to_string).collect();
            if !unknown.is_empty() {
                return Err(Error::Refused(format!("there is no tenant {}", unknown.join(", "))));
            }
            Ok(there.into_iter().filter(|id| chosen.contains(id)).collect())
        }
    }
}

async fn copy_tenant(
    writer: &mut Writer,
    snapshot: &Snapshot,
    parts: &[Part],
    project: Uuid,
    run: &Run,
) -> Result<Vec<TableNote>> {
    let mut session = snapshot.session().await?;
    let mut noted = vec![];
    let mut statements = vec![];
    for part in parts {
        let Some(condition) = part.rows.of(project) else { continue };
        let figures = figures_in(&mut session, &part.table, Some(&condition)).await?;
        noted.push(TableNote { figures, columns: part.table.columns.clone() });
        statements.push((part.table.name.clone(), copy_out(&part.table, &condition)));
    }
    let handle = Handle::current();
    writer
        .stream(STREAM, run, move |out| {
            let mut parts = PartsWriter::new(out);
            for (name, statement) in statements {
                parts.begin(&name)?;
                handle.block_on(async {
                    let failed = |error: sqlx::Error| {
                        io::Error::from(Error::Database { doing: format!("copying {name}"), source: error })
                    };
                    let mut rows = session.copy_out_raw(&statement).await.map_err(failed)?;
                    while let Some(piece) = rows.next().await {
                        parts.write(&piece.map_err(failed)?)?;
                    }
                    Ok::<_, io::Error>(())
                })?;
            }
            parts.finish()?;
            handle.block_on(close(session));
            Ok(())
        })
        .await?;
    Ok(noted)
}

/// Rows in the order of no index: the digest does not depend on it, and sorting would cost more than it saves.
pub(crate) fn copy_out(table: &Table, condition: &str) -> String {
    format!(
        "COPY (SELECT {} FROM {} AS t WHERE {condition}) TO STDOUT (FORMAT binary)",
        columns(table, "t."),
        table.qualified()
    )
}

/// Quoted, with commas between.
pub(crate) fn columns(table: &Table, prefix: &str) -> String {
    table.columns.iter().map(|c| format!("{prefix}{}", quoted(&c.name))).collect::<Vec<_>>().join(", ")
}
