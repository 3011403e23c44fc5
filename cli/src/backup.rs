//! Backups, from a shell on the server: without queue and HTTP, and for the most part without a database.

mod place;

pub use place::BackupPlace;

use crate::administration::print_table;
use crate::stop;
use anyhow::{Result, bail};
use backup::catalogue::{self, Catalogued};
use backup::engine::{Protected, Run};
use backup::kinds::tenant::Tenants;
use backup::kinds::{Created, configuration, full, physical, tenant};
use backup::records::{self, RestoreLog};
use backup::restore::{Report, drill};
use backup::stores::BackupClass;
use backup::verify::{Verified, verify, verify_wal};
use backup::{prune, retention};
use chrono::{SecondsFormat, Utc};
use clap::{Args, Subcommand, ValueEnum};
use shared::config::{BackupRetention, Config};
use shared::ids::BackupId;
use shared::store::Store;
use shared::store::backups::RestoreMode;
use uuid::Uuid;

#[derive(Subcommand)]
pub enum BackupCommand {
    /// Take a backup now.
    Create(CreateArgs),
    /// List the backups that the stores have, newest first.
    List {
        #[arg(long)]
        kind: Option<Kind>,
        #[command(flatten)]
        place: BackupPlace,
    },
    /// Show what a backup says of itself, as JSON.
    Show {
        /// Its id, or the beginning of it.
        backup: String,
        /// What is in a configuration backup, instead.
        #[arg(long)]
        content: bool,
        #[command(flatten)]
        place: BackupPlace,
    },
    /// Read every object of backups, and of the WAL archive, from every store and compare digests; exits with 1 when one is lost or harmed.
    Verify {
        /// Ids, or their beginnings; default: all.
        backups: Vec<String>,
        /// Bring back what is missing or damaged in one store from another.
        #[arg(long)]
        heal: bool,
        #[command(flatten)]
        place: BackupPlace,
    },
    /// Restore a full backup into a scratch database, compare it with its manifest, and remove it again; exits with 1
    /// when a check fails.
    Drill {
        /// Its id, or the beginning of it; default: the newest full backup.
        backup: Option<String>,
        #[command(flatten)]
        place: BackupPlace,
    },
    /// Remove backups that no rule keeps, and what unfinished ones have left.
    Prune {
        /// Show what would be removed, and why the others stay.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        policy: PolicyArgs,
        #[command(flatten)]
        place: BackupPlace,
    },
    /// Keep a backup whatever the rules say.
    Protect {
        backup: String,
        /// Let the rules decide again.
        #[arg(long)]
        off: bool,
        #[command(flatten)]
        place: BackupPlace,
    },
}

#[derive(Args)]
pub struct CreateArgs {
    #[arg(long, default_value = "full")]
    kind: Kind,
    /// Tenants of a tenant backup, by id; each becomes a backup of its own, all of one moment.
    #[arg(long = "tenant", value_name = "ID", value_delimiter = ',')]
    tenants: Vec<Uuid>,
    /// Every tenant.
    #[arg(long, conflicts_with = "tenants")]
    all_tenants: bool,
    /// Why, for whoever wonders.
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    place: BackupPlace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The whole database, by pg_dump.
    Full,
    /// The whole cluster, by pg_basebackup: with archived WAL, every moment since.
    Base,
    /// The rows of tenants.
    Tenant,
    /// What operators have set.
    Configuration,
}

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

impl Kind {
    fn class(self) -> BackupClass {
        match self {
            Self::Full => BackupClass::Full,
            Self::Base => BackupClass::Base,
            Self::Tenant => BackupClass::Tenant,
            Self::Configuration => BackupClass::Configuration,
        }
    }
}

pub async fn run(config: Config, command: BackupCommand) -> Result<()> {
    let run = Run::new(stop::on_signal()?);
    match command {
        BackupCommand::Create(args) => create(&config, args, &run).await,
        BackupCommand::List { kind, place } => list(&config, kind, &place).await,
        BackupCommand::Show { backup, content, place } => {
            let engine = place.engine(&config)?;
            let folder = catalogue::find(&engine, &backup).await?;
            if content {
                print!("{}", configuration::open(&engine, &folder, &run).await?.1);
                return Ok(());
            }
            let (manifest, _) =
                backup::manifest::read_manifest(&engine.stores, &folder, &engine.keys).await?;
            println!("{:#}", serde_json::to_value(&manifest)?);
            Ok(())
        }
        BackupCommand::Verify { backups, heal, place } => {
            verify_all(&config, &backups, heal, &place, &run).await
        }
        BackupCommand::Drill { backup, place } => perform_drill(&config, backup, &place, &run).await,
        BackupCommand::Prune { dry_run, policy, place } => {
            prune(&config, dry_run, &policy, &place, &run).await
        }
        BackupCommand::Protect { backup, off, place } => {
            let folder = catalogue::find(&place.engine(&config)?, &backup).await?;
            if !place.store(&config)?.protect_backup(BackupId(folder.id), !off).await? {
                bail!(
                    "the database has no record of backup {}; `counterfoil backup list` makes it",
                    folder.id
                );
            }
            println!("{} {}", folder.id, if off { "is kept as the rules say" } else { "stays" });
            Ok(())
        }
    }
}

