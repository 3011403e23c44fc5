//! Whether the archive has holes, from the stores themselves.

use super::archive::read;
use super::coverage::{History, Run, coverage_of};
use super::file::{Lsn, WalFile};
use super::missing::missing;
use crate::engine::Engine;
use crate::error::{Result, none_answered, stores_failed};

/// Segments that are in no store, and not on their way to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub segments: u64,
    /// As PostgreSQL calls it.
    pub first: Option<String>,
    pub runs: Vec<Run>,
}

/// Lists the archive in every store and reads the histories of timelines. `None` when a store does not answer: what it
/// alone has is not known to be missing. `starts`: see [`missing`].
pub async fn look_for_missing(
    engine: &Engine,
    starts: &[(u32, Lsn)],
    segment_bytes: u64,
) -> Result<Option<Missing>> {
    let listing = engine.stores.list(&engine.cluster.wal_prefix()).await;
    if listing.objects.is_empty() && !listing.unanswered.is_empty() {
        return Err(none_answered(&listing));
    }
    if !listing.unanswered.is_empty() {
        return Ok(None);
    }
    // What is in the spool comes to the stores.
    let owed = engine.stores.owed().await.map_err(stores_failed)?;
    let names = listing.objects.keys().chain(owed.iter().map(|owed| &owed.pack.object));
    let files: Vec<WalFile> =
        names.filter_map(|name| name.as_str().rsplit('/').next()?.parse().ok()).collect();
    let mut histories = vec![];
    for file in &files {
        if let WalFile::History { timeline } = file
            && let Some((text, _)) = read(engine, *file).await?
        {
            histories.push(History::parse(*timeline, &String::from_utf8_lossy(&text)));
        }
    }
    let runs = missing(&coverage_of(files, segment_bytes), &histories, starts);
    Ok(Some(Missing {
        segments: runs.iter().map(|run| run.last - run.first + 1).sum(),
        first: runs.first().map(|run| WalFile::numbered(run.timeline, run.first, segment_bytes).to_string()),
        runs,
    }))
}
