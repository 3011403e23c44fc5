//! The people who may log in, managed from a shell on the server.

use crate::{private_postgres, roles, up};
use anyhow::{Context, Result, bail};
use api::{PasswordCost, PasswordHasher, accounts};
use rand::RngExt;
use secrecy::SecretString;
use shared::config::Config;
use shared::store::Store;
use std::io::Read;
use std::path::PathBuf;

#[derive(clap::Subcommand)]
pub enum UsersCommand {
    /// Make an account. The password is read from standard input, or made and printed once with --random-password.
    Add {
        #[arg(long)]
        email: String,
        #[arg(long)]
        name: String,
        /// May administer the whole platform.
        #[arg(long)]
        platform_admin: bool,
        #[arg(long)]
        random_password: bool,
        /// Data directory of a running `counterfoil up`; used unless database.url is set.
        #[arg(long, value_name = "DIR", env = "COUNTERFOIL_DATA_DIR")]
        data_dir: Option<PathBuf>,
    },
}

pub async fn run(config: Config, command: UsersCommand) -> Result<()> {
    let UsersCommand::Add { email, name, platform_admin, random_password: random, data_dir } = command;
    let store = match config.database.url {
        Some(_) => roles::store(&config)?,
        None => {
            let options = private_postgres::options(&up::data_dir(data_dir)?);
            let store = Store::new(options, &roles::pool_limits(&config));
            store.ping().await.context("asking the database of `counterfoil up`, which has to run")?;
            store
        }
    };
    let password = if random {
        random_password()
    } else {
        let mut typed = String::new();
        std::io::stdin().take(4096).read_to_string(&mut typed).context("reading the password")?;
        let typed = typed.trim_end_matches(['\r', '\n']);
        if typed.is_empty() {
            bail!("no password on standard input (or use --random-password)");
        }
        typed.to_owned()
    };
    let secret = SecretString::from(password.clone());
    let passwords = PasswordHasher::new(PasswordCost::STRONG)?;
    let user = accounts::create(&store, &passwords, &email, &name, &secret, platform_admin).await?;
    println!("{} {}", user.id, user.email);
    if random {
        println!("password: {password}");
    }
    Ok(())
}

/// 120 bits, in letters and digits that are not mistaken for each other.
pub fn random_password() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = rand::rng();
    (0..24).map(|_| LETTERS[random.random_range(0..LETTERS.len())] as char).collect()
}
