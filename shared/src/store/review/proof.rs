//! The balance proof after review, and the counts of what is left to do. Neither scans a result.

use super::hold::lock_run;
use super::{ExceptionState, ReviewError};
use crate::ids::{JobId, UserId};
use crate::store::{Store, StoreError};
use chrono::NaiveDate;
use sqlx::PgConnection;

/// Where the money of one side and currency is. Minor units; sums of one place each come from another table.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct PlaceSum {
    pub side: String,
    pub currency: String,
    /// Released from matches that do not stand: counted from the matches themselves.
    pub undone: i128text::Sum,
    pub undone_records: i64,
    /// In matches by hand that stand.
    pub by_hand: i128text::Sum,
    pub by_hand_records: i64,
    pub written_off: i128text::Sum,
    pub written_off_records: i64,
    pub open: i128text::Sum,
    pub open_records: i64,
    /// Of `open`: records that an earlier run of the chain has matched.
    pub repeated: i128text::Sum,
    pub repeated_records: i64,
}

/// Sums of amounts, which may be larger than any amount: Postgres gives them as text.
pub mod i128text {
    /// Minor units.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Sum(pub i128);

    impl sqlx::Type<sqlx::Postgres> for Sum {
        fn type_info() -> sqlx::postgres::PgTypeInfo {
            <String as sqlx::Type<sqlx::Postgres>>::type_info()
        }

        fn compatible(ty: &sqlx::postgres::PgTypeInfo) -> bool {
            <String as sqlx::Type<sqlx::Postgres>>::compatible(ty)
        }
    }

    impl<'r> sqlx::Decode<'r, sqlx::Postgres> for Sum {
        fn decode(value: sqlx::postgres::PgValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
            Ok(Sum(<&str as sqlx::Decode<sqlx::Postgres>>::decode(value)?.parse()?))
        }
    }
}

/// What review did to the balance of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewProof {
    pub places: Vec<PlaceSum>,
}

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct KindCount {
    pub kind: String,
    pub state: ExceptionState,
    pub currency: String,
    pub count: i64,
    pub amount: i128text::Sum,
}

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct AssigneeCount {
    /// `None`: nobody.
    pub user_id: Option<UserId>,
    pub name: Option<String>,
    pub count: i64,
}

/// Open exceptions by the days since their record's own day.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct AgeCount {
    pub days_from: i32,
    /// `None`: and older.
    pub days_through: Option<i32>,
    pub count: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ReviewCounts {
    /// Open exceptions and settled ones.
    pub by_kind: Vec<KindCount>,
    /// Of open ones.
    pub by_assignee: Vec<AssigneeCount>,
    /// Of open ones.
    pub by_age: Vec<AgeCount>,
    /// Decisions that wait for a second person.
    pub waiting: i64,
    /// Suggested matches about which nobody has decided; [`SUGGESTED_MAX`] means that or more.
    pub suggested_open: i64,
}

/// So many are counted: a range of an index that holds nothing else.
const SUGGESTED_MAX: i64 = 100_000;

