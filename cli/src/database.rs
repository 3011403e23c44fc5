//! The database that a command from a shell works on.

use crate::{private_postgres, roles, up};
use anyhow::{Context, Result};
use shared::config::Config;
use shared::store::Store;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct DatabaseArgs {
    /// Data directory of a running `counterfoil up`; used unless database.url is set.
    #[arg(long, value_name = "DIR", env = "COUNTERFOIL_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

impl DatabaseArgs {
    /// The configured database, or that of a running `up`.
    pub async fn open(self, config: &Config) -> Result<Store> {
        if config.database.url.is_some() {
            return roles::store(config);
        }
        let options = private_postgres::options(&up::data_dir(self.data_dir)?);
        let store = Store::new(options, &roles::pool_limits(config));
        store.ping().await.context("asking the database of `counterfoil up`, which has to run")?;
        Ok(store)
    }
}
