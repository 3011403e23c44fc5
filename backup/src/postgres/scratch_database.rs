//! Databases for a while: removed when they are not needed, also when their maker was killed; one with all of a backup in
//! it is kept for a day, for whoever goes on with the restore.

use super::restore_mark::{RESUMABLE_FOR, RestoreMark};
use super::{Surroundings, Target, close, quoted};
use crate::error::{Doing, Error, Result};
use chrono::Utc;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

const DATABASE_PREFIX: &str = "counterfoil_scratch_";
const SWAP_TRIES: usize = 20;

/// A database for a while. A session of its maker holds a lock on its name; whoever gets that lock may remove it.
pub struct ScratchDatabase {
    pub target: Target,
    name: String,
    server: Target,
    keeper: PgConnection,
}

impl ScratchDatabase {
    /// Empty, with the encoding and locale that `like` says, or, where this cluster lacks that locale, its own.
    /// `server`: any database of the cluster; the role needs CREATEDB.
    pub async fn create(server: &Target, like: &Surroundings) -> Result<Self> {
        let server = server.with_database("postgres");
        let name = format!("{DATABASE_PREFIX}{}", Uuid::new_v4().simple());
        let mut keeper = server.connect().await?;
        lock(&mut keeper, &name).await?;
        let quote = |text: &str| text.replace('\'', "''");
        let exact = format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING '{}' LC_COLLATE '{}' LC_CTYPE '{}'",
            quoted(&name),
            quote(&like.encoding),
            quote(&like.collate),
            quote(&like.ctype)
        );
        let doing = || format!("creating the scratch database {name}");
        if let Err(error) = keeper.execute(AssertSqlSafe(exact)).await {
            // 42809, 22023: wrong locale name. Order of text differs then; rows do not.
            let code = error.as_database_error().and_then(|e| e.code()).map(|code| code.into_owned());
            if !matches!(code.as_deref(), Some("42809" | "22023")) {
                return Err(error).doing(doing());
            }
            tracing::warn!(collate = like.collate, %error, "the locale is not known here; taking the cluster's own");
            let plain = format!("CREATE DATABASE {} TEMPLATE template0", quoted(&name));
            keeper.execute(AssertSqlSafe(plain)).await.doing(doing())?;
        }
        Ok(Self { target: server.with_database(&name), name, server, keeper })
    }

    /// The one that a killed restore of `backup` has left, with everything in it; `None`: there is none that is free.
    pub async fn take_up(server: &Target, backup: Uuid, owners: bool) -> Result<Option<Self>> {
        let server = server.with_database("postgres");
        let mut keeper = server.connect().await?;
        for (name, mark) in scratch_databases(&mut keeper).await? {
            let is_it = matches!(mark, Some(RestoreMark::Loaded { backup: of, owners: o, .. }) if (of, o) == (backup, owners));
            if is_it && lock(&mut keeper, &name).await.is_ok() {
                tracing::info!(name, %backup, "going on with what a killed restore has loaded");
                return Ok(Some(Self { target: server.with_database(&name), name, server, keeper }));
            }
        }
        close(keeper).await;
        Ok(None)
    }

    /// Everything of `backup` is in it: whoever comes after a signal goes on from here.
    pub async fn mark_loaded(&mut self, backup: Uuid, owners: bool) -> Result<()> {
        let statement = RestoreMark::Loaded { backup, owners, at: Utc::now() }.statement(&self.name);
        let doing = "noting that everything is loaded";
        self.keeper.execute(AssertSqlSafe(statement)).await.doing(doing).map(drop)
    }

    /// Puts it in the place of `live`, which is kept as `kept_as`, in one transaction: whoever is killed, either both
    /// have their new names or neither, and `live` says that `backup` is in its place. Ends every session of `live`.
    pub async fn replace(mut self, live: &str, kept_as: Option<&str>, backup: Uuid) -> Result<()> {
        let keeper = &mut self.keeper;
        let is_there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(live)
            .fetch_one(&mut *keeper)
            .await
            .doing("looking for the database to replace")?;
        let mut swap = vec![];
        let kept_as = kept_as.filter(|_| is_there).map(str::to_owned);
        if is_there {
            let kept_as = kept_as.as_deref().unwrap_or_default();
            swap.push(format!("ALTER DATABASE {} RENAME TO {}", quoted(live), quoted(kept_as)));
        }
        swap.push(format!("ALTER DATABASE {} RENAME TO {}", quoted(&self.name), quoted(live)));
        swap.push(RestoreMark::InPlace { backup, kept_as, at: Utc::now() }.statement(live));
        for tried in 1.. {
            sqlx::query(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname IN ($1, $2)",
            )
            .bind(live)
            .bind(&self.name)
            .execute(&mut *keeper)
            .await
            .doing(format!("ending the sessions of {live}"))?;
            match try_swap(keeper, &swap).await {
                Ok(()) => break,
                // Somebody came back between the two statements.
                Err(error) if is_in_use(&error) && tried < SWAP_TRIES => {}
                Err(error) if is_in_use(&error) => {
                    self.remove().await?;
                    return Err(Error::Refused(format!(
                        "sessions of {live} come back faster than they can be ended; nothing was changed. Stop API, \
                         workers and scheduler first"
                    )));
                }
                Err(error) => {
                    self.remove().await?;
                    return Err(error).doing(format!("swapping {live} for what was restored"));
                }
            }
        }
        close(self.keeper).await;
        Ok(())
    }

    /// Stays, without a lock on its name.
    pub async fn keep_as(mut self, name: &str) -> Result<()> {
        rename(&mut self.keeper, &self.name, name).await?;
        close(self.keeper).await;
        Ok(())
    }

    pub async fn remove(mut self) -> Result<()> {
        drop_database(&mut self.keeper, &self.name).await?;
        close(self.keeper).await;
        Ok(())
    }

    /// Where it was made.
    pub fn server(&self) -> &Target {
        &self.server
    }
}

