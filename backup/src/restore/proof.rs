//! Whether a database is what a manifest says, and whether it makes sense in itself.

use crate::engine::Run;
use crate::error::{Doing, Error, Result};
use crate::manifest::Manifest;
use crate::postgres::{Snapshot, Target, close, differences, figures_of, foreign_keys, tables};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgConnection};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    pub is_ok: bool,
    /// What was found; of a failure, every difference, up to 50.
    pub detail: String,
}

/// The check against the manifest's rows and digests.
pub(super) const FIGURES: &str = "rows and digests";
const DIFFERENCES_SHOWN_MAX: usize = 50;

/// Looks at everything, whatever fails; reads every row once.
pub async fn prove(target: &Target, manifest: &Manifest, jobs: usize, run: &Run) -> Result<Vec<Check>> {
    run.enter("proving");
    let snapshot = Snapshot::export(target).await?;
    let mut session = snapshot.session().await?;
    let mut checks = vec![figures(&snapshot, &mut session, manifest, jobs, run).await?];
    checks.push(keys(&mut session, run).await?);
    for invariant in INVARIANTS {
        checks.extend(invariant.check(&mut session).await?);
    }
    close(session).await;
    snapshot.release().await;
    Ok(checks)
}

async fn figures(
    snapshot: &Snapshot,
    session: &mut PgConnection,
    manifest: &Manifest,
    jobs: usize,
    run: &Run,
) -> Result<Check> {
    let found = tables(session).await?;
    let found = figures_of(snapshot, &found, jobs, &run.stop).await?;
    let lines = differences(&manifest.figures(), &found);
    let whole = format!("{} tables, {} rows: all as in the manifest", manifest.tables.len(), manifest.rows());
    Ok(Check::of(FIGURES, lines, whole))
}

/// Rows whose foreign key leads nowhere. The database checks keys when it makes them; this does not take its word.
async fn keys(session: &mut PgConnection, run: &Run) -> Result<Check> {
    let keys = foreign_keys(session).await?;
    let mut lines = vec![];
    for key in &keys {
        if run.stop.is_cancelled() {
            return Err(Error::Stopped);
        }
        let pairs: Vec<String> = key
            .from_columns
            .iter()
            .zip(&key.to_columns)
            .map(|(from, to)| format!("t.{to} = f.{from}"))
            .collect();
        let set: Vec<String> =
            key.from_columns.iter().map(|column| format!("f.{column} IS NOT NULL")).collect();
        let statement = format!(
            "SELECT count(*) FROM {} AS f WHERE {} AND NOT EXISTS (SELECT FROM {} AS t WHERE {})",
            key.from,
            set.join(" AND "),
            key.to,
            pairs.join(" AND ")
        );
        let lost: i64 = sqlx::query_scalar(AssertSqlSafe(statement))
            .fetch_one(&mut *session)
            .await
            .doing(format!("following foreign key {}", key.name))?;
        if lost > 0 {
            lines.push(format!("{lost} rows of {} point nowhere by {}", key.from, key.name));
        }
    }
    Ok(Check::of("foreign keys", lines, format!("{} foreign keys lead somewhere", keys.len())))
}

/// Something that is true of every healthy database of Counterfoil.
struct Invariant {
    name: &'static str,
    /// Without this table it says nothing.
    table: &'static str,
    /// Lines, one per violation.
    statement: &'static str,
}

const INVARIANTS: &[Invariant] = &[
    Invariant {
        name: "balance proofs close",
        table: "reconciliations",
        statement: "SELECT format('reconciliation %s leaves %s %s unexplained', job_id, b ->> 'residual', b ->> 'currency')
                    FROM reconciliations, jsonb_array_elements(balance) AS b
                    WHERE (b ->> 'residual')::numeric <> 0
                       OR (b ->> 'left_total')::numeric - (b ->> 'right_total')::numeric
                          - (b ->> 'matched_difference')::numeric - (b ->> 'left_unmatched')::numeric
                          + (b ->> 'right_unmatched')::numeric + 2 * (b ->> 'right_flipped')::numeric
                          - coalesce(b ->> 'converted_out', '0')::numeric
                          + coalesce(b ->> 'converted_in', '0')::numeric <> 0
                    LIMIT 51",
    },
    Invariant {
        name: "every match and exception of a reconciliation is there",
        table: "reconciliations",
        statement: "SELECT format('reconciliation %s has %s of %s matches and %s of %s exceptions', r.job_id,
                                  m.count, r.matches, e.count, r.exceptions)
                    FROM reconciliations r
                    CROSS JOIN LATERAL (SELECT count(*) FROM matches WHERE matches.job_id = r.job_id) AS m
                    CROSS JOIN LATERAL (SELECT count(*) FROM exceptions WHERE exceptions.job_id = r.job_id) AS e
                    WHERE r.completed_at IS NOT NULL AND (m.count, e.count) <> (r.matches, r.exceptions)
                    LIMIT 51",
    },
    Invariant {
        name: "every accepted job is accounted for",
        table: "job_ledger",
        statement: "SELECT format('%s jobs are there, and the books say %s', count(*),
                                  (SELECT sum(accepted) - sum(removed) FROM job_ledger))
                    FROM jobs
                    HAVING count(*) <> (SELECT coalesce(sum(accepted) - sum(removed), 0) FROM job_ledger)",
    },
];

impl Invariant {
    async fn check(&self, session: &mut PgConnection) -> Result<Option<Check>> {
        let is_there: bool = sqlx::query_scalar("SELECT to_regclass('public.' || $1) IS NOT NULL")
            .bind(self.table)
            .fetch_one(&mut *session)
            .await
            .doing(self.name)?;
        if !is_there {
            return Ok(None);
        }
        let lines: Vec<String> = sqlx::query_scalar(self.statement)
            .fetch_all(session)
            .await
            .doing(format!("checking that {}", self.name))?;
        Ok(Some(Check::of(self.name, lines, "so it is".into())))
    }
}

impl Check {
    pub(super) fn of(name: &str, mut differences: Vec<String>, whole: String) -> Self {
        let is_ok = differences.is_empty();
        let more = differences.len().saturating_sub(DIFFERENCES_SHOWN_MAX);
        differences.truncate(DIFFERENCES_SHOWN_MAX);
        if more > 0 {
            differences.push(format!("and {more} more"));
        }
        Self { name: name.into(), is_ok, detail: if is_ok { whole } else { differences.join("; ") } }
    }
}
