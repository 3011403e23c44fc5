//! Removing what no rule keeps.

use super::{BackupPlace, say_if_unrecorded};
use anyhow::{Result, bail};
use backup::engine::Run;
use backup::{prune, records, retention};
use chrono::Utc;
use clap::Args;
use shared::config::{BackupRetention, Config};
use shared::ids::BackupId;
use shared::store::Store;

/// How long backups stay, instead of backup.retention; as long as any of these wants it.
#[derive(Args)]
pub struct PolicyArgs {
    /// Everything that is not older.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
    /// The newest of each of so many days that have one.
    #[arg(long)]
    daily: Option<u32>,
    #[arg(long)]
    weekly: Option<u32>,
    #[arg(long)]
    monthly: Option<u32>,
    #[arg(long)]
    yearly: Option<u32>,
}

pub(super) async fn remove(
    config: &Config,
    dry_run: bool,
    policy: &PolicyArgs,
    place: &BackupPlace,
    run: &Run,
) -> Result<()> {
    let engine = place.engine(config)?;
    let store: Option<Store> = place.store(config).ok();
    let marked = match &store {
        // Without the database nobody knows what people protect.
        Some(store) => store.marked_backups().await?,
        None if dry_run => vec![],
        None => bail!("what is protected is in the database, which is not configured"),
    };
    let planned =
        prune::plan(&engine, records::marks(&marked), &policy.over(config.backup.retention), Utc::now())
            .await?;
    for (id, reasons) in &planned.plan.kept {
        let reasons = serde_json::to_value(reasons)?;
        println!("keep    {id} {reasons}");
    }
    for id in &planned.plan.removed {
        println!("remove  {id}");
    }
    if dry_run {
        return Ok(());
    }
    let pruned = prune::perform(&engine, &planned, run).await?;
    for id in &pruned.removed {
        if let Some(store) = &store {
            say_if_unrecorded(store.record_removed_backup(BackupId(*id)).await);
        }
    }
    for left in &pruned.left {
        println!("{} is not gone yet: {} stores lock it, {} failed", left.id, left.locked_by, left.failed_in);
    }
    let (locked, failed) = pruned.held();
    if let Some(store) = &store {
        say_if_unrecorded(store.record_backup_removal(locked, failed).await);
    }
    if pruned.wal.locked + pruned.wal.failed > 0 {
        println!("{} WAL files are locked, {} failed", pruned.wal.locked, pruned.wal.failed);
    }
    println!(
        "removed {} backups, {} WAL files and {} unfinished backups; {} stay for now",
        pruned.removed.len(),
        pruned.wal.removed,
        pruned.unfinished.unfinished.len(),
        pruned.left.len()
    );
    Ok(())
}

impl PolicyArgs {
    fn over(&self, of_config: BackupRetention) -> retention::Policy {
        retention::Policy {
            days: self.days.unwrap_or(of_config.days),
            daily: self.daily.unwrap_or(of_config.daily),
            weekly: self.weekly.unwrap_or(of_config.weekly),
            monthly: self.monthly.unwrap_or(of_config.monthly),
            yearly: self.yearly.unwrap_or(of_config.yearly),
        }
    }
}