impl Store {
    /// Counts a run's exceptions unless that was done: once a run, and a scan of them.
    async fn prepare_review(&self, job_id: JobId) -> Result<(), ReviewError> {
        let counted: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM exception_totals WHERE job_id = $1)
                 OR NOT EXISTS (SELECT FROM exceptions WHERE job_id = $1)",
        )
        .bind(job_id)
        .fetch_one(self.pool())
        .await?;
        if !counted {
            let mut tx = self.begin().await?;
            lock_run(&mut tx, job_id, false).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Where the money is, of one moment.
    pub async fn review_proof(&self, job_id: JobId) -> Result<ReviewProof, ReviewError> {
        self.prepare_review(job_id).await?;
        let mut tx = self.begin().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(&mut *tx).await?;
        let places = places(&mut tx, job_id).await?;
        tx.commit().await?;
        Ok(ReviewProof { places })
    }

    /// What is left to do. `today` is what ages are counted from.
    pub async fn review_counts(&self, job_id: JobId, today: NaiveDate) -> Result<ReviewCounts, ReviewError> {
        self.prepare_review(job_id).await?;
        let by_kind = sqlx::query_as(
            "SELECT kind::text AS kind, state, currency, sum(count)::bigint AS count, sum(amount)::text AS amount
             FROM exception_totals WHERE job_id = $1 AND state <> 'withdrawn'
             GROUP BY kind, state, currency HAVING sum(count) <> 0 ORDER BY kind, state, currency",
        )
        .bind(job_id)
        .fetch_all(self.pool())
        .await?;
        let by_assignee = sqlx::query_as(
            "SELECT nullif(t.assignee, '00000000-0000-0000-0000-000000000000') AS user_id, u.name,
                    sum(t.count)::bigint AS count
             FROM exception_totals t LEFT JOIN users u ON u.id = t.assignee
             WHERE t.job_id = $1 AND t.state = 'open'
             GROUP BY t.assignee, u.name HAVING sum(t.count) <> 0 ORDER BY count DESC, u.name LIMIT 500",
        )
        .bind(job_id)
        .fetch_all(self.pool())
        .await?;
        let by_age = sqlx::query_as(
            "SELECT b.days_from, b.days_through, coalesce(sum(t.count), 0)::bigint AS count
             FROM (VALUES (0, 7), (8, 30), (31, 60), (61, 90), (91, NULL)) AS b (days_from, days_through)
             LEFT JOIN exception_totals t ON t.job_id = $1 AND t.state = 'open'
                  AND greatest($2 - t.record_date, 0) >= b.days_from
                  AND (b.days_through IS NULL OR greatest($2 - t.record_date, 0) <= b.days_through)
             GROUP BY b.days_from, b.days_through ORDER BY b.days_from",
        )
        .bind(job_id)
        .bind(today)
        .fetch_all(self.pool())
        .await?;
        let waiting = sqlx::query_scalar("SELECT count(*) FROM review_waiting WHERE job_id = $1")
            .bind(job_id)
            .fetch_one(self.pool())
            .await?;
        let suggested_open = sqlx::query_scalar(
            "SELECT count(*) FROM (
                 SELECT FROM matches WHERE job_id = $1 AND tier = 'suggested' AND state = 'as_found' LIMIT $2
             ) AS waiting",
        )
        .bind(job_id)
        .bind(SUGGESTED_MAX)
        .fetch_one(self.pool())
        .await?;
        Ok(ReviewCounts { by_kind, by_assignee, by_age, waiting, suggested_open })
    }
}

async fn places(conn: &mut PgConnection, job_id: JobId) -> Result<Vec<PlaceSum>, StoreError> {
    Ok(sqlx::query_as(
        "WITH undone AS (
             SELECT s.side, coalesce(s.record->'foreign'->>'currency', m.currency) AS currency, count(*) AS records,
                    sum((s.record->>'amount')::bigint) AS amount
             FROM matches m
             CROSS JOIN LATERAL (
                 SELECT 'left'::record_side AS side, l AS record FROM jsonb_array_elements(records_of(m.left_records, m.left_packed)) AS l
                 UNION ALL
                 SELECT 'right', r FROM jsonb_array_elements(records_of(m.right_records, m.right_packed)) AS r
             ) AS s
             WHERE m.job_id = $1 AND m.state IN ('rejected', 'unmatched')
             GROUP BY 1, 2
         ), by_hand AS (
             SELECT s.side, h.currency, sum(s.records) AS records, sum(s.amount) AS amount
             FROM hand_matches h
             CROSS JOIN LATERAL (VALUES
                 ('left'::record_side, cardinality(h.left_ordinals), h.left_sum),
                 ('right', cardinality(h.right_ordinals), h.right_sum)
             ) AS s (side, records, amount)
             WHERE h.job_id = $1 AND h.state = 'standing' GROUP BY 1, 2
         ), totals AS (
             SELECT side, currency,
                    sum(count) FILTER (WHERE state = 'written_off') AS written_off_records,
                    sum(amount) FILTER (WHERE state = 'written_off') AS written_off,
                    sum(count) FILTER (WHERE state = 'open') AS open_records,
                    sum(amount) FILTER (WHERE state = 'open') AS open,
                    sum(count) FILTER (WHERE state = 'open' AND kind = 'already_matched') AS repeated_records,
                    sum(amount) FILTER (WHERE state = 'open' AND kind = 'already_matched') AS repeated
             FROM exception_totals WHERE job_id = $1 GROUP BY 1, 2
         )
         SELECT side::text AS side, currency,
                coalesce(undone.amount, 0)::text AS undone, coalesce(undone.records, 0)::bigint AS undone_records,
                coalesce(by_hand.amount, 0)::text AS by_hand, coalesce(by_hand.records, 0)::bigint AS by_hand_records,
                coalesce(written_off, 0)::text AS written_off,
                coalesce(written_off_records, 0)::bigint AS written_off_records,
                coalesce(open, 0)::text AS open, coalesce(open_records, 0)::bigint AS open_records,
                coalesce(repeated, 0)::text AS repeated, coalesce(repeated_records, 0)::bigint AS repeated_records
         FROM undone FULL JOIN by_hand USING (side, currency) FULL JOIN totals USING (side, currency)
         ORDER BY currency, side",
    )
    .bind(job_id)
    .fetch_all(conn)
    .await?)
}
