//! `counterfoil doctor`: looks at everything this configuration depends on, and says of each thing how it is, what that
//! means, and how to mend it. Changes nothing; the probes it writes are gone when it ends.

mod channels;
mod finding;
mod here;
mod machine;
mod places;
mod services;

use crate::administration::Database;
use crate::roles::{self, RoleName};
use finding::{Finding, State, told};
use here::Here;
use secrecy::SecretString;
use shared::config::{Config, ConfigError, ShownKey};
use shared::secrets::{Secret, check_token, check_url};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Longest wait for one thing: a doctor who does not come back tells nothing.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(clap::Args)]
pub struct DoctorArgs {
    /// As JSON, for programs.
    #[arg(long)]
    json: bool,
    /// Also that this role has all it needs.
    #[arg(long = "for", value_name = "ROLE")]
    role: Option<RoleName>,
    #[command(flatten)]
    database: Database,
}

/// Exit code 0: nothing failed, though there may be warnings; 1: something did.
pub fn run(file: Option<&Path>, args: DoctorArgs) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("counterfoil: {error}");
            return ExitCode::from(1);
        }
    };
    let as_json = args.json;
    let findings = runtime.block_on(examine(file, args));
    // A connection that hangs must not hold up the exit.
    runtime.shutdown_background();
    crate::print(&if as_json { json(&findings) } else { told(&findings) });
    ExitCode::from(u8::from(findings.iter().any(|finding| finding.state == State::Failed)))
}

fn json(findings: &[Finding]) -> String {
    let is_well = findings.iter().all(|finding| finding.state != State::Failed);
    format!("{:#}\n", serde_json::json!({"is_well": is_well, "findings": findings}))
}

async fn examine(file: Option<&Path>, args: DoctorArgs) -> Vec<Finding> {
    let (mut config, shown) = match Config::load_shown(file) {
        Ok(loaded) => loaded,
        Err(ConfigError(wrong)) => {
            let mut findings: Vec<Finding> = wrong.into_iter().map(wrong_setting).collect();
            findings.extend(machine::check());
            return findings;
        }
    };
    let mut findings = vec![configuration(file, &shown)];
    // What `up` uses is in its data directory where the configuration is silent.
    if let Some(here) = Here::look(&config, args.role, args.database.data_dir.clone()) {
        findings.extend(here.findings(&shown).await);
        here.complete(&mut config);
    }
    if let Some(role) = args.role {
        findings.push(role_has_all(&config, role));
    }
    findings.extend(read_secrets(&mut config).await);
    findings.extend(places::permissions(&config, &shown));
    let (database, broker, redis, objects, stores, channels) = tokio::join!(
        services::database(&config, args.database.clone()),
        services::broker(&config),
        services::redis(&config),
        places::objects(&config),
        places::backup_stores(&config, args.database.data_dir.clone()),
        channels::check(&config),
    );
    let server_major = database.server_major;
    findings.extend(database.findings);
    findings.extend([broker, redis].into_iter().flatten());
    findings.extend(objects);
    findings.extend(stores);
    findings.extend(channels);
    findings.push(machine::postgresql_programs(&config, server_major));
    findings.extend(machine::check());
    findings
}

fn wrong_setting(line: String) -> Finding {
    Finding::failed(
        "configuration",
        line,
        "No role starts with this configuration.",
        "Correct the setting; `counterfoil config reference` has all of them.",
    )
}

fn configuration(file: Option<&Path>, shown: &[ShownKey]) -> Finding {
    use shared::config::Origin;
    let from_environment = shown.iter().filter(|key| matches!(key.origin, Origin::Environment(_))).count();
    let from_file = shown.iter().filter(|key| matches!(key.origin, Origin::File(_))).count();
    let file = file.map_or("no file".to_owned(), |file| format!("{from_file} from {}", file.display()));
    Finding::ok("configuration", format!("{file}, {from_environment} from the environment"))
}

fn role_has_all(config: &Config, role: RoleName) -> Finding {
    let check = format!("configuration.{}", role.as_str());
    let missing = roles::missing(config, role);
    if missing.is_empty() {
        return Finding::ok(&check, "has all it needs");
    }
    Finding::failed(
        &check,
        format!("{} not set", missing.join(", ")),
        "This role does not start.",
        "Set it in the configuration file or as COUNTERFOIL_<SECTION>__<KEY>.",
    )
}

/// Puts the secrets that are elsewhere in their places. Those that cannot be had are taken out, and are findings.
async fn read_secrets(config: &mut Config) -> Vec<Finding> {
    let settings = config.secrets.clone();
    let mut findings = vec![];
    for (key, value) in [
        ("database.url", &mut config.database.url),
        ("database.replica_url", &mut config.database.replica_url),
        ("broker.url", &mut config.broker.url),
        ("redis.url", &mut config.redis.url),
        ("auth.signing_key", &mut config.auth.signing_key),
        ("auth.sealing_key", &mut config.auth.sealing_key),
        ("http.metrics_token", &mut config.http.metrics_token),
        ("oidc.client_secret", &mut config.oidc.client_secret),
        ("mail.url", &mut config.mail.url),
        ("notifications.slack_url", &mut config.notifications.slack_url),
        ("notifications.pagerduty_key", &mut config.notifications.pagerduty_key),
        ("notifications.sms_token", &mut config.notifications.sms_token),
        ("telemetry.otlp.headers", &mut config.telemetry.otlp.headers),
    ] {
        let Some(setting) = value.take() else { continue };
        match read_secret(key, &setting, &settings).await {
            Ok(text) => *value = text,
            Err(finding) => findings.push(finding),
        }
    }
    findings
}

/// `None`: there, and no text.
async fn read_secret(
    key: &'static str,
    setting: &SecretString,
    settings: &shared::config::Secrets,
) -> Result<Option<SecretString>, Finding> {
    let failed = |says: String| {
        Finding::failed(
            key,
            says,
            "No role that needs it starts.",
            "The setting is the value itself, or file:, env: or aws: and where it is; see docs/operating.md, \"Secrets\".",
        )
    };
    let secret = Secret::new(key, setting, settings).map_err(|error| failed(shared::chain(&error)))?;
    let read = tokio::time::timeout(PATIENCE, secret.read()).await;
    let bytes = match read {
        Ok(read) => read.map_err(|error| failed(shared::chain(&error)))?,
        Err(_) => return Err(failed(format!("no answer within {} s", PATIENCE.as_secs()))),
    };
    let text = bytes.text();
    let weak = |says| {
        Finding::failed(
            key,
            says,
            "Roles refuse to start with it: it keeps nobody out.",
            "Give it a random value (`openssl rand -hex 24`).",
        )
    };
    match (key, &text) {
        ("database.url" | "database.replica_url" | "broker.url" | "redis.url", Some(url)) => {
            check_url(key, url).map_err(weak)?;
        }
        ("http.metrics_token", Some(token)) => check_token(key, token).map_err(weak)?,
        _ => {}
    }
    Ok(text)
}

/// As [`PATIENCE`] says, with the finding for who waits in vain.
async fn within<T>(work: impl Future<Output = T>) -> Result<T, String> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))
}

/// Where files of `counterfoil up` are, if that can be known.
fn data_dir(asked: Option<PathBuf>) -> Option<PathBuf> {
    crate::up::data_dir(asked).ok()
}
