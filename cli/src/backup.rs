//! Backups, from a shell on the server: without queue and HTTP, and for the most part without a database.

mod create;
mod drill;
mod list;
mod place;
mod prune;
mod rekey;
mod verify;

pub use drill::print_report;
pub use place::BackupPlace;

use crate::stop;
use anyhow::{Result, bail};
use backup::catalogue;
use backup::engine::Run;
use backup::kinds::configuration;
use backup::stores::BackupClass;
use clap::{Subcommand, ValueEnum};
use create::CreateArgs;
use prune::PolicyArgs;
use shared::config::Config;
use shared::ids::BackupId;

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
    /// Wrap the keys of everything in the stores with the first key of the ring, after a new one was put in front; exits
    /// with 1 while something still needs an older one.
    Rekey {
        /// Count only.
        #[arg(long)]
        dry_run: bool,
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
        BackupCommand::Create(args) => create::create(&config, args, &run).await,
        BackupCommand::List { kind, place } => list::list(&config, kind, &place).await,
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
            verify::verify_all(&config, &backups, heal, &place, &run).await
        }
        BackupCommand::Drill { backup, place } => drill::perform_drill(&config, backup, &place, &run).await,
        BackupCommand::Prune { dry_run, policy, place } => {
            prune::remove(&config, dry_run, &policy, &place, &run).await
        }
        BackupCommand::Rekey { dry_run, place } => rekey::rotate(&config, dry_run, &place, &run).await,
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

pub fn say_if_unrecorded(recorded: Result<(), shared::store::StoreError>) {
    if let Err(error) = recorded {
        eprintln!("counterfoil: not written down in the database: {}", shared::chain(&error));
    }
}
