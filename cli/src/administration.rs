//! What the commands of an operator share: the database they work on, and how tables are printed.

use crate::{private_postgres, roles, up};
use anyhow::{Context, Result};
use shared::config::Config;
use shared::store::Store;
use std::path::PathBuf;

/// Where the commands of an operator look.
#[derive(clap::Args, Clone)]
pub struct Database {
    /// Data directory of a running `counterfoil up`; used unless database.url is set.
    #[arg(long, value_name = "DIR", env = "COUNTERFOIL_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
}

impl Database {
    /// The store of `database.url`, or of a running `up`.
    pub async fn open(self, config: &Config) -> Result<Store> {
        if config.database.url.is_some() {
            let store = roles::store(config)?;
            store.try_to_connect().await?;
            return Ok(store);
        }
        let options = private_postgres::options(&up::data_dir(self.data_dir)?);
        let store = Store::new(options, &roles::pool_limits(config));
        store.ping().await.context("asking the database of `counterfoil up`, which has to run")?;
        Ok(store)
    }
}

/// Who works at this shell, for whoever wonders later.
pub fn operator() -> String {
    let name = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
    if name.is_empty() { "a shell".into() } else { format!("{name} at a shell") }
}

/// Columns as wide as their widest cell, two blanks between; the last as it is.
pub fn print_table(head: &[&str], rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let mut text = line(&head) + "\n";
    for row in rows {
        text += &(line(row) + "\n");
    }
    // Into a closed pipe (`| head`) is not an error worth a word.
    let _ = std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes());
}
