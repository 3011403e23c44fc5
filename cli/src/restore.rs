//! Getting backups back, from a shell. One command fetches, decrypts, decompresses, restores and verifies.

use crate::administration::{operator, print_table};
use crate::backup::{BackupPlace, print_report, say_if_unrecorded};
use crate::stop;
use anyhow::{Context, Result, bail};
use backup::catalogue;
use backup::engine::Run;
use backup::error::Error;
use backup::kinds::tenant::Tenants;
use backup::postgres::Account;
use backup::records::RestoreLog;
use backup::restore::merge::{self, CONFLICTS_MAX, Conflict, Kept, MergeWish, Policy};
use backup::restore::plan::Wish;
use backup::restore::point_in_time::{self, PointWish, Until};
use backup::restore::{Report, full, unfinished};
use backup::stores::BackupClass;
use backup::wal;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use shared::config::Config;
use shared::store::backups::RestoreMode;
use std::path::{Path, PathBuf};
use uuid::Uuid;

#[derive(Subcommand)]
pub enum RestoreCommand {
    /// Put a full backup in the place of a database. What is there stays under another name.
    Full {
        /// Its id, or the beginning of it.
        backup: String,
        /// Name of the database afterwards; default: as it was called.
        #[arg(long = "as", value_name = "NAME")]
        database_name: Option<String>,
        /// To replace a database: its name, exactly.
        #[arg(long, value_name = "DATABASE")]
        confirm: Option<String>,
        /// Show the plan and touch nothing.
        #[arg(long)]
        dry_run: bool,
        /// Do not back up what is replaced. Only when it is worth nothing.
        #[arg(long)]
        without_safety_backup: bool,
        #[command(flatten)]
        place: BackupPlace,
    },
    /// Bring rows of tenants back into the database while it runs. What is newer, or not in the backup, stays.
    Merge {
        /// A tenant backup or a full one: its id, or the beginning of it.
        backup: String,
        /// Of a full backup, these tenants only.
        #[arg(long = "tenant", value_name = "ID", value_delimiter = ',')]
        tenants: Vec<Uuid>,
        /// Let the backup win where a row differs.
        #[arg(long)]
        overwrite: bool,
        /// To overwrite: the name of the database, exactly.
        #[arg(long, value_name = "DATABASE")]
        confirm: Option<String>,
        /// Count what is missing, equal, different and extra; change nothing.
        #[arg(long)]
        dry_run: bool,
        #[arg(long)]
        without_safety_backup: bool,
        #[command(flatten)]
        place: BackupPlace,
    },
    /// Make a cluster as it was at a moment, in a new folder, from a base backup and archived WAL.
    Pitr(PitrArgs),
}

#[derive(Args)]
pub struct PitrArgs {
    /// Folder for the cluster; must not exist, or be empty.
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
    /// Through the last transaction committed at this time: 2026-11-22T13:45:00Z.
    #[arg(long, group = "until")]
    time: Option<DateTime<Utc>>,
    /// Through the transaction that ends at this position: 0/3000148.
    #[arg(long, group = "until")]
    lsn: Option<wal::Lsn>,
    /// To a point that pg_create_restore_point has named.
    #[arg(long, group = "until")]
    name: Option<String>,
    /// Only what the base backup itself holds.
    #[arg(long, group = "until")]
    consistent: bool,
    /// From this base backup; default: the newest that leads there.
    #[arg(long, value_name = "ID")]
    from: Option<Uuid>,
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: BackupPlace,
}

pub async fn run(config: Config, config_file: Option<&Path>, command: RestoreCommand) -> Result<()> {
    let run = Run::new(stop::on_signal()?);
    match command {
        RestoreCommand::Full { backup, database_name, confirm, dry_run, without_safety_backup, place } => {
            let wish = Wish { database: database_name, without_safety_backup, ..Wish::default() };
            restore_full(&config, &backup, wish, confirm.as_deref(), dry_run, &place, &run).await
        }
        RestoreCommand::Merge {
            backup,
            tenants,
            overwrite,
            confirm,
            dry_run,
            without_safety_backup,
            place,
        } => {
            let wish = MergeWish {
                tenants: if tenants.is_empty() { Tenants::All } else { Tenants::These(tenants) },
                policy: if overwrite { Policy::Overwrite } else { Policy::Preserve },
                dry_run,
                without_safety_backup,
            };
            restore_merge(&config, &backup, &wish, confirm.as_deref(), &place, &run).await
        }
        RestoreCommand::Pitr(args) => restore_point(&config, config_file, args, &run).await,
    }
}

async fn restore_full(
    config: &Config,
    backup: &str,
    wish: Wish,
    confirm: Option<&str>,
    dry_run: bool,
    place: &BackupPlace,
    run: &Run,
) -> Result<()> {
    let engine = place.engine(config)?;
    let server = place.target(config)?;
    let folder = catalogue::find(&engine, backup).await?;
    let planned = full::plan(&engine, &server, &folder, wish).await?;
    println!("{}", planned.plan);
    if dry_run {
        return Ok(());
    }
    let database = planned.plan.database.clone();
    let mut log =
        RestoreLog::begin(folder.id, RestoreMode::Full, Some(database.clone()), vec![], false, &operator());
    let performed = full::perform(&engine, &server, &planned, confirm, run).await;
    log.end(performed.as_ref(), None);
    // Into the database that is there now, which after a success is the restored one.
    say_if_unrecorded(place.store(config)?.record_restore(&log.0).await);
    let report = performed?;
    print_report(&report);
    full::acknowledge(&server, &database).await?;
    println!("{database} is restored and proven: {} rows in {:.1} s", report.rows, report.seconds);
    if let Some(kept_as) = &report.kept_as {
        println!("What was there is in database {kept_as}; remove it when it is not needed any more.");
    }
    if planned.manifest.of.migration.is_some() {
        println!("Run `counterfoil migrate` before starting processes of a newer version.");
    }
    Ok(())
}

