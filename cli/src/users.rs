//! The people who may log in, managed from a shell on the server.

use crate::administration::{Database, print_table};
use anyhow::{Context, Result, bail};
use api::{PasswordCost, PasswordHasher, accounts};
use chrono::{DateTime, Utc};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use shared::clock::Clock;
use shared::config::Config;
use shared::ids::UserId;
use shared::store::Store;
use shared::store::accounts::AccountChange;
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
    /// Show accounts, newest first.
    List {
        /// Only those with this in their address or name.
        #[arg(long)]
        text: Option<String>,
        /// At most so many, 1 to 10000.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        #[command(flatten)]
        database: Database,
    },
    /// Shut an account: its sessions end, nobody logs in with it, and its API keys open nothing.
    Disable {
        email: String,
        #[command(flatten)]
        database: Database,
    },
    /// Open an account again: its password and its keys are what they were.
    Enable {
        email: String,
        #[command(flatten)]
        database: Database,
    },
    /// Have the next log-in by password bring a new one.
    RequirePasswordChange {
        email: String,
        #[command(flatten)]
        database: Database,
    },
    /// Print a one-time token, good for a day, with which the person chooses a new password.
    ResetPassword {
        email: String,
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
    match command {
        UsersCommand::Add { email, name, platform_admin, random_password, database } => {
            add(&database.open(&config).await?, &email, &name, platform_admin, random_password).await
        }
        UsersCommand::List { text, limit, database } => {
            list(&database.open(&config).await?, text.as_deref(), limit).await
        }
        UsersCommand::Disable { email, database } => {
            let (store, id) = find(database, &config, &email).await?;
            changed(&email, store.disable_account(id, now()).await?, "is shut, and its sessions have ended")
        }
        UsersCommand::Enable { email, database } => {
            let (store, id) = find(database, &config, &email).await?;
            changed(&email, store.enable_account(id).await?, "is open")
        }
        UsersCommand::RequirePasswordChange { email, database } => {
            let (store, id) = find(database, &config, &email).await?;
            changed(&email, store.require_password_change(id).await?, "has to choose another password")
        }
        UsersCommand::ResetPassword { email, database } => {
            let (store, id) = find(database, &config, &email).await?;
            let made = accounts::offer_password_reset(&store, id, None, now()).await?;
            let Some((token, until)) = made else { bail!("{email} is shut: open the account first") };
            println!("{}", token.expose_secret());
            eprintln!(
                "Good once, until {until}: on the page /reset-password, or POST /api/auth/password-reset."
            );
            Ok(())
        }
        UsersCommand::InviteAdministrator { database } => {
            invite_administrator(&database.open(&config).await?).await
        }
    }
}

fn now() -> DateTime<Utc> {
    Clock::system().now()
}

/// The account of an address, whatever its letter case.
async fn find(database: Database, config: &Config, email: &str) -> Result<(Store, UserId)> {
    let store = database.open(config).await?;
    match store.credentials(email).await? {
        Some(found) => Ok((store, found.id)),
        None => bail!("nobody has the address {email}"),
    }
}

fn changed(email: &str, change: AccountChange, says: &str) -> Result<()> {
    match change {
        AccountChange::Done => println!("{email} {says}"),
        AccountChange::Unknown => bail!("{email} is gone"),
        AccountChange::LastAdministrator => {
            bail!("{email} is the last who can administer the platform; make another administrator first")
        }
    }
    Ok(())
}

async fn list(store: &Store, text: Option<&str>, limit: u32) -> Result<()> {
    let mark = |is: bool, word: &'static str| is.then_some(word);
    let moment = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M").to_string();
    let rows: Vec<Vec<String>> = store
        .accounts(text, None, limit)
        .await?
        .into_iter()
        .map(|account| {
            let notes = [
                mark(account.disabled_at.is_some(), "shut"),
                mark(account.is_platform_admin, "administrator"),
                mark(account.has_second_factor, "second factor"),
                mark(account.must_change_password, "must change password"),
            ];
            let notes: Vec<&str> = notes.into_iter().flatten().collect();
            let seen = account.last_seen_at.map_or_else(|| "never".into(), moment);
            vec![account.email, account.name, moment(account.created_at), seen, notes.join(", ")]
        })
        .collect();
    print_table(&["address", "name", "made (UTC)", "last seen (UTC)", ""], &rows);
    Ok(())
}

async fn add(store: &Store, email: &str, name: &str, platform_admin: bool, random: bool) -> Result<()> {
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
    let user = accounts::create(store, &passwords, email, name, &secret, platform_admin).await?;
    println!("{} {}", user.id, user.email);
    if random {
        println!("password: {password}");
    }
    Ok(())
}

async fn invite_administrator(store: &Store) -> Result<()> {
    let token = accounts::invite_administrator(store, now()).await?;
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
