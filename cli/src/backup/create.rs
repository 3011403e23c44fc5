//! Taking one.

use super::{BackupPlace, Kind, say_if_unrecorded};
use anyhow::{Result, bail};
use backup::engine::{Protected, Run};
use backup::kinds::tenant::Tenants;
use backup::kinds::{Created, configuration, full, physical, tenant};
use backup::records;
use chrono::Utc;
use clap::Args;
use shared::config::Config;
use uuid::Uuid;

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

pub(super) async fn create(config: &Config, args: CreateArgs, run: &Run) -> Result<()> {
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