async fn restore_merge(
    config: &Config,
    backup: &str,
    wish: &MergeWish,
    confirm: Option<&str>,
    place: &BackupPlace,
    run: &Run,
) -> Result<()> {
    let engine = place.engine(config)?;
    let target = place.target(config)?;
    let folder = catalogue::find(&engine, backup).await?;
    let tenants = match &wish.tenants {
        Tenants::All => vec![],
        Tenants::These(ids) => ids.clone(),
    };
    let database = Some(target.database().to_owned());
    let mut log =
        RestoreLog::begin(folder.id, RestoreMode::Merge, database, tenants, wish.dry_run, &operator());
    let merged = merge::perform(&engine, &target, &folder, wish, confirm, run).await;
    log.end(merged.as_ref(), None);
    say_if_unrecorded(place.store(config)?.record_restore(&log.0).await);
    let merged = merged?;
    let rows: Vec<Vec<String>> = merged
        .comparisons
        .iter()
        .map(|c| {
            let counts = [c.missing, c.equal, c.different, c.extra, c.changed].map(|n| n.to_string());
            [c.tenant.to_string(), c.table.clone()].into_iter().chain(counts).collect()
        })
        .collect();
    let last = if merged.is_dry_run { "WOULD CHANGE" } else { "CHANGED" };
    print_table(&["TENANT", "TABLE", "MISSING", "EQUAL", "DIFFERENT", "EXTRA", last], &rows);
    for table in &merged.comparisons {
        for Conflict { key, columns, kept } in &table.conflicts {
            let (stays, would) = match kept {
                Kept::Live => ("the live row", if merged.is_dry_run { "would stay" } else { "stayed" }),
                Kept::Backup => {
                    ("the backup's row", if merged.is_dry_run { "would come back" } else { "came back" })
                }
            };
            println!("{} {key} differs in {}: {stays} {would}", table.table, columns.join(", "));
        }
        if table.different > CONFLICTS_MAX as u64 {
            println!("{} has {} more that differ", table.table, table.different - CONFLICTS_MAX as u64);
        }
    }
    for id in &merged.safety_backups {
        println!("What was there is in backup {id}.");
    }
    Ok(())
}

async fn restore_point(config: &Config, config_file: Option<&Path>, args: PitrArgs, run: &Run) -> Result<()> {
    let PitrArgs { into, time, lsn, name, consistent, from, dry_run, place } = args;
    let engine = place.engine(config)?;
    let until = match (time, lsn, name, consistent) {
        (Some(time), ..) => Until::Time(time),
        (_, Some(lsn), ..) => Until::Lsn(lsn),
        (_, _, Some(name), _) => Until::Name(name),
        (_, _, _, true) => Until::Consistent,
        _ => Until::Latest,
    };
    let found = catalogue::read(&engine, Some(BackupClass::Base)).await?;
    let segment_bytes = found
        .backups
        .iter()
        .find_map(|b| Some(b.manifest.as_ref().ok()?.wal.as_ref()?.segment_bytes))
        .context("no store that answers has a base backup")?;
    let coverage = wal::read_coverage(&engine.stores, &engine.cluster, segment_bytes).await?;
    let into = std::path::absolute(into)?;
    // One that was killed goes on from its own base backup, whatever was taken since.
    let begun = unfinished(&into).filter(|left| left.until == until.to_string()).map(|left| left.backup);
    let from = from.or(begun);
    let planned = point_in_time::plan(&found, &coverage, &until, from).map_err(Error::Refused)?;
    println!("Recover {until} from base backup {}", planned.manifest.id);
    for (number, step) in planned.steps.iter().enumerate() {
        println!("  {}. {step}", number + 1);
    }
    for note in &planned.notes {
        println!("  Note: {note}.");
    }
    if dry_run {
        return Ok(());
    }
    let wish = PointWish {
        dir: into.clone(),
        until,
        from,
        restore_command: place.restore_command(config_file)?,
        account: Account::unprivileged(),
    };
    let target = Some(into.display().to_string());
    let mut log =
        RestoreLog::begin(planned.manifest.id, RestoreMode::PointInTime, target, vec![], false, &operator());
    let performed: Result<Report, Error> = point_in_time::perform(&engine, &planned, &wish, run).await;
    log.end(performed.as_ref(), None);
    if let Ok(store) = place.store(config) {
        say_if_unrecorded(store.record_restore(&log.0).await);
    }
    let report = performed?;
    print_report(&report);
    if report.checks.is_empty() {
        bail!("nothing could be checked");
    }
    println!("{} holds the cluster, shut down in order, after {:.1} s.", into.display(), report.seconds);
    Ok(())
}
