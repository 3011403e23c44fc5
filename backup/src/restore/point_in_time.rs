//! PITR: the cluster as it was at a moment, in a new folder: a base backup, and WAL from there on.

use super::Step;
use super::cluster_dir::{ClusterDir, Stage};
use super::fetching::{Failed, Fetching};
use super::proof::{Check, prove};
use super::report::{Report, Stopwatch};
use crate::catalogue::Catalogue;
use crate::engine::{Engine, Run};
use crate::error::{Doing, Error, Result};
use crate::kinds::physical::{Member, STREAM, check_tar};
use crate::manifest::{Manifest, read_manifest};
use crate::postgres::{Account, Programs, RestoredServer, ScratchDir};
use crate::stores::BackupClass;
use crate::wal::{Coverage, Lsn, WalFile};
use chrono::{DateTime, SecondsFormat, Utc};
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Up to where to recover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Until {
    /// As soon as the base backup is consistent.
    Consistent,
    /// To the end of the archive.
    Latest,
    /// Through the last transaction that was committed at or before it, by the server's clock.
    Time(DateTime<Utc>),
    /// Through the transaction that ends there.
    Lsn(Lsn),
    /// To a point named by `pg_create_restore_point`.
    Name(String),
}

#[derive(Debug, Clone)]
pub struct PointWish {
    /// Where the cluster goes: must not exist yet, or be empty.
    pub dir: PathBuf,
    pub until: Until,
    /// From this base backup; otherwise from the newest that ended before.
    pub from: Option<Uuid>,
    /// As PostgreSQL runs it, with `%f` and `%p`.
    pub restore_command: String,
    /// Who owns the cluster and runs the server; `None`: we.
    pub account: Option<Account>,
}

/// From which backup, and whether the WAL is there.
#[derive(Debug, Clone)]
pub struct PointPlan {
    pub manifest: Box<Manifest>,
    pub until: Until,
    pub steps: Vec<Step>,
    pub notes: Vec<String>,
}

/// Chooses the base backup: a pure function. `Err`: why there is no way to that point.
pub fn plan(
    catalogue: &Catalogue,
    coverage: &Coverage,
    until: &Until,
    from: Option<Uuid>,
) -> std::result::Result<PointPlan, String> {
    let bases = catalogue
        .backups
        .iter()
        .filter(|backup| backup.folder.class == BackupClass::Base)
        .filter_map(|backup| backup.manifest.as_ref().ok());
    let mut candidates: Vec<(&Manifest, Lsn, Lsn)> = bases
        .filter(|manifest| from.is_none_or(|id| id == manifest.id))
        .filter_map(|manifest| {
            let wal = manifest.wal.as_ref()?;
            Some((&**manifest, wal.start_lsn.parse().ok()?, wal.end_lsn.parse().ok()?))
        })
        .collect();
    if candidates.is_empty() {
        return Err(match from {
            Some(id) => format!("no store that answers has a base backup {id}"),
            None => "no store that answers has a base backup".into(),
        });
    }
    candidates.retain(|(manifest, _, end)| match until {
        Until::Time(time) => manifest.finished_at <= *time,
        Until::Lsn(lsn) => end <= lsn,
        Until::Consistent | Until::Latest | Until::Name(_) => true,
    });
    let newest = candidates.into_iter().max_by_key(|(manifest, _, end)| (manifest.finished_at, *end));
    let Some((manifest, start, end)) = newest else {
        return Err(format!(
            "every base backup is newer than {until}; an older point cannot be reached from it"
        ));
    };
    let Some(wal) = &manifest.wal else { return Err("the base backup names no WAL".into()) };
    let reach =
        coverage.reaches_from(wal.timeline, end).or_else(|| coverage.reaches_from(wal.timeline, start));
    let mut notes = vec![];
    match (until, reach) {
        (Until::Consistent, _) => {}
        (Until::Lsn(lsn), Some(reach)) if reach < *lsn && !has_later_timeline(coverage, wal.timeline) => {
            return Err(format!(
                "WAL from base backup {} reaches {reach} without a hole, and {lsn} lies beyond",
                manifest.id
            ));
        }
        (Until::Lsn(lsn), None) if *lsn > end => {
            return Err(format!(
                "no WAL after base backup {} is archived, and {lsn} lies beyond it",
                manifest.id
            ));
        }
        (_, Some(reach)) => {
            notes.push(format!("WAL of timeline {} reaches {reach} without a hole", wal.timeline))
        }
        (_, None) => notes.push("no WAL after the base backup is archived".into()),
    }
    let after: Vec<_> = coverage
        .gaps()
        .into_iter()
        .filter(|gap| gap.timeline == wal.timeline && gap.last * coverage.segment_bytes >= start.0)
        .collect();
    for gap in after {
        let at = |number: u64| Lsn(number * coverage.segment_bytes);
        notes.push(format!(
            "WAL from {} to {} is missing: nothing after it can be reached",
            at(gap.first),
            at(gap.last + 1)
        ));
    }
    let packs = manifest.streams.iter().map(|stream| stream.packs.len()).sum();
    Ok(PointPlan {
        until: until.clone(),
        steps: vec![
            Step::Fetch { packs, sealed_bytes: manifest.sealed_bytes() },
            Step::Recover { until: until.to_string() },
        ],
        notes,
        manifest: Box::new(manifest.clone()),
    })
}

