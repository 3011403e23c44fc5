//! MERGE: rows of tenants back into a database that runs. What is newer, or not in the backup, stays.
//!
//! Everything happens in one transaction: rows are staged in temporary tables, compared with the manifest there, then
//! with what is live, and only then brought in. A dry run goes the same way and rolls back.

mod bringing;
mod staged;

use super::fetching::{Failed, Fetching};
use super::proof::Check;
use super::report::{Report, Stopwatch};
use super::staged::StagedDump;
use super::staging::Staging;
use crate::engine::{Engine, Protected, Run};
use crate::error::{Doing, Error, Result};
use crate::kinds::PartsReader;
use crate::kinds::tenant::{self, Tenants, copy_out};
use crate::manifest::{Manifest, read_manifest};
use crate::postgres::{Column, Figures, Snapshot, Surroundings, Target, close, figures_in};
use crate::seal::DataKey;
use crate::stores::{BackupClass, BackupFolder};
use bringing::{bring_in, conflict};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use sqlx::Connection;
use staged::{check_staged, fitting, load, make_partitions};
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
    /// Those that differ, the first [`CONFLICTS_MAX`] by key.
    #[serde(default)]
    pub conflicts: Vec<Conflict>,
    /// Keys of rows that come back, the first [`KEYS_MAX`]. Some that are missing stay away: what was judged meanwhile
    /// waits no more, who was let out stays out.
    #[serde(default)]
    pub added: Vec<String>,
    /// Keys of rows that are only live, the first [`KEYS_MAX`]: newer ones, mostly. They stay.
    #[serde(default)]
    pub only_live: Vec<String>,
}

/// A row that is live and in the backup, and differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Its primary key, as text.
    pub key: String,
    /// In which columns.
    pub columns: Vec<String>,
    pub kept: Kept,
}

/// Whose row is there now, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    Live,
    Backup,
}

/// Of one table; `Comparison::different` counts all of them.
pub const CONFLICTS_MAX: usize = 100;
/// Of one table, of each sort; the counts count all of them.
pub const KEYS_MAX: usize = 20;

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
            let comparisons = merge_one(
                target,
                &manifest,
                tenants[0],
                Source::Backup { engine, key: &key },
                wish,
                &mut watch,
                run,
            )
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
                    let found = merge_one(
                        target,
                        &manifest,
                        tenant,
                        Source::Database(&scratch.target),
                        wish,
                        &mut watch,
                        run,
                    )
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
    watch: &mut Stopwatch,
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
    // Until the rows are in: whoever is killed before begins again with what was fetched.
    let mut fetched = None;
    let staged = match source {
        Source::Backup { engine, key } => {
            let noted: Vec<(Figures, Vec<Column>)> =
                manifest.tables.iter().map(|t| (t.figures.clone(), t.columns.clone())).collect();
            let parts = fitting(&live, noted)?;
            let note = manifest.stream(tenant::STREAM)?;
            let (pieces, receiver) = mpsc::channel::<Piece>(2);
            let dump = StagedDump::take(&engine.settings.scratch_dir, manifest.id)?;
            let fetching = Fetching {
                engine,
                backup: manifest.id,
                note,
                key,
                run,
                kept_in: Some(dump.packs()),
                room_bytes: 0,
            };
            let reading = fetching.open(watch, move |plain| {
                PartsReader::new(plain).read(|name, piece| {
                    pieces
                        .blocking_send((name.to_owned(), piece))
                        .map_err(|_| std::io::Error::other("the rows are not wanted any more"))
                })
            });
            let (read, loaded) = tokio::join!(reading, load(&mut tx, &parts, receiver));
            // The database's error comes first: reading fails because loading did.
            loaded?;
            match read {
                Ok(()) => fetched = Some(dump),
                Err(Failed { error, is_kept }) => {
                    if is_kept {
                        dump.leave();
                    }
                    return Err(error);
                }
            }
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
    sqlx::query(
        "SELECT set_config('counterfoil.project_was_there',
                           CASE WHEN EXISTS (SELECT FROM projects WHERE id = $1) THEN 'yes' ELSE 'no' END, true)",
    )
    .bind(project)
    .execute(&mut *tx)
    .await
    .doing("looking for the project")?;
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
    drop(fetched);
    Ok(comparisons)
}
