//! Queues and limits, managed from a shell on the server.

use crate::administration::{Database, operator, print_table};
use anyhow::{Result, bail};
use shared::config::Config;
use shared::job::{JobKind, JobState};
use shared::limits::{LimitName, LimitScope};
use shared::queue::QueueName;
use shared::store::Store;
use shared::store::limits::{LIMITS_MAX, LimitSet};
use std::collections::BTreeMap;

#[derive(clap::Subcommand)]
pub enum QueuesCommand {
    /// Show how many jobs each queue has, and which are paused.
    List {
        #[command(flatten)]
        database: Database,
    },
    /// Start nothing more of a queue. What runs goes on; what is submitted waits.
    Pause {
        queue: QueueName,
        /// Why, for whoever wonders.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        database: Database,
    },
    /// Start jobs of a queue again.
    Resume {
        queue: QueueName,
        #[command(flatten)]
        database: Database,
    },
}

#[derive(clap::Subcommand)]
pub enum LimitsCommand {
    /// Show how many jobs may run at once.
    List {
        #[command(flatten)]
        database: Database,
    },
    /// Make or change a limit; it counts for whatever starts from now on.
    Set {
        /// global, kind, project or key.
        scope: LimitScope,
        /// `*` for global; a kind, a project's id, a key, or the beginning of one and `*`.
        name: String,
        /// 0 to 100000; 0: none.
        #[arg(value_parser = clap::value_parser!(u32).range(0..=100_000))]
        jobs_max: u32,
        #[command(flatten)]
        database: Database,
    },
    /// Take a limit away.
    Remove {
        scope: LimitScope,
        name: String,
        #[command(flatten)]
        database: Database,
    },
}

pub async fn run(config: Config, command: QueuesCommand) -> Result<()> {
    match command {
        QueuesCommand::List { database } => list(&database.open(&config).await?).await,
        QueuesCommand::Pause { queue, reason, database } => {
            if !JobKind::ALL.iter().any(|kind| kind.as_str() == queue.as_str()) {
                let known: Vec<&str> = JobKind::ALL.iter().map(JobKind::as_str).collect();
                bail!("there is no queue {queue}; this version knows: {}", known.join(", "));
            }
            let reason = reason.trim();
            if !(1..=500).contains(&reason.chars().count()) || reason.chars().any(char::is_control) {
                bail!("the reason must have 1 to 500 characters on one line");
            }
            let pause = database.open(&config).await?.pause_queue(&queue, reason, &operator()).await?;
            println!("{queue} is paused by {}: {}", pause.paused_by, pause.reason);
            Ok(())
        }
        QueuesCommand::Resume { queue, database } => {
            let resumed = database.open(&config).await?.resume_queue(&queue).await?;
            println!("{queue} {}", if resumed { "is resumed" } else { "was not paused" });
            Ok(())
        }
    }
}

async fn list(store: &Store) -> Result<()> {
    let pauses = store.queue_pauses().await?;
    let mut queues: BTreeMap<String, [i64; 3]> =
        JobKind::ALL.iter().map(|kind| (kind.to_string(), [0; 3])).collect();
    queues.extend(pauses.iter().map(|pause| (pause.queue.clone(), [0; 3])));
    for count in store.queue_counts().await? {
        let column = match count.state {
            JobState::Available => 0,
            JobState::Scheduled => 1,
            JobState::Running => 2,
            JobState::Completed | JobState::Cancelled | JobState::Dead => continue,
        };
        queues.entry(count.queue).or_default()[column] = count.jobs;
    }
    let rows: Vec<Vec<String>> = queues
        .into_iter()
        .map(|(queue, counts)| {
            let pause = pauses.iter().find(|pause| pause.queue == queue).map_or_else(String::new, |pause| {
                let at = pause.paused_at.format("%Y-%m-%d %H:%M UTC");
                format!("{at} by {}: {}", pause.paused_by, pause.reason)
            });
            let mut row = vec![queue];
            row.extend(counts.map(|jobs| jobs.to_string()));
            row.push(pause);
            row
        })
        .collect();
    print_table(&["queue", "available", "scheduled", "running", "paused"], &rows);
    Ok(())
}

pub async fn run_limits(config: Config, command: LimitsCommand) -> Result<()> {
    match command {
        LimitsCommand::List { database } => {
            let limits = database.open(&config).await?.limits().await?;
            let rows: Vec<Vec<String>> = limits
                .into_iter()
                .map(|l| vec![l.scope.as_str().into(), l.name, l.jobs_max.to_string(), l.updated_by])
                .collect();
            print_table(&["scope", "name", "jobs", "set by"], &rows);
        }
        LimitsCommand::Set { scope, name, jobs_max, database } => {
            let name = limit_name(scope, &name)?;
            let store = database.open(&config).await?;
            if let Some(why) = store.why_limit_is_idle(scope, &name).await? {
                bail!("{}: {why}", name.as_str());
            }
            if store.set_limit(scope, &name, jobs_max, &operator()).await? == LimitSet::TooMany {
                bail!("there are {LIMITS_MAX} limits; remove one first");
            }
            println!("{} {}: at most {jobs_max} at once", scope.as_str(), name.as_str());
        }
        LimitsCommand::Remove { scope, name, database } => {
            let name = limit_name(scope, &name)?;
            if !database.open(&config).await?.remove_limit(scope, &name).await? {
                bail!("there is no such limit");
            }
            println!("removed");
        }
    }
    Ok(())
}

fn limit_name(scope: LimitScope, name: &str) -> Result<LimitName> {
    LimitName::parse(scope, name).map_err(|says| anyhow::anyhow!("{name:?} {says}"))
}