fn has_later_timeline(coverage: &Coverage, timeline: u32) -> bool {
    coverage.runs.iter().any(|run| run.timeline > timeline)
}

/// Performs the plan: the folder holds a cluster that was recovered, opened on a new timeline, proved where that can
/// be, and shut down in order. When it fails the folder is gone; when it is killed, the same call goes on with it.
pub async fn perform(engine: &Engine, planned: &PointPlan, wish: &PointWish, run: &Run) -> Result<Report> {
    let manifest = &*planned.manifest;
    let programs = Programs::for_server(manifest.of.server_major)?;
    let mut watch = Stopwatch::start();
    let mut made =
        ClusterDir::begin(&wish.dir, manifest.id, &planned.until.to_string(), wish.account).await?;
    if made.stage() == Stage::Recovering {
        watch.done(&Step::TakeUp { what: "the fetched cluster".into() });
    } else {
        let (_, key) = read_manifest(&engine.stores, &manifest.folder()?, &engine.keys).await?;
        run.enter("fetching");
        let (into, account) = (made.path.clone(), wish.account);
        let fetching = Fetching {
            engine,
            backup: manifest.id,
            note: manifest.stream(STREAM)?,
            key: &key,
            run,
            kept_in: Some(made.packs()),
            room_bytes: manifest.plain_bytes(),
        };
        let unpacking = move |plain: &mut dyn Read| {
            check_tar(plain, |member, content| unpack(&into, account, member, content)).map(drop)
        };
        if let Err(Failed { error, is_kept }) = fetching.open(&mut watch, unpacking).await {
            if is_kept {
                made.leave();
            }
            return Err(error);
        }
        give(&made.path, account).doing("giving the cluster to its account")?;
        write_settings(&made.path, wish).doing("writing how to recover")?;
        made.fetched()?;
        watch.done(&planned.steps[0]);
    }
    let account = wish.account;

    run.enter("recovering");
    let scratch = ScratchDir::create_short(&engine.settings.scratch_dir)?;
    let run_dir = scratch.path().join("run");
    fs::create_dir(&run_dir).doing("making the server's folder")?;
    if account.is_some() {
        // The server's account has to get to its socket.
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o711)).doing("opening the way")?;
    }
    let mut server = RestoredServer::start(&programs, &made.path, &run_dir, account, &manifest.of.role)?;
    let recovered = server.wait_until_recovered(&run.stop).await;
    let proved = match recovered {
        Ok(()) => {
            watch.done(&planned.steps[1]);
            checks(engine, manifest, &planned.until, &server, run).await
        }
        Err(error) => Err(error),
    };
    let stopped = server.stop().await;
    let checks = proved?;
    stopped?;
    forget_settings(&made.path).doing("removing how to recover")?;
    announce_histories(&made.path, account).doing("noting which histories to archive")?;
    let report = Report {
        backup: manifest.id,
        target: Some(wish.dir.display().to_string()),
        kept_as: None,
        safety_backup: None,
        rows: manifest.rows(),
        seconds: watch.seconds(),
        steps: watch.steps,
        checks,
    };
    if !report.is_proven() {
        return Err(Error::Differs(report.failures()));
    }
    made.keep()?;
    Ok(report)
}

