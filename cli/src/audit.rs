//! The audit log, read and verified from a shell on the server.

use crate::administration::{Database, print_table};
use anyhow::{Context, Result, bail};
use api::SigningKeys;
use chrono::SecondsFormat;
use serde_json::Value;
use shared::config::Config;
use shared::ids::ProjectId;
use shared::store::Store;
use shared::store::audit::{AuditFilter, AuditRecord, Tenant};
use std::path::PathBuf;

#[derive(clap::Subcommand)]
pub enum AuditCommand {
    /// Walk every chain from its first record to its end; name the first bad record of each that is broken.
    Verify {
        /// Only this project's chain.
        #[arg(long)]
        project: Option<ProjectId>,
        /// Key whose signatures are checked; auth.signing_key_file unless given.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        #[command(flatten)]
        database: Database,
    },
    /// Show the newest records.
    List {
        /// Of this project; of what belongs to none unless given.
        #[arg(long)]
        project: Option<ProjectId>,
        /// As `review.decide`.
        #[arg(long)]
        action: Option<String>,
        /// Part of the name or the address of who did it.
        #[arg(long)]
        who: Option<String>,
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        #[command(flatten)]
        database: Database,
    },
}

pub async fn run(config: Config, command: AuditCommand) -> Result<()> {
    match command {
        AuditCommand::Verify { project, key, database } => {
            let file = key.or_else(|| config.auth.signing_key_file.clone());
            let key = file
                .map(|file| {
                    SigningKeys::load(&file).with_context(|| format!("reading the key {}", file.display()))
                })
                .transpose()?;
            verify(&database.open(&config).await?, project, key).await
        }
        AuditCommand::List { project, action, who, limit, database } => {
            let filter = AuditFilter { action, who, ..AuditFilter::default() };
            list(&database.open(&config).await?, project, filter, limit).await
        }
    }
}

async fn verify(store: &Store, project: Option<ProjectId>, key: Option<SigningKeys>) -> Result<()> {
    let chains = match project {
        Some(project) => vec![(Tenant::from(project), 0)],
        None => store.audit_chains().await?,
    };
    if key.is_none() {
        println!("no key: signatures are not checked (--key FILE)");
    }
    let (mut records, mut broken) = (0, 0);
    for (tenant, _) in &chains {
        let is_signed = |checkpoint: &shared::store::audit::Checkpoint, bytes: &[u8]| {
            key.as_ref().and_then(|key| key.has_signed(&checkpoint.key_id, bytes, &checkpoint.signature))
        };
        let state = store.verify_audit_chain(*tenant, is_signed).await?;
        records += state.records;
        let name = name_of(*tenant);
        match state.broken {
            None => {
                println!("{name}: {} records, {} checkpoints, whole", state.records, state.checkpoints);
            }
            Some(first) => {
                broken += 1;
                println!("{name}: record {} {}", first.seq, first.says);
            }
        }
    }
    if broken > 0 {
        bail!("{broken} of {} chains are broken", chains.len());
    }
    println!("{} chains, {records} records: nothing was changed", chains.len());
    Ok(())
}

async fn list(store: &Store, project: Option<ProjectId>, filter: AuditFilter, limit: u32) -> Result<()> {
    let records = store.audit_records(Tenant::from(project), &filter, None, limit).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = |record: &AuditRecord| -> Vec<String> {
        let content: Value = serde_json::from_str(&record.content).unwrap_or_default();
        let by = &content["by"];
        vec![
            record.seq.to_string(),
            record.at.to_rfc3339_opts(SecondsFormat::Secs, true),
            text(&content["action"]),
            format!("{} {}", text(&content["subject"]["kind"]), text(&content["subject"]["id"])),
            who(record, by),
            text(&by["ip"]),
            text(&by["request_id"]),
        ]
    };
    let rows: Vec<Vec<String>> = records.iter().map(row).collect();
    print_table(&["number", "at", "action", "subject", "who", "from", "request"], &rows);
    Ok(())
}

/// Name and address as they were; of records without them, those of the account today.
fn who(record: &AuditRecord, by: &Value) -> String {
    let text = |name: &str, today: &Option<String>| {
        by[name].as_str().map(str::to_owned).or_else(|| today.clone()).unwrap_or_default()
    };
    match (text("name", &record.user_name), text("email", &record.user_email), by["user_id"].as_str()) {
        (name, email, _) if !name.is_empty() && !email.is_empty() => format!("{name} <{email}>"),
        (name, email, None) if name.is_empty() && email.is_empty() => "-".into(),
        (name, email, Some(id)) if name.is_empty() && email.is_empty() => id.to_owned(),
        (name, email, _) => name + &email,
    }
}

fn name_of(tenant: Tenant) -> String {
    if tenant == Tenant::SYSTEM { "system".into() } else { format!("project {}", tenant.0) }
}
