//! Writes a backup to all stores at once: packs first, the manifest last.

use super::Stores;
use super::error::StoreError;
use super::kept::{Kept, tried};
use super::lane::{EDGE_BYTES, Ended, Lane, Piece, digest_is_right};
use super::names::{BackupFolder, NameError, ObjectName};
use super::pack::{Pack, Sha256Hex};
use super::spool::{Owed, Reason};
use super::store::{Creation, StoreKind, StoreName};
use bytes::{Bytes, BytesMut};
use chrono::Utc;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::sync::oneshot;

/// A backup that is being written.
///
/// Memory: parts are shared by all lanes, and a lane keeps at most its queue, the part that it is sending, and the
/// first one of a pack: `queue_parts + 3` parts with the one that is being filled, however many stores there are.
///
/// A store that fails three times, or does not take a part for `lag_max` while another one does, gets nothing more of
/// this backup; what it misses is owed to it. While fewer than two stores take part, and the one left is not a disk
/// that was alone from the start, packs go to the spool as well.
///
/// Dropping it stops all uploads; packs that are complete stay in the stores, unseen for lack of a manifest, until
/// [`Stores::sweep`]. [`Self::abandon`] removes them at once.
pub struct Fanout {
    stores: Stores,
    folder: BackupFolder,
    lanes: Vec<Lane>,
    spool: Option<Lane>,
    stream: Option<String>,
    /// Of the stream so far.
    packs: Vec<Pack>,
    /// Of all streams so far.
    all: Vec<Pack>,
    pack: Option<Building>,
}

/// What became of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Stores that hold all packs and the manifest, read back.
    pub held_by: Vec<StoreName>,
    /// The others. They get the backup later if there is a spool, else by [`Stores::heal`].
    pub owed_to: Vec<StoreName>,
    /// Whether so many stores hold it that it is a backup: `copies_min`.
    pub counts: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum FanoutError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("no stream was begun")]
    NoStream,
    #[error("the stream {0:?} has not ended")]
    Unended(String),
    /// The backup cannot be completed: start over when a store is back.
    #[error("no store takes the backup any more: {}", .why.join("; "))]
    NoStore { why: Vec<String> },
    #[error("{object} is whole in no store: {}", .why.join("; "))]
    Lost { object: ObjectName, why: Vec<String> },
    /// Another run has written a manifest under this id.
    #[error("{0} has another manifest already")]
    Committed(StoreName),
    #[error("writing down what is owed to the stores")]
    Spool(#[source] StoreError),
}

/// The pack that is being filled.
struct Building {
    object: ObjectName,
    part: BytesMut,
    size_bytes: u64,
    digest: Sha256,
    first: BytesMut,
    last: BytesMut,
    spooled: bool,
}

impl Fanout {
    pub(super) fn start(stores: Stores, folder: BackupFolder) -> Self {
        let settings = stores.settings();
        let lane = |kept: &Arc<Kept>| Lane::start(kept.clone(), settings.tries, settings.queue_parts);
        let lanes = stores.kept().iter().map(lane).collect();
        let spool = stores.spool().map(|spool| lane(spool.kept()));
        Self { folder, lanes, spool, stream: None, packs: vec![], all: vec![], pack: None, stores }
    }

    /// Begins a stream: what is written until [`Self::end`] is one sequence of bytes. `name` is 1 to 64 of
    /// `a-z0-9-`, and no other stream's of this backup.
    pub fn begin(&mut self, name: &str) -> Result<(), FanoutError> {
        if let Some(open) = &self.stream {
            return Err(FanoutError::Unended(open.clone()));
        }
        self.folder.pack(name, 1)?;
        self.stream = Some(name.into());
        Ok(())
    }

