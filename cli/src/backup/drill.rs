//! Restoring one to know that it works.

use super::{BackupPlace, say_if_unrecorded};
use anyhow::{Result, bail};
use backup::catalogue;
use backup::engine::Run;
use backup::records::RestoreLog;
use backup::restore::{Report, drill};
use backup::stores::BackupClass;
use shared::config::Config;
use shared::store::backups::RestoreMode;

pub(super) async fn perform_drill(
    config: &Config,
    backup: Option<String>,
    place: &BackupPlace,
    run: &Run,
) -> Result<()> {
    let engine = place.engine(config)?;
    let folder = match backup {
        Some(id) => catalogue::find(&engine, &id).await?,
        None => {
            let found = catalogue::read(&engine, Some(BackupClass::Full)).await?;
            match found.backups.into_iter().find(|b| b.manifest.is_ok()) {
                Some(newest) => newest.folder,
                None => bail!("no store that answers has a full backup"),
            }
        }
    };
    let mut log = RestoreLog::begin(
        folder.id,
        RestoreMode::Drill,
        None,
        vec![],
        false,
        &crate::administration::operator(),
    );
    let store = place.store(config)?;
    let performed = drill::perform(&engine, &place.target(config)?, &folder, run).await;
    let failures = performed.as_ref().map(Report::failures).unwrap_or_default();
    log.end(performed.as_ref(), (!failures.is_empty()).then(|| failures.join("; ")));
    say_if_unrecorded(store.record_restore(&log.0).await);
    let report = performed?;
    print_report(&report);
    if !report.is_proven() {
        bail!("backup {} does not prove good", report.backup);
    }
    println!("backup {} is proven: {} rows in {:.1} s", report.backup, report.rows, report.seconds);
    Ok(())
}

pub fn print_report(report: &Report) {
    for step in &report.steps {
        println!("{:>8.2} s  {}", step.seconds, step.step);
    }
    for check in &report.checks {
        println!(
            "{}  {}: {}",
            if check.is_ok { "    ok    " } else { "    FAILED" },
            check.name,
            check.detail
        );
    }
}
