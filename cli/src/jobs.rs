//! Jobs, looked at and acted on from a shell on the server.

mod shown;

use crate::administration::{Database, operator, print_table};
use crate::roles;
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use shared::config::Config;
use shared::explain::explain;
use shared::ids::{BatchId, JobId, ProjectId};
use shared::job::{JobKind, JobState};
use shared::queue::Queue;
use shared::store::Store;
use shared::store::jobs::{Asker, BulkAction, JobFilter};

#[derive(Subcommand)]
pub enum JobsCommand {
    /// Jobs, newest first.
    List {
        #[command(flatten)]
        filter: Filter,
        /// Somewhere in the job's error, args, worker, request id or name, in any letter case.
        #[arg(long)]
        text: Option<String>,
        /// Only jobs older than this one.
        #[arg(long, value_name = "ID")]
        after: Option<JobId>,
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        #[command(flatten)]
        database: Database,
    },
    /// One job with its history.
    Show {
        id: JobId,
        #[command(flatten)]
        database: Database,
    },
    /// Say why a job is not running, or what it waits for.
    Explain {
        id: JobId,
        #[command(flatten)]
        database: Database,
    },
    /// Stop jobs: those named, or all that fit.
    Cancel(Action),
    /// Have scheduled jobs, those between two attempts included, run now.
    Retry(Action),
    /// Have dead jobs start over, with all their attempts.
    Redrive(Action),
    /// Dead jobs by what killed them.
    Dead {
        #[arg(long, value_name = "ID")]
        project: Option<ProjectId>,
        #[command(flatten)]
        database: Database,
    },
    /// Compare what was accepted with what is there; exits with 1 when a job is missing.
    Balance {
        #[command(flatten)]
        database: Database,
    },
    /// Messages in the broker that nobody could read or keep.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
}

#[derive(Subcommand)]
pub enum DeadLettersCommand {
    /// The oldest of them.
    List {
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
    },
    /// Send the oldest back to the queues they died in.
    Redrive {
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
    },
    /// Throw all of them away; the jobs they rang for stay.
    Purge {
        /// Without this, only says how many there are.
        #[arg(long)]
        yes: bool,
    },
}

/// Which jobs; all that is given must fit.
#[derive(Args)]
pub struct Filter {
    #[arg(long, value_name = "ID")]
    project: Option<ProjectId>,
    #[arg(long, value_parser = read_state)]
    state: Option<JobState>,
    #[arg(long, value_parser = read_kind)]
    kind: Option<JobKind>,
    #[arg(long, value_name = "ID")]
    batch: Option<BatchId>,
    /// Accepted at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    created_from: Option<chrono::DateTime<chrono::Utc>>,
    /// Accepted before this time.
    #[arg(long, value_name = "TIME")]
    created_before: Option<chrono::DateTime<chrono::Utc>>,
    /// Dead jobs of one group; see `counterfoil jobs dead`.
    #[arg(long)]
    fingerprint: Option<String>,
}

#[derive(Args)]
pub struct Action {
    ids: Vec<JobId>,
    #[command(flatten)]
    filter: Filter,
    /// Do it to all that fit. Without this, jobs chosen by filter are only counted.
    #[arg(long)]
    yes: bool,
    /// Stop after the newest that many.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    jobs_max: u32,
    #[command(flatten)]
    database: Database,
}

impl From<Filter> for JobFilter {
    fn from(filter: Filter) -> Self {
        Self {
            project_id: filter.project,
            state: filter.state,
            kind: filter.kind,
            queue: None,
            batch_id: filter.batch,
            created_from: filter.created_from,
            created_before: filter.created_before,
            error_fingerprint: filter.fingerprint,
        }
    }
}

fn read_state(word: &str) -> Result<JobState, String> {
    let found = JobState::ALL.into_iter().find(|state| state.as_str() == word);
    found.ok_or_else(|| format!("must be one of {}", JobState::ALL.map(JobState::as_str).join(", ")))
}

fn read_kind(word: &str) -> Result<JobKind, String> {
    JobKind::parse(word).ok_or_else(|| "must be a job kind: a-z, 0-9 and _, at most 60".into())
}

