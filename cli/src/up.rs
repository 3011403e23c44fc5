//! `counterfoil up`: everything in one process, on embedded defaults that need nothing.

use crate::embedded::{self, Running};
use crate::private_postgres::PrivatePostgres;
use crate::{demo, roles, stop, users};
use anyhow::{Context, Result, bail};
use api::{PasswordCost, PasswordHasher, accounts};
use data_encoding::HEXLOWER;
use secrecy::{ExposeSecret, SecretString};
use shared::clock::Clock;
use shared::config::{Config, ShownKey};
use shared::queue::Queue;
use shared::secrets::Secret;
use shared::store::Store;
use shared::telemetry::Telemetry;
use shared::telemetry::metric::Role;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Doorbells the in-process queue holds; the relay's window keeps it far below.
const IN_PROCESS_QUEUE_MAX: usize = 10_000;

pub const ADMIN_EMAIL: &str = "admin@counterfoil.localhost";

#[derive(clap::Args)]
pub struct UpArgs {
    /// Reconcile the sample files once everything runs, and show the result.
    #[arg(long)]
    demo: bool,
    /// Where the database, uploaded files and keys live.
    #[arg(long, value_name = "DIR", env = "COUNTERFOIL_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

/// `shown`: the configuration as it may be shown, for [`Running`].
pub async fn run(mut config: Config, shown: &[ShownKey], args: UpArgs) -> Result<()> {
    // The terminal belongs to the person; details are a setting away.
    config.log.filter.get_or_insert_with(|| "warn".into());
    let telemetry = Telemetry::start(&config, Role::ALL).map_err(anyhow::Error::msg)?;
    let stop = stop::on_signal()?;
    let data_dir = data_dir(args.data_dir)?;
    std::fs::create_dir_all(&data_dir).with_context(|| format!("creating {}", data_dir.display()))?;
    let lock = embedded::lock(&data_dir)?;
    let Some(_lock) = lock else { bail!("another `counterfoil up` runs on {}", data_dir.display()) };
    default_backups(&mut config, &data_dir)?;
    embedded::name_places(&mut config, &data_dir);
    // Before the database: a taken port should not cost the start of one.
    let listener = roles::listen(config.http.listen)
        .await
        .context("set COUNTERFOIL_HTTP__LISTEN to another address (port 0 takes a free one)")?;
    let url = format!("http://{}", listener.local_addr()?);

    let postgres = match config.database.url {
        Some(_) => None,
        None => Some(PrivatePostgres::start(&data_dir).await.context("starting the private PostgreSQL")?),
    };
    let store = match &postgres {
        Some(postgres) => Store::new(postgres.options.clone(), &roles::pool_limits(&config)),
        None => roles::store_for_requests(&config)?,
    };
    store.migrate().await.context("migrating the database")?;
    let queue = match config.broker.url {
        Some(_) => roles::queue(&config)?,
        None => Queue::in_process(&roles::queue_names(), IN_PROCESS_QUEUE_MAX),
    };
    let objects = roles::objects(&config)?;
    let signing_keys_source = signing_keys_source(&config, &data_dir)?;
    let signing_keys = roles::read_signing_keys(&signing_keys_source).await?;
    // For the worker, too.
    let sealing_text = sealing_text(&config, &data_dir)?;
    let sealing_key = api::SealingKey::from_bytes(sealing_text.expose_secret().as_bytes())
        .context("auth.sealing_key must be 64 random hex digits (`openssl rand -hex 32`)")?;
    config.auth.sealing_key = Some(sealing_text);
    let passwords = PasswordHasher::new(PasswordCost::STRONG)?;
    let admin = first_admin(&store, &passwords).await?;
    let demo_token = if args.demo { Some(admin_token(&store, &signing_keys).await?) } else { None };

    let relay_wake = Arc::new(Notify::new());
    let parts = api::Parts {
        store: store.clone(),
        objects: objects.clone(),
        queue: queue.clone(),
        metrics: telemetry.metrics.clone(),
        clock: Clock::system(),
        signing_keys,
        signing_keys_source: Some(signing_keys_source),
        sealing_key: Some(sealing_key),
        passwords,
        relay_wake: relay_wake.clone(),
        listener,
    };
    let _told = Running::new(&url, shown).tell(&data_dir)?;
    println!("Counterfoil {} is up at {url}", env!("CARGO_PKG_VERSION"));
    println!("  data in {}", data_dir.display());
    if let Some(password) = admin {
        println!("  administrator {ADMIN_EMAIL}, password {password} (shown this once)");
    }
    // The API stops first, so that nothing new comes in; then the worker drains; the scheduler carries on until
    // then, since a hand-back rings a doorbell.
    let scheduler_stop = CancellationToken::new();
    let scheduling = tokio::spawn({
        let (config, store, queue, stop) =
            (config.clone(), store.clone(), queue.clone(), scheduler_stop.clone());
        async move { scheduler::run(&config, store, queue, relay_wake, stop).await }
    });
    let working = tokio::spawn({
        let (config, store, queue, stop) = (config.clone(), store.clone(), queue.clone(), stop.clone());
        async move { worker::run(&config, store, queue, objects, stop).await }
    });
    let serving = tokio::spawn({
        let (config, stop) = (config.clone(), stop.clone());
        async move { api::run(&config, parts, stop).await }
    });
    let showing = tokio::spawn({
        let stop = stop.clone();
        async move {
            if let Some(token) = demo_token {
                demo::show(&url, &token, &stop).await?;
            }
            if !stop.is_cancelled() {
                println!("\nCtrl-C stops it; started again, it carries on with the same data.");
            }
            anyhow::Ok(())
        }
    });

    let ended = supervise(&stop, postgres.as_ref(), serving, working, showing).await;
    stop.cancel();
    scheduler_stop.cancel();
    let _ = scheduling.await;
    store.close().await;
    tokio::task::spawn_blocking(move || drop(postgres)).await?;
    println!("Stopped.");
    ended
}

/// Waits for the stop and the drain; anything that ends before is fatal for all.
async fn supervise(
    stop: &CancellationToken,
    postgres: Option<&PrivatePostgres>,
    serving: tokio::task::JoinHandle<Result<(), impl Into<anyhow::Error> + Send + 'static>>,
    working: tokio::task::JoinHandle<Result<(), worker::engine::EngineError>>,
    showing: tokio::task::JoinHandle<Result<()>>,
) -> Result<()> {
    let postgres_ends = async {
        match postgres {
            None => std::future::pending().await,
            Some(postgres) => {
                while !postgres.has_ended() {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        }
    };
    let failed = {
        let mut showing = std::pin::pin!(showing);
        let mut shown = false;
        let mut postgres_ends = std::pin::pin!(postgres_ends);
        loop {
            tokio::select! {
                () = stop.cancelled() => break Ok(()),
                ended = &mut showing, if !shown => match ended.context("showing the demo").and_then(|shown| shown) {
                    Ok(()) => shown = true,
                    Err(error) => break Err(error),
                },
                () = &mut postgres_ends => break Err(anyhow::anyhow!("PostgreSQL ended by itself")),
                () = tokio::time::sleep(Duration::from_millis(200)) => {
                    if serving.is_finished() || working.is_finished() {
                        break Ok(());
                    }
                }
            }
        }
    };
    stop.cancel();
    let served = serving.await?.map_err(Into::into);
    let worked = working.await?.map_err(anyhow::Error::from);
    failed.and(served).and(worked)
}

/// The data directory asked for, or the default one.
pub fn data_dir(asked: Option<PathBuf>) -> Result<PathBuf> {
    Ok(std::path::absolute(asked.map_or_else(default_data_dir, Ok)?)?)
}

fn default_data_dir() -> Result<PathBuf> {
    // SAFETY: has no preconditions and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        // Not below root's home: the server's account could not enter.
        return Ok("/var/lib/counterfoil".into());
    }
    if let Some(dir) = std::env::var_os("XDG_DATA_HOME").filter(|dir| Path::new(dir).is_absolute()) {
        return Ok(Path::new(&dir).join("counterfoil"));
    }
    let home = std::env::var_os("HOME").context("neither --data-dir nor HOME is set")?;
    Ok(Path::new(&home).join(".local/share/counterfoil"))
}

/// The keys that sign access tokens: the configured ones, or one of our own, made once.
fn signing_keys_source(config: &Config, data_dir: &Path) -> Result<Secret> {
    if let Some(configured) = roles::signing_keys_secret(config)? {
        return Ok(configured);
    }
    let path = embedded::signing_key_file(data_dir);
    make_once(&path, api::SigningKey::generate)?;
    Ok(Secret::in_file("auth.signing_key_file", path))
}

/// The same for the key that seals second factors and the secrets of webhooks, as text.
fn sealing_text(config: &Config, data_dir: &Path) -> Result<SecretString> {
    if let Some(value) = &config.auth.sealing_key {
        return Ok(value.clone());
    }
    let path = embedded::sealing_key_file(data_dir);
    make_once(&path, api::SealingKey::generate)?;
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let text = match bytes.len() {
        32 => HEXLOWER.encode(&bytes),
        _ => String::from_utf8(bytes).ok().with_context(|| format!("{} is no key", path.display()))?,
    };
    Ok(text.into())
}

/// The places of backups as [`embedded::name_backups`] has them, with the key, which is made once.
pub fn default_backups(config: &mut Config, data_dir: &Path) -> Result<()> {
    if !data_dir.is_dir() {
        return Ok(());
    }
    if let Some(key_file) = embedded::name_backups(config, data_dir) {
        make_once(&key_file, || HEXLOWER.encode(&api::SealingKey::generate()).into_bytes())?;
    }
    Ok(())
}

/// A file that only we can read, whole or not there.
fn make_once(path: &Path, make: impl FnOnce() -> Vec<u8>) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let part = path.with_added_extension("part");
    let mut file =
        std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&part)?;
    std::io::Write::write_all(&mut file, &make())?;
    file.sync_all()?;
    Ok(std::fs::rename(&part, path)?)
}

/// Makes the first administrator; returns the password, or `None` when there is one already.
async fn first_admin(store: &Store, passwords: &PasswordHasher) -> Result<Option<String>> {
    if store.has_platform_admin().await? {
        return Ok(None);
    }
    let password = users::random_password();
    let secret = SecretString::from(password.clone());
    accounts::create(store, passwords, ADMIN_EMAIL, "Administrator", &secret, true).await?;
    Ok(Some(password))
}

/// The demo acts as the administrator without knowing the password, which nobody keeps.
async fn admin_token(store: &Store, signing_keys: &api::SigningKeys) -> Result<String> {
    let admin = store.credentials(ADMIN_EMAIL).await?;
    let admin = admin.with_context(|| format!("the demo runs as {ADMIN_EMAIL}, who is gone"))?;
    let hour = chrono::TimeDelta::hours(1);
    Ok(accounts::operator_token(store, signing_keys, admin.id, hour, &Clock::system()).await?)
}
