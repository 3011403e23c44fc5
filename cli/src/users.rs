//! The people who may log in, managed from a shell on the server.

use crate::administration::Database;
use anyhow::{Context, Result, bail};
use api::{PasswordCost, PasswordHasher, accounts};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use shared::clock::Clock;
use shared::config::Config;
use std::io::Read;

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
        #[command(flatten)]
        database: Database,
    },
    /// Print a one-time token, good for a day, with which somebody registers as a platform administrator.
    InviteAdministrator {
        #[command(flatten)]
        database: Database,
    },
}

pub async fn run(config: Config, command: UsersCommand) -> Result<()> {
    let (email, name, platform_admin, random, database) = match command {
        UsersCommand::Add { email, name, platform_admin, random_password, database } => {
            (email, name, platform_admin, random_password, database)
        }
        UsersCommand::InviteAdministrator { database } => {
            return invite_administrator(config, database).await;
        }
    };
    let store = database.open(&config).await?;
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

async fn invite_administrator(config: Config, database: Database) -> Result<()> {
    let store = database.open(&config).await?;
    let token = accounts::invite_administrator(&store, Clock::system().now()).await?;
    println!("{}", token.expose_secret());
    eprintln!("Good once, for a day: POST /api/auth/register with it as `invitation`.");
    Ok(())
}

/// 120 bits, in letters and digits that are not mistaken for each other.
pub fn random_password() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = rand::rng();
    (0..24).map(|_| LETTERS[random.random_range(0..LETTERS.len())] as char).collect()
}
