//! `counterfoil config`: what the configuration is, where it came from, and whether it will do.

use crate::administration::print_table;
use crate::roles::{self, RoleName};
use anyhow::{Result, bail};
use shared::config::{self, Config, Origin};
use std::path::Path;

#[derive(clap::Subcommand)]
pub enum ConfigCommand {
    /// Say what is wrong with the configuration, all of it; exits with 1 then. Asks no service anything.
    Check {
        /// Also that this role has all it needs.
        #[arg(long = "for", value_name = "ROLE")]
        role: Option<RoleName>,
    },
    /// Show every setting with where it came from. A secret says where it is, or only that there is one.
    Show {
        /// Only what is not as it comes.
        #[arg(long)]
        changed: bool,
        /// As JSON, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Print the page about all settings.
    Reference,
}

pub fn run(file: Option<&Path>, command: ConfigCommand) -> Result<()> {
    match command {
        ConfigCommand::Check { role } => check(file, role),
        ConfigCommand::Show { changed, json } => show(file, changed, json),
        ConfigCommand::Reference => {
            crate::print(&config::page());
            Ok(())
        }
    }
}

fn check(file: Option<&Path>, role: Option<RoleName>) -> Result<()> {
    let config = Config::load(file)?;
    if let Some(role) = role {
        let missing = roles::missing(&config, role);
        if !missing.is_empty() {
            bail!("the role {} needs {}", role.as_str(), missing.join(", "));
        }
        if config.auth.signing_key.is_some() && config.auth.signing_key_file.is_some() {
            bail!("auth.signing_key and auth.signing_key_file are both set; keep one");
        }
    }
    crate::print("The configuration is usable.\n");
    Ok(())
}

fn show(file: Option<&Path>, changed: bool, json: bool) -> Result<()> {
    let (_, mut shown) = Config::load_shown(file)?;
    shown.retain(|key| !changed || key.origin != Origin::Default);
    if json {
        crate::print(&format!("{:#}\n", serde_json::json!(shown)));
        return Ok(());
    }
    let rows: Vec<Vec<String>> =
        shown.into_iter().map(|key| vec![key.key, key.value, key.origin.to_string()]).collect();
    print_table(&["KEY", "VALUE", "FROM"], &rows);
    Ok(())
}
