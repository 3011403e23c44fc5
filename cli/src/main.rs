//! The one executable: every role of Counterfoil, and the tools that need no server.

mod administration;
mod audit;
mod backup;
mod configuration;
mod demo;
mod doctor;
#[cfg(test)]
mod documented;
mod embedded;
mod jobs;
mod match_files;
mod notifications;
mod private_postgres;
mod probe;
mod queues;
mod restore;
mod roles;
mod rules;
mod samples;
mod schedules;
mod stop;
mod up;
mod users;
mod wal;

use clap::{Parser, Subcommand};
use shared::config::Config;
use shared::store::audit::{AuditedBy, Context};
use std::path::PathBuf;
use std::process::ExitCode;

/// Reconciles what two systems say about the same money.
#[derive(Parser)]
#[command(name = "counterfoil", version, about, max_term_width = 100)]
struct Cli {
    /// TOML file with the configuration; environment variables COUNTERFOIL_<SECTION>__<KEY> win over it.
    #[arg(long, global = true, value_name = "FILE", env = "COUNTERFOIL_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// Everything `counterfoil` can do.
#[derive(Subcommand)]
enum Command {
    /// Run everything in one process on embedded defaults: private PostgreSQL, in-process queue, local files.
    Up(up::UpArgs),
    /// Run the HTTP API; as many processes as you like.
    Api,
    /// Run a worker; as many processes as you like.
    Worker(roles::WorkerArgs),
    /// Run the scheduler: relay, ticker, stager, rescuer, pruner; as many processes as you like.
    Scheduler,
    /// Bring the database up to this version.
    Migrate,
    /// Look at everything this configuration depends on, and say what is wrong, what that means, and how to mend it.
    Doctor(doctor::DoctorArgs),
    /// Check, show and explain the configuration.
    #[command(subcommand)]
    Config(configuration::ConfigCommand),
    /// Ask one address; exits with 0 when it answers with 2xx. For health checks without a shell.
    Probe(probe::ProbeArgs),
    /// Look at the queues, pause and resume them.
    #[command(subcommand)]
    Queues(queues::QueuesCommand),
    /// Manage how many jobs may run at once.
    #[command(subcommand)]
    Limits(queues::LimitsCommand),
    /// Look at jobs, stop them, have dead ones start over.
    #[command(subcommand)]
    Jobs(jobs::JobsCommand),
    /// Manage the people who may log in.
    #[command(subcommand)]
    Users(users::UsersCommand),
    /// Manage the jobs that time alone starts.
    #[command(subcommand)]
    Schedules(schedules::SchedulesCommand),
    /// What people are told, addresses that bounced, alerts that are open.
    #[command(subcommand)]
    Notifications(notifications::NotificationsCommand),
    /// Read the audit log, and prove that nobody has changed it.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Take, list, verify and prune backups of the database, and prove that they come back.
    #[command(subcommand)]
    Backup(backup::BackupCommand),
    /// Restore backups: in the place of a database, into one that runs, or to a point in time.
    #[command(subcommand)]
    Restore(restore::RestoreCommand),
    /// Archive WAL, and get it back: for archive_command and restore_command of PostgreSQL.
    #[command(subcommand)]
    Wal(wal::WalCommand),
    /// Reconcile two files; no server, no database.
    Match(match_files::MatchArgs),
    /// Check rule sets, print their schema, and show those that come with the program.
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// Write a pair of sample files with known truth.
    Samples(samples::SamplesArgs),
    /// Print the OpenAPI document of the HTTP API.
    Openapi,
    /// Print the page about all metrics.
    MetricsReference,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // One TLS stack for everything, chosen before anything can ask for one.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("counterfoil: a TLS provider was installed twice");
        return ExitCode::from(3);
    }
    let config = || Config::load(cli.config.as_deref()).map_err(anyhow::Error::from);
    // Secrets that are elsewhere are read first, in the runtime of the role.
    macro_rules! role {
        ($config:ident => $run:expr) => {
            config().and_then(|config| {
                in_runtime(async {
                    let $config = roles::with_secrets(config).await?;
                    $run.await
                })
            })
        };
    }
    let ended = match cli.command {
        Command::Match(args) => return match_files::run(args),
        Command::Samples(args) => return samples::run(args),
        Command::Rules(command) => return rules::run(command),
        Command::Doctor(args) => return doctor::run(cli.config.as_deref(), args),
        Command::Config(command) => configuration::run(cli.config.as_deref(), command),
        Command::Probe(args) => probe::run(&args),
        Command::Openapi => openapi(),
        Command::MetricsReference => {
            print(&shared::telemetry::reference());
            Ok(())
        }
        Command::Up(args) => {
            let shown = Config::load_shown(cli.config.as_deref()).map_err(anyhow::Error::from);
            shown.and_then(|(config, shown)| {
                in_runtime(async { up::run(roles::with_secrets(config).await?, &shown, args).await })
            })
        }
        Command::Api => role!(config => roles::api(config)),
        Command::Worker(args) => role!(config => roles::worker(config, args)),
        Command::Scheduler => role!(config => roles::scheduler(config)),
        Command::Migrate => role!(config => roles::migrate(config)),
        Command::Queues(command) => role!(config => at_shell("queues", queues::run(config, command))),
        Command::Limits(command) => role!(config => at_shell("limits", queues::run_limits(config, command))),
        Command::Jobs(command) => role!(config => at_shell("jobs", jobs::run(config, command))),
        Command::Users(command) => role!(config => at_shell("users", users::run(config, command))),
        Command::Notifications(command) => {
            role!(config => at_shell("notifications", notifications::run(config, command)))
        }
        Command::Audit(command) => role!(config => audit::run(config, command)),
        Command::Schedules(command) => {
            role!(config => at_shell("schedules", schedules::run(config, command)))
        }
        Command::Backup(command) => role!(config => backup::run(config, command)),
        Command::Restore(command) => {
            let file = cli.config.clone();
            role!(config => restore::run(config, file.as_deref(), command))
        }
        // Its exit codes are an agreement with PostgreSQL.
        Command::Wal(command) => return wal::run_to_exit(config(), command),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("counterfoil: {error:#}");
            ExitCode::from(1)
        }
    }
}

/// Puts the operator behind what a command changes, for the audit log.
async fn at_shell<T>(noun: &str, command: impl Future<Output = T>) -> T {
    let by = AuditedBy { name: Some(administration::operator()), ..AuditedBy::default() };
    Context::new(format!("{noun}.at_shell"), by).around(command).await
}

fn in_runtime(role: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(role);
    // A blocking part that does not look at its stop signal must not hold up the exit for ever.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    ended
}

fn openapi() -> anyhow::Result<()> {
    let mut text = api::openapi().to_pretty_json()?;
    text.push('\n');
    print(&text);
    Ok(())
}

/// Into a closed pipe (`| head`) is not an error worth a word.
fn print(text: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes());
}
