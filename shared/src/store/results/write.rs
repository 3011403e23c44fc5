//! Writing results, in the transaction that ends their job.

use super::packed::{pack_reasons, pack_records};
use super::{StoredException, StoredMatch, StoredRejectedLine};
use crate::ids::JobId;
use crate::store::StoreError;
use crate::store::copy::{CopyRows, CopyWriter, json_without_zeros};
use serde::Serialize;
use sqlx::{AssertSqlSafe, PgConnection};
use std::marker::PhantomData;
use tokio::sync::mpsc;

/// Up to this many rows go in one INSERT, more by COPY. COPY is several times faster per row, but over TCP each
/// one ends with about 40 ms of waiting: the driver sends the last data and the end separately, without
/// TCP_NODELAY, so the second waits for a delayed acknowledgement of the first.
pub const INSERT_ROWS_MAX: usize = 500;

/// Writes matches in the caller's transaction; `matches` yields them in order of their ordinals.
pub async fn write_matches(
    conn: &mut PgConnection,
    job_id: JobId,
    matches: impl Iterator<Item = StoredMatch>,
) -> Result<u64, StoreError> {
    write_rows(conn, job_id, matches).await
}

/// Writes exceptions in the caller's transaction, in order of their ordinals.
pub async fn write_exceptions(
    conn: &mut PgConnection,
    job_id: JobId,
    exceptions: impl Iterator<Item = StoredException>,
) -> Result<u64, StoreError> {
    write_rows(conn, job_id, exceptions).await
}

/// Writes rejected lines in the caller's transaction, in order of their ordinals.
pub async fn write_rejected_lines(
    conn: &mut PgConnection,
    job_id: JobId,
    lines: impl Iterator<Item = StoredRejectedLine>,
) -> Result<u64, StoreError> {
    write_rows(conn, job_id, lines).await
}

/// A row of one result table. Its JSON has the members that `COLUMNS` names.
pub trait ResultRow: Serialize {
    const TABLE: &'static str;
    /// All but `job_id`, which comes first, in the order in which [`Self::encode`] writes them.
    const COLUMNS: &'static str;

    /// Appends the row, `job_id` first.
    fn encode(&self, job_id: JobId, rows: &mut CopyRows);
}

/// Rows of one table as COPY takes them.
pub struct EncodedRows<R> {
    rows: CopyRows,
    of: PhantomData<R>,
}

impl<R: ResultRow> EncodedRows<R> {
    /// All of `rows`, in memory: the caller bounds how many.
    pub fn of(job_id: JobId, rows: impl Iterator<Item = R>) -> Self {
        let mut encoded = CopyRows::default();
        rows.for_each(|row| row.encode(job_id, &mut encoded));
        Self { rows: encoded, of: PhantomData }
    }
}

/// Writes by COPY, in the caller's transaction, what somebody else encodes meanwhile, in order of the ordinals. Ends
/// when they do, successfully or not: only they know whether that was all.
pub async fn copy_encoded<R: ResultRow>(
    conn: &mut PgConnection,
    job_id: JobId,
    mut chunks: mpsc::Receiver<EncodedRows<R>>,
) -> Result<u64, StoreError> {
    let mut copy = start_copy::<R>(conn, job_id).await?;
    while let Some(chunk) = chunks.recv().await {
        copy.send(&chunk.rows).await?;
    }
    copy.finish().await
}

async fn write_rows<R: ResultRow>(
    conn: &mut PgConnection,
    job_id: JobId,
    mut rows: impl Iterator<Item = R>,
) -> Result<u64, StoreError> {
    let first: Vec<R> = rows.by_ref().take(INSERT_ROWS_MAX + 1).collect();
    if first.is_empty() {
        return Ok(0);
    }
    let (table, columns) = (R::TABLE, R::COLUMNS);
    if first.len() <= INSERT_ROWS_MAX {
        let statement = format!(
            "INSERT INTO {table} (job_id, {columns})
             SELECT $1, {columns} FROM jsonb_populate_recordset(NULL::{table}, $2::text::jsonb)"
        );
        let inserted = sqlx::query(AssertSqlSafe(statement))
            .bind(job_id)
            .bind(json_without_zeros(&first))
            .execute(conn)
            .await?;
        return Ok(inserted.rows_affected());
    }
    let mut copy = start_copy::<R>(conn, job_id).await?;
    let mut chunk = CopyRows::default();
    for row in first.into_iter().chain(rows) {
        row.encode(job_id, &mut chunk);
        if chunk.is_full() {
            copy.send(&chunk).await?;
            chunk.clear();
        }
    }
    copy.send(&chunk).await?;
    copy.finish().await
}

/// Straight into the partition: PostgreSQL refuses COPY into tables with row security (see migration 0020).
async fn start_copy<R: ResultRow>(
    conn: &mut PgConnection,
    job_id: JobId,
) -> Result<CopyWriter<'_>, StoreError> {
    let part: String = sqlx::query_scalar("SELECT partition_of($1, $2)")
        .bind(R::TABLE)
        .bind(job_id)
        .fetch_one(&mut *conn)
        .await?;
    let statement = format!("COPY {part} (job_id, {}) FROM STDIN (FORMAT binary)", R::COLUMNS);
    CopyWriter::start(conn, &statement).await
}

impl ResultRow for StoredMatch {
    const TABLE: &'static str = "matches";
    const COLUMNS: &'static str =
        "ordinal, confidence, tier, pass, currency, difference, left_packed, right_packed, reasons_packed,
         open_side, open_amount";

    fn encode(&self, job_id: JobId, rows: &mut CopyRows) {
        let mut row = rows.row(12);
        row.uuid(job_id.0)
            .i32(self.ordinal)
            .i32(self.confidence)
            .text(&self.tier)
            .i16(self.pass)
            .text(&self.currency)
            .i64(self.difference)
            .written(|packed| pack_records(packed, &self.left))
            .written(|packed| pack_records(packed, &self.right))
            .written(|packed| pack_reasons(packed, &self.reasons));
        match &self.open_side {
            Some(side) => row.text(side),
            None => row.null(),
        };
        match self.open_amount {
            Some(amount) => row.i64(amount),
            None => row.null(),
        };
    }
}

impl ResultRow for StoredException {
    const TABLE: &'static str = "exceptions";
    const COLUMNS: &'static str =
        "ordinal, kind, side, currency, amount, record, says, candidates, candidates_found";

    fn encode(&self, job_id: JobId, rows: &mut CopyRows) {
        rows.row(10)
            .uuid(job_id.0)
            .i32(self.ordinal)
            .text(&self.kind)
            .text(&self.side)
            .text(&self.currency)
            .i64(self.amount)
            .jsonb(&self.record)
            .text(&self.says)
            .jsonb(&self.candidates)
            .i32(self.candidates_found);
    }
}

impl ResultRow for StoredRejectedLine {
    const TABLE: &'static str = "rejected_lines";
    const COLUMNS: &'static str = "ordinal, side, line, column_name, reason, excerpt";

    fn encode(&self, job_id: JobId, rows: &mut CopyRows) {
        let mut row = rows.row(7);
        row.uuid(job_id.0).i32(self.ordinal).text(&self.side).i64(self.line);
        match &self.column_name {
            Some(name) => row.text(name),
            None => row.null(),
        };
        row.text(&self.reason).text(&self.excerpt);
    }
}
