//! WAL to the stores and back: what PostgreSQL's archive_command and restore_command run.

use crate::administration::print_table;
use crate::backup::BackupPlace;
use anyhow::Result;
use backup::error::Error;
use backup::postgres::Target;
use backup::wal::{self, Fetched, Lsn, Pushed};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;
use shared::config::Config;
use sqlx::Row;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Subcommand)]
pub enum WalCommand {
    /// Archive a file: archive_command = 'counterfoil wal push %p'. Exits with 0 when PostgreSQL may remove it.
    Push {
        path: PathBuf,
        #[command(flatten)]
        place: BackupPlace,
    },
    /// Get a file back: restore_command = 'counterfoil wal fetch %f %p'. Exits with 0 when it is there, with 1 when no
    /// store has it, and with 200 when that is not known: PostgreSQL then stops instead of ending recovery early.
    Fetch {
        name: String,
        to: PathBuf,
        #[command(flatten)]
        place: BackupPlace,
    },
    /// Show what is archived, where it has holes, and how far it is behind.
    Status {
        /// Bytes of a WAL segment, when the database is not there to say so.
        #[arg(long, default_value_t = 16 << 20)]
        segment_bytes: u64,
        #[command(flatten)]
        place: BackupPlace,
    },
}

/// More than 125 makes recovery stop; 128 and 15 more would be taken for an order to shut down.
const UNKNOWN: u8 = 200;

/// Ends with the exit code that PostgreSQL understands, also when the configuration cannot be read.
pub fn run_to_exit(config: Result<Config>, command: WalCommand) -> ExitCode {
    let otherwise = match &command {
        WalCommand::Push { .. } => 1,
        WalCommand::Fetch { .. } => UNKNOWN,
        WalCommand::Status { .. } => 2,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match (config, runtime) {
        (Ok(config), Ok(runtime)) => runtime.block_on(run(config, command)),
        (Err(error), _) => {
            eprintln!("counterfoil wal: {error:#}");
            ExitCode::from(otherwise)
        }
        (_, Err(error)) => {
            eprintln!("counterfoil wal: {error}");
            ExitCode::from(otherwise)
        }
    }
}

async fn run(config: Config, command: WalCommand) -> ExitCode {
    match command {
        WalCommand::Push { path, place } => match push(&config, &path, &place).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("counterfoil wal push: {error:#}");
                ExitCode::from(1)
            }
        },
        WalCommand::Fetch { name, to, place } => match fetch(&config, &name, &to, &place).await {
            Ok(Fetched::Written) => ExitCode::SUCCESS,
            Ok(Fetched::NotThere) => ExitCode::from(1),
            Err(error) => {
                eprintln!("counterfoil wal fetch: {error:#}");
                ExitCode::from(UNKNOWN)
            }
        },
        WalCommand::Status { segment_bytes, place } => match status(&config, segment_bytes, &place).await {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(1),
            Err(error) => {
                eprintln!("counterfoil wal status: {error:#}");
                ExitCode::from(2)
            }
        },
    }
}

async fn push(config: &Config, path: &std::path::Path, place: &BackupPlace) -> Result<()> {
    let engine = place.engine(config)?;
    if wal::push(&engine, path).await? == Pushed::Behind {
        eprintln!("counterfoil wal push: {} is in fewer stores than it should be for now", path.display());
    }
    Ok(())
}

async fn fetch(config: &Config, name: &str, to: &std::path::Path, place: &BackupPlace) -> Result<Fetched> {
    Ok(wal::fetch(&place.engine(config)?, name, to).await?)
}

/// Whether there is no hole.
async fn status(config: &Config, segment_bytes: u64, place: &BackupPlace) -> Result<bool> {
    let engine = place.engine(config)?;
    let live = place.target(config).ok();
    let live = match live {
        Some(target) => {
            Live::read(&target).await.inspect_err(|e| eprintln!("no word from the database: {e:#}")).ok()
        }
        None => None,
    };
    let segment_bytes = live.as_ref().map_or(segment_bytes, |live| live.segment_bytes);
    if !segment_bytes.is_power_of_two() || !(1 << 20..=1 << 30).contains(&segment_bytes) {
        return Err(Error::Refused("--segment-bytes is a power of two from 1 MiB to 1 GiB".into()).into());
    }
    let coverage = wal::read_coverage(&engine.stores, &engine.cluster, segment_bytes).await?;
    let gaps = coverage.gaps();
    let row = |what: &str, run: &wal::WalRun| {
        let at = |number: u64| Lsn(number * segment_bytes).to_string();
        let count = run.last - run.first + 1;
        vec![what.to_owned(), run.timeline.to_string(), at(run.first), at(run.last + 1), count.to_string()]
    };
    let mut rows: Vec<Vec<String>> = coverage.runs.iter().map(|run| row("archived", run)).collect();
    rows.extend(gaps.iter().map(|gap| row("MISSING", gap)));
    print_table(&["", "TIMELINE", "FROM", "TO", "SEGMENTS"], &rows);
    if let Some(live) = live {
        let shown = |at: Option<DateTime<Utc>>| {
            at.map_or_else(|| "never".into(), |at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
        };
        println!("position now   {}", live.lsn);
        println!("last archived  {} at {}", live.last.as_deref().unwrap_or("nothing"), shown(live.last_at));
        if let Some(run) = coverage.runs.last() {
            let archived = (run.last + 1) * segment_bytes;
            println!("behind         {} bytes", live.lsn.0.saturating_sub(archived));
        }
        if live.failed_at > live.last_at {
            println!("FAILING        since {}: see the log of PostgreSQL", shown(live.failed_at));
        }
    }
    Ok(gaps.is_empty())
}

/// What the server says of its archiving.
struct Live {
    lsn: Lsn,
    segment_bytes: u64,
    last: Option<String>,
    last_at: Option<DateTime<Utc>>,
    failed_at: Option<DateTime<Utc>>,
}

impl Live {
    async fn read(target: &Target) -> Result<Self> {
        let mut session = target.connect().await?;
        let row = sqlx::query(
            "SELECT pg_current_wal_lsn()::text AS lsn, pg_size_bytes(current_setting('wal_segment_size')) AS bytes,
                    last_archived_wal, last_archived_time, last_failed_time FROM pg_stat_archiver",
        )
        .fetch_one(&mut session)
        .await?;
        backup::postgres::close(session).await;
        Ok(Self {
            lsn: row.try_get::<String, _>("lsn")?.parse()?,
            segment_bytes: row.try_get::<i64, _>("bytes")?.unsigned_abs(),
            last: row.try_get("last_archived_wal")?,
            last_at: row.try_get("last_archived_time")?,
            failed_at: row.try_get("last_failed_time")?,
        })
    }
}
