//! Which records a chain of runs has matched: a small index beside the matches, in sorted parts.
//!
//! An entry is 12 bytes: 8 of the SHA-256 of the record's id, 4 of the ordinal of its match. A hash of 64 bits
//! finds candidates; the match itself says whether it has the id. Looking up reads all entries of the chain, 12
//! bytes for each record it has matched within the retention. What reviewers have settled is read from the items
//! themselves: there is little of it.

use super::results::StoredRecord;
use super::{Store, StoreError};
use crate::ids::JobId;
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::HashMap;

const ENTRY_BYTES: usize = 12;
/// Of one part: 96 kB.
const PART_ENTRIES: usize = 8192;
/// 3 MB.
const PARTS_AT_ONCE: usize = 32;
/// Matches looked at by one statement.
const BATCH: usize = 1000;

/// The hash under which a record id is kept.
pub fn hash_of(id: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(id).into();
    u64::from_be_bytes(digest[..8].try_into().expect("8 of 32 bytes"))
}

/// A record of a confirmed match: the hash of its id, and the ordinal of the match.
pub type Entry = (u64, i32);

/// How a record was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettledBy {
    /// A match that was found, and accepted where it was only suggested.
    Match,
    /// A match that a reviewer made.
    HandMatch,
    /// A reviewer who accepted it as it is.
    WriteOff,
}

/// Where the chain has settled a record.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchedIn {
    pub job_id: JobId,
    pub by: SettledBy,
    /// Of the match, or of the exception that was written off.
    pub ordinal: i32,
    /// The ids of all its records.
    pub left_ids: Vec<String>,
    pub right_ids: Vec<String>,
}

/// The entries of one side as they are stored.
pub struct MatchedParts(Vec<Vec<u8>>);

impl MatchedParts {
    /// Of entries in any order.
    pub fn of(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable();
        Self(entries.chunks(PART_ENTRIES).map(bytes_of).collect())
    }
}

