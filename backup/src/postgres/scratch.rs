//! Places for a while: folders and databases that are removed when they are not needed, also when their maker was
//! killed.

use super::{Surroundings, Target, close, quoted};
use crate::error::{Doing, Error, Result};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

const DIR_PREFIX: &str = "counterfoil-scratch-";
const DATABASE_PREFIX: &str = "counterfoil_scratch_";
/// `/counterfoil-scratch-<32 digits>/run/.s.PGSQL.5432.lock`
const SOCKET_BYTES: usize = 76;
const SWAP_TRIES: usize = 20;

/// A folder that only we may enter, removed with the value. Its lock file is locked while its maker lives.
pub struct ScratchDir {
    path: PathBuf,
    _lock: File,
}

impl ScratchDir {
    /// Removes what killed processes have left in `parent`, then makes a new one.
    pub fn create(parent: &Path) -> Result<Self> {
        sweep_dirs(parent);
        let path = parent.join(format!("{DIR_PREFIX}{}", Uuid::new_v4().simple()));
        let doing = || format!("making {}", path.display());
        fs::DirBuilder::new().mode(0o700).create(&path).doing(doing())?;
        let lock = File::create_new(path.join("lock")).doing(doing())?;
        lock.try_lock().map_err(std::io::Error::from).doing(doing())?;
        Ok(Self { path, _lock: lock })
    }

    /// In `parent`, or in a temporary folder whose name is short enough for a socket below it: 107 bytes in all.
    pub fn create_short(parent: &Path) -> Result<Self> {
        let temp = std::env::temp_dir();
        let fits = |dir: &&Path| dir.as_os_str().len() <= 107 - SOCKET_BYTES;
        Self::create([parent, &temp].into_iter().find(fits).unwrap_or(Path::new("/tmp")))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "a scratch folder stays");
        }
    }
}

fn sweep_dirs(parent: &Path) {
    for found in fs::read_dir(parent).into_iter().flatten().flatten() {
        if !found.file_name().to_string_lossy().starts_with(DIR_PREFIX) {
            continue;
        }
        // One without its lock file is just being made.
        let Ok(lock) = File::open(found.path().join("lock")) else { continue };
        if lock.try_lock().is_ok() {
            tracing::info!(path = %found.path().display(), "removing what a killed process has left");
            let _ = fs::remove_dir_all(found.path());
        }
    }
}

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

    /// Puts it in the place of `live`, which is kept as `kept_as`, in one transaction: whoever is killed, either both
    /// have their new names or neither. Ends every session of `live`.
    pub async fn replace(mut self, live: &str, kept_as: &str) -> Result<()> {
        let keeper = &mut self.keeper;
        let is_there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(live)
            .fetch_one(&mut *keeper)
            .await
            .doing("looking for the database to replace")?;
        let mut swap = vec![];
        if is_there {
            swap.push(format!("ALTER DATABASE {} RENAME TO {}", quoted(live), quoted(kept_as)));
        }
        swap.push(format!("ALTER DATABASE {} RENAME TO {}", quoted(&self.name), quoted(live)));
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

/// Removes scratch databases whose makers are gone; returns their names. May run twice at once.
pub async fn sweep_scratch_databases(server: &Target) -> Result<Vec<String>> {
    let mut keeper = server.with_database("postgres").connect().await?;
    let found: Vec<String> =
        sqlx::query_scalar("SELECT datname::text FROM pg_database WHERE starts_with(datname, $1)")
            .bind(DATABASE_PREFIX)
            .fetch_all(&mut keeper)
            .await
            .doing("listing scratch databases")?;
    let mut removed = vec![];
    for name in found {
        if lock(&mut keeper, &name).await.is_ok() {
            drop_database(&mut keeper, &name).await?;
            removed.push(name);
        }
    }
    close(keeper).await;
    Ok(removed)
}