    /// Adds bytes to the stream. Waits while the stores are slower than the producer.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), FanoutError> {
        let (part_bytes, pack_bytes) = (self.stores.settings().part_bytes, self.stores.settings().pack_bytes);
        while !bytes.is_empty() {
            if self.pack.is_none() {
                self.begin_pack().await?;
            }
            let pack = self.pack.as_mut().expect("begun above");
            let room = (pack_bytes - pack.size_bytes).min((part_bytes - pack.part.len()) as u64);
            let taken = bytes.split_to(bytes.len().min(room as usize));
            pack.add(&taken);
            let full = pack.size_bytes == pack_bytes;
            if pack.part.len() == part_bytes {
                let part = std::mem::replace(&mut pack.part, BytesMut::with_capacity(part_bytes)).freeze();
                self.send(|| Piece::Part(part.clone())).await?;
            }
            if full {
                self.end_pack().await?;
            }
        }
        Ok(())
    }

    /// Ends the stream; gives its packs in order, for the manifest. A stream without bytes has none.
    pub async fn end(&mut self) -> Result<Vec<Pack>, FanoutError> {
        self.stream.as_ref().ok_or(FanoutError::NoStream)?;
        self.end_pack().await?;
        self.stream = None;
        let packs = std::mem::take(&mut self.packs);
        self.all.extend_from_slice(&packs);
        Ok(packs)
    }

    /// Waits for all packs, then writes the manifest to each store that holds them all, and reads it back. What the
    /// others miss is written down before, so that a backup with a manifest never lacks that note.
    pub async fn commit(mut self, manifest: Bytes) -> Result<Commit, FanoutError> {
        if let Some(open) = &self.stream {
            return Err(FanoutError::Unended(open.clone()));
        }
        self.flush().await;
        self.all_packs_are_held()?;
        let manifest_pack = Pack::of(self.folder.manifest(), &manifest);
        let (whole, partial): (Vec<&Lane>, Vec<&Lane>) =
            self.lanes.iter().partition(|lane| self.is_whole(lane));
        let owed = partial.iter().flat_map(|lane| {
            let held = lane.shared.report().held.clone();
            let missing = self.all.iter().filter(move |pack| !held.contains(&pack.object));
            missing.chain([&manifest_pack]).map(|pack| (lane.kept.name.clone(), pack.clone()))
        });
        let owed: Vec<_> = owed.collect();
        self.owe(owed, &manifest).await?;
        let put = whole.iter().map(|lane| self.put_manifest(&lane.kept, &manifest_pack, manifest.clone()));
        let put = futures_util::future::join_all(put).await;
        let (mut held_by, mut failed) = (vec![], vec![]);
        for (lane, put) in whole.iter().zip(put) {
            match put {
                Ok(()) => held_by.push(lane.kept.name.clone()),
                Err(StoreError::Exists) => return Err(FanoutError::Committed(lane.kept.name.clone())),
                Err(error) => {
                    tracing::warn!(store = %lane.kept.name, %error, "a store did not take the manifest");
                    failed.push((lane.kept.name.clone(), manifest_pack.clone()));
                }
            }
        }
        let owed_to = partial.iter().map(|lane| lane.kept.name.clone());
        let owed_to = owed_to.chain(failed.iter().map(|(name, _)| name.clone())).collect();
        self.owe(failed, &manifest).await?;
        self.clear_spool().await;
        let counts = held_by.len() >= self.stores.settings().copies_min;
        Ok(Commit { held_by, owed_to, counts })
    }

    /// Stops, and removes what was written, as far as the stores answer and allow it.
    pub async fn abandon(mut self) {
        for lane in self.lanes.iter().chain(&self.spool) {
            lane.give_up("abandoned");
        }
        self.flush().await;
        for lane in self.lanes.iter().chain(&self.spool) {
            let held: Vec<_> = lane.shared.report().held.iter().cloned().collect();
            for object in held {
                if let Err(error) = lane.kept.noted(lane.kept.store.delete(&object).await) {
                    tracing::debug!(store = %lane.kept.name, %object, %error, "left for the sweeper");
                }
            }
        }
    }

    /// Bytes of complete packs so far, for progress.
    pub fn bytes_packed(&self) -> u64 {
        self.all.iter().chain(&self.packs).map(|pack| pack.size_bytes).sum()
    }

    async fn begin_pack(&mut self) -> Result<(), FanoutError> {
        let stream = self.stream.as_ref().ok_or(FanoutError::NoStream)?;
        let object = self.folder.pack(stream, self.packs.len() as u32 + 1)?;
        let spooled = self.needs_spool();
        let writing = self.lanes.iter().any(|lane| !lane.has_failed());
        let spooling = spooled && self.spool.as_ref().is_some_and(|spool| !spool.has_failed());
        if !writing && !spooling {
            return Err(FanoutError::NoStore { why: self.failures() });
        }
        self.pack = Some(Building {
            object: object.clone(),
            part: BytesMut::with_capacity(self.stores.settings().part_bytes),
            size_bytes: 0,
            digest: Sha256::new(),
            first: BytesMut::new(),
            last: BytesMut::new(),
            spooled,
        });
        self.send(|| Piece::Begin(object.clone())).await
    }

    async fn end_pack(&mut self) -> Result<(), FanoutError> {
        let Some(pack) = &mut self.pack else { return Ok(()) };
        if !pack.part.is_empty() {
            let part = pack.part.split().freeze();
            self.send(|| Piece::Part(part.clone())).await?;
        }
        let Some(pack) = &mut self.pack else { return Ok(()) };
        let sha256 = Sha256Hex(std::mem::take(&mut pack.digest).finalize().into());
        let (first, last) = (pack.first.split().freeze(), pack.last.split().freeze());
        let done = Pack { object: pack.object.clone(), size_bytes: pack.size_bytes, sha256 };
        let ended = Ended { pack: done.clone(), first, last };
        self.send(|| Piece::End(ended.clone())).await?;
        self.pack = None;
        self.packs.push(done);
        self.clear_spool().await;
        Ok(())
    }

    /// To every lane, waiting for those whose queue is full. One that lags behind the others is left behind.
    async fn send(&mut self, piece: impl Fn() -> Piece) -> Result<(), FanoutError> {
        let spooled = self.pack.as_ref().is_some_and(|pack| pack.spooled);
        let spool = self.spool.iter().filter(|_| spooled);
        for lane in self.lanes.iter().chain(spool) {
            loop {
                let lag_max = self.stores.settings().lag_max;
                match tokio::time::timeout(lag_max, lane.pieces.reserve()).await {
                    Ok(Ok(permit)) => permit.send(piece()),
                    // Its end only goes when it panicked.
                    Ok(Err(_)) => lane.give_up("its lane has ended"),
                    Err(_) if self.is_ahead_of(lane) => lane.give_up("it lags behind the other stores"),
                    Err(_) => continue,
                }
                break;
            }
        }
        Ok(())
    }

    /// Whether another store has room: then it is not the producer's turn to wait.
    fn is_ahead_of(&self, slow: &Lane) -> bool {
        let others = self.lanes.iter().filter(|lane| !std::ptr::eq(*lane, slow));
        others.into_iter().any(|lane| !lane.has_failed() && lane.pieces.capacity() > 0)
    }

    fn needs_spool(&self) -> bool {
        let mut writing = self.lanes.iter().filter(|lane| !lane.has_failed());
        match (writing.next(), writing.next()) {
            (Some(only), None) => self.lanes.len() > 1 || only.kept.store.kind() != StoreKind::Disk,
            (None, _) => true,
            (Some(_), Some(_)) => false,
        }
    }

    async fn flush(&mut self) {
        for lane in self.lanes.iter().chain(&self.spool) {
            let (done, is_done) = oneshot::channel();
            if lane.pieces.send(Piece::Flush(done)).await.is_ok() {
                let _ = is_done.await;
            }
        }
    }

    fn is_whole(&self, lane: &Lane) -> bool {
        let report = lane.shared.report();
        self.all.iter().all(|pack| report.held.contains(&pack.object))
    }

    fn all_packs_are_held(&self) -> Result<(), FanoutError> {
        let held = |pack: &&Pack| {
            let mut lanes = self.lanes.iter().chain(&self.spool);
            lanes.any(|lane| lane.shared.report().held.contains(&pack.object))
        };
        match self.all.iter().find(|pack| !held(pack)) {
            Some(pack) => Err(FanoutError::Lost { object: pack.object.clone(), why: self.failures() }),
            None => Ok(()),
        }
    }

    fn failures(&self) -> Vec<String> {
        let lanes = self.lanes.iter().chain(&self.spool);
        lanes
            .filter_map(|l| Some(format!("{}: {}", l.kept.name, l.shared.report().failed.as_ref()?)))
            .collect()
    }

    async fn owe(&self, owed: Vec<(StoreName, Pack)>, manifest: &Bytes) -> Result<(), FanoutError> {
        let Some(spool) = self.stores.spool().filter(|_| !owed.is_empty()) else { return Ok(()) };
        let since = Utc::now();
        let owed = owed
            .into_iter()
            .map(|(store, pack)| Owed { store, pack, reason: Reason::Missing, since })
            .collect();
        spool.owe(owed).await.map_err(FanoutError::Spool)?;
        let name = self.folder.manifest();
        match spool.kept().store.put(&name, manifest.clone(), Creation::Only).await {
            // Full, perhaps: the stores that do have it are sources as well.
            Err(error) if !matches!(error, StoreError::Exists) => {
                tracing::warn!(%error, "the spool did not take a manifest");
            }
            _ => {}
        }
        self.stores.wake_synchroniser();
        Ok(())
    }

    /// Removes from the spool what all stores have got by themselves.
    async fn clear_spool(&self) {
        let Some(lane) = &self.spool else { return };
        let spooled: Vec<_> = lane.shared.report().held.iter().cloned().collect();
        for object in spooled {
            if self.lanes.iter().all(|lane| lane.shared.report().held.contains(&object)) {
                let _ = lane.kept.store.delete(&object).await;
                lane.shared.report().held.remove(&object);
            }
        }
    }

    async fn put_manifest(&self, kept: &Kept, manifest: &Pack, bytes: Bytes) -> Result<(), StoreError> {
        let tries = self.stores.settings().tries;
        let put = tried!(kept, tries, kept.store.put(&manifest.object, bytes.clone(), Creation::Only));
        match put {
            Ok(()) => digest_is_right(kept, tries, manifest).await,
            // By a try whose answer was lost, or by another run.
            Err(StoreError::Exists) => match digest_is_right(kept, tries, manifest).await {
                Err(StoreError::Damaged { .. }) => Err(StoreError::Exists),
                other => other,
            },
            Err(error) => Err(error),
        }
    }
}

impl Building {
    fn add(&mut self, bytes: &[u8]) {
        self.size_bytes += bytes.len() as u64;
        self.digest.update(bytes);
        self.part.extend_from_slice(bytes);
        let room = EDGE_BYTES - self.first.len();
        self.first.extend_from_slice(&bytes[..room.min(bytes.len())]);
        if bytes.len() >= EDGE_BYTES {
            self.last.clear();
        } else {
            let surplus = (self.last.len() + bytes.len()).saturating_sub(EDGE_BYTES);
            let kept = self.last.split_off(surplus);
            self.last = kept;
        }
        self.last.extend_from_slice(&bytes[bytes.len().saturating_sub(EDGE_BYTES)..]);
    }
}
