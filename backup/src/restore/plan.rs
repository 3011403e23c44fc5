//! What a restore would do: a pure function of the manifest, the cluster it goes to, and what was asked.

use crate::error::{Doing, Result};
use crate::manifest::Manifest;
use crate::postgres::{RestoreMark, Target, close, restore_mark};
use crate::stores::BackupClass;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::Row;
use std::collections::BTreeSet;
use std::fmt;
use uuid::Uuid;

/// What must be known of the cluster that a backup is restored into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub server_major: u32,
    pub roles: BTreeSet<String>,
    pub may_create_databases: bool,
    pub is_superuser: bool,
    /// Of the database to replace; `None` when there is none of that name.
    pub database_bytes: Option<u64>,
    /// Sessions in that database, which end.
    pub sessions: u64,
    pub databases: BTreeSet<String>,
    /// What the database says of the restore that made it, if nobody was told of that yet.
    pub mark: Option<RestoreMark>,
}

/// A restore that was killed when all was done, but for saying so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InPlace {
    pub at: DateTime<Utc>,
    pub kept_as: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    pub backup: Uuid,
    /// What the result will be as of.
    pub taken_at: DateTime<Utc>,
    pub database: String,
    /// Under this name what is there now stays; `None` when nothing is there.
    pub kept_as: Option<String>,
    /// Objects get the owners they had.
    pub owners: bool,
    pub steps: Vec<Step>,
    /// What somebody should know before agreeing.
    pub notes: Vec<String>,
    /// To fetch, and to have room for while restoring.
    pub sealed_bytes: u64,
    pub plain_bytes: u64,
    /// There is nothing left to do.
    pub in_place: Option<InPlace>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    SafetyBackup {
        database: String,
    },
    Fetch {
        packs: usize,
        sealed_bytes: u64,
    },
    Load {
        jobs: usize,
    },
    Prove {
        tables: usize,
        rows: u64,
    },
    Swap {
        database: String,
        kept_as: Option<String>,
    },
    Merge {
        tables: usize,
    },
    Recover {
        until: String,
    },
    /// What a restore has left that was killed.
    TakeUp {
        what: String,
    },
}

/// Of a database; PostgreSQL cuts longer ones.
const NAME_BYTES_MAX: usize = 63;

/// What was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Name of the database afterwards; default: as it was called.
    pub database: Option<String>,
    pub jobs: usize,
    /// Do not take a backup of what is replaced.
    pub without_safety_backup: bool,
}

/// Plans to put a full backup in the place of a database. `Err`: every reason why it cannot be, with what to do.
pub fn plan_full(
    manifest: &Manifest,
    facts: &Facts,
    wish: &Wish,
    now: DateTime<Utc>,
) -> std::result::Result<Plan, Vec<String>> {
    let mut against = vec![];
    if manifest.class != BackupClass::Full {
        against.push(format!(
            "backup {} is not one of a whole database: it is a {} backup",
            manifest.id,
            manifest.class.as_str()
        ));
    }
    if facts.server_major < manifest.of.server_major {
        against.push(format!(
            "it was taken from PostgreSQL {}, and this server is {}: restore into {} or later",
            manifest.of.server_major, facts.server_major, manifest.of.server_major
        ));
    }
    if !facts.may_create_databases {
        against.push("the role may not create databases: give it CREATEDB, or connect as another".into());
    }
    let database = wish.database.clone().unwrap_or_else(|| manifest.of.database.clone());
    if database.is_empty()
        || database.len() > NAME_BYTES_MAX
        || matches!(database.as_str(), "postgres" | "template0" | "template1")
    {
        against.push(format!("{database:?} cannot be replaced; choose another name"));
    }
    if !against.is_empty() {
        return Err(against);
    }

    let missing: Vec<&str> =
        manifest.of.roles.iter().filter(|role| !facts.roles.contains(*role)).map(String::as_str).collect();
    let mut notes = vec![];
    let owners = missing.is_empty() && facts.is_superuser;
    if !missing.is_empty() {
        notes.push(format!(
            "the roles {} are unknown here: everything will belong to the role that restores",
            missing.join(", ")
        ));
    } else if !owners {
        notes.push("the role is no superuser: everything will belong to it".into());
    }
    if let Some(RestoreMark::InPlace { backup, kept_as, at }) = &facts.mark
        && *backup == manifest.id
    {
        return Ok(done_already(manifest, database, InPlace { at: *at, kept_as: kept_as.clone() }));
    }
    let is_there = facts.database_bytes.is_some();
    let kept_as = is_there.then(|| kept_name(&database, now, &facts.databases));
    if let Some(kept_as) = &kept_as {
        notes.push(format!("what is in {database} now will stay as {kept_as} until somebody removes it"));
        if facts.sessions > 0 {
            notes.push(format!("{} open sessions of {database} will end", facts.sessions));
        }
        if wish.without_safety_backup {
            notes.push("no backup is taken of what is replaced".into());
        }
    }
    let mut steps = vec![];
    if is_there && !wish.without_safety_backup {
        steps.push(Step::SafetyBackup { database: database.clone() });
    }
    steps.extend(staging(manifest, wish.jobs));
    steps.push(Step::Swap { database: database.clone(), kept_as: kept_as.clone() });
    Ok(Plan {
        backup: manifest.id,
        taken_at: manifest.taken_at(),
        database,
        kept_as,
        owners,
        steps,
        notes,
        sealed_bytes: manifest.sealed_bytes(),
        plain_bytes: manifest.plain_bytes(),
        in_place: None,
    })
}