async fn create(config: &Config, args: CreateArgs, run: &Run) -> Result<()> {
    let CreateArgs { kind, tenants, all_tenants, note, place } = args;
    if (kind == Kind::Tenant) != (all_tenants || !tenants.is_empty()) {
        bail!("--kind tenant goes with --tenant ID or --all-tenants, and they with it");
    }
    let protected = Protected { engine: place.engine(config)?, target: place.target(config)? };
    let store = place.store(config)?;
    let started_at = Utc::now();
    let taken = match kind {
        Kind::Full => vec![(None, full::create(&protected, note, run).await)],
        Kind::Base => vec![(None, physical::create(&protected, note, run).await)],
        Kind::Configuration => vec![(None, configuration::create(&protected, note, run).await)],
        Kind::Tenant => {
            let chosen = if all_tenants { Tenants::All } else { Tenants::These(tenants) };
            let taken = tenant::create(&protected, &chosen, note, run).await?;
            taken.into_iter().map(|(id, taken)| (Some(id), taken)).collect()
        }
    };
    let mut failed = 0;
    for (tenant, taken) in &taken {
        let recorded = match taken {
            Ok(created) => {
                println!("{}", shown(created));
                records::record_created(&store, created).await
            }
            Err(error) => {
                failed += 1;
                eprintln!("counterfoil: {}", shared::chain(error));
                records::record_failed(&store, kind.class(), *tenant, started_at, error).await
            }
        };
        say_if_unrecorded(recorded);
    }
    if failed > 0 {
        bail!("{failed} of {} backups failed", taken.len());
    }
    let short =
        taken.iter().filter_map(|(_, taken)| taken.as_ref().ok()).filter(|c| !c.commit.counts).count();
    if short > 0 {
        bail!("{short} of {} backups are in fewer stores than backup.copies_min", taken.len());
    }
    Ok(())
}

fn shown(created: &Created) -> String {
    let manifest = &created.manifest;
    let stores = |names: &[backup::stores::StoreName]| {
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let mut line = format!(
        "{} {} rows, {} bytes ({} before compression), in {}",
        manifest.id,
        manifest.rows(),
        manifest.sealed_bytes(),
        manifest.plain_bytes(),
        stores(&created.commit.held_by)
    );
    if !created.commit.owed_to.is_empty() {
        line += &format!("; not yet in {}", stores(&created.commit.owed_to));
    }
    line
}

pub fn say_if_unrecorded(recorded: Result<(), shared::store::StoreError>) {
    if let Err(error) = recorded {
        eprintln!("counterfoil: not written down in the database: {}", shared::chain(&error));
    }
}

async fn list(config: &Config, kind: Option<Kind>, place: &BackupPlace) -> Result<()> {
    let engine = place.engine(config)?;
    let found = catalogue::read(&engine, kind.map(Kind::class)).await?;
    let rows: Vec<Vec<String>> = found.backups.iter().map(row).collect();
    print_table(&["ID", "KIND", "TAKEN", "ROWS", "BYTES", "STORES", "NOTE"], &rows);
    for (store, why) in &found.unanswered {
        eprintln!("counterfoil: store {store} does not answer, what it alone has is not listed: {why}");
    }
    // The database may be gone: that is what backups are for.
    if let Ok(store) = place.store(config)
        && kind.is_none()
        && store.is_migrated().await.unwrap_or(false)
    {
        say_if_unrecorded(records::synchronise(&store, &found, config.backup.copies_min).await);
    }
    Ok(())
}

fn row(backup: &Catalogued) -> Vec<String> {
    let stores = backup.held_by.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let mut row = vec![backup.folder.id.to_string(), backup.folder.class.as_str().to_owned()];
    match &backup.manifest {
        Ok(manifest) => row.extend([
            manifest.taken_at().to_rfc3339_opts(SecondsFormat::Secs, true),
            manifest.rows().to_string(),
            manifest.sealed_bytes().to_string(),
            stores,
            manifest.note.clone().unwrap_or_default(),
        ]),
        Err(error) => row.extend(["-".into(), "-".into(), "-".into(), stores, shared::chain(error)]),
    }
    row
}

async fn verify_all(
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

async fn perform_drill(
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

async fn prune(
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
    println!(
        "removed {} backups, {} WAL files and {} unfinished backups; {} stay for now",
        pruned.removed.len(),
        pruned.wal_files,
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
