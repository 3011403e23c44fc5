//! The jobs that time alone starts, managed from a shell on the server.

use crate::administration::Database;
use anyhow::{Context, Result, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use shared::config::Config;
use shared::ids::{ProjectId, ScheduleId};
use shared::schedule::Timing;
use shared::store::Store;
use shared::store::schedules::{Change, Schedule};

#[derive(clap::Args)]
pub struct Place {
    /// Of this project; without it, of the system.
    #[arg(long, value_name = "ID")]
    project: Option<ProjectId>,
    #[command(flatten)]
    database: Database,
}

#[derive(clap::Subcommand)]
pub enum SchedulesCommand {
    /// List schedules with their next due time and what came of the last one.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Make a schedule.
    Add {
        #[arg(long)]
        name: String,
        /// Which job to start, such as clean_up.
        #[arg(long)]
        kind: String,
        /// Five fields (minute, hour, day of month, month, day of week), or six with the second in front.
        #[arg(long, value_name = "EXPRESSION")]
        cron: String,
        /// IANA name of the zone whose clock the expression speaks of, such as Europe/Berlin.
        #[arg(long, value_name = "ZONE", default_value = "UTC")]
        time_zone: String,
        /// What becomes of runs that came due while no scheduler ran: skip, once (one makes up for all) or all.
        #[arg(long, value_name = "POLICY", default_value = "once")]
        missed_runs: String,
        /// 0 (last) to 9 (first); the kind's own unless given.
        #[arg(long)]
        priority: Option<u32>,
        /// Of the job, a JSON object. A reconciliation takes left_source_id, right_source_id, and to have each run take
        /// the newest upload whose name fits, left_file_name and right_file_name, such as "bank-*.csv".
        #[arg(long, value_name = "JSON", default_value = "{}")]
        args: String,
        #[arg(long)]
        paused: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show a schedule and the newest ticks of its history.
    Show {
        /// Name or id.
        schedule: String,
        /// Ticks to show, newest first.
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1000))]
        ticks: u32,
        #[command(flatten)]
        place: Place,
    },
    /// Pause a schedule: what comes due is noted and skipped.
    Pause {
        /// Name or id.
        schedule: String,
        #[command(flatten)]
        place: Place,
    },
    /// Resume a paused schedule; what was skipped is not made up for.
    Resume {
        /// Name or id.
        schedule: String,
        #[command(flatten)]
        place: Place,
    },
    /// Run a schedule at once, paused or not; prints the id of the job.
    Run {
        /// Name or id.
        schedule: String,
        #[command(flatten)]
        place: Place,
    },
    /// Print when a schedule comes due next; with --cron, one that is not stored, without a database.
    Next {
        /// Name or id.
        #[arg(required_unless_present = "cron", conflicts_with = "cron")]
        schedule: Option<String>,
        #[arg(long, value_name = "EXPRESSION")]
        cron: Option<String>,
        #[arg(long, value_name = "ZONE", default_value = "UTC", requires = "cron")]
        time_zone: String,
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
        count: u32,
        #[command(flatten)]
        place: Place,
    },
    /// Remove a schedule and its history; jobs it has started go on.
    Remove {
        /// Name or id.
        schedule: String,
        #[command(flatten)]
        place: Place,
    },
}

pub async fn run(config: Config, command: SchedulesCommand) -> Result<()> {
    use SchedulesCommand::*;
    match command {
        List { place } => {
            let (store, project) = open(&config, place).await?;
            list(&store, project).await
        }
        Add { name, kind, cron, time_zone, missed_runs, priority, args, paused, place } => {
            let args: Value = serde_json::from_str(&args).context("--args")?;
            let body = json!({
                "name": name, "kind": kind, "cron": cron, "time_zone": time_zone, "missed_runs": missed_runs,
                "priority": priority, "args": args, "paused": paused,
            });
            let (store, project) = open(&config, place).await?;
            let schedule = api::schedules::create(&store, project, body).await?;
            println!("{} {}", schedule.id, schedule.name);
            println!("next due {}", shown(schedule.next_due_at, &schedule));
            Ok(())
        }
        Show { schedule, ticks, place } => {
            let (store, project) = open(&config, place).await?;
            let schedule = find(&store, project, &schedule).await?;
            show(&store, &schedule, ticks).await
        }
        Pause { schedule, place } => set_paused(&config, place, &schedule, true).await,
        Resume { schedule, place } => set_paused(&config, place, &schedule, false).await,
        Run { schedule, place } => {
            let (store, project) = open(&config, place).await?;
            let schedule = find(&store, project, &schedule).await?;
            println!("{}", store.run_schedule_now(schedule.id, None, None, None).await?);
            Ok(())
        }
        Next { cron: Some(cron), time_zone, count, .. } => {
            print_next(&Timing::parse(&cron, &time_zone)?, count);
            Ok(())
        }
        Next { schedule, count, place, .. } => {
            let (store, project) = open(&config, place).await?;
            let schedule = find(&store, project, schedule.as_deref().unwrap_or_default()).await?;
            print_next(&schedule.timing()?, count);
            Ok(())
        }
        Remove { schedule, place } => {
            let (store, project) = open(&config, place).await?;
            let schedule = find(&store, project, &schedule).await?;
            store.remove_schedule(schedule.id).await?;
            println!("removed {} {}", schedule.id, schedule.name);
            Ok(())
        }
    }
}

