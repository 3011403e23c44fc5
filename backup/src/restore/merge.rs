//! MERGE: rows of tenants back into a database that runs. What is newer, or not in the backup, stays.
//!
//! Everything happens in one transaction: rows are staged in temporary tables, compared with the manifest there, then
//! with what is live, and only then brought in. A dry run goes the same way and rolls back.

use super::proof::Check;
use super::report::{Report, Stopwatch};
use super::staging::Staging;
use crate::engine::{Engine, Protected, Run};
use crate::error::{Doing, Error, Result};
use crate::kinds::tenant::{self, Part, TenantRows, Tenants, columns, copy_out};
use crate::kinds::{PartsReader, stream};
use crate::manifest::{Manifest, read_manifest};
use crate::postgres::{
    Column, Figures, Snapshot, Surroundings, Table, Target, close, differences, figures_in, primary_key,
    quoted, row_hash,
};
use crate::seal::DataKey;
use crate::stores::{BackupClass, BackupFolder};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use tokio::sync::mpsc;
use uuid::Uuid;

/// What becomes of a row that is live and in the backup, and differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The live one stays: only what is missing comes back.
    Preserve,
    /// The backup's comes back. Rows that are written once and rows that others share stay all the same.
    Overwrite,
}

#[derive(Debug, Clone)]
pub struct MergeWish {
    /// From a full backup these; a tenant backup holds one alone.
    pub tenants: Tenants,
    pub policy: Policy,
    /// Count only; nothing changes.
    pub dry_run: bool,
    pub without_safety_backup: bool,
}

/// How a table of the backup and the live one compare, before anything was brought in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    pub tenant: Uuid,
    pub table: String,
    /// In the backup and not live: would come back.
    pub missing: u64,
    pub equal: u64,
    /// In both, with the same key and other content: what the policy is about.
    pub different: u64,
    /// Live and not in the backup: stays.
    pub extra: u64,
    /// Rows that were, or would be, inserted or replaced.
    pub changed: u64,
}

/// What a merge did, or would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Merged {
    pub report: Report,
    pub is_dry_run: bool,
    pub comparisons: Vec<Comparison>,
    pub safety_backups: Vec<Uuid>,
}

/// Brings tenants back into `target`. To overwrite, `confirm` must be the name of its database.
pub async fn perform(
    engine: &Engine,
    target: &Target,
    backup: &BackupFolder,
    wish: &MergeWish,
    confirm: Option<&str>,
    run: &Run,
) -> Result<Merged> {
    let mut watch = Stopwatch::start();
    let (manifest, key) = read_manifest(&engine.stores, backup, &engine.keys).await?;
    let may_write = !wish.dry_run;
    if may_write && wish.policy == Policy::Overwrite && confirm != Some(target.database()) {
        return Err(Error::Refused(format!(
            "to overwrite rows of {:?}, confirm by giving its name exactly",
            target.database()
        )));
    }
    match manifest.class {
        BackupClass::Tenant => {
            let tenants = of_backup(&manifest, &wish.tenants)?;
            let safety_backups =
                if may_write { save(engine, target, &tenants, wish, run).await? } else { vec![] };
            let comparisons =
                merge_one(target, &manifest, tenants[0], Source::Backup { engine, key: &key }, wish, run)
                    .await?;
            Ok(merged(&manifest, wish, comparisons, safety_backups, watch, target))
        }
        BackupClass::Full => {
            let staging = Staging {
                engine,
                server: target,
                manifest: &manifest,
                key: &key,
                owners: false,
                jobs: engine.settings.jobs,
                takes_up: true,
                run,
            };
            let (scratch, checks) = staging.perform(&mut watch).await?;
            let merging = async {
                if let Some(failed) = checks.iter().find(|check| !check.is_ok) {
                    return Err(Error::Differs(vec![format!("{}: {}", failed.name, failed.detail)]));
                }
                let chosen = chosen_in(&scratch.target, &wish.tenants).await?;
                let safety_backups =
                    if may_write { save(engine, target, &chosen, wish, run).await? } else { vec![] };
                let mut comparisons = vec![];
                for tenant in chosen {
                    let found =
                        merge_one(target, &manifest, tenant, Source::Database(&scratch.target), wish, run)
                            .await?;
                    comparisons.extend(found);
                }
                Ok((comparisons, safety_backups))
            };
            let done = merging.await;
            scratch.remove().await?;
            let (comparisons, safety_backups) = done?;
            Ok(merged(&manifest, wish, comparisons, safety_backups, watch, target))
        }
        other => Err(Error::Refused(format!("a {} backup has no rows of tenants to merge", other.as_str()))),
    }
}