pub async fn run(config: Config, command: JobsCommand) -> Result<()> {
    match command {
        JobsCommand::List { filter, text, after, limit, database } => {
            let store = database.open(&config).await?;
            let listed = store.list_jobs(&filter.into(), text.as_deref(), after, limit).await?;
            shown::lines(&listed.jobs);
            if let Some(after) = listed.resume_after {
                eprintln!("there may be more: --after {after}");
            }
            Ok(())
        }
        JobsCommand::Show { id, database } => {
            let store = database.open(&config).await?;
            let Some((job, _, history)) = store.job_with_history(id).await? else {
                bail!("there is no job {id}")
            };
            shown::job(&job, &history);
            Ok(())
        }
        JobsCommand::Explain { id, database } => {
            let store = database.open(&config).await?;
            let Some(seen) = store.look_at_job(id).await? else { bail!("there is no job {id}") };
            let ring_again_after = std::time::Duration::from_secs(config.scheduler.ring_again_after_s);
            shown::reasons(&seen, &explain(&seen, ring_again_after));
            Ok(())
        }
        JobsCommand::Cancel(action) => act(&config, BulkAction::Cancel, action).await,
        JobsCommand::Retry(action) => act(&config, BulkAction::RetryNow, action).await,
        JobsCommand::Redrive(action) => act(&config, BulkAction::Redrive, action).await,
        JobsCommand::Dead { project, database } => {
            shown::groups(&database.open(&config).await?.dead_groups(project, 200).await?);
            Ok(())
        }
        JobsCommand::Balance { database } => balance(&database.open(&config).await?).await,
        JobsCommand::DeadLetters(command) => dead_letters(&roles::queue(&config)?, command).await,
    }
}

async fn act(config: &Config, action: BulkAction, asked: Action) -> Result<()> {
    let store = asked.database.open(config).await?;
    let by = Asker::Shell(operator());
    if !asked.ids.is_empty() {
        return act_on(&store, action, &asked.ids, &by).await;
    }
    let filter = JobFilter::from(asked.filter);
    if filter == JobFilter::default() {
        bail!("name jobs, or say by a filter which");
    }
    if !asked.yes {
        let fit = store.count_for_action(action, &filter, asked.jobs_max).await?;
        let at_least = if fit == u64::from(asked.jobs_max) { "at least " } else { "" };
        println!("{at_least}{fit} jobs fit; with --yes it is done to them");
        return Ok(());
    }
    let done = store.act_on_jobs(action, &filter, asked.jobs_max, &by).await?;
    let more = if done.is_complete { "" } else { "; there are more" };
    println!("{} of {} jobs changed{more}", done.changed, done.matched);
    Ok(())
}

async fn act_on(store: &Store, action: BulkAction, ids: &[JobId], by: &Asker) -> Result<()> {
    let (mut missing, mut refused) = (0, 0);
    for id in ids {
        let before = store.job(*id).await?.map(|job| job.state);
        let state = match action {
            BulkAction::Cancel => store.cancel_job(*id, by).await?,
            BulkAction::RetryNow => store.make_job_due(*id, by).await?,
            BulkAction::Redrive => store.redrive_job(*id, by).await?,
        };
        match state {
            Some(state) if is_done(action, before, state) => println!("{id}  {state}"),
            Some(state) => {
                refused += 1;
                eprintln!("{id}  {state}: left as it is");
            }
            None => {
                missing += 1;
                eprintln!("{id}  there is no such job");
            }
        }
    }
    if missing > 0 {
        bail!("{missing} of {} jobs do not exist", ids.len());
    }
    if refused > 0 {
        bail!("{refused} of {} jobs are in a state that this does not go with", ids.len());
    }
    Ok(())
}

/// As the API answers: asking twice does no harm, asking what cannot be does nothing.
fn is_done(action: BulkAction, before: Option<JobState>, now: JobState) -> bool {
    match action {
        BulkAction::Cancel => !matches!(now, JobState::Completed | JobState::Dead),
        BulkAction::RetryNow => !now.is_final(),
        BulkAction::Redrive => before == Some(JobState::Dead) && now != JobState::Dead,
    }
}

async fn balance(store: &Store) -> Result<()> {
    let seen = store.job_balance().await?;
    let rows = [
        ("accepted", seen.accepted),
        ("removed", seen.removed),
        ("scheduled", seen.scheduled),
        ("available", seen.available),
        ("running", seen.running),
        ("completed", seen.completed),
        ("cancelled", seen.cancelled),
        ("dead", seen.dead),
        ("unaccounted", seen.unaccounted()),
    ];
    let rows: Vec<_> = rows.iter().map(|(name, jobs)| vec![(*name).to_owned(), jobs.to_string()]).collect();
    print_table(&["", "jobs"], &rows);
    match seen.unaccounted() {
        0 => Ok(()),
        missing => bail!("{missing} jobs were accepted and are not there"),
    }
}

async fn dead_letters(queue: &Queue, command: DeadLettersCommand) -> Result<()> {
    match command {
        DeadLettersCommand::List { limit } => {
            let total = queue.dead_letters().await?;
            shown::dead_letters(&queue.look_at_dead_letters(limit).await?);
            eprintln!("{total} in all");
        }
        DeadLettersCommand::Redrive { limit } => {
            let done = queue.redrive_dead_letters(limit).await?;
            println!("{} re-driven, {} kept", done.redriven, done.kept);
        }
        DeadLettersCommand::Purge { yes: true } => {
            println!("{} purged", queue.purge_dead_letters().await?);
        }
        DeadLettersCommand::Purge { yes: false } => {
            println!("{} are there; with --yes they are thrown away", queue.dead_letters().await?);
        }
    }
    queue.close().await;
    Ok(())
}