async fn open(config: &Config, place: Place) -> Result<(Store, Option<ProjectId>)> {
    let store = place.database.open(config).await?;
    if !store.is_migrated().await? {
        bail!("the database is not at this version; run `counterfoil migrate` first");
    }
    Ok((store, place.project))
}

/// By id wherever it is, by name in its place.
async fn find(store: &Store, project: Option<ProjectId>, asked: &str) -> Result<Schedule> {
    let found = match asked.parse::<ScheduleId>() {
        Ok(id) => store.schedule(id).await?,
        Err(_) => store.schedule_named(project, asked).await?,
    };
    let of = project.map_or_else(|| "the system".to_owned(), |id| format!("project {id}"));
    found.with_context(|| format!("{of} has no schedule {asked:?}; see `counterfoil schedules list`"))
}

async fn list(store: &Store, project: Option<ProjectId>) -> Result<()> {
    // As many as there may be.
    let lines = store.schedules(project, None, shared::store::schedules::SCHEDULES_MAX as u32).await?;
    let rows = lines.iter().map(|line| {
        let schedule = &line.schedule;
        let next = if schedule.paused_at.is_some() {
            "paused".into()
        } else {
            shown(schedule.next_due_at, schedule)
        };
        let last = line.last_outcome.map_or("-", |outcome| outcome.as_str());
        [&schedule.name, &schedule.kind, &schedule.cron, &schedule.time_zone, &next, last].map(str::to_owned)
    });
    let heading = ["NAME", "KIND", "CRON", "ZONE", "NEXT DUE", "LAST"].map(str::to_owned);
    print_table(std::iter::once(heading).chain(rows).collect());
    Ok(())
}

async fn show(store: &Store, schedule: &Schedule, ticks: u32) -> Result<()> {
    println!("{} {}", schedule.id, schedule.name);
    println!("  starts       {} (priority {}) with {}", schedule.kind, schedule.priority, schedule.args);
    println!("  when         {} in {}", schedule.cron, schedule.time_zone);
    println!("  missed runs  {}", schedule.missed_runs.as_str());
    if let Some(paused_at) = schedule.paused_at {
        println!("  paused       since {}", shown(Some(paused_at), schedule));
    }
    println!("  next due     {}", shown(schedule.next_due_at, schedule));
    println!("  version      {}", schedule.version);
    let ticks = store.schedule_ticks(schedule.id, None, ticks).await?;
    if ticks.is_empty() {
        println!("nothing has come due yet");
        return Ok(());
    }
    let rows = ticks.iter().map(|tick| {
        let from = tick.covers_from.map(|from| format!("{} to ", shown(Some(from), schedule)));
        let due = from.unwrap_or_default() + &shown(Some(tick.due_at), schedule);
        let job = tick.job_id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let took = tick.took.as_ref();
        let took =
            took.map_or("-".into(), |took| format!("{} / {}", took.left.file_name, took.right.file_name));
        [due, tick.outcome.as_str().to_owned(), job, took, tick.reason.clone().unwrap_or_default()]
    });
    let heading = ["DUE", "OUTCOME", "JOB", "TOOK", "REASON"].map(str::to_owned);
    print_table(std::iter::once(heading).chain(rows).collect());
    Ok(())
}

async fn set_paused(config: &Config, place: Place, asked: &str, is_paused: bool) -> Result<()> {
    let (store, project) = open(config, place).await?;
    let schedule = find(&store, project, asked).await?;
    if schedule.paused_at.is_some() != is_paused {
        let change = Change { is_paused: Some(is_paused), ..Change::default() };
        store.change_schedule(schedule.id, None, &change, None).await?;
    }
    println!("{} {}", schedule.name, if is_paused { "is paused" } else { "is not paused" });
    Ok(())
}

fn print_next(timing: &Timing, count: u32) {
    let mut any = false;
    for at in timing.after(Utc::now()).take(count as usize) {
        let local = at.with_timezone(&timing.zone).to_rfc3339_opts(SecondsFormat::Secs, false);
        println!("{}  {local}", at.to_rfc3339_opts(SecondsFormat::Secs, true));
        any = true;
    }
    if !any {
        println!("never");
    }
}

/// On the clock of the schedule's zone.
fn shown(at: Option<DateTime<Utc>>, schedule: &Schedule) -> String {
    match (at, schedule.timing()) {
        (None, _) => "never".to_owned(),
        (Some(at), Ok(timing)) => at.with_timezone(&timing.zone).to_rfc3339_opts(SecondsFormat::Secs, false),
        (Some(at), Err(_)) => at.to_rfc3339_opts(SecondsFormat::Secs, true),
    }
}

/// Columns as wide as their widest cell; nothing behind the last one.
fn print_table<const N: usize>(rows: Vec<[String; N]>) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}