/// Writes the entries of one side, in the transaction that writes the matches.
pub async fn write_matched_records(
    conn: &mut PgConnection,
    job_id: JobId,
    side: &str,
    parts: MatchedParts,
) -> Result<(), StoreError> {
    for (i, batch) in parts.0.chunks(PARTS_AT_ONCE).enumerate() {
        let numbers: Vec<i32> = (0..batch.len()).map(|n| (i * PARTS_AT_ONCE + n) as i32).collect();
        sqlx::query(
            "INSERT INTO matched_records (job_id, side, part, entries)
             SELECT $1, $2::record_side, part, entries FROM unnest($3::integer[], $4::bytea[]) AS u (part, entries)",
        )
        .bind(job_id)
        .bind(side)
        .bind(numbers)
        .bind(batch)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

fn bytes_of(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * ENTRY_BYTES);
    for (hash, ordinal) in entries {
        bytes.extend_from_slice(&hash.to_be_bytes());
        bytes.extend_from_slice(&ordinal.to_be_bytes());
    }
    bytes
}

impl Store {
    /// Where the runs of the chain before `position` have matched records of this side, by record id. `ids` maps
    /// the hash of each id in question to the ids that have it.
    pub async fn matched_in_chain(
        &self,
        chain_id: JobId,
        position: i32,
        side: &str,
        ids: &HashMap<u64, Vec<&str>>,
    ) -> Result<HashMap<String, MatchedIn>, StoreError> {
        let mut hits: Vec<(JobId, Entry)> = vec![];
        {
            let mut parts = sqlx::query_as::<_, (JobId, Vec<u8>)>(
                "SELECT m.job_id, m.entries FROM reconciliations r JOIN matched_records m USING (job_id)
                 WHERE (r.job_id = $1 OR r.chain_id = $1) AND r.chain_position < $2
                   AND r.completed_at IS NOT NULL AND m.side = $3::record_side",
            )
            .bind(chain_id)
            .bind(position)
            .bind(side)
            .fetch(self.pool());
            while let Some((job_id, entries)) = parts.try_next().await? {
                let entries = entries.chunks_exact(ENTRY_BYTES).map(read_entry);
                hits.extend(entries.filter(|(hash, _)| ids.contains_key(hash)).map(|entry| (job_id, entry)));
            }
        }
        // What was matched in part may be there more than once: the first match speaks for the record.
        hits.sort_unstable_by_key(|(job_id, (_, ordinal))| (*job_id, *ordinal));
        let mut found: HashMap<String, MatchedIn> = HashMap::new();
        for batch in hits.chunks(BATCH) {
            let jobs: Vec<uuid::Uuid> = batch.iter().map(|(job_id, _)| job_id.0).collect();
            let ordinals: Vec<i32> = batch.iter().map(|(_, (_, ordinal))| *ordinal).collect();
            type Sides = (JobId, i32, Json<Vec<StoredRecord>>, Json<Vec<StoredRecord>>);
            let matches: Vec<Sides> = sqlx::query_as(
                "SELECT m.job_id, m.ordinal, coalesce(m.left_packed::json, m.left_records::json),
                        coalesce(m.right_packed::json, m.right_records::json)
                 FROM unnest($1::uuid[], $2::integer[]) AS hit (job_id, ordinal)
                 JOIN matches m ON m.job_id = hit.job_id AND m.ordinal = hit.ordinal AND m.state <> 'unmatched'
                 ORDER BY m.job_id, m.ordinal",
            )
            .bind(jobs)
            .bind(ordinals)
            .fetch_all(self.pool())
            .await?;
            for (job_id, ordinal, Json(left), Json(right)) in matches {
                note(&mut found, ids, side, (job_id, SettledBy::Match, ordinal), &left, &right);
            }
        }
        self.settled_by_review(chain_id, position, side, ids, &mut found).await?;
        Ok(found)
    }

    /// Suggestions that were accepted, matches by hand, and what was written off.
    async fn settled_by_review(
        &self,
        chain_id: JobId,
        position: i32,
        side: &str,
        ids: &HashMap<u64, Vec<&str>>,
        found: &mut HashMap<String, MatchedIn>,
    ) -> Result<(), StoreError> {
        type Row = (JobId, i32, bool, Json<Vec<StoredRecord>>, Json<Vec<StoredRecord>>);
        let mut rows = sqlx::query_as::<_, Row>(
            "SELECT m.job_id, m.ordinal, false, coalesce(m.left_packed::json, m.left_records::json),
                    coalesce(m.right_packed::json, m.right_records::json)
             FROM reconciliations r JOIN matches m USING (job_id)
             WHERE (r.job_id = $1 OR r.chain_id = $1) AND r.chain_position < $2 AND m.state = 'accepted'
             UNION ALL
             SELECT h.job_id, h.ordinal, true, h.left_records::json, h.right_records::json
             FROM reconciliations r JOIN hand_matches h USING (job_id)
             WHERE (r.job_id = $1 OR r.chain_id = $1) AND r.chain_position < $2 AND h.state = 'standing'",
        )
        .bind(chain_id)
        .bind(position)
        .fetch(self.pool());
        while let Some((job_id, ordinal, by_hand, Json(left), Json(right))) = rows.try_next().await? {
            let by = if by_hand { SettledBy::HandMatch } else { SettledBy::Match };
            note(found, ids, side, (job_id, by, ordinal), &left, &right);
        }
        drop(rows);
        let mut rows = sqlx::query_as::<_, (JobId, i32, Json<StoredRecord>)>(
            "SELECT e.job_id, e.ordinal, e.record
             FROM reconciliations r JOIN exceptions e USING (job_id)
             WHERE (r.job_id = $1 OR r.chain_id = $1) AND r.chain_position < $2
               AND e.state = 'written_off' AND e.side = $3::record_side",
        )
        .bind(chain_id)
        .bind(position)
        .bind(side)
        .fetch(self.pool());
        while let Some((job_id, ordinal, Json(record))) = rows.try_next().await? {
            let (left, right) = if side == "left" { (vec![record], vec![]) } else { (vec![], vec![record]) };
            note(found, ids, side, (job_id, SettledBy::WriteOff, ordinal), &left, &right);
        }
        Ok(())
    }
}

/// Notes those records of one side that were asked for. The first place a record was found in speaks for it.
fn note(
    found: &mut HashMap<String, MatchedIn>,
    asked: &HashMap<u64, Vec<&str>>,
    side: &str,
    (job_id, by, ordinal): (JobId, SettledBy, i32),
    left: &[StoredRecord],
    right: &[StoredRecord],
) {
    let ids_of = |records: &[StoredRecord]| records.iter().map(|r| r.id.clone()).collect();
    for record in if side == "left" { left } else { right } {
        let ids = asked.get(&hash_of(&record.id));
        if ids.is_some_and(|ids| ids.contains(&record.id.as_str())) {
            let place =
                || MatchedIn { job_id, by, ordinal, left_ids: ids_of(left), right_ids: ids_of(right) };
            found.entry(record.id.clone()).or_insert_with(place);
        }
    }
}

fn read_entry(bytes: &[u8]) -> Entry {
    let (hash, ordinal) = bytes.split_at(8);
    let hash = u64::from_be_bytes(hash.try_into().expect("8 bytes"));
    (hash, i32::from_be_bytes(ordinal.try_into().expect("4 bytes")))
}
