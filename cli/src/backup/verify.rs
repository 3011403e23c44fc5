//! Whether every object is what it was.

use super::{BackupPlace, say_if_unrecorded};
use anyhow::{Result, bail};
use backup::catalogue;
use backup::engine::Run;
use backup::records;
use backup::verify::{Verified, verify, verify_wal};
use shared::config::Config;

pub(super) async fn verify_all(
    config: &Config,
    backups: &[String],
    heal: bool,
    place: &BackupPlace,
    run: &Run,
) -> Result<()> {
    let engine = place.engine(config)?;
    if heal {
        let done = engine.stores.synchronise().await?;
        println!("{} objects brought to stores that had missed them, {} still wait", done.paid, done.left);
    }
    let mut found = catalogue::read(&engine, None).await?;
    if !backups.is_empty() {
        for id in backups {
            catalogue::find(&engine, id).await?;
        }
        found.backups.retain(|b| backups.iter().any(|id| b.folder.id.to_string().starts_with(id)));
    }
    let store = place.store(config).ok();
    let (mut lost, mut harmed) = (0, 0);
    for backup in &found.backups {
        let manifest = match &backup.manifest {
            Ok(manifest) => manifest,
            Err(error) => {
                lost += 1;
                println!("{} cannot be read: {}", backup.folder.id, shared::chain(error));
                continue;
            }
        };
        let verified = verify(&engine, manifest, heal, run).await?;
        lost += usize::from(!verified.is_good());
        harmed += usize::from(verified.is_good() && !verified.is_whole_everywhere());
        print_verified(&verified.backup.to_string(), &verified);
        if let Some(store) = &store {
            say_if_unrecorded(records::record_verified(store, &verified).await);
        }
    }
    if lost + harmed + found.unanswered.len() > 0 {
        bail!(
            "of {} backups {lost} are lost and {harmed} are harmed in a store; {} stores did not answer",
            found.backups.len(),
            found.unanswered.len()
        );
    }
    let mut and_wal = String::new();
    if backups.is_empty() {
        let verified = verify_wal(&engine, heal, run).await?;
        if verified.objects > 0 {
            print_verified("WAL", &verified);
            and_wal = format!(" and {} WAL files", verified.objects);
        }
        if !verified.is_whole_everywhere() {
            bail!("the archive of WAL is not whole: {} files are lost", verified.lost.len());
        }
    }
    println!("{} backups{and_wal} are whole in every store", found.backups.len());
    Ok(())
}

fn print_verified(what: &str, verified: &Verified) {
    println!("{what} {} objects, {} bytes in each store", verified.objects, verified.bytes);
    for (name, of) in &verified.stores {
        println!(
            "  {name}: {} whole, {} missing, {} damaged, {} unknown, {} healed",
            of.whole,
            of.missing.len(),
            of.damaged.len(),
            of.unknown.len(),
            of.healed
        );
    }
    for object in &verified.lost {
        println!("  lost: {object}");
    }
}
