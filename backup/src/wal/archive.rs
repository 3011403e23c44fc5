//! One WAL file into the stores, and out of them.

use super::file::WalFile;
use super::keys;
use crate::engine::Engine;
use crate::envelope::{self, Envelope};
use crate::error::{Doing, Error, Result, none_answered, not_read, stores_failed};
use crate::retention::Segment;
use crate::seal::{DataKey, WrappedKey};
use crate::stores::{ObjectName, Pack, PutError};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use uuid::Uuid;

/// Level 1: WAL comes steadily, and one core is busy enough with the database.
const ENVELOPE: Envelope =
    Envelope { magic: b"cfoilwl1", object: "WAL file", level: 1, plain_bytes_max: 1 << 30 };
/// A sealed file is at most this much longer than the file.
const SEALED_MORE_MAX: usize = 16 << 20;
/// Segments that are fetched at once with the one that is asked for.
const AHEAD: u64 = 7;
/// Beside the file that PostgreSQL asks for.
const PREFETCH_DIR: &str = "counterfoil-prefetch";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    Stored,
    /// Fewer stores than make a copy count have it now; the others are owed it, and get it from the spool. When the
    /// spool is full as well, pushing fails and PostgreSQL keeps the file.
    Behind,
    /// It was there, and is the same.
    AlreadyThere,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    Written,
    /// Every store answered that it has no such file: for PostgreSQL, the end of the archive.
    NotThere,
}

/// Archives the file at `path`, under its own name. `Ok`: PostgreSQL may remove it. Cost: the file in memory, twice.
pub async fn push(engine: &Engine, path: &Path) -> Result<Pushed> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let file: WalFile =
        name.parse().map_err(|error: super::WalNameError| Error::Refused(error.to_string()))?;
    let object = engine.cluster.wal(name).map_err(|error| Error::Refused(error.to_string()))?;
    let doing = format!("reading {}", path.display());
    let from = path.to_owned();
    let plain = tokio::task::spawn_blocking(move || std::fs::read(from)).await.map_err(std::io::Error::other);
    let plain = plain.and_then(|read| read).doing(&doing)?;
    if matches!(file, WalFile::Segment { .. }) && !plain.len().is_power_of_two() {
        // A disk that was full when it was copied, perhaps: PostgreSQL's own segments are whole.
        return Err(Error::Refused(format!("{name} has {} bytes: that is no whole segment", plain.len())));
    }
    let id = Uuid::now_v7();
    let key = DataKey::generate()?;
    let wrapped = engine.keys.wrap(id, &key)?;
    let (sealed, plain) = tokio::task::spawn_blocking(move || {
        envelope::seal(&ENVELOPE, id, &key, &wrapped, &plain).map(|sealed| (sealed, plain))
    })
    .await
    .map_err(std::io::Error::other)
    .doing(&doing)??;
    match engine.stores.put(&object, sealed.into()).await {
        Ok(put) => Ok(if put.counts { Pushed::Stored } else { Pushed::Behind }),
        Err(PutError::Differs { .. }) => {
            // Sealing twice never gives the same bytes: what counts is what is inside.
            if let Some((there, sealed)) = read(engine, file).await?
                && there == plain
            {
                // For stores that lack it, because we were ended in between.
                engine.stores.put(&object, sealed).await.map_err(stores_failed)?;
                return Ok(Pushed::AlreadyThere);
            }
            Err(Error::Refused(format!(
                "the archive has another {name}: another cluster writes into {}. Give this one a name of its own \
                 (backup.cluster)",
                engine.cluster.prefix()
            )))
        }
        Err(error) => Err(stores_failed(error)),
    }
}

/// Writes the archived file `name` to `to`, whole or not at all. With a segment the following ones are fetched into
/// a folder beside `to`, several at once: the next calls find them there.
pub async fn fetch(engine: &Engine, name: &str, to: &Path) -> Result<Fetched> {
    let file: WalFile =
        name.parse().map_err(|error: super::WalNameError| Error::Refused(error.to_string()))?;
    let ahead_dir = to.parent().unwrap_or(Path::new(".")).join(PREFETCH_DIR);
    if std::fs::rename(ahead_dir.join(name), to).is_ok() {
        return Ok(Fetched::Written);
    }
    let Some((plain, _)) = read(engine, file).await? else { return Ok(Fetched::NotThere) };
    let segment_bytes = plain.len() as u64;
    write(to, &plain).doing(format!("writing {}", to.display()))?;
    if let WalFile::Segment { timeline, .. } = file
        && segment_bytes.is_power_of_two()
        && let Some(number) = file.number(segment_bytes)
    {
        let following = (1..=AHEAD).map(|n| WalFile::numbered(timeline, number + n, segment_bytes));
        let fetched = following.map(|next| fetch_ahead(engine, next, &ahead_dir));
        // What does not come now is asked for by name, and then it matters why.
        futures_util::future::join_all(fetched).await;
        remove_older(&ahead_dir, timeline, number, segment_bytes);
    }
    Ok(Fetched::Written)
}

/// What became of archived files that no backup needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PrunedWal {
    pub removed: u64,
    /// A store locks them: they go another time.
    pub locked: u64,
    /// A store did not remove them for another reason.
    pub failed: u64,
}