fn merged(
    manifest: &Manifest,
    wish: &MergeWish,
    comparisons: Vec<Comparison>,
    safety_backups: Vec<Uuid>,
    watch: Stopwatch,
    target: &Target,
) -> Merged {
    let whole = format!("{} tables staged, all as in the backup", comparisons.len());
    Merged {
        report: Report {
            backup: manifest.id,
            target: Some(target.database().to_owned()),
            kept_as: None,
            safety_backup: safety_backups.first().copied(),
            rows: comparisons.iter().map(|table| table.changed).sum(),
            seconds: watch.seconds(),
            steps: watch.steps,
            checks: vec![Check { name: "rows and digests".into(), is_ok: true, detail: whole }],
        },
        is_dry_run: wish.dry_run,
        comparisons,
        safety_backups,
    }
}

fn of_backup(manifest: &Manifest, wished: &Tenants) -> Result<Vec<Uuid>> {
    if manifest.tenants.len() != 1 {
        return Err(Error::Damaged {
            what: "the manifest".into(),
            how: "a tenant backup holds one tenant".into(),
        });
    }
    match wished {
        Tenants::These(ids) if ids.as_slice() != manifest.tenants.as_slice() => {
            Err(Error::Refused(format!("backup {} is of tenant {} alone", manifest.id, manifest.tenants[0])))
        }
        _ => Ok(manifest.tenants.clone()),
    }
}

async fn chosen_in(from: &Target, wished: &Tenants) -> Result<Vec<Uuid>> {
    let mut session = from.connect().await?;
    let there: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM projects ORDER BY id")
        .fetch_all(&mut session)
        .await
        .doing("listing the tenants of the backup")?;
    close(session).await;
    match wished {
        Tenants::All => Ok(there),
        Tenants::These(ids) => match ids.iter().find(|id| !there.contains(id)) {
            Some(id) => Err(Error::Refused(format!("the backup has no tenant {id}"))),
            None => Ok(ids.clone()),
        },
    }
}

/// Backs up those of the tenants that are there.
async fn save(
    engine: &Engine,
    target: &Target,
    tenants: &[Uuid],
    wish: &MergeWish,
    run: &Run,
) -> Result<Vec<Uuid>> {
    if wish.without_safety_backup {
        return Ok(vec![]);
    }
    let mut session = target.connect().await?;
    let there: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM projects WHERE id = ANY($1)")
        .bind(tenants)
        .fetch_all(&mut session)
        .await
        .doing("looking for the tenants")?;
    close(session).await;
    if there.is_empty() {
        return Ok(vec![]);
    }
    let live = Protected { engine: engine.clone(), target: target.clone() };
    let note = Some("before rows were merged".to_owned());
    let mut saved = vec![];
    for (tenant, taken) in tenant::create(&live, &Tenants::These(there), note, run).await? {
        let taken = taken.map_err(|error| match error {
            Error::Stopped => Error::Stopped,
            error => Error::Refused(format!(
                "no backup could be taken of tenant {tenant} as it is ({}); nothing was touched",
                shared::chain(&error)
            )),
        })?;
        saved.push(taken.manifest.id);
    }
    Ok(saved)
}

/// Where rows come from.
enum Source<'a> {
    Backup { engine: &'a Engine, key: &'a DataKey },
    Database(&'a Target),
}

/// A piece of a table's binary COPY stream.
type Piece = (String, Vec<u8>);

