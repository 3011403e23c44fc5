//! Everything that fits a filter: looked at first, and then decided as one.

use super::{ExceptionFilter, ITEMS_MAX, MatchFilter, Subject};
use crate::ids::JobId;
use crate::store::{Store, StoreError};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, Postgres, QueryBuilder};

/// What fits a filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Fitting {
    Matches(MatchFilter),
    Exceptions(ExceptionFilter),
}

/// What fitted when somebody looked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Preview {
    /// One more than may be decided at once: there are more.
    pub ordinals: Vec<i32>,
    /// By currency: how many, and the sum of their amounts (of matches: of the left side), minor units.
    pub sums: Vec<(String, i64, i128)>,
    /// Stands for exactly these items in exactly these versions.
    pub token: String,
}

impl Fitting {
    pub fn subject(&self) -> Subject {
        match self {
            Fitting::Matches(_) => Subject::Match,
            Fitting::Exceptions(_) => Subject::Exception,
        }
    }

    /// Everything that fits, up to one more than a decision may be about.
    pub async fn look(&self, conn: &mut PgConnection, job_id: JobId) -> Result<Preview, StoreError> {
        let amount = match self {
            Fitting::Matches(_) => "sum_of_records(coalesce(left_records, left_packed::jsonb))::text",
            Fitting::Exceptions(_) => "amount::text",
        };
        let mut query: QueryBuilder<Postgres> = QueryBuilder::new(format!(
            "SELECT ordinal, version, currency, {amount} FROM {}",
            self.subject().table()
        ));
        match self {
            Fitting::Matches(filter) => filter.push(&mut query, job_id),
            Fitting::Exceptions(filter) => filter.push(&mut query, job_id),
        }
        query.push(" ORDER BY ordinal LIMIT ").push_bind(ITEMS_MAX as i64 + 1);
        let rows: Vec<(i32, i32, String, String)> = query.build_query_as().fetch_all(conn).await?;
        let mut preview = Preview::default();
        let mut digest = Sha256::new_with_prefix(b"counterfoil review 1");
        digest.update(job_id.0.as_bytes());
        digest.update(self.subject().as_str());
        for (ordinal, version, currency, amount) in rows {
            digest.update(ordinal.to_be_bytes());
            digest.update(version.to_be_bytes());
            let amount: i128 = amount.parse().unwrap_or_default();
            match preview.sums.iter_mut().find(|(known, ..)| *known == currency) {
                Some((_, count, sum)) => {
                    *count += 1;
                    *sum += amount;
                }
                None => preview.sums.push((currency, 1, amount)),
            }
            preview.ordinals.push(ordinal);
        }
        preview.sums.sort();
        let digest: [u8; 32] = digest.finalize().into();
        preview.token = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok(preview)
    }
}

impl Store {
    pub async fn preview_review(&self, job_id: JobId, fitting: &Fitting) -> Result<Preview, StoreError> {
        let mut connection = self.pool().acquire().await?;
        fitting.look(&mut connection, job_id).await
    }
}

/// As [`Fitting::look`], once the other decisions of the run are done: nothing changes until the transaction ends.
pub async fn look_to_decide(
    conn: &mut PgConnection,
    job_id: JobId,
    fitting: &Fitting,
) -> Result<Preview, super::ReviewError> {
    super::hold::lock_run(conn, job_id, false).await?;
    Ok(fitting.look(conn, job_id).await?)
}
