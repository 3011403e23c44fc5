//! Making rows on all cores while the database takes those before them, a few megabytes ahead of it.

use super::flow::matched_entries;
use super::write::Results;
use super::{Bench, MATCHED_PERCENT};
use crate::body::JobError;
use matching::Side;
use rayon::prelude::*;
use shared::ids::JobId;
use shared::store::matched_records::MatchedParts;
use shared::store::results::{EncodedRows, INSERT_ROWS_MAX, ResultRow, StoredException, StoredMatch};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// About half a megabyte of matches.
const CHUNK_ROWS: usize = 1024;
/// Encoded together, and as many may wait.
const CHUNKS_AHEAD: usize = 4;

/// The end that encodes, in this order.
pub(super) struct Encoder {
    matches: Sender<EncodedRows<StoredMatch>>,
    exceptions: Sender<EncodedRows<StoredException>>,
    matched_records: Sender<(Side, MatchedParts)>,
}

/// The end that writes. Must take everything of one channel before anything of the next.
pub(super) struct Encoded {
    pub matches: Receiver<EncodedRows<StoredMatch>>,
    pub exceptions: Receiver<EncodedRows<StoredException>>,
    pub matched_records: Receiver<(Side, MatchedParts)>,
}

pub(super) fn pair() -> (Encoder, Encoded) {
    let (to_matches, matches) = channel(CHUNKS_AHEAD);
    let (to_exceptions, exceptions) = channel(CHUNKS_AHEAD);
    let (to_matched_records, matched_records) = channel(1);
    (
        Encoder { matches: to_matches, exceptions: to_exceptions, matched_records: to_matched_records },
        Encoded { matches, exceptions, matched_records },
    )
}

impl Encoder {
    /// Encodes what is too much for one INSERT. Stops when the job does, or the other end is gone.
    pub fn encode(self, bench: &Bench, job_id: JobId, results: &Results) -> Result<(), JobError> {
        let outcome = &results.outcome;
        let reasoner = results.reasoner();
        let total = outcome.matches.len();
        let stored = |i: usize| results.stored_match(i, &outcome.matches[i], &reasoner);
        send_rows(bench, job_id, self.matches, total, stored, |done| {
            let share = done as f32 / total as f32;
            let percent = MATCHED_PERCENT + (99.0 - MATCHED_PERCENT) * share;
            bench.report("writing results", percent, done as u64, total as u64);
        })?;
        let stored = |i: usize| results.stored_exception(i, &outcome.exceptions[i]);
        send_rows(bench, job_id, self.exceptions, outcome.exceptions.len(), stored, |_| {})?;
        for side in [Side::Left, Side::Right] {
            let parts = MatchedParts::of(matched_entries(&results.joined, outcome, side));
            self.matched_records.blocking_send((side, parts)).map_err(|_| JobError::Stopped)?;
        }
        Ok(())
    }
}

fn send_rows<R: ResultRow + Send>(
    bench: &Bench,
    job_id: JobId,
    to: Sender<EncodedRows<R>>,
    total: usize,
    stored: impl Fn(usize) -> R + Sync,
    progress: impl Fn(usize),
) -> Result<(), JobError> {
    if total <= INSERT_ROWS_MAX {
        return Ok(());
    }
    for start in (0..total).step_by(CHUNK_ROWS * CHUNKS_AHEAD) {
        if bench.is_stopped() {
            return Err(JobError::Stopped);
        }
        progress(start);
        let end = total.min(start + CHUNK_ROWS * CHUNKS_AHEAD);
        let chunks: Vec<EncodedRows<R>> = (start..end)
            .into_par_iter()
            .step_by(CHUNK_ROWS)
            .map(|first| EncodedRows::of(job_id, (first..end.min(first + CHUNK_ROWS)).map(&stored)))
            .collect();
        for chunk in chunks {
            to.blocking_send(chunk).map_err(|_| JobError::Stopped)?;
        }
    }
    Ok(())
}