/// Removes segments from before `from`, which no backup that is kept needs, from every store; histories stay, they are
/// small.
pub async fn prune(engine: &Engine, from: Segment, segment_bytes: u64) -> Result<PrunedWal> {
    let listing = engine.stores.list(&engine.cluster.wal_prefix()).await;
    if listing.objects.is_empty() && !listing.unanswered.is_empty() {
        return Err(none_answered(&listing));
    }
    let mut pruned = PrunedWal::default();
    let (mut emptied, mut left) = (BTreeSet::new(), BTreeSet::new());
    for object in listing.objects.keys() {
        let name = object.as_str().rsplit('/').next().unwrap_or_default();
        let Ok(file) = name.parse::<WalFile>() else { continue };
        if !file.is_before(from, segment_bytes) {
            left.insert(keys::group(name));
            continue;
        }
        let deletion = engine.stores.delete(object).await;
        let counted = match (deletion.complete, deletion.failed.is_empty()) {
            (true, _) => &mut pruned.removed,
            (false, true) => &mut pruned.locked,
            (false, false) => &mut pruned.failed,
        };
        *counted += 1;
        if deletion.complete { &mut emptied } else { &mut left }.insert(keys::group(name));
    }
    for group in emptied.difference(&left) {
        for table in engine.stores.list(&engine.cluster.wal_keys_prefix(group)).await.objects.keys() {
            engine.stores.delete(table).await;
        }
    }
    Ok(pruned)
}

async fn fetch_ahead(engine: &Engine, file: WalFile, dir: &Path) {
    let to = dir.join(file.to_string());
    if to.exists() || std::fs::create_dir_all(dir).is_err() {
        return;
    }
    if let Ok(Some((plain, _))) = read(engine, file).await
        && let Err(error) = write(&to, &plain)
    {
        tracing::debug!(%error, path = %to.display(), "not fetched ahead");
    }
}

/// What recovery has passed, or will not come to.
fn remove_older(dir: &Path, timeline: u32, number: u64, segment_bytes: u64) {
    for found in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = found.file_name();
        let parsed = name.to_str().and_then(|name| name.parse::<WalFile>().ok());
        let keeps = parsed.is_some_and(|file| {
            matches!(file, WalFile::Segment { timeline: of, .. } if of == timeline)
                && file.number(segment_bytes).is_some_and(|n| n > number)
        });
        if !keeps {
            let _ = std::fs::remove_file(found.path());
        }
    }
}

/// What is in it, and as it is in the store; `None` when every store answered that there is none.
pub(super) async fn read(engine: &Engine, file: WalFile) -> Result<Option<(Vec<u8>, Bytes)>> {
    let object = engine.cluster.wal(&file.to_string()).map_err(|error| Error::Refused(error.to_string()))?;
    match read_object(engine, &object).await {
        Ok(read) => Ok(Some(read)),
        Err(Error::Missing(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// An archived file with the digest of a copy that opens.
pub(crate) async fn whole(engine: &Engine, object: &ObjectName) -> Result<Pack> {
    let (_, sealed) = read_object(engine, object).await?;
    Ok(Pack::of(object.clone(), &sealed))
}

/// The id that an archived file's key is bound to, and that key as it was wrapped then. `bytes`: of the object.
pub(crate) async fn head(engine: &Engine, object: &ObjectName, bytes: u64) -> Result<(Uuid, WrappedKey)> {
    let bytes = bytes.min(envelope::START_BYTES) as usize;
    let read = |start: Bytes| envelope::head(&ENVELOPE, &start).map_err(|error| error.to_string());
    engine.stores.get_start(object, bytes, read).await.map_err(|error| not_read(&error))
}

/// With the ring, or with what later keys have wrapped.
async fn read_object(engine: &Engine, object: &ObjectName) -> Result<(Vec<u8>, Bytes)> {
    let open = |bytes: Bytes| match envelope::open(&ENVELOPE, &bytes, &engine.keys, &[]) {
        Ok((_, _, plain)) => Ok(Ok((plain, bytes))),
        // The other stores' copies are wrapped by the same key.
        Err(error @ Error::Key(_)) => Ok(Err((bytes, error))),
        Err(error) => Err(shared::chain(&error)),
    };
    let bytes_max = ENVELOPE.plain_bytes_max as usize + SEALED_MORE_MAX;
    let opened =
        engine.stores.get_checked(object, bytes_max, open).await.map_err(|error| not_read(&error))?;
    let (bytes, error) = match opened {
        Ok(opened) => return Ok(opened),
        Err(closed) => closed,
    };
    let (id, _) = envelope::head(&ENVELOPE, &bytes)?;
    let file = object.as_str().rsplit('/').next().unwrap_or_default();
    let later = keys::tables(engine, keys::group(file)).await;
    let later: Vec<WrappedKey> =
        later.into_iter().flat_map(|table| table.keys).filter(|of| of.id == id).map(|of| of.key).collect();
    match envelope::open(&ENVELOPE, &bytes, &engine.keys, &later) {
        Ok((_, _, plain)) => Ok((plain, bytes)),
        Err(_) => Err(error),
    }
}

/// Under a name of its own first: what has the right name is whole.
fn write(to: &Path, plain: &[u8]) -> std::io::Result<()> {
    let part = to.with_extension(format!("{}.part", std::process::id()));
    let written = (|| {
        let mut file = std::fs::File::create(&part)?;
        file.write_all(plain)?;
        file.sync_data()?;
        std::fs::rename(&part, to)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written
}