fn done_already(manifest: &Manifest, database: String, in_place: InPlace) -> Plan {
    let at = in_place.at.format("%Y-%m-%d %H:%M:%S UTC");
    let mut notes = vec![format!(
        "it is in place since {at}: that restore was killed when all was done. To restore it once more, run this again"
    )];
    notes.extend(in_place.kept_as.as_ref().map(|kept_as| format!("what was there before is in {kept_as}")));
    Plan {
        backup: manifest.id,
        taken_at: manifest.taken_at(),
        database,
        kept_as: None,
        owners: false,
        steps: vec![],
        notes,
        sealed_bytes: 0,
        plain_bytes: 0,
        in_place: Some(in_place),
    }
}

/// Into a scratch database, and proved there.
pub(super) fn staging(manifest: &Manifest, jobs: usize) -> [Step; 3] {
    [
        Step::Fetch {
            packs: manifest.streams.iter().map(|stream| stream.packs.len()).sum(),
            sealed_bytes: manifest.sealed_bytes(),
        },
        Step::Load { jobs },
        Step::Prove { tables: manifest.tables.len(), rows: manifest.rows() },
    ]
}

/// A free name that says what it is; PostgreSQL's names have 63 bytes.
fn kept_name(database: &str, now: DateTime<Utc>, taken: &BTreeSet<String>) -> String {
    let suffix = format!("_before_{}", now.format("%Y%m%d_%H%M%S"));
    let mut length = database.len().min(NAME_BYTES_MAX - suffix.len() - "_99".len());
    while !database.is_char_boundary(length) {
        length -= 1;
    }
    let name = format!("{}{suffix}", &database[..length]);
    // Several in one second: hardly ever, and never a hundred.
    let others = (2..100).map(|number| format!("{name}_{number}"));
    std::iter::once(name.clone()).chain(others).find(|name| !taken.contains(name)).unwrap_or(name)
}

impl Facts {
    /// `server`: any database of the cluster.
    pub async fn read(server: &Target, database: &str) -> Result<Self> {
        let doing = "asking the cluster to restore into";
        let mut session = server.with_database("postgres").connect().await?;
        let mark = restore_mark(&mut session, database).await?;
        let row = sqlx::query(
            "SELECT current_setting('server_version_num')::integer / 10000 AS major,
                    (SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user) AS may_create,
                    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
                    (SELECT pg_database_size(oid) FROM pg_database WHERE datname = $1) AS bytes,
                    (SELECT count(*) FROM pg_stat_activity WHERE datname = $1) AS sessions,
                    ARRAY(SELECT rolname::text FROM pg_roles) AS roles,
                    ARRAY(SELECT datname::text FROM pg_database) AS databases",
        )
        .bind(database)
        .fetch_one(&mut session)
        .await
        .doing(doing)?;
        close(session).await;
        let major: i32 = row.try_get("major").doing(doing)?;
        let bytes: Option<i64> = row.try_get("bytes").doing(doing)?;
        let sessions: i64 = row.try_get("sessions").doing(doing)?;
        let list = |name: &str| -> Result<BTreeSet<String>> {
            Ok(row.try_get::<Vec<String>, _>(name).doing(doing)?.into_iter().collect())
        };
        Ok(Self {
            server_major: u32::try_from(major).unwrap_or(0),
            roles: list("roles")?,
            may_create_databases: row.try_get("may_create").doing(doing)?,
            is_superuser: row.try_get("is_superuser").doing(doing)?,
            database_bytes: bytes.map(i64::unsigned_abs),
            sessions: sessions.unsigned_abs(),
            databases: list("databases")?,
            mark,
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SafetyBackup { database } => write!(f, "take a backup of {database} as it is"),
            Self::Fetch { packs, sealed_bytes } => {
                write!(f, "fetch, check and open {packs} objects ({sealed_bytes} bytes)")
            }
            Self::Load { jobs } => write!(f, "load into a scratch database with {jobs} processes"),
            Self::Prove { tables, rows } => {
                write!(f, "compare {tables} tables ({rows} rows) with the manifest; foreign keys; invariants")
            }
            Self::Swap { database, kept_as: Some(kept_as) } => {
                write!(f, "rename {database} to {kept_as}, and the scratch database to {database}")
            }
            Self::Swap { database, kept_as: None } => write!(f, "rename the scratch database to {database}"),
            Self::Merge { tables } => write!(f, "bring rows of {tables} tables in, in one transaction"),
            Self::TakeUp { what } => write!(f, "go on with {what} that a killed restore has left"),
            Self::Recover { until } => write!(f, "recover {until}"),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Restore {} as of {}", self.database, self.taken_at.format("%Y-%m-%d %H:%M:%S UTC"))?;
        writeln!(f, "  from backup {}", self.backup)?;
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "  {}. {step}", number + 1)?;
        }
        for note in &self.notes {
            writeln!(f, "  Note: {note}.")?;
        }
        write!(
            f,
            "  Needs {} bytes in the scratch folder ({} more to go on with what was fetched when it is killed), and a \
             database of that size.",
            self.plain_bytes, self.sealed_bytes
        )
    }
}

#[cfg(test)]
mod tests;
