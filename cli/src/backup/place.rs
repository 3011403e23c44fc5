//! Where the commands find stores, keys and the database: in the configuration, or on the command line when nothing
//! else is left.

use crate::administration::Database;
use crate::{private_postgres, roles, up};
use anyhow::{Context, Result};
use backup::engine::{Engine, Settings};
use backup::postgres::Target;
use backup::stores::{self, Cluster, Disk, StoreName, Stores};
use secrecy::ExposeSecret;
use shared::config::Config;
use shared::store::Store;
use sqlx::postgres::PgConnectOptions;
use std::path::{Path, PathBuf};

#[derive(clap::Args, Clone)]
pub struct BackupPlace {
    /// A folder with backups, instead of the configured stores.
    #[arg(long, value_name = "DIR")]
    store_dir: Option<PathBuf>,
    /// File with the encryption keys, instead of backup.keys_file.
    #[arg(long, value_name = "FILE")]
    keys_file: Option<PathBuf>,
    /// Whose backups, instead of backup.cluster.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Folder for dumps while they are taken or loaded, instead of backup.scratch_dir; needs the size of the database.
    #[arg(long, value_name = "DIR", env = "COUNTERFOIL_SCRATCH_DIR")]
    scratch_dir: Option<PathBuf>,
    /// Processes that dump or load at once, instead of backup.jobs.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: Option<u8>,
    #[command(flatten)]
    database: Database,
}

impl BackupPlace {
    /// Asks nobody anything yet.
    pub fn engine(&self, config: &Config) -> Result<Engine> {
        let mut config = config.clone();
        if let (None, Some(data_dir)) = (&self.store_dir, self.data_dir()) {
            up::default_backups(&mut config, &data_dir)?;
        }
        let stores = match &self.store_dir {
            Some(dir) => {
                let disk =
                    Disk::open(dir.clone(), None).with_context(|| format!("opening {}", dir.display()))?;
                let name = StoreName::parse("folder").context("a name for the folder")?;
                Stores::of(vec![(name, stores::Store::Disk(disk))], None, stores::Settings::default())?
            }
            None => Stores::open(&config.backup, self.data_dir().as_deref())?,
        };
        let mut of_keys = config.backup.clone();
        if let Some(file) = &self.keys_file {
            (of_keys.keys_file, of_keys.keys_env) = (Some(file.clone()), None);
        }
        let keys = backup::engine::key_ring(&of_keys)?;
        let cluster = Cluster::parse(self.cluster.as_ref().unwrap_or(&config.backup.cluster))?;
        let of_config = Settings::of(&config.backup);
        let settings = Settings {
            scratch_dir: self.scratch_dir.clone().unwrap_or(of_config.scratch_dir.clone()),
            jobs: self.jobs.map_or(of_config.jobs, Into::into),
            ..of_config
        };
        Ok(Engine { stores, cluster, keys, settings })
    }

    /// The database of the configuration, or of a running `up`; it need not be there.
    pub fn target(&self, config: &Config) -> Result<Target> {
        Ok(Target::new(self.options(config)?))
    }

    /// For the records; connects on first use.
    pub fn store(&self, config: &Config) -> Result<Store> {
        Ok(Store::new(self.options(config)?, &roles::pool_limits(config)))
    }

    /// What PostgreSQL runs to get WAL from the same stores.
    pub fn restore_command(&self, config_file: Option<&Path>) -> Result<String> {
        let quote = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let path = |path: &Path| -> Result<String> {
            let path = std::path::absolute(path)?;
            // PostgreSQL reads % as the beginning of a parameter.
            Ok(quote(path.to_str().context("a path is not UTF-8")?).replace('%', "%%"))
        };
        let mut words = vec![path(&std::env::current_exe()?)?];
        if let Some(file) = config_file {
            words.extend(["--config".into(), path(file)?]);
        }
        words.extend(["wal".into(), "fetch".into()]);
        for (option, value) in [("--store-dir", &self.store_dir), ("--keys-file", &self.keys_file)] {
            if let Some(value) = value {
                words.extend([option.into(), path(value)?]);
            }
        }
        if let Some(cluster) = &self.cluster {
            words.extend(["--cluster".into(), quote(cluster)]);
        }
        words.extend(["%f".into(), "%p".into()]);
        Ok(words.join(" "))
    }

    fn options(&self, config: &Config) -> Result<PgConnectOptions> {
        match &config.database.url {
            Some(url) => url.expose_secret().parse().context("database.url"),
            None => Ok(private_postgres::options(&up::data_dir(self.database.data_dir.clone())?)),
        }
    }

    fn data_dir(&self) -> Option<PathBuf> {
        up::data_dir(self.database.data_dir.clone()).ok()
    }
}