/// Row for row when it was recovered to the very position that the manifest knows; otherwise what must be true of
/// any moment.
async fn checks(
    engine: &Engine,
    manifest: &Manifest,
    until: &Until,
    server: &RestoredServer,
    run: &Run,
) -> Result<Vec<Check>> {
    let known = manifest.snapshot.as_ref().filter(|snapshot| snapshot.lsn_is_exact);
    let is_at_known =
        matches!((until, known), (Until::Lsn(lsn), Some(known)) if known.lsn.parse() == Ok(*lsn));
    let database = server.target.with_database(&manifest.of.database);
    let mut checks = prove(&database, manifest, engine.settings.jobs, run).await?;
    if !is_at_known {
        checks.retain(|check| check.name != super::proof::FIGURES);
    }
    Ok(checks)
}

fn unpack(
    dir: &Path,
    account: Option<Account>,
    member: &Member<'_>,
    content: Option<&mut dyn Read>,
) -> io::Result<()> {
    let path = dir.join(member.path);
    match content {
        None => fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?,
        Some(content) => {
            let mode = member.header.mode().unwrap_or(0o600) & 0o700;
            let mut file =
                fs::OpenOptions::new().write(true).create_new(true).mode(mode | 0o600).open(&path)?;
            io::copy(content, &mut file)?;
        }
    }
    give(&path, account)
}

fn give(path: &Path, account: Option<Account>) -> io::Result<()> {
    match account {
        Some(Account { uid, gid }) => chown(path, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

const SETTINGS: &str = "postgresql.auto.conf";
const BEGINS: &str = "# counterfoil: how to recover; removed afterwards";

fn write_settings(dir: &Path, wish: &PointWish) -> io::Result<()> {
    let quote = |text: &str| text.replace('\'', "''");
    let target = match &wish.until {
        Until::Consistent => "recovery_target = 'immediate'\n".to_owned(),
        Until::Latest => String::new(),
        Until::Time(time) => {
            format!("recovery_target_time = '{}'\n", time.to_rfc3339_opts(SecondsFormat::Micros, false))
        }
        Until::Lsn(lsn) => format!("recovery_target_lsn = '{lsn}'\nrecovery_target_inclusive = on\n"),
        Until::Name(name) => format!("recovery_target_name = '{}'\n", quote(name)),
    };
    let path = dir.join(SETTINGS);
    let before = fs::read_to_string(&path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(String::new()),
        _ => Err(error),
    })?;
    // The last one of a name wins.
    let text = format!(
        "{before}\n{BEGINS}\nrestore_command = '{}'\n{target}recovery_target_action = 'promote'\n",
        quote(&wish.restore_command)
    );
    fs::write(&path, text)?;
    give(&path, wish.account)?;
    for name in ["postgresql.conf", "pg_ident.conf", "recovery.signal"] {
        // Where the distribution keeps settings elsewhere, the cluster has none of its own.
        let path = dir.join(name);
        if !path.exists() {
            fs::write(&path, "")?;
            give(&path, wish.account)?;
        }
    }
    Ok(())
}

fn forget_settings(dir: &Path) -> io::Result<()> {
    let path = dir.join(SETTINGS);
    let text = fs::read_to_string(&path)?;
    if let Some((before, _)) = text.split_once(&format!("\n{BEGINS}")) {
        fs::write(&path, before)?;
    }
    let _ = fs::remove_dir_all(dir.join("pg_wal/counterfoil-prefetch"));
    Ok(())
}

/// The server recovered without archiving, and so did not hand the history of its new timeline over. Whoever starts it
/// with archiving on archives that first: without it nobody finds the way from the old timeline to the new one.
fn announce_histories(dir: &Path, account: Option<Account>) -> io::Result<()> {
    let (wal, status) = (dir.join("pg_wal"), dir.join("pg_wal/archive_status"));
    for found in fs::read_dir(&wal)? {
        let name = found?.file_name();
        let name = name.to_string_lossy();
        if !matches!(name.parse(), Ok(WalFile::History { .. })) {
            continue;
        }
        let ready = status.join(format!("{name}.ready"));
        if !ready.exists() && !status.join(format!("{name}.done")).exists() {
            fs::write(&ready, "")?;
            give(&ready, account)?;
        }
    }
    Ok(())
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consistent => f.write_str("as soon as it is consistent"),
            Self::Latest => f.write_str("to the end of the archive"),
            Self::Time(time) => write!(f, "to {}", time.to_rfc3339_opts(SecondsFormat::Micros, true)),
            Self::Lsn(lsn) => write!(f, "to position {lsn}"),
            Self::Name(name) => write!(f, "to the restore point {name:?}"),
        }
    }
}

#[cfg(test)]
#[path = "point_in_time_tests.rs"]
mod tests;