async fn merge_one(
    target: &Target,
    manifest: &Manifest,
    project: Uuid,
    source: Source<'_>,
    wish: &MergeWish,
    run: &Run,
) -> Result<Vec<Comparison>> {
    run.enter("staging");
    let mut session = target.connect().await?;
    let mut tx = session.begin().await.doing("beginning to merge")?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('restore ' || $1::text, 0))")
        .bind(project)
        .execute(&mut *tx)
        .await
        .doing("locking the tenant against other restores")?;
    let here = Surroundings::read(&mut tx).await?;
    if here.server_major != manifest.of.server_major {
        return Err(Error::Refused(format!(
            "rows of PostgreSQL {} cannot be merged into PostgreSQL {}: merge from a full backup, on a server of that \
             version",
            manifest.of.server_major, here.server_major
        )));
    }
    let live = tenant::parts(&mut tx).await?;
    let staged = match source {
        Source::Backup { engine, key } => {
            let noted: Vec<(Figures, Vec<Column>)> =
                manifest.tables.iter().map(|t| (t.figures.clone(), t.columns.clone())).collect();
            let parts = fitting(&live, noted)?;
            let note = manifest.stream(tenant::STREAM)?;
            let (pieces, receiver) = mpsc::channel::<Piece>(2);
            let reading = stream::open_stream(&engine.stores, manifest.id, note, key, run, move |plain| {
                PartsReader::new(plain).read(|name, piece| {
                    pieces
                        .blocking_send((name.to_owned(), piece))
                        .map_err(|_| std::io::Error::other("the rows are not wanted any more"))
                })
            });
            let (read, loaded) = tokio::join!(reading, load(&mut tx, &parts, receiver));
            // The database's error comes first: reading fails because loading did.
            loaded?;
            read?;
            parts
        }
        Source::Database(from) => {
            let snapshot = Snapshot::export(from).await?;
            let mut reader = snapshot.session().await?;
            let mut noted = vec![];
            let mut statements = vec![];
            for part in tenant::parts(&mut reader).await? {
                let Some(condition) = part.rows.of(project) else { continue };
                noted.push((
                    figures_in(&mut reader, &part.table, Some(&condition)).await?,
                    part.table.columns.clone(),
                ));
                statements.push((part.table.name.clone(), copy_out(&part.table, &condition)));
            }
            let parts = fitting(&live, noted)?;
            let (pieces, receiver) = mpsc::channel::<Piece>(2);
            let reading = async move {
                for (name, statement) in statements {
                    let doing = format!("copying {name}");
                    let mut rows = reader.copy_out_raw(&statement).await.doing(&doing)?;
                    while let Some(piece) = rows.next().await {
                        if pieces.send((name.clone(), piece.doing(&doing)?.to_vec())).await.is_err() {
                            return Ok(());
                        }
                    }
                }
                Ok::<_, Error>(())
            };
            let (read, loaded) = tokio::join!(reading, load(&mut tx, &parts, receiver));
            loaded?;
            read?;
            parts
        }
    };
    check_staged(&mut tx, &staged).await?;
    run.enter("merging");
    make_partitions(&mut tx, &staged).await?;
    let mut comparisons = vec![];
    for part in &staged {
        if run.stop.is_cancelled() {
            return Err(Error::Stopped);
        }
        comparisons.push(bring_in(&mut tx, part, project, wish.policy).await?);
    }
    if wish.dry_run {
        tx.rollback().await.doing("rolling the dry run back")?;
    } else {
        tx.commit().await.map_err(|error| conflict(error, "committing"))?;
    }
    close(session).await;
    Ok(comparisons)
}

/// A table to be staged: as it is live, with the backup's columns.
struct Staged {
    table: Table,
    rows: TenantRows,
    /// What the backup says of it.
    figures: Figures,
    stage: String,
}

/// Matches the backup's tables with the live ones. Live columns that the backup does not know get their defaults;
/// anything else that does not fit is refused, all of it at once.
fn fitting(live: &[Part], noted: Vec<(Figures, Vec<Column>)>) -> Result<Vec<Staged>> {
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

async fn load(session: &mut PgConnection, parts: &[Staged], mut pieces: mpsc::Receiver<Piece>) -> Result<()> {
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
async fn check_staged(session: &mut PgConnection, staged: &[Staged]) -> Result<()> {
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
async fn make_partitions(session: &mut PgConnection, staged: &[Staged]) -> Result<()> {
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

async fn bring_in(
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
    };
    let overwrites = policy == Policy::Overwrite && matches!(rows, TenantRows::Changing(_));
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
        "INSERT INTO {} AS t ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {stage} AS s ON CONFLICT ({}) {action}",
        table.qualified(),
        columns(table, ""),
        columns(table, "s."),
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
fn conflict(error: sqlx::Error, doing: &str) -> Error {
    match error.as_database_error() {
        Some(refused) if refused.constraint().is_some() => Error::Refused(format!(
            "{doing}: the backup's rows conflict with live ones by {} ({}); nothing was changed",
            refused.constraint().unwrap_or_default(),
            refused.message()
        )),
        _ => Error::Database { doing: doing.into(), source: error },
    }
}