async fn try_swap(keeper: &mut PgConnection, statements: &[String]) -> std::result::Result<(), sqlx::Error> {
    let mut tx = keeper.begin().await?;
    for statement in statements {
        tx.execute(AssertSqlSafe(statement.clone())).await?;
    }
    tx.commit().await
}

/// 55006: object_in_use.
fn is_in_use(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some("55006")
}

async fn rename(keeper: &mut PgConnection, from: &str, to: &str) -> Result<()> {
    let statement = format!("ALTER DATABASE {} RENAME TO {}", quoted(from), quoted(to));
    keeper
        .execute(AssertSqlSafe(statement))
        .await
        .doing(format!("renaming database {from} to {to}"))
        .map(drop)
}

async fn drop_database(keeper: &mut PgConnection, name: &str) -> Result<()> {
    let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name));
    keeper.execute(AssertSqlSafe(statement)).await.doing(format!("removing database {name}")).map(drop)
}

async fn lock(keeper: &mut PgConnection, name: &str) -> Result<()> {
    let got: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended($1, 0))")
        .bind(name)
        .fetch_one(keeper)
        .await
        .doing("locking a scratch database")?;
    if got { Ok(()) } else { Err(Error::Refused(format!("database {name} belongs to somebody else"))) }
}

/// By name, each with what it says of itself.
async fn scratch_databases(keeper: &mut PgConnection) -> Result<Vec<(String, Option<RestoreMark>)>> {
    let found: Vec<(String, Option<String>)> = sqlx::query_as(
        "SELECT datname::text, shobj_description(oid, 'pg_database') FROM pg_database
         WHERE starts_with(datname, $1) ORDER BY datname",
    )
    .bind(DATABASE_PREFIX)
    .fetch_all(keeper)
    .await
    .doing("listing scratch databases")?;
    Ok(found.into_iter().map(|(name, comment)| (name, RestoreMark::parse(comment.as_deref()))).collect())
}

/// Removes scratch databases whose makers are gone, but for those that a restore may go on with; returns their names.
/// May run twice at once.
pub async fn sweep_scratch_databases(server: &Target) -> Result<Vec<String>> {
    let mut keeper = server.with_database("postgres").connect().await?;
    let mut removed = vec![];
    for (name, mark) in scratch_databases(&mut keeper).await? {
        let is_wanted = matches!(
            mark,
            Some(RestoreMark::Loaded { at, .. }) if (Utc::now() - at).to_std().unwrap_or_default() < RESUMABLE_FOR
        );
        if !is_wanted && lock(&mut keeper, &name).await.is_ok() {
            drop_database(&mut keeper, &name).await?;
            removed.push(name);
        }
    }
    close(keeper).await;
    Ok(removed)
}
