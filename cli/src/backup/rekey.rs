//! Wrapping keys anew after a rotation.

use super::BackupPlace;
use anyhow::{Result, bail};
use backup::engine::Run;
use backup::rekey::{Rekeyed, Wrapped, rekey};
use shared::config::Config;

pub(super) async fn rotate(config: &Config, dry_run: bool, place: &BackupPlace, run: &Run) -> Result<()> {
    let engine = place.engine(config)?;
    let rekeyed = rekey(&engine, dry_run, run).await?;
    let Rekeyed { key, backups, wal, unreadable, short, removed } = &rekeyed;
    let would = if dry_run { "would be wrapped" } else { "wrapped" };
    for (what, Wrapped { anew, already }) in [("backups", backups), ("WAL files", wal)] {
        println!("{what}: {anew} keys {would} with key {key}, {already} were already");
    }
    if *removed > 0 {
        println!("{removed} older wrapped keys removed");
    }
    for line in unreadable {
        eprintln!("counterfoil: cannot be opened: {line}");
    }
    if *short > 0 {
        eprintln!(
            "counterfoil: {short} wrapped keys are not in every store yet; run this again when all answer"
        );
    }
    if !rekeyed.is_complete() {
        bail!("older keys are still needed: keep them behind the first");
    }
    if !dry_run {
        println!("Nothing needs another key than {key}: older ones may leave the ring of every process.");
    }
    Ok(())
}
